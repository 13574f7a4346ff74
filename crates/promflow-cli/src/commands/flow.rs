//! `promflow flow`: the chart, and the questions it answers.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use promflow_flow::graph::Edge;
use promflow_flow::{Graph, questions, render, select};
use serde::Serialize;

use super::{flow_diff, flow_files};
use crate::args::{FailOn, FlowArguments, FlowOutput, FlowQuestion};

/// How many broken edges are named before the rest is counted.
const BROKEN_NAMED_MAX: usize = 20;

/// Draws the chart or answers a question; only that goes to standard output.
///
/// Errors: a file is refused, with every mistake at its place; the server does not answer; a name or selection means
/// nothing; an edge is in a state to fail on.
pub(crate) async fn run(arguments: FlowArguments) -> Result<()> {
    let json = arguments.files.json;
    if let Some(FlowQuestion::Diff { revisions }) = &arguments.question {
        let diff = flow_diff::diff(&arguments.files, revisions)?;
        return answer(json, &diff, || diff.text.clone());
    }
    let (graph, _) = flow_files::graph(&arguments.files).await?;
    match &arguments.question {
        Some(FlowQuestion::Feeds { name }) => {
            let feeds = questions::feeds(&graph, name)?;
            answer(json, &feeds, || feeds.text())?;
        }
        Some(FlowQuestion::Breaks { name }) => {
            let breaks = questions::breaks(&graph, name)?;
            answer(json, &breaks, || breaks.text())?;
        }
        Some(FlowQuestion::Missing) => {
            let missing = questions::missing(&graph);
            answer(json, &missing, || missing.text())?;
        }
        Some(FlowQuestion::Diff { .. }) => unreachable!("BUG: the graphs of two revisions were drawn above"),
        None => draw(&arguments, &graph)?,
    }
    fail(arguments.fail_on, &graph)
}

/// Prints an answer as JSON or as text.
pub(super) fn answer(json: bool, answer: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
    let text = if json {
        serde_json::to_string_pretty(answer).context("cannot write the answer")? + "\n"
    } else {
        text()
    };
    print(text.as_bytes())
}

fn draw(arguments: &FlowArguments, graph: &Graph) -> Result<()> {
    let part = match &arguments.select {
        Some(expr) => Some(select(graph, expr).with_context(|| format!("cannot select {expr:?}"))?),
        None => None,
    };
    let graph = part.as_ref().unwrap_or(graph);
    let default = if arguments.files.json { FlowOutput::Json } else { FlowOutput::Mermaid };
    let format = arguments.format.unwrap_or(default);
    let output = arguments.output.as_deref();
    let is_dir = |path: &&Path| path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/");
    if let Some(dir) = output.filter(is_dir) {
        if format != FlowOutput::Mermaid {
            bail!("{} is a directory\n\nhint: only Mermaid is written in parts", dir.display());
        }
        return write_parts(graph, dir);
    }
    let chart = match format {
        FlowOutput::Mermaid => render::mermaid(graph).into_bytes(),
        FlowOutput::Svg => render::svg(graph).into_bytes(),
        FlowOutput::Png => render::png(graph, arguments.dark).map_err(|message| anyhow::anyhow!(message))?,
        FlowOutput::Html => render::html(graph).into_bytes(),
        FlowOutput::Text => render::text(graph).into_bytes(),
        FlowOutput::Dot => render::dot(graph).into_bytes(),
        FlowOutput::Json => render::json(graph).into_bytes(),
    };
    match output {
        Some(path) => std::fs::write(path, chart).with_context(|| format!("cannot write {}", path.display())),
        None => print(&chart),
    }
}

fn write_parts(graph: &Graph, dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    for (name, text) in render::mermaid_parts(graph) {
        let path = dir.join(format!("{name}.mmd"));
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn print(bytes: &[u8]) -> Result<()> {
    match std::io::stdout().write_all(bytes) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => bail!("cannot write the answer: {e}"),
        _ => Ok(()),
    }
}

fn fail(on: Option<FailOn>, graph: &Graph) -> Result<()> {
    let broken: Vec<_> = match on {
        Some(FailOn::Broken) => graph.broken().collect(),
        None => return Ok(()),
    };
    if broken.is_empty() {
        return Ok(());
    }
    // Who reads in vain is told before what is exposed in vain, and the same but once.
    let is_read = |edge: &&&Edge| !edge.via.is_empty();
    let (read, exposed): (Vec<&&Edge>, Vec<&&Edge>) = broken.iter().partition(is_read);
    let mut lines: Vec<String> = Vec::new();
    for edge in read.into_iter().chain(exposed) {
        let line = broken_line(graph, edge);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let more = lines.len().saturating_sub(BROKEN_NAMED_MAX);
    lines.truncate(BROKEN_NAMED_MAX);
    let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
    let edges = if broken.len() == 1 { "edge is" } else { "edges are" };
    bail!("{} {edges} broken\n{}{more}", broken.len(), lines.join("\n"))
}

fn broken_line(graph: &Graph, edge: &Edge) -> String {
    let reader = graph.node(&edge.to);
    let name = reader.map_or(edge.to.as_str(), |node| node.name.as_str());
    let place = reader.and_then(|node| Some(format!(" ({}:{})", node.file.as_ref()?, node.line?)));
    let via = if edge.via.is_empty() { String::new() } else { format!(" reads {}", edge.via) };
    let reason = edge.reason.as_deref().unwrap_or(edge.state.as_str());
    format!("  {name}{}{via}: [{}] {reason}", place.unwrap_or_default(), edge.state.as_str())
}
