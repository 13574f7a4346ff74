//! Questions to the graph: what is upstream, what is downstream, what is broken, unread, missing or changed.

mod ask;
mod breaks;
mod diff;
mod feeds;
mod missing;
mod place;
mod prune;
mod returns;
#[cfg(test)]
mod tests;
mod tree;
mod ways;

pub use ask::AskError;
pub(crate) use ask::near;
pub use breaks::{Breaks, Hit, ReceiverHit, breaks};
pub use diff::{Change, ChangedNode, Diff, EdgeChanges, NodeChanges, diff};
pub use feeds::{Feeds, feeds};
pub use missing::{Missing, MissingName, Reader, missing};
pub use place::Place;
pub use prune::{Cause, DeadAlert, Drop, NoHelp, Prune, Unread, prune};
pub(crate) use prune::{code_facts, has_no_help, mark};
pub use tree::Branch;
pub use ways::Ways;

use std::collections::BTreeSet;

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
    /// Cost: looks at the whole graph; [`Ways`] answers many such questions with one look.
    pub fn upstream(&self, id: &str) -> Lineage {
        Ways::of(self).upstream(&[id], None)
    }

    /// Returns everything that gets something from a node.
    pub fn downstream(&self, id: &str) -> Lineage {
        Ways::of(self).downstream(&[id], None)
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

    /// Returns the part of the graph with these nodes, and the edges between them.
    pub fn part(&self, ids: &BTreeSet<String>) -> Self {
        let edges = self.edges.iter().filter(|edge| ids.contains(&edge.from) && ids.contains(&edge.to));
        Self {
            nodes: self.nodes.iter().filter(|node| ids.contains(&node.id)).cloned().collect(),
            edges: edges.cloned().collect(),
            problems: self.problems.clone(),
        }
    }
}

/// Says whether a node reads metrics: a rule or a dashboard.
pub(crate) fn is_reader(kind: NodeKind) -> bool {
    matches!(kind, NodeKind::Recording | NodeKind::Alert | NodeKind::Dashboard)
}
