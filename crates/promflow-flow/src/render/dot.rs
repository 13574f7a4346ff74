//! Graphviz's text.

use std::fmt::Write;

use super::style::{kind_colour, line};
use crate::Graph;
use crate::graph::Lane;
use crate::view::{Tone, View, ViewNode, ViewOptions};

/// Writes a graph as a digraph with one cluster for each lane.
pub fn dot(graph: &Graph) -> String {
    dot_of(&View::of(graph, &ViewOptions::default()))
}

/// Writes what is shown of a graph.
pub fn dot_of(view: &View) -> String {
    let mut out = String::from("digraph flow {\n");
    out.push_str("  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"sans-serif\", fontsize=11];\n");
    out.push_str("  edge [fontname=\"sans-serif\", fontsize=9];\n");
    for lane in Lane::ALL {
        let nodes: Vec<(usize, &ViewNode)> =
            view.nodes.iter().enumerate().filter(|(_, node)| node.lane == Some(lane)).collect();
        if nodes.is_empty() {
            continue;
        }
        let name = lane.as_str();
        let _ = writeln!(out, "  subgraph cluster_{name} {{\n    label=\"{name}\"; color=\"#cbd5e1\";");
        for (_, node) in nodes {
            let _ = writeln!(out, "    {} [{}];", quoted(&node.id), attributes(node));
        }
        out.push_str("  }\n");
    }
    for edge in &view.edges {
        let style = line(edge.state);
        let (from, to) = (quoted(&view.nodes[edge.from].id), quoted(&view.nodes[edge.to].id));
        let label = edge.fault.map_or(String::new(), |fault| {
            format!(", label={}", quoted(view.faults.get(fault - 1).map_or("", String::as_str)))
        });
        let head = if edge.state.is_broken() { ", arrowhead=tee" } else { "" };
        let colour = if edge.state == crate::graph::State::Mismatch {
            format!("{0}:{0}", style.light)
        } else {
            style.light.to_owned()
        };
        let _ = writeln!(
            out,
            "  {from} -> {to} [style={}, color=\"{colour}\", tooltip={}{label}{head}];",
            style.dot,
            quoted(&edge.tooltip)
        );
    }
    out.push_str("}\n");
    out
}

fn attributes(node: &ViewNode) -> String {
    let label = format!("{}\n{}", node.title, node.subtitle);
    let colour = node.kind.map_or("#475569", |kind| kind_colour(kind).0);
    let mut text = format!("label={}, color=\"{colour}\", tooltip={}", quoted(&label), quoted(&node.tooltip));
    match node.tone {
        Tone::Bad => text.push_str(", fillcolor=\"#fee2e2\", penwidth=2"),
        Tone::Warning => text.push_str(", fillcolor=\"#fef3c7\""),
        Tone::Foreign => text.push_str(", style=\"rounded,filled,dashed\""),
        Tone::Wildcard => text.push_str(", style=\"rounded,filled,dotted\""),
        Tone::Plain | Tone::Good => {}
    }
    if let Some(href) = &node.href {
        let _ = write!(text, ", URL={}", quoted(href));
    }
    text
}

fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}
