//! A way as a tree, for those who read it in a terminal.

use std::collections::HashSet;
use std::fmt::Write;

use serde::Serialize;

use super::place::Place;
use super::ways::{Token, Ways};
use crate::graph::{Edge, NodeKind};

/// How many nodes a tree has at most; a way through a hundred targets is told by the first of them.
const BRANCHES_MAX: usize = 2_000;

/// How many targets of a node are shown in text before the rest is counted.
const TARGETS_MAX: usize = 3;

/// A node of a tree, with the edge that ties it to its parent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Branch {
    /// The node's id.
    pub id: String,
    /// The node's kind.
    pub kind: &'static str,
    /// The node's name.
    pub name: String,
    /// Where it stands.
    #[serde(flatten)]
    pub place: Place,
    /// The edge between it and its parent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edge: Option<Edge>,
    /// Whether its children are shown further up already.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// What comes behind it.
    pub children: Vec<Branch>,
}

/// Grows the tree of a node.
pub(super) fn grow<'g>(ways: &Ways<'g>, id: &str, token: Token<'g>, up: bool) -> Option<Branch> {
    let at = ways.place(id)?;
    let mut seen = HashSet::new();
    let mut left = BRANCHES_MAX;
    Some(branch(ways, at, token, None, up, &mut seen, &mut left))
}

fn branch<'g>(
    ways: &Ways<'g>,
    at: usize,
    token: Token<'g>,
    edge: Option<&Edge>,
    up: bool,
    seen: &mut HashSet<(usize, Token<'g>)>,
    left: &mut usize,
) -> Branch {
    let node = &ways.graph().nodes[at];
    *left = left.saturating_sub(1);
    let steps = ways.steps(at, token, up);
    let again = !seen.insert((at, token)) && !steps.is_empty();
    let mut children = Vec::new();
    if !again {
        for (index, next, token) in steps {
            if *left == 0 {
                break;
            }
            children.push(branch(ways, next, token, Some(&ways.graph().edges[index]), up, seen, left));
        }
    }
    Branch {
        id: node.id.clone(),
        kind: node.kind.as_str(),
        name: node.name.clone(),
        place: Place::of(node),
        edge: edge.cloned(),
        again,
        children,
    }
}

impl Branch {
    /// Writes the tree as text, one node in a line.
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.write("", "", &mut out);
        out
    }

    fn write(&self, own: &str, below: &str, out: &mut String) {
        let place = self.place.to_string();
        let gap = if place.is_empty() { "" } else { "  " };
        let _ = write!(out, "{own}{} {}{gap}{place}", self.kind, self.name);
        if let Some(edge) = &self.edge {
            write_edge(edge, &self.name, out);
        }
        out.push_str(if self.again { "  (as above)\n" } else { "\n" });
        let mut shown: Vec<&Branch> = Vec::new();
        let (mut targets, mut hidden) = (0, 0);
        for child in &self.children {
            targets += usize::from(child.kind == NodeKind::Target.as_str());
            if child.kind == NodeKind::Target.as_str() && targets > TARGETS_MAX {
                hidden += 1;
            } else {
                shown.push(child);
            }
        }
        for (place, child) in shown.iter().enumerate() {
            let is_last = place + 1 == shown.len() && hidden == 0;
            let (corner, bar) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            child.write(&format!("{below}{corner}"), &format!("{below}{bar}"), out);
        }
        if hidden > 0 {
            let _ = writeln!(out, "{below}└─ and {hidden} more targets");
        }
    }
}

fn write_edge(edge: &Edge, name: &str, out: &mut String) {
    let via = match (edge.function.as_str(), edge.via.as_str()) {
        (_, "") => String::new(),
        // That a rule is read by its own name goes without saying.
        ("", via) if via == name => String::new(),
        ("", via) => format!("  via {via}"),
        (function, via) => format!("  via {function}: {via}"),
    };
    let _ = write!(out, "{via}  [{}]", edge.state.as_str());
    if let Some(reason) = edge.reason.as_ref().filter(|_| !edge.state.is_fine()) {
        let _ = write!(out, " {reason}");
    }
}
