//! What differs between two graphs, for a review comment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde::Serialize;
use serde_json::Value;

use super::place::Place;
use crate::graph::{DefinitionFacts, Details, Edge, Existence, Graph, Node, NodeKind, State};

/// What differs between two graphs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diff {
    question: &'static str,
    /// What the first graph is called.
    pub from: String,
    /// What the second graph is called.
    pub to: String,
    /// The nodes that differ.
    pub nodes: NodeChanges,
    /// The edges that differ.
    pub edges: EdgeChanges,
    /// The text for a review comment, in Markdown.
    pub text: String,
}

/// Nodes that differ.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NodeChanges {
    /// New nodes.
    pub added: Vec<Node>,
    /// Nodes that went.
    pub removed: Vec<Node>,
    /// Nodes that say something else now.
    pub changed: Vec<ChangedNode>,
}

/// A node that says something else now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChangedNode {
    /// The node's id.
    pub id: String,
    /// The node's kind.
    pub kind: &'static str,
    /// The node's name.
    pub name: String,
    /// Where it stands.
    #[serde(flatten)]
    pub place: Place,
    /// What it says.
    pub changes: Vec<Change>,
}

/// A fact that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The field, as the JSON has it.
    pub what: String,
    /// What it was.
    pub from: Value,
    /// What it is.
    pub to: Value,
}

/// Edges that differ.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct EdgeChanges {
    /// New edges.
    pub added: Vec<Edge>,
    /// Edges that went.
    pub removed: Vec<Edge>,
    /// Edges over which nothing can come any more, new ones among them.
    pub broken: Vec<Edge>,
    /// Edges over which something can come again.
    pub mended: Vec<Edge>,
}

/// Tells what differs between two graphs; nodes that only moved to another line do not.
pub fn diff(before: &Graph, after: &Graph, from: &str, to: &str) -> Diff {
    let nodes = node_changes(before, after);
    let edges = edge_changes(before, after);
    let mut diff = Diff {
        question: "diff",
        from: from.to_owned(),
        to: to.to_owned(),
        nodes,
        edges,
        text: String::new(),
    };
    diff.text = diff.markdown(before, after);
    diff
}

/// Says whether a node stands for something that somebody wrote.
fn is_written(node: &Node) -> bool {
    !matches!(&node.details, Details::Definition(DefinitionFacts { existence, .. }) if *existence != Existence::Code)
}

fn node_changes(before: &Graph, after: &Graph) -> NodeChanges {
    fn index(graph: &Graph) -> BTreeMap<&str, &Node> {
        graph.nodes.iter().filter(|node| is_written(node)).map(|node| (node.id.as_str(), node)).collect()
    }
    let (old, new) = (index(before), index(after));
    let mut changes = NodeChanges {
        added: new.iter().filter(|(id, _)| !old.contains_key(*id)).map(|(_, node)| (*node).clone()).collect(),
        removed: old
            .iter()
            .filter(|(id, _)| !new.contains_key(*id))
            .map(|(_, node)| (*node).clone())
            .collect(),
        changed: Vec::new(),
    };
    for (id, node) in &new {
        let Some(was) = old.get(id) else { continue };
        let found = facts_that_differ(was, node);
        if !found.is_empty() {
            changes.changed.push(ChangedNode {
                id: (*id).to_owned(),
                kind: node.kind.as_str(),
                name: node.name.clone(),
                place: Place::of(node),
                changes: found,
            });
        }
    }
    changes
}

fn facts_that_differ(was: &Node, is: &Node) -> Vec<Change> {
    let fields = |node: &Node| match serde_json::to_value(node) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (old, new) = (fields(was), fields(is));
    // A place moves when nothing else does, and what follows from edges is told by the edges that changed.
    let is_own = |name: &&String| !matches!(name.as_str(), "line" | "unread" | "cannotFire");
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).filter(is_own).collect();
    let value = |fields: &serde_json::Map<String, Value>, name: &str| {
        fields.get(name).cloned().unwrap_or(Value::Null)
    };
    let changes = names.into_iter().map(|name| Change {
        what: name.clone(),
        from: value(&old, name),
        to: value(&new, name),
    });
    changes.filter(|change| change.from != change.to).collect()
}

