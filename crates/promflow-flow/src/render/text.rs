//! The chart in a terminal: lane by lane, each node with what it gets and from whom.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::Graph;
use crate::graph::{Lane, State};
use crate::view::{Tone, View, ViewEdge, ViewNode, ViewOptions};

/// The width that lines are cut at.
const WIDTH: usize = 110;

/// How many sources of a node are named before the rest is counted.
const SOURCES_MAX: usize = 6;

/// Writes the chart for a terminal, folded as in a picture.
pub fn text(graph: &Graph) -> String {
    text_of(&View::of(graph, &ViewOptions::default()))
}

/// Writes what is shown of a graph for a terminal.
pub fn text_of(view: &View) -> String {
    let mut into: BTreeMap<usize, Vec<&ViewEdge>> = BTreeMap::new();
    for edge in &view.edges {
        into.entry(edge.to).or_default().push(edge);
    }
    let mut out = String::new();
    for lane in Lane::ALL {
        let nodes: Vec<usize> =
            (0..view.nodes.len()).filter(|at| view.nodes[*at].lane == Some(lane)).collect();
        if nodes.is_empty() {
            continue;
        }
        let title = format!("── {} ", lane.as_str());
        let _ = writeln!(out, "{title}{}", "─".repeat(WIDTH - title.chars().count()));
        let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for at in nodes {
            groups.entry(view.nodes[at].group.as_deref().unwrap_or("")).or_default().push(at);
        }
        for (group, members) in groups {
            if !group.is_empty() {
                let _ = writeln!(out, "  {group}");
            }
            let indent = if group.is_empty() { "  " } else { "    " };
            for at in members {
                let _ = writeln!(out, "{}", cut(&format!("{indent}{}", face(&view.nodes[at]))));
                sources(view, into.get(&at).map_or(&[][..], |edges| edges), indent, &mut out);
            }
        }
        out.push('\n');
    }
    if view.faults.is_empty() {
        out.push_str("nothing is broken\n");
    } else {
        out.push_str("broken:\n");
    }
    for (place, fault) in view.faults.iter().enumerate() {
        let _ = writeln!(out, "  {}. {fault}", place + 1);
    }
    out
}

fn face(node: &ViewNode) -> String {
    let mark = match node.tone {
        Tone::Good => "● ",
        Tone::Warning => "▲ ",
        Tone::Bad => "■ ",
        Tone::Plain | Tone::Foreign | Tone::Wildcard => "○ ",
    };
    let gap = if node.subtitle.is_empty() { "" } else { "  " };
    format!("{mark}{}{gap}{}", node.title, node.subtitle)
}

/// Writes what comes into a node: the line of an edge says how it is, as in a picture.
fn sources(view: &View, edges: &[&ViewEdge], indent: &str, out: &mut String) {
    let mut order: Vec<&&ViewEdge> = edges.iter().collect();
    // What is wrong is named, however many come.
    order.sort_by_key(|edge| (std::cmp::Reverse(edge.state.is_broken()), edge.from));
    for (place, edge) in order.iter().enumerate() {
        if place == SOURCES_MAX && order.len() > SOURCES_MAX + 1 {
            let _ = writeln!(out, "{indent}   and {} more", order.len() - SOURCES_MAX);
            break;
        }
        let number = edge.fault.map_or(String::new(), |fault| format!("  [{fault}]"));
        let line = format!("{indent}   {} {}{number}", arrow(edge.state), view.nodes[edge.from].title);
        let _ = writeln!(out, "{}", cut(&line));
    }
}

fn arrow(state: State) -> &'static str {
    match state {
        State::Alive => "◀━━",
        State::Defined => "◀──",
        State::Unknown => "◀┈┈",
        State::Undecidable => "◀··",
        State::Stale => "◀╌╌",
        State::Dropped => "┤──",
        State::Mismatch => "┤══",
        State::NeverSeen => "┤╳╌",
    }
}

fn cut(line: &str) -> String {
    if line.chars().count() <= WIDTH {
        return line.to_owned();
    }
    let kept: String = line.chars().take(WIDTH - 1).collect();
    format!("{kept}…")
}
