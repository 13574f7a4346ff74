//! What feeds an alert: every way up to the line of code.

use std::fmt::Write;

use serde::Serialize;

use super::ask::{AskError, ids_of};
use super::place::Place;
use super::tree::{Branch, grow};
use super::ways::Ways;
use crate::graph::{DefinitionFacts, Details, Edge, Existence, Graph, Node, NodeKind};

/// What feeds a node.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Feeds {
    question: &'static str,
    /// The name asked about.
    pub name: String,
    /// The nodes of that name.
    pub ids: Vec<String>,
    /// The lines of code it all starts from, sorted by id.
    pub definitions: Vec<Node>,
    /// The edges on the way over which nothing can come.
    pub broken: Vec<Edge>,
    /// The ways, one tree for each node of the name.
    pub tree: Vec<Branch>,
    /// The nodes on the way.
    pub nodes: Vec<Node>,
    /// The edges on the way.
    pub edges: Vec<Edge>,
}

/// The kinds that are fed, in the order in which a name is looked for.
const FED: [NodeKind; 9] = [
    NodeKind::Alert,
    NodeKind::Recording,
    NodeKind::Dashboard,
    NodeKind::Receiver,
    NodeKind::Route,
    NodeKind::Job,
    NodeKind::Endpoint,
    NodeKind::Target,
    NodeKind::Definition,
];

/// Tells what feeds an alert, or anything else of that name.
///
/// Errors: nothing has the name; the nearest name that an alert or a recording rule has is in the text.
pub fn feeds(graph: &Graph, name: &str) -> Result<Feeds, AskError> {
    let ids = ids_of(graph, name, &FED);
    if ids.is_empty() {
        let known = graph.nodes.iter().filter(|node| {
            matches!(
                node.kind,
                NodeKind::Alert | NodeKind::Recording | NodeKind::Dashboard | NodeKind::Receiver
            )
        });
        return Err(AskError::new(name, "alert", known.map(|node| node.name.as_str())));
    }
    let ways = Ways::of(graph);
    let starts: Vec<&str> = ids.iter().map(String::as_str).collect();
    let lineage = ways.upstream(&starts, None);
    let edges: Vec<Edge> = lineage.edges.iter().map(|at| graph.edges[*at].clone()).collect();
    let nodes: Vec<Node> =
        graph.nodes.iter().filter(|node| lineage.nodes.contains(&node.id)).cloned().collect();
    let is_code = |node: &&Node| {
        matches!(&node.details, Details::Definition(DefinitionFacts { existence: Existence::Code, .. }))
    };
    Ok(Feeds {
        question: "feeds",
        name: name.to_owned(),
        definitions: nodes.iter().filter(is_code).cloned().collect(),
        broken: edges.iter().filter(|edge| edge.state.is_broken()).cloned().collect(),
        tree: ids.iter().filter_map(|id| grow(&ways, id, None, true)).collect(),
        ids,
        nodes,
        edges,
    })
}

impl Feeds {
    /// Writes the answer for a terminal.
    pub fn text(&self) -> String {
        let mut out: String = self.tree.iter().map(Branch::text).collect();
        match self.definitions.len() {
            0 => out.push_str("\nno line of code here feeds it\n"),
            _ => out.push_str("\ndefined in code:\n"),
        }
        for node in &self.definitions {
            let _ = writeln!(out, "  {}  {}", node.name, Place::of(node));
        }
        if !self.broken.is_empty() {
            out.push_str("\nbroken:\n");
        }
        for edge in &self.broken {
            let reason = edge.reason.as_deref().unwrap_or(edge.state.as_str());
            let _ = writeln!(out, "  {}  [{}] {reason}", edge.via, edge.state.as_str());
        }
        out
    }
}