fn edge_changes(before: &Graph, after: &Graph) -> EdgeChanges {
    type Key<'e> = (&'e str, &'e str, &'e str, &'e str);
    fn index(graph: &Graph) -> BTreeMap<Key<'_>, &Edge> {
        let mut edges: BTreeMap<Key<'_>, &Edge> = BTreeMap::new();
        for edge in &graph.edges {
            let key = (edge.from.as_str(), edge.to.as_str(), edge.via.as_str(), edge.function.as_str());
            let kept = edges.entry(key).or_insert(edge);
            if edge.state > kept.state {
                *kept = edge;
            }
        }
        edges
    }
    let (old, new) = (index(before), index(after));
    let state = |edges: &BTreeMap<Key<'_>, &Edge>, key: &Key<'_>| edges.get(key).map(|edge| edge.state);
    let is_broken = |state: Option<State>| state.is_some_and(State::is_broken);
    let pick = |edges: &BTreeMap<Key<'_>, &Edge>, fits: &dyn Fn(&Key<'_>) -> bool| {
        edges.iter().filter(|(key, _)| fits(key)).map(|(_, edge)| (*edge).clone()).collect::<Vec<Edge>>()
    };
    EdgeChanges {
        added: pick(&new, &|key| !old.contains_key(key)),
        removed: pick(&old, &|key| !new.contains_key(key)),
        broken: pick(&new, &|key| is_broken(state(&new, key)) && !is_broken(state(&old, key))),
        mended: pick(&new, &|key| {
            old.contains_key(key) && is_broken(state(&old, key)) && !is_broken(state(&new, key))
        }),
    }
}

/// The kinds that a review is about, in the order in which they are told.
const TOLD: [(NodeKind, &str); 9] = [
    (NodeKind::Definition, "metrics"),
    (NodeKind::Job, "jobs"),
    (NodeKind::Target, "targets"),
    (NodeKind::Recording, "recording rules"),
    (NodeKind::Alert, "alerts"),
    (NodeKind::Route, "routes"),
    (NodeKind::Receiver, "receivers"),
    (NodeKind::Dashboard, "dashboards"),
    (NodeKind::Endpoint, "endpoints"),
];

impl Diff {
    /// Says whether nothing differs.
    pub fn is_empty(&self) -> bool {
        let (nodes, edges) = (&self.nodes, &self.edges);
        nodes.added.is_empty()
            && nodes.removed.is_empty()
            && nodes.changed.is_empty()
            && edges.added.is_empty()
            && edges.removed.is_empty()
            && edges.broken.is_empty()
            && edges.mended.is_empty()
    }

    fn markdown(&self, before: &Graph, after: &Graph) -> String {
        let mut out = format!("### Flow of metrics, {} to {}\n\n", self.from, self.to);
        if self.is_empty() {
            out.push_str("Nothing differs.\n");
            return out;
        }
        for (title, edges, graph) in
            [("Breaks", &self.edges.broken, after), ("Mends", &self.edges.mended, after)]
        {
            if edges.is_empty() {
                continue;
            }
            let _ = writeln!(out, "**{title}**");
            for edge in edges {
                let reader = graph.node(&edge.to).map_or(edge.to.as_str(), |node| node.name.as_str());
                let reason = edge.reason.as_deref().map_or(String::new(), |reason| format!(": {reason}"));
                let what =
                    if edge.via.is_empty() { edge.metrics.join(", ") } else { format!("`{}`", edge.via) };
                let _ = writeln!(out, "- `{reader}` reads {what}{reason}");
            }
            out.push('\n');
        }
        for (kind, title) in TOLD {
            self.write_kind(kind, title, &mut out);
        }
        let unread = |graph: &Graph| {
            super::prune(graph, None).unread.into_iter().map(|metric| metric.name).collect::<BTreeSet<_>>()
        };
        let (was, is) = (unread(before), unread(after));
        let newly: Vec<String> = is.difference(&was).map(|name| format!("`{name}`")).collect();
        if !newly.is_empty() {
            let _ = writeln!(out, "**Read by nobody now**: {}", newly.join(", "));
        }
        out
    }

    fn write_kind(&self, kind: NodeKind, title: &str, out: &mut String) {
        let of_kind =
            |nodes: &[Node]| nodes.iter().filter(|node| node.kind == kind).cloned().collect::<Vec<_>>();
        let (added, removed) = (of_kind(&self.nodes.added), of_kind(&self.nodes.removed));
        let changed: Vec<&ChangedNode> =
            self.nodes.changed.iter().filter(|node| node.kind == kind.as_str()).collect();
        if added.is_empty() && removed.is_empty() && changed.is_empty() {
            return;
        }
        let _ = writeln!(
            out,
            "**{title}**: {} added, {} removed, {} changed",
            added.len(),
            removed.len(),
            changed.len()
        );
        for (sign, nodes) in [("added", &added), ("removed", &removed)] {
            for node in nodes {
                let _ = writeln!(out, "- {sign} `{}` {}", node.name, Place::of(node));
            }
        }
        for node in changed {
            let _ = writeln!(out, "- changed `{}` {}", node.name, node.place);
            for change in &node.changes {
                let _ = writeln!(
                    out,
                    "  - {}: `{}` -> `{}`",
                    change.what,
                    shown(&change.from),
                    shown(&change.to)
                );
            }
        }
        out.push('\n');
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
