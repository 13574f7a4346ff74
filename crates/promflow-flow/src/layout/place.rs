//! Positions in pixels.

use std::collections::BTreeMap;

use super::columns::Grid;
use super::{
    FRAME_PAD, ICON_WIDTH, NODE_HEIGHT, PlacedBox, PlacedLane, PlacedNode, Rect, SUBTITLE_SIZE, TEXT_MARGIN,
    TITLE_SIZE, text,
};
use crate::graph::Lane;
use crate::view::View;

/// The room between two nodes of a column.
const GAP: f64 = 10.0;
/// The room an edge takes that passes through a column, and around it.
const PASSAGE: f64 = 9.0;
/// The room for a frame's heading.
const FRAME_TITLE: f64 = 15.0;
/// The room left, right and below everything, and between lanes' edges and nodes.
const MARGIN: f64 = 16.0;
/// The room for the lanes' headings.
const HEADING: f64 = 34.0;
/// The narrowest node, and the widest where room is short.
const WIDTH: (f64, f64) = (96.0, 248.0);
/// The widest node where there is room.
const WIDTH_MAX: f64 = 520.0;
/// Up to which width a chart has room for whole names.
const CHART_WIDTH: f64 = 2400.0;
/// The narrowest and the widest room between columns, and the room before and behind a column without nodes.
const CHANNEL: (f64, f64) = (52.0, 132.0);
const HALF_CHANNEL: f64 = 34.0;
/// How often positions are pulled towards their neighbours.
const PULLS: usize = 16;

