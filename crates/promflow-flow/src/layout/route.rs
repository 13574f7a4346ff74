//! The ways of the edges.

use std::collections::BTreeMap;

use super::columns::Grid;
use super::place::Places;
use super::{FRAME_PAD, PlacedEdge, Point};
use crate::graph::State;

/// The room between two edges at one side of a node, at most.
const PORT_GAP: f64 = 4.0;
/// How much of a node's height edges may start from.
const PORT_SHARE: f64 = 0.62;

/// Routes every edge through its places: straight within a column, bent between columns.
pub(super) fn route(grid: &Grid, places: &Places) -> Vec<PlacedEdge> {
    let Places { lefts, widths, ys, .. } = places;
    let out = ports(grid, places, true);
    let into = ports(grid, places, false);
    let port = |ports: &BTreeMap<(usize, usize), f64>, item: usize, other: usize| {
        ports.get(&(item, other)).copied().unwrap_or(ys[item])
    };
    let way = |chain: &Vec<usize>| {
        let mut points = Vec::new();
        for pair in chain.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            let (from, to) = (grid.items[a].column, grid.items[b].column);
            let right = lefts[from] + widths[from];
            if from == to {
                // A circle within a column: out to the right and back.
                points.push(Point { x: right, y: ys[a] });
                points.push(Point { x: right, y: ys[b] });
                continue;
            }
            // Frames reach out of their column; edges bend behind them.
            points.push(Point { x: right, y: port(&out, a, b) });
            points.push(Point { x: right + FRAME_PAD, y: port(&out, a, b) });
            points.push(Point { x: lefts[to] - FRAME_PAD, y: port(&into, b, a) });
            points.push(Point { x: lefts[to], y: port(&into, b, a) });
        }
        points
    };
    grid.chains
        .iter()
        .zip(&grid.reversed)
        .map(|(chain, reversed)| {
            let mut points = way(chain);
            if *reversed {
                points.reverse();
            }
            PlacedEdge { points }
        })
        .collect()
}

/// Returns where edges of a state meet.
pub(super) fn points(grid: &Grid, places: &Places) -> Vec<(Point, State)> {
    let at = |item: usize| Point { x: places.lefts[grid.items[item].column], y: places.ys[item] };
    grid.points.iter().map(|(item, state)| (at(*item), *state)).collect()
}

/// Returns where each segment starts at a node's right side, or ends at its left: spread in the order of the other ends.
fn ports(grid: &Grid, places: &Places, at_right: bool) -> BTreeMap<(usize, usize), f64> {
    let ys = &places.ys;
    let mut ports = BTreeMap::new();
    for (item, node) in places.nodes.iter().enumerate() {
        let mut others = if at_right { grid.right[item].clone() } else { grid.left[item].clone() };
        others.sort_by(|a, b| ys[*a].total_cmp(&ys[*b]).then(a.cmp(b)));
        let steps = others.len().saturating_sub(1) as f64;
        let gap = if steps > 0.0 { PORT_GAP.min(node.rect.height * PORT_SHARE / steps) } else { 0.0 };
        for (place, other) in others.into_iter().enumerate() {
            ports.insert((item, other), ys[item] + (place as f64 - steps / 2.0) * gap);
        }
    }
    ports
}
