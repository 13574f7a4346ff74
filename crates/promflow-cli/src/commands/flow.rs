//! `promflow flow`.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use promflow_config::HttpClientConfig;
use promflow_flow::live::LiveState;
use promflow_flow::paths::{FlowFiles, FlowPaths};
use promflow_flow::{Graph, render};
use promflow_http::ApiClient;

use crate::args::{FlowArguments, FlowOutput};
use crate::live;

/// Alertmanager's configuration, unless another is named.
const ALERTMANAGER: &str = "monitoring/alertmanager.yml";

/// Draws the chart; only the chart goes to standard output.
///
/// Errors: a file is refused, with every mistake at its place, or the server does not answer.
pub(crate) async fn run(arguments: FlowArguments) -> Result<()> {
    let usual = Path::new(ALERTMANAGER);
    let alertmanager =
        arguments.alertmanager_config.clone().or_else(|| usual.is_file().then(|| usual.to_owned()));
    if alertmanager.is_none() {
        eprintln!("warning: {ALERTMANAGER} is not there: the chart ends at the alerts");
    }
    let paths = FlowPaths {
        config: Some(arguments.config_file.clone()),
        alertmanager,
        source: Some(arguments.source.clone()),
    };
    let files = FlowFiles::read(&paths).map_err(|errors| {
        anyhow::anyhow!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })?;
    let state = match &arguments.url {
        Some(url) => Some(ask(url).await?),
        None => None,
    };
    let graph = files.graph(state.as_ref());
    for problem in graph.problems() {
        eprintln!("warning: {problem}");
    }
    write(&arguments, &draw(&graph, arguments.format))
}

async fn ask(url: &str) -> Result<LiveState> {
    let client = ApiClient::new(url, &HttpClientConfig::default())
        .with_context(|| format!("{url:?} is no address of a server"))?;
    live::ask(&client).await.with_context(|| format!("cannot ask {url} for its state"))
}

fn draw(graph: &Graph, format: FlowOutput) -> String {
    match format {
        FlowOutput::Mermaid => render::mermaid(graph),
        FlowOutput::Svg => render::svg(graph),
        FlowOutput::Dot => render::dot(graph),
        FlowOutput::Json => render::json(graph),
    }
}

fn write(arguments: &FlowArguments, chart: &str) -> Result<()> {
    if let Some(path) = &arguments.output {
        return std::fs::write(path, chart).with_context(|| format!("cannot write {}", path.display()));
    }
    match std::io::stdout().write_all(chart.as_bytes()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => bail!("cannot write the chart: {e}"),
        _ => Ok(()),
    }
}
