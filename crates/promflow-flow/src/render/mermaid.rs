//! Mermaid's text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::style::{kind_colour, line};
use crate::Graph;
use crate::graph::{Lane, NodeKind, State};
use crate::questions::Ways;
use crate::view::{Tone, View, ViewNode, ViewOptions};

/// How long a text Mermaid draws, and how many edges, unless it is told otherwise.
///
/// Source: Mermaid's `maxTextSize` and `maxEdges`.
const TEXT_MAX: usize = 50_000;
const EDGES_MAX: usize = 500;

/// How many nodes are drawn, in turn, until the text is within Mermaid's limits.
const NODES: [usize; 5] = [80, 60, 40, 24, 12];

/// Writes the chart, folded as far as Mermaid's limits need it.
pub fn mermaid(graph: &Graph) -> String {
    let mut text = String::new();
    for nodes_max in NODES {
        let view = View::of(graph, &ViewOptions { nodes_max, ..ViewOptions::default() });
        text = write(&view);
        if text.len() < TEXT_MAX && view.edges.len() <= EDGES_MAX {
            break;
        }
    }
    text
}

/// Writes the whole chart without folds: in one part where Mermaid's limits allow, else in one for each group of
/// rules, with what feeds it and whom it tells, and one for what no rule reads. Each part comes with its name.
pub fn mermaid_parts(graph: &Graph) -> Vec<(String, String)> {
    let options =
        ViewOptions { nodes_max: usize::MAX, edges_max: usize::MAX, lane_max: usize::MAX, sinks: true };
    let fits = |text: &str, edges: usize| text.len() < TEXT_MAX && edges <= EDGES_MAX;
    let view = View::of(graph, &options);
    let text = write(&view);
    if fits(&text, view.edges.len()) {
        return vec![("flow".to_owned(), text)];
    }
    let ways = Ways::of(graph);
    let mut groups: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut told: BTreeSet<String> = BTreeSet::new();
    for node in &graph.nodes {
        if matches!(node.kind, NodeKind::Recording | NodeKind::Alert | NodeKind::Dashboard) {
            let file = node.file.as_deref().unwrap_or("").rsplit('/').next().unwrap_or("");
            let stem = file.trim_end_matches(".yml").trim_end_matches(".yaml").trim_end_matches(".json");
            let group = node.group.as_deref().unwrap_or(node.kind.as_str());
            groups.entry(format!("{stem}-{group}")).or_default().insert(&node.id);
        }
    }
    let mut parts: Vec<(String, String)> = Vec::new();
    for (name, ids) in groups {
        let ids: Vec<&str> = ids.into_iter().collect();
        let mut nodes = ways.upstream(&ids, None).nodes;
        nodes.extend(ways.downstream(&ids, None).nodes);
        told.extend(nodes.iter().cloned());
        parts.push((file_name(&name), part(&graph.part(&nodes), &options)));
    }
    let rest: BTreeSet<String> =
        graph.nodes.iter().map(|node| node.id.clone()).filter(|id| !told.contains(id)).collect();
    if !rest.is_empty() {
        parts.push(("rest".to_owned(), part(&graph.part(&rest), &options)));
    }
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (name, _) in &mut parts {
        let count = seen.entry(name.clone()).or_insert(0);
        *count += 1;
        if *count > 1 {
            *name = format!("{name}-{count}");
        }
    }
    parts
}

/// Writes a part whole, or folded where it is too large itself.
fn part(graph: &Graph, options: &ViewOptions) -> String {
    let view = View::of(graph, options);
    let text = write(&view);
    if text.len() < TEXT_MAX && view.edges.len() <= EDGES_MAX { text } else { mermaid(graph) }
}

fn file_name(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.chars()
        .map(|c| if fits(c) { c } else { '-' })
        .collect::<String>()
        .trim_matches(['-', '.'])
        .to_owned()
}

fn write(view: &View) -> String {
    let ids = ids(view);
    let mut out = String::from("flowchart LR\n");
    for lane in Lane::ALL {
        let nodes: Vec<usize> =
            (0..view.nodes.len()).filter(|at| view.nodes[*at].lane == Some(lane)).collect();
        if nodes.is_empty() {
            continue;
        }
        let _ = writeln!(out, "  subgraph lane_{0} [\"{0}\"]", lane.as_str());
        let mut groups: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
        for at in nodes {
            groups.entry(view.nodes[at].group.as_deref()).or_default().push(at);
        }
        for (place, (group, members)) in groups.into_iter().enumerate() {
            if let Some(group) = group {
                let _ = writeln!(out, "    subgraph box_{}_{place} [\"{}\"]", lane.as_str(), escaped(group));
            }
            for at in members {
                let _ =
                    writeln!(out, "    {}{}:::{}", ids[at], shape(&view.nodes[at]), class(&view.nodes[at]));
            }
            if group.is_some() {
                out.push_str("    end\n");
            }
        }
        out.push_str("  end\n");
    }
    write_edges(view, &ids, &mut out);
    write_classes(view, &mut out);
    out
}

