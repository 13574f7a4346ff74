//! The graph made ready to be followed many times.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use super::Lineage;
use crate::graph::{Graph, Node, NodeKind};

/// The ways through a graph, up and down.
///
/// Cost: one look at the graph to build; a question costs what it finds.
pub struct Ways<'g> {
    graph: &'g Graph,
    places: HashMap<&'g str, usize>,
    into: Vec<Vec<usize>>,
    out_of: Vec<Vec<usize>>,
    /// The ends of each edge.
    ends: Vec<Option<(usize, usize)>>,
}

/// What has to flow on a way: one metric or alert, or anything.
pub(super) type Token<'g> = Option<&'g str>;

impl<'g> Ways<'g> {
    /// Looks at a graph.
    pub fn of(graph: &'g Graph) -> Self {
        let places: HashMap<&str, usize> =
            graph.nodes.iter().enumerate().map(|(at, node)| (node.id.as_str(), at)).collect();
        let mut into = vec![Vec::new(); graph.nodes.len()];
        let mut out_of = into.clone();
        let mut ends = Vec::with_capacity(graph.edges.len());
        for (index, edge) in graph.edges.iter().enumerate() {
            let both = places.get(edge.from.as_str()).copied().zip(places.get(edge.to.as_str()).copied());
            if let Some((from, to)) = both {
                out_of[from].push(index);
                into[to].push(index);
            }
            ends.push(both);
        }
        Self { graph, places, into, out_of, ends }
    }

    /// Returns the graph.
    pub fn graph(&self) -> &'g Graph {
        self.graph
    }

    /// Returns a node by its id.
    pub fn node(&self, id: &str) -> Option<&'g Node> {
        self.places.get(id).map(|at| &self.graph.nodes[*at])
    }

    /// Returns everything that the nodes get something from, over at most so many edges.
    pub fn upstream(&self, ids: &[&str], depth: Option<usize>) -> Lineage {
        self.follow(&self.starts(ids, None), true, depth)
    }

    /// Returns everything that gets something from the nodes, over at most so many edges.
    pub fn downstream(&self, ids: &[&str], depth: Option<usize>) -> Lineage {
        self.follow(&self.starts(ids, None), false, depth)
    }

    /// Returns everything that gets one metric from the nodes.
    pub(super) fn downstream_of_metric(&self, ids: &[&str], metric: &'g str) -> Lineage {
        self.follow(&self.starts(ids, Some(metric)), false, None)
    }

    fn starts(&self, ids: &[&str], token: Token<'g>) -> Vec<(usize, Token<'g>)> {
        ids.iter().filter_map(|id| self.places.get(id)).map(|at| (*at, token)).collect()
    }

    /// Returns the steps from a node: each edge, the node behind it, and what has to flow on from there.
    pub(super) fn steps(&self, at: usize, token: Token<'g>, up: bool) -> Vec<(usize, usize, Token<'g>)> {
        let mut steps = Vec::new();
        for &index in if up { &self.into[at] } else { &self.out_of[at] } {
            let edge = &self.graph.edges[index];
            let Some((from, to)) = self.ends[index] else { continue };
            let next = if up { from } else { to };
            let carried = edge.metrics.iter().chain(&edge.alerts).map(String::as_str);
            let is_bare = edge.metrics.is_empty() && edge.alerts.is_empty();
            // A rule makes something new out of what it gets.
            let is_rule = matches!(
                self.graph.nodes[next].kind,
                NodeKind::Recording | NodeKind::Alert | NodeKind::Dashboard
            );
            let mut follows = carried.filter(|name| token.is_none_or(|token| token == *name)).peekable();
            match (follows.peek().is_some(), is_bare && token.is_none()) {
                (false, false) => {}
                (false, true) => steps.push((index, next, None)),
                (true, _) if is_rule => steps.push((index, next, None)),
                (true, _) => steps.extend(follows.map(|name| (index, next, Some(name)))),
            }
        }
        steps
    }

    pub(super) fn place(&self, id: &str) -> Option<usize> {
        self.places.get(id).copied()
    }

    fn follow(&self, starts: &[(usize, Token<'g>)], up: bool, depth: Option<usize>) -> Lineage {
        let mut nodes: BTreeSet<usize> = starts.iter().map(|(at, _)| *at).collect();
        let mut edges = BTreeSet::new();
        let mut seen: HashSet<(usize, Token<'g>)> = HashSet::new();
        let mut open: VecDeque<_> = starts.iter().map(|&(at, token)| (at, token, 0)).collect();
        while let Some((at, token, steps)) = open.pop_front() {
            if !seen.insert((at, token)) || depth.is_some_and(|depth| steps >= depth) {
                continue;
            }
            for (index, next, token) in self.steps(at, token, up) {
                edges.insert(index);
                nodes.insert(next);
                open.push_back((next, token, steps + 1));
            }
        }
        let nodes = nodes.into_iter().map(|at| self.graph.nodes[at].id.clone()).collect();
        Lineage { nodes, edges }
    }
}
