//! Where everything stands: lanes left to right, ordered so that few edges cross, and edges that run around nodes.
//!
//! A layered layout (Sugiyama): each node gets a column, an edge over several columns gets a place in each of them, the
//! order within columns is found by barycenters and swaps, and positions by isotonic regression, which puts every
//! node as near to its neighbours as order and gaps allow. Edges bend only between columns, where no nodes are; where
//! many nodes are all tied to the same others, their edges meet in one point instead of crossing each other.

mod bundle;
mod columns;
mod order;
mod place;
mod route;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod text;

use crate::graph::{Lane, State};
use crate::view::View;

/// A point in pixels, from the upper left corner.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// To the right.
    pub x: f64,
    /// Down.
    pub y: f64,
}

/// A rectangle in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rect {
    /// The left edge.
    pub x: f64,
    /// The upper edge.
    pub y: f64,
    /// The width.
    pub width: f64,
    /// The height.
    pub height: f64,
}

impl Rect {
    /// Returns the right edge.
    pub fn right(&self) -> f64 {
        self.x + self.width
    }

    /// Returns the lower edge.
    pub fn bottom(&self) -> f64 {
        self.y + self.height
    }

    /// Says whether two rectangles have an area in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.x < other.right() && other.x < self.right() && self.y < other.bottom() && other.y < self.bottom()
    }
}

/// A node's place and its texts, cut to fit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlacedNode {
    /// Where it is.
    pub rect: Rect,
    /// The first line as it fits.
    pub title: String,
    /// The second line as it fits.
    pub subtitle: String,
}

/// An edge's way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlacedEdge {
    /// The points it goes through: straight between two of the same height, else in a bend that is level at both.
    pub points: Vec<Point>,
}

/// The frame around the nodes of a group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlacedBox {
    /// Where it is.
    pub rect: Rect,
    /// Its heading as it fits.
    pub title: String,
    /// Its whole heading.
    pub full: String,
}

/// A lane's place.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacedLane {
    /// Which lane.
    pub lane: Lane,
    /// Where it is, over the whole height.
    pub rect: Rect,
}

/// A view with places.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    /// The nodes, as in the view.
    pub nodes: Vec<PlacedNode>,
    /// The edges, as in the view.
    pub edges: Vec<PlacedEdge>,
    /// Where edges of a state meet.
    pub points: Vec<(Point, State)>,
    /// The frames of the groups.
    pub boxes: Vec<PlacedBox>,
    /// The lanes that have nodes.
    pub lanes: Vec<PlacedLane>,
    /// The width of everything.
    pub width: f64,
    /// The height of everything.
    pub height: f64,
    /// How often edges cross between columns.
    pub crossings: usize,
}

/// How readable a layout is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measure {
    /// How often edges cross between columns.
    pub crossings: usize,
    /// How many pairs of nodes, or of frames, have an area in common.
    pub overlaps: usize,
    /// How many texts are cut; the whole text is in the node's tooltip.
    pub cut_labels: usize,
}

/// Measures a layout of a view.
pub fn measure(view: &View, placed: &Layout) -> Measure {
    let overlaps = |rects: Vec<Rect>| {
        let mut rects = rects;
        rects.sort_by(|a, b| a.x.total_cmp(&b.x));
        let pairs = rects.iter().enumerate().map(|(place, one)| {
            let near = rects[place + 1..].iter().take_while(|other| other.x < one.right());
            near.filter(|other| one.overlaps(other)).count()
        });
        pairs.sum::<usize>()
    };
    let is_cut = |whole: &str, shown: &str| usize::from(whole != shown);
    let texts = view.nodes.iter().zip(&placed.nodes);
    let cut = texts.map(|(node, at)| is_cut(&node.title, &at.title) + is_cut(&node.subtitle, &at.subtitle));
    Measure {
        crossings: placed.crossings,
        overlaps: overlaps(placed.nodes.iter().map(|node| node.rect).collect())
            + overlaps(placed.boxes.iter().map(|frame| frame.rect).collect()),
        cut_labels: cut.sum::<usize>()
            + placed.boxes.iter().filter(|frame| frame.title != frame.full).count(),
    }
}

/// The size of a node's first line.
pub(crate) const TITLE_SIZE: f64 = 12.0;
/// The size of a node's second line and of headings.
pub(crate) const SUBTITLE_SIZE: f64 = 10.0;
/// The height of a node.
pub(crate) const NODE_HEIGHT: f64 = 38.0;
/// The room for a node's icon, left of its texts.
pub(crate) const ICON_WIDTH: f64 = 28.0;
/// The room right of a node's texts.
pub(crate) const TEXT_MARGIN: f64 = 10.0;
/// The room between a frame and what is in it.
const FRAME_PAD: f64 = 7.0;

/// What stands in a column: a node, or the place where an edge passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// The column.
    pub(crate) column: usize,
    /// The frame it stands in.
    pub(crate) frame: Option<usize>,
    /// The node's place in the view; `None` where an edge passes.
    pub(crate) node: Option<usize>,
}

/// Lays a view out; the same view gives the same places.
pub fn layout(view: &View) -> Layout {
    if view.nodes.is_empty() {
        return Layout { width: 320.0, height: 120.0, ..Layout::default() };
    }
    let mut grid = bundle::bundle(view, columns::grid(view));
    let crossings = order::order(&mut grid);
    let places = place::place(view, &grid);
    Layout {
        boxes: place::boxes(&grid, &places.nodes),
        edges: route::route(&grid, &places),
        points: route::points(&grid, &places),
        nodes: places.nodes,
        lanes: places.lanes,
        width: places.width,
        height: places.height,
        crossings,
    }
}