fn write_edges(view: &View, ids: &[String], out: &mut String) {
    let mut by_state: BTreeMap<State, Vec<String>> = BTreeMap::new();
    for (place, edge) in view.edges.iter().enumerate() {
        let label = edge.fault.and_then(|fault| view.faults.get(fault - 1));
        let label = label.map_or(String::new(), |reason| format!("|\"{}\"|", escaped(reason)));
        let _ = writeln!(out, "  {} {}{label} {}", ids[edge.from], line(edge.state).mermaid, ids[edge.to]);
        by_state.entry(edge.state).or_default().push(place.to_string());
    }
    for (state, places) in by_state {
        let style = line(state);
        let width = style.width.min(3.0);
        let _ =
            writeln!(out, "  linkStyle {} stroke:{},stroke-width:{width}px", places.join(","), style.light);
    }
}

fn write_classes(view: &View, out: &mut String) {
    let kinds: BTreeSet<NodeKind> = view.nodes.iter().filter_map(|node| node.kind).collect();
    for kind in kinds {
        let colour = kind_colour(kind).0;
        let _ = writeln!(out, "  classDef {} fill:#ffffff,stroke:{colour},color:#0f172a", kind.as_str());
    }
    let tones: BTreeSet<Tone> = view.nodes.iter().map(|node| node.tone).collect();
    for tone in tones {
        let style = match tone {
            Tone::Bad => "fill:#fee2e2,stroke:#dc2626,color:#7f1d1d,stroke-width:2px",
            Tone::Warning => "fill:#fef3c7,stroke:#b45309,color:#78350f",
            Tone::Wildcard => "fill:#f8fafc,stroke:#64748b,color:#334155,stroke-dasharray:2 3",
            Tone::Foreign => "fill:#fffbeb,stroke:#a16207,color:#713f12,stroke-dasharray:6 3",
            Tone::Plain | Tone::Good => continue,
        };
        let _ = writeln!(out, "  classDef {} {style}", tone_class(tone));
    }
}

fn class(node: &ViewNode) -> &'static str {
    match node.tone {
        Tone::Plain | Tone::Good => node.kind.map_or("definition", NodeKind::as_str),
        tone => tone_class(tone),
    }
}

fn tone_class(tone: Tone) -> &'static str {
    match tone {
        Tone::Bad => "bad",
        Tone::Warning => "warning",
        Tone::Wildcard => "wildcard",
        Tone::Foreign => "foreign",
        Tone::Plain | Tone::Good => "plain",
    }
}

fn shape(node: &ViewNode) -> String {
    let text = match node.subtitle.as_str() {
        "" => escaped(&node.title),
        subtitle => format!("{}<br/>{}", escaped(&node.title), escaped(subtitle)),
    };
    match node.kind {
        Some(NodeKind::Library) => format!("[[\"{text}\"]]"),
        Some(NodeKind::Exporter) => format!("[/\"{text}\"\\]"),
        Some(NodeKind::Endpoint) => format!("([\"{text}\"])"),
        Some(NodeKind::Job | NodeKind::Target) => format!("{{{{\"{text}\"}}}}"),
        Some(NodeKind::Recording) => format!("[/\"{text}\"/]"),
        Some(NodeKind::Alert) => format!(">\"{text}\"]"),
        Some(NodeKind::Route) => format!("(\"{text}\")"),
        Some(NodeKind::Receiver) => format!("([\"{text}\"])"),
        _ => format!("[\"{text}\"]"),
    }
}

/// Returns names that Mermaid takes as they are and that no two nodes share.
fn ids(view: &View) -> Vec<String> {
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    view.nodes
        .iter()
        .map(|node| {
            let name: String =
                node.id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
            // A word of Mermaid's own (`end`, `graph`) breaks the chart; with a letter before it, it is just a name.
            let name = format!("n_{name}");
            let count = used.entry(name.clone()).or_insert(0);
            *count += 1;
            if *count == 1 { name } else { format!("{name}_{count}") }
        })
        .collect()
}

/// Escapes what would end a quoted text, start Markdown or a comment.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("#quot;"),
            '#' => out.push_str("#35;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '&' => out.push_str("#amp;"),
            '%' => out.push_str("#37;"),
            '`' => out.push('\''),
            '\n' => out.push_str("<br/>"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
