//! Columns: which node stands in which, and where edges pass through.

use std::collections::BTreeMap;

use super::Item;
use crate::graph::{Lane, NodeKind, State};
use crate::view::View;

/// Items in columns, joined by segments between neighbouring columns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grid {
    /// The items; those of nodes first, in the view's order.
    pub(crate) items: Vec<Item>,
    /// The items of each column, top to bottom.
    pub(crate) columns: Vec<Vec<usize>>,
    /// The lane of each column; `None` for one between two others, which holds no node.
    pub(crate) lanes: Vec<Option<Lane>>,
    /// The frames: the group's name.
    pub(crate) frames: Vec<String>,
    /// The items that each edge goes through, from left to right.
    pub(crate) chains: Vec<Vec<usize>>,
    /// The items in which edges of a state meet.
    pub(crate) points: Vec<(usize, State)>,
    /// Whether an edge runs from right to left.
    pub(crate) reversed: Vec<bool>,
    /// The neighbours of each item in the next column, sorted; then in the column before.
    pub(crate) right: Vec<Vec<usize>>,
    pub(crate) left: Vec<Vec<usize>>,
}

/// Puts nodes into columns and edges through them.
pub(crate) fn grid(view: &View) -> Grid {
    let (column_of, lanes) = columns(view);
    let lanes: Vec<Option<Lane>> = lanes.into_iter().map(Some).collect();
    let mut grid = Grid { columns: vec![Vec::new(); lanes.len()], lanes, ..Grid::default() };
    let mut members: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    for (node, drawn) in view.nodes.iter().enumerate() {
        if let Some(group) = &drawn.group {
            *members.entry((column_of[node], group)).or_default() += 1;
        }
    }
    // What is left of a group in a folded chart is told by its own name.
    let is_folded = view.total > view.nodes.len();
    let mut frames: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    for (node, drawn) in view.nodes.iter().enumerate() {
        let column = column_of[node];
        let group = drawn.group.as_deref();
        let framed = group.filter(|group| !is_folded || members[&(column, *group)] > 1);
        let frame = framed.map(|group| {
            *frames.entry((column, group)).or_insert_with(|| {
                grid.frames.push(group.to_owned());
                grid.frames.len() - 1
            })
        });
        grid.columns[column].push(grid.items.len());
        grid.items.push(Item { column, frame, node: Some(node) });
    }
    // Edges that start at one node and look alike share their way until they part.
    let mut shared: BTreeMap<(usize, State, usize, bool), usize> = BTreeMap::new();
    for edge in &view.edges {
        let reversed = column_of[edge.from] > column_of[edge.to];
        let (start, end) = if reversed { (edge.to, edge.from) } else { (edge.from, edge.to) };
        let mut chain = vec![start];
        for column in column_of[start] + 1..column_of[end] {
            let item = *shared.entry((edge.from, edge.state, column, reversed)).or_insert_with(|| {
                grid.items.push(Item { column, frame: None, node: None });
                grid.columns[column].push(grid.items.len() - 1);
                grid.items.len() - 1
            });
            chain.push(item);
        }
        chain.push(end);
        grid.chains.push(chain);
        grid.reversed.push(reversed);
    }
    grid.tie();
    grid
}

impl Grid {
    /// Notes the neighbours of each item.
    pub(super) fn tie(&mut self) {
        self.right = vec![Vec::new(); self.items.len()];
        self.left = vec![Vec::new(); self.items.len()];
        for chain in &self.chains {
            for pair in chain.windows(2) {
                if self.items[pair[0]].column < self.items[pair[1]].column {
                    self.right[pair[0]].push(pair[1]);
                    self.left[pair[1]].push(pair[0]);
                }
            }
        }
        for list in self.right.iter_mut().chain(&mut self.left) {
            list.sort_unstable();
            list.dedup();
        }
    }
}

/// Returns the column of each node and the lane of each column.
fn columns(view: &View) -> (Vec<usize>, Vec<Lane>) {
    let lane = |node: usize| view.nodes[node].lane.unwrap_or(Lane::Code);
    let depth = depths(view, &lane);
    let mut lanes = Vec::new();
    let mut first: BTreeMap<(Lane, usize), usize> = BTreeMap::new();
    let mut used: Vec<(Lane, usize)> = (0..view.nodes.len()).map(|node| (lane(node), depth[node])).collect();
    used.sort_unstable();
    used.dedup();
    for (column, key) in used.iter().enumerate() {
        first.insert(*key, column);
        lanes.push(key.0);
    }
    ((0..view.nodes.len()).map(|node| first[&(lane(node), depth[node])]).collect(), lanes)
}

/// Returns how deep each node stands in its lane: fixed by kind where the kinds follow each other, else by the longest way.
fn depths(view: &View, lane: &dyn Fn(usize) -> Lane) -> Vec<usize> {
    let count = view.nodes.len();
    let mut depth = vec![0; count];
    for (node, drawn) in view.nodes.iter().enumerate() {
        depth[node] = match drawn.kind {
            Some(NodeKind::Endpoint | NodeKind::Receiver | NodeKind::Runbook | NodeKind::Dashboard) => 1,
            _ => 0,
        };
    }
    let by_way = |node: usize| matches!(lane(node), Lane::Recording | Lane::Alerting);
    let mut next = vec![Vec::new(); count];
    for edge in &view.edges {
        if by_way(edge.from) && lane(edge.from) == lane(edge.to) {
            next[edge.from].push(edge.to);
        }
    }
    // Depth first, so that edges that close a circle are known; then the longest way in reverse finishing order.
    let mut mark = vec![0_u8; count];
    let mut finished = Vec::new();
    let mut closing = std::collections::BTreeSet::new();
    for root in 0..count {
        if mark[root] != 0 {
            continue;
        }
        let mut stack = vec![(root, 0)];
        mark[root] = 1;
        while let Some((node, at)) = stack.pop() {
            match next[node].get(at) {
                Some(&to) => {
                    stack.push((node, at + 1));
                    match mark[to] {
                        0 => {
                            mark[to] = 1;
                            stack.push((to, 0));
                        }
                        1 => {
                            closing.insert((node, to));
                        }
                        _ => {}
                    }
                }
                None => {
                    mark[node] = 2;
                    finished.push(node);
                }
            }
        }
    }
    for &node in finished.iter().rev() {
        for &to in next[node].iter().filter(|to| !closing.contains(&(node, **to))) {
            depth[to] = depth[to].max(depth[node] + 1);
        }
    }
    depth
}
