//! Edges that join the same nodes meet in one point between two columns: n + m lines instead of n × m.
//!
//! Where every one of some nodes is tied to every one of some others, the lines say no more than a point that all of
//! them go through, and would cross each other in any order. A point stands for lines of one state, and none that is
//! broken: those are followed one by one.
//!
//! Source: Newbery, Edge concentration: a method for clustering directed graphs (1989), by a greedy choice.

use std::collections::{BTreeMap, BTreeSet};

use super::Item;
use super::columns::Grid;
use crate::graph::State;
use crate::view::View;

/// How many items a column may have for common neighbours of each pair to be looked at.
const PAIRED_ITEMS_MAX: usize = 160;
/// How many points are put between two columns at most.
const POINTS_MAX: usize = 64;

/// Segments between two neighbouring columns: for each left item the right items it is tied to, by state.
type Sides = BTreeMap<(usize, State), BTreeSet<usize>>;

/// The point that each segment goes through: by left item, right item and state, counted in its channel.
type Points = BTreeMap<(usize, usize, State), usize>;

/// Puts points between columns where that saves crossings, each in a column of its own that holds no node.
pub(super) fn bundle(view: &View, grid: Grid) -> Grid {
    let points: Vec<Points> = channels(view, &grid).into_iter().map(meet).collect();
    if points.iter().all(BTreeMap::is_empty) {
        return grid;
    }
    widen(view, &grid, &points)
}

/// Returns the segments behind each column.
fn channels(view: &View, grid: &Grid) -> Vec<Sides> {
    let mut channels = vec![Sides::new(); grid.columns.len()];
    for (chain, edge) in grid.chains.iter().zip(&view.edges) {
        for pair in chain.windows(2).filter(|_| !edge.state.is_broken()) {
            let (left, right) = (grid.items[pair[0]].column, grid.items[pair[1]].column);
            if left < right {
                channels[left].entry((pair[0], edge.state)).or_default().insert(pair[1]);
            }
        }
    }
    channels
}

/// Finds sets of items that are all tied to the same others, those that save most lines first.
fn meet(mut sides: Sides) -> Points {
    let mut points = Points::new();
    for point in 0..POINTS_MAX {
        let Some((state, left, right)) = best(&sides) else { break };
        for &from in &left {
            points.extend(right.iter().map(|to| ((from, *to, state), point)));
            if let Some(rest) = sides.get_mut(&(from, state)) {
                rest.retain(|to| !right.contains(to));
            }
        }
        sides.retain(|_, rest| rest.len() > 1);
    }
    points
}

/// Returns the state, left and right items of the set that saves most lines.
fn best(sides: &Sides) -> Option<(State, Vec<usize>, BTreeSet<usize>)> {
    let mut candidates: BTreeSet<(State, Vec<usize>)> = BTreeSet::new();
    let list = |set: &BTreeSet<usize>| set.iter().copied().collect::<Vec<_>>();
    let sets: Vec<_> = sides.iter().filter(|(_, right)| right.len() > 1).collect();
    for (place, ((_, state), right)) in sets.iter().enumerate() {
        candidates.insert((*state, list(right)));
        if sets.len() > PAIRED_ITEMS_MAX {
            continue;
        }
        for ((_, other_state), other) in &sets[place + 1..] {
            let common: Vec<usize> = right.intersection(other).copied().collect();
            if other_state == state && common.len() > 1 {
                candidates.insert((*state, common));
            }
        }
    }
    let saved = |left: usize, right: usize| (left * right).saturating_sub(left + right);
    let mut found: Option<(usize, State, Vec<usize>, BTreeSet<usize>)> = None;
    for (state, right) in candidates {
        let right: BTreeSet<usize> = right.into_iter().collect();
        let tied = sets.iter().filter(|((_, own), others)| *own == state && right.is_subset(others));
        let left: Vec<usize> = tied.map(|((from, _), _)| *from).collect();
        let gain = saved(left.len(), right.len());
        if left.len() > 1 && found.as_ref().is_none_or(|(most, ..)| gain > *most) {
            found = Some((gain, state, left, right));
        }
    }
    found.map(|(_, state, left, right)| (state, left, right))
}

/// Builds the grid anew with a column between two where points are.
fn widen(view: &View, grid: &Grid, points: &[Points]) -> Grid {
    let mut wide = Grid { frames: grid.frames.clone(), reversed: grid.reversed.clone(), ..Grid::default() };
    let mut new_column = Vec::new();
    for (column, lane) in grid.lanes.iter().enumerate() {
        new_column.push(wide.lanes.len());
        wide.lanes.push(*lane);
        wide.columns.push(grid.columns[column].clone());
        if !points[column].is_empty() {
            wide.lanes.push(None);
            wide.columns.push(Vec::new());
        }
    }
    wide.items = grid.items.iter().map(|item| Item { column: new_column[item.column], ..*item }).collect();
    let mut made: BTreeMap<(usize, Way), usize> = BTreeMap::new();
    for ((chain, edge), reversed) in grid.chains.iter().zip(&view.edges).zip(&grid.reversed) {
        let mut through = vec![chain[0]];
        for pair in chain.windows(2) {
            let (left, right) = (grid.items[pair[0]].column, grid.items[pair[1]].column);
            if left < right && !points[left].is_empty() {
                let way = match points[left].get(&(pair[0], pair[1], edge.state)) {
                    Some(point) => Way::Point(*point),
                    None => Way::Past(pair[0], edge.state, *reversed),
                };
                let is_point = matches!(way, Way::Point(_));
                through.push(*made.entry((left, way)).or_insert_with(|| {
                    let column = new_column[left] + 1;
                    if is_point {
                        wide.points.push((wide.items.len(), edge.state));
                    }
                    wide.items.push(Item { column, frame: None, node: None });
                    wide.columns[column].push(wide.items.len() - 1);
                    wide.items.len() - 1
                }));
            }
            through.push(pair[1]);
        }
        wide.chains.push(through);
    }
    wide.tie();
    wide
}

/// What a segment goes through between two columns: a point, or past the points together with what starts alike.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Point(usize),
    Past(usize, State, bool),
}
