//! Questions to the graph: what is upstream, what is downstream, what is broken.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::graph::{Edge, Graph, Node, NodeKind};

/// The part of a graph that leads to a node or away from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage {
    /// The ids of the nodes, the one asked about among them.
    pub nodes: BTreeSet<String>,
    /// The places of the edges in the graph.
    pub edges: BTreeSet<usize>,
}

impl Graph {
    /// Returns everything that a node gets something from.
    ///
    /// A way follows one metric: where many metrics pass through a node (a job, an endpoint), only those count that the
    /// node asked about is reached by. A rule turns what it reads into something new.
    pub fn upstream(&self, id: &str) -> Lineage {
        self.follow(id, true)
    }

    /// Returns everything that gets something from a node.
    pub fn downstream(&self, id: &str) -> Lineage {
        self.follow(id, false)
    }

    /// Returns the definitions that a node's metrics come from, sorted by id.
    pub fn definitions_of(&self, id: &str) -> Vec<&Node> {
        let lineage = self.upstream(id);
        self.nodes
            .iter()
            .filter(|node| node.kind == NodeKind::Definition && lineage.nodes.contains(&node.id))
            .collect()
    }

    /// Returns the edges over which nothing can come.
    pub fn broken(&self) -> impl Iterator<Item = &Edge> {
        self.edges.iter().filter(|edge| edge.state.is_broken())
    }

    fn follow(&self, id: &str, up: bool) -> Lineage {
        // A rule makes something new out of what it gets.
        let rules: BTreeSet<&str> = self
            .nodes
            .iter()
            .filter(|node| matches!(node.kind, NodeKind::Recording | NodeKind::Alert))
            .map(|node| node.id.as_str())
            .collect();
        let mut by_end: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, edge) in self.edges.iter().enumerate() {
            by_end.entry(if up { &edge.to } else { &edge.from }).or_default().push(index);
        }
        let mut lineage = Lineage::default();
        if self.node(id).is_none() {
            return lineage;
        }
        lineage.nodes.insert(id.to_owned());
        // Each step is a node with what has to flow there; `None` is everything.
        let mut seen: BTreeSet<(String, Option<String>)> = BTreeSet::new();
        let mut open = VecDeque::from([(id.to_owned(), None)]);
        while let Some((at, token)) = open.pop_front() {
            if !seen.insert((at.clone(), token.clone())) {
                continue;
            }
            for &index in by_end.get(at.as_str()).into_iter().flatten() {
                let edge = &self.edges[index];
                let carried = edge.metrics.iter().chain(&edge.alerts);
                let follows: Vec<&String> =
                    carried.filter(|name| token.as_ref().is_none_or(|token| token == *name)).collect();
                if follows.is_empty()
                    && (token.is_some() || !(edge.metrics.is_empty() && edge.alerts.is_empty()))
                {
                    continue;
                }
                lineage.edges.insert(index);
                let next = if up { &edge.from } else { &edge.to };
                lineage.nodes.insert(next.clone());
                if rules.contains(next.as_str()) || follows.is_empty() {
                    open.push_back((next.clone(), None));
                } else {
                    open.extend(follows.into_iter().map(|name| (next.clone(), Some(name.clone()))));
                }
            }
        }
        lineage
    }
}