/// Where everything stands but the edges.
pub(super) struct Places {
    pub(super) nodes: Vec<PlacedNode>,
    pub(super) lanes: Vec<PlacedLane>,
    /// The left edge of each column.
    pub(super) lefts: Vec<f64>,
    /// The width of each column.
    pub(super) widths: Vec<f64>,
    /// The middle of each item.
    pub(super) ys: Vec<f64>,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Places everything but the edges.
pub(super) fn place(view: &View, grid: &Grid) -> Places {
    let widths = column_widths(view, grid);
    let (lefts, lanes, width) = horizontal(grid, &widths);
    let (ys, bottom) = vertical(grid);
    let height = bottom + MARGIN;
    let nodes = view.nodes.iter().enumerate().map(|(item, node)| {
        let column = grid.items[item].column;
        let rect = Rect {
            x: lefts[column],
            y: ys[item] - NODE_HEIGHT / 2.0,
            width: widths[column],
            height: NODE_HEIGHT,
        };
        let room = widths[column] - ICON_WIDTH - TEXT_MARGIN;
        PlacedNode {
            rect,
            title: text::fit(&node.title, TITLE_SIZE, room),
            subtitle: text::fit(&node.subtitle, SUBTITLE_SIZE, room),
        }
    });
    let nodes = nodes.collect();
    let lanes = lanes
        .into_iter()
        .map(|(lane, x, right)| PlacedLane {
            lane,
            rect: Rect { x, y: 4.0, width: right - x, height: height - 8.0 },
        })
        .collect();
    Places { nodes, lanes, lefts, widths, ys, width, height }
}

/// Returns the width of each column: as its texts need, as long as the chart has room for that.
fn column_widths(view: &View, grid: &Grid) -> Vec<f64> {
    let wanted: Vec<f64> = grid.columns.iter().map(|items| text_width(view, grid, items)).collect();
    let channels: f64 = (1..grid.columns.len()).map(|column| channel(grid, column)).sum();
    let room = CHART_WIDTH - 2.0 * MARGIN - channels;
    // The widest columns give way first.
    let mut widest = WIDTH_MAX;
    while widest > WIDTH.1 && wanted.iter().map(|width| width.min(widest)).sum::<f64>() > room {
        widest -= 8.0;
    }
    wanted.into_iter().map(|width| width.min(widest.max(WIDTH.1)).ceil()).collect()
}

/// Returns the width that the texts of a column need; 0 without nodes.
fn text_width(view: &View, grid: &Grid, items: &[usize]) -> f64 {
    let nodes = items.iter().filter_map(|item| grid.items[*item].node).map(|node| &view.nodes[node]);
    let texts = nodes.map(|node| {
        let heading = if node.group.is_some() {
            text::width(node.group.as_deref().unwrap_or(""), SUBTITLE_SIZE) - ICON_WIDTH - TEXT_MARGIN
        } else {
            0.0
        };
        heading.max(text::width(&node.title, TITLE_SIZE)).max(text::width(&node.subtitle, SUBTITLE_SIZE))
    });
    let widest = texts.reduce(f64::max).map(|width| width + ICON_WIDTH + TEXT_MARGIN);
    widest.map_or(0.0, |width| width.clamp(WIDTH.0, WIDTH_MAX))
}

/// Returns the room between a column and the one before it.
fn channel(grid: &Grid, column: usize) -> f64 {
    if grid.lanes[column].is_none() || grid.lanes[column - 1].is_none() {
        return HALF_CHANNEL;
    }
    let segments: usize = grid.columns[column - 1].iter().map(|item| grid.right[*item].len()).sum();
    (CHANNEL.0 + segments as f64 * 0.8).min(CHANNEL.1).ceil()
}

/// Returns the left edge of each column, the lanes with their edges, and the width of everything.
fn horizontal(grid: &Grid, widths: &[f64]) -> (Vec<f64>, Vec<(Lane, f64, f64)>, f64) {
    let mut lefts = Vec::new();
    let mut lanes: Vec<(Lane, f64, f64)> = Vec::new();
    let mut x = MARGIN;
    for (column, width) in widths.iter().enumerate() {
        if column > 0 {
            x += channel(grid, column);
        }
        lefts.push(x);
        let right = x + width + MARGIN;
        match (grid.lanes[column], lanes.last_mut()) {
            (Some(own), Some((lane, _, end))) if *lane == own => *end = right,
            (Some(own), _) => lanes.push((own, x - MARGIN, right)),
            (None, _) => {}
        }
        x += width;
    }
    (lefts, lanes, x + MARGIN)
}

/// Returns the middle of each item and the lower edge of everything.
fn vertical(grid: &Grid) -> (Vec<f64>, f64) {
    // For each column the least distance of each item from the one above it, summed up.
    let offsets: Vec<Vec<f64>> = grid.columns.iter().map(|items| offsets(grid, items)).collect();
    let mut ys = vec![0.0; grid.items.len()];
    for (items, offsets) in grid.columns.iter().zip(&offsets) {
        for (item, offset) in items.iter().zip(offsets) {
            ys[*item] = *offset;
        }
    }
    let count = grid.columns.len();
    for pull in 0..PULLS {
        let to_right = pull % 2 == 0;
        let both = pull + 2 >= PULLS;
        for step in 0..count {
            let column = if to_right { step } else { count - 1 - step };
            pull_column(grid, column, &offsets[column], &mut ys, if both { None } else { Some(to_right) });
        }
    }
    let edge = |item: &usize| {
        let up = if grid.items[*item].frame.is_some() { FRAME_TITLE + FRAME_PAD } else { 0.0 };
        let half = half_height(grid, *item);
        (ys[*item] - half - up, ys[*item] + half + if up > 0.0 { FRAME_PAD } else { 0.0 })
    };
    let all: Vec<usize> = (0..grid.items.len()).collect();
    let top = all.iter().map(|item| edge(item).0).fold(f64::INFINITY, f64::min);
    let bottom = all.iter().map(|item| edge(item).1).fold(f64::NEG_INFINITY, f64::max);
    let shift = HEADING + MARGIN - top;
    ys.iter_mut().for_each(|y| *y = ((*y + shift) * 2.0).round() / 2.0);
    (ys, (bottom + shift).ceil())
}

fn half_height(grid: &Grid, item: usize) -> f64 {
    if grid.items[item].node.is_some() { NODE_HEIGHT / 2.0 } else { PASSAGE / 2.0 }
}

fn offsets(grid: &Grid, items: &[usize]) -> Vec<f64> {
    let mut offsets = Vec::with_capacity(items.len());
    let mut y = 0.0;
    for (place, &item) in items.iter().enumerate() {
        let frame = grid.items[item].frame;
        if let Some(&above) = place.checked_sub(1).and_then(|above| items.get(above)) {
            let is_passage = grid.items[item].node.is_none() && grid.items[above].node.is_none();
            y += half_height(grid, above) + half_height(grid, item) + if is_passage { 0.0 } else { GAP };
            if grid.items[above].frame != frame {
                y += if grid.items[above].frame.is_some() { FRAME_PAD } else { 0.0 };
                y += if frame.is_some() { FRAME_PAD + FRAME_TITLE } else { 0.0 };
            }
        }
        offsets.push(y);
    }
    offsets
}

/// Moves the items of a column as near to their neighbours as order and gaps allow: isotonic regression by pooling.
///
/// Source: Barlow et al., Statistical Inference under Order Restrictions (1972), pool adjacent violators.
fn pull_column(grid: &Grid, column: usize, offsets: &[f64], ys: &mut [f64], by_left: Option<bool>) {
    let items = &grid.columns[column];
    let wish = |item: usize| {
        let left = grid.left[item].iter().filter(|_| by_left != Some(false));
        let right = grid.right[item].iter().filter(|_| by_left != Some(true));
        let is_passage = grid.items[item].node.is_none();
        let (mut sum, mut weight) = (0.0, 0.0);
        for &other in left.chain(right) {
            // Long edges run straight before short ones do.
            let pull = if is_passage && grid.items[other].node.is_none() { 8.0 } else { 1.0 };
            sum += pull * ys[other];
            weight += pull;
        }
        if weight == 0.0 { (ys[item], 0.01) } else { (sum / weight, if is_passage { 2.0 } else { 1.0 }) }
    };
    let mut pools: Vec<(f64, f64, usize)> = Vec::with_capacity(items.len());
    for (&item, offset) in items.iter().zip(offsets) {
        let (y, weight) = wish(item);
        let mut pool = (y - offset, weight, 1);
        while let Some(above) = pools.pop_if(|above| above.0 >= pool.0) {
            let weight = above.1 + pool.1;
            pool = ((above.0 * above.1 + pool.0 * pool.1) / weight, weight, above.2 + pool.2);
        }
        pools.push(pool);
    }
    let shifts = pools.into_iter().flat_map(|(shift, _, count)| std::iter::repeat_n(shift, count));
    for ((&item, offset), shift) in items.iter().zip(offsets).zip(shifts) {
        ys[item] = offset + shift;
    }
}

/// Returns the frames around the nodes of each group.
pub(super) fn boxes(grid: &Grid, nodes: &[PlacedNode]) -> Vec<PlacedBox> {
    let mut frames: BTreeMap<usize, Rect> = BTreeMap::new();
    for (item, node) in nodes.iter().enumerate() {
        let Some(frame) = grid.items[item].frame else { continue };
        let rect = node.rect;
        frames
            .entry(frame)
            .and_modify(|all| {
                let bottom = all.bottom().max(rect.bottom());
                all.y = all.y.min(rect.y);
                all.height = bottom - all.y;
            })
            .or_insert(rect);
    }
    frames
        .into_iter()
        .map(|(frame, rect)| {
            let rect = Rect {
                x: rect.x - FRAME_PAD,
                y: rect.y - FRAME_PAD - FRAME_TITLE,
                width: rect.width + 2.0 * FRAME_PAD,
                height: rect.height + 2.0 * FRAME_PAD + FRAME_TITLE,
            };
            let full = grid.frames[frame].clone();
            PlacedBox { rect, title: text::fit(&full, SUBTITLE_SIZE, rect.width - 2.0 * FRAME_PAD), full }
        })
        .collect()
}
