//! A picture: light and dark, readable without colour, with the full text of all that is cut.

mod css;
mod legend;

use std::fmt::Write;

use super::style::line;
use crate::Graph;
use crate::graph::{Lane, NodeKind, State};
use crate::layout::{ICON_WIDTH, Layout, PlacedEdge, PlacedNode, Point, SUBTITLE_SIZE, TITLE_SIZE, layout};
use crate::view::{Tone, View, ViewEdge, ViewNode, ViewOptions};

/// How far a bend may swing out that goes back to its own column.
const SWING: f64 = 26.0;

/// Draws a graph.
pub fn svg(graph: &Graph) -> String {
    svg_of(&View::of(graph, &ViewOptions::default()))
}

/// Draws what is shown of a graph.
pub fn svg_of(view: &View) -> String {
    svg_in(view, None)
}

/// Draws what is shown in light or dark, or in what its reader prefers.
pub(super) fn svg_in(view: &View, dark: Option<bool>) -> String {
    let placed = layout(view);
    let legend = legend::legend(view, &placed);
    let (width, height) = (placed.width.max(legend.width), placed.height + legend.height);
    let mut out = String::with_capacity(16 << 10);
    let _ = writeln!(
        out,
        "<svg class=\"flow\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" width=\"{0}\" height=\"{1}\" role=\"img\" \
         aria-labelledby=\"flow-title flow-desc\">",
        n(width),
        n(height)
    );
    out.push_str("<title id=\"flow-title\">Flow of metrics from code to receivers</title>\n");
    let _ = writeln!(out, "<desc id=\"flow-desc\">{}</desc>", escaped(&description(view)));
    out.push_str(&css::css(dark));
    let _ = writeln!(out, "<rect class=\"ground\" width=\"{}\" height=\"{}\"/>", n(width), n(height));
    lanes(&placed, &mut out);
    frames(&placed, &mut out);
    // What is wrong lies on top.
    let mut order: Vec<usize> = (0..view.edges.len()).collect();
    order.sort_by_key(|at| (view.edges[*at].state.is_broken(), view.edges[*at].state == State::Alive, *at));
    for &at in &order {
        edge(view, &view.edges[at], &placed.edges[at], &mut out);
    }
    for (at, state) in &placed.points {
        let (x, y) = (n(at.x), n(at.y));
        let _ = writeln!(
            out,
            "<g class=\"edge point {}\"><circle class=\"head\" cx=\"{x}\" cy=\"{y}\" r=\"3\"/></g>",
            state.as_str()
        );
    }
    for (node, place) in view.nodes.iter().zip(&placed.nodes) {
        draw_node(node, place, &mut out);
    }
    for &at in &order {
        badge(&view.edges[at], &placed.edges[at], &mut out);
    }
    out.push_str(&legend.text);
    out.push_str("</svg>\n");
    out
}

fn description(view: &View) -> String {
    let count = |lane: Lane| view.nodes.iter().filter(|node| node.lane == Some(lane)).count();
    let lanes: Vec<String> =
        Lane::ALL.into_iter().map(|lane| format!("{} in {}", count(lane), lane.as_str())).collect();
    let broken = match view.faults.len() {
        0 => "Nothing is broken.".to_owned(),
        faults => format!("{faults} broken: {}.", view.faults.join("; ")),
    };
    format!("{} nodes, drawn as {}. {broken}", view.total, lanes.join(", "))
}

fn lanes(placed: &Layout, out: &mut String) {
    for lane in &placed.lanes {
        let rect = lane.rect;
        let _ = writeln!(
            out,
            "<rect class=\"lane\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"10\"/><text class=\"heading\" x=\"{}\" y=\"{}\">{}</text>",
            n(rect.x + 2.0),
            n(rect.y),
            n(rect.width - 4.0),
            n(rect.height),
            n(rect.x + 14.0),
            n(rect.y + 20.0),
            lane.lane.as_str()
        );
    }
}

fn frames(placed: &Layout, out: &mut String) {
    for frame in &placed.boxes {
        let rect = frame.rect;
        let _ = writeln!(
            out,
            "<g><title>{}</title><rect class=\"frame\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"8\"/><text class=\"group\" x=\"{}\" y=\"{}\">{}</text></g>",
            escaped(&frame.full),
            n(rect.x),
            n(rect.y),
            n(rect.width),
            n(rect.height),
            n(rect.x + 7.0),
            n(rect.y + 13.0),
            escaped(&frame.title)
        );
    }
}

fn edge(view: &View, edge: &ViewEdge, placed: &PlacedEdge, out: &mut String) {
    let state = edge.state.as_str();
    let path = path(&placed.points);
    let (from, to) = (&view.nodes[edge.from].id, &view.nodes[edge.to].id);
    let _ = write!(
        out,
        "<g class=\"edge {state}\" data-from=\"{}\" data-to=\"{}\"><title>{}</title>",
        escaped(from),
        escaped(to),
        escaped(&tooltip(view, edge))
    );
    // The more comes over an edge, the wider it is.
    let width =
        edge.samples_per_second.filter(|_| edge.state == State::Alive).map_or(String::new(), |rate| {
            let width = line(State::Alive).width + 0.6 * (1.0 + rate.max(0.0)).log10().min(3.0);
            format!(" style=\"stroke-width:{}\"", n(width))
        });
    let _ = write!(out, "<path d=\"{path}\"{width}/>");
    if edge.state == State::Mismatch {
        let _ = write!(out, "<path class=\"inner\" d=\"{path}\"/>");
    }
    if let Some(end) = placed.points.last() {
        out.push_str(&head(edge.state, *end));
    }
    out.push_str("</g>\n");
}

fn tooltip(view: &View, edge: &ViewEdge) -> String {
    let ends = format!("{} → {}", view.nodes[edge.from].title, view.nodes[edge.to].title);
    let rate = edge.samples_per_second.map_or(String::new(), |rate| format!(", {} samples/s", n(rate)));
    format!("{ends}{rate}\n{}", edge.tooltip)
}

/// Returns the head of an edge: an arrow, or a stop where nothing comes through.
fn head(state: State, end: Point) -> String {
    let (x, y) = (end.x, end.y);
    if state.is_broken() {
        return format!("<path class=\"stop\" d=\"M{} {}V{}\"/>", n(x - 3.0), n(y - 5.0), n(y + 5.0));
    }
    format!("<path class=\"head\" d=\"M{} {}l-7 -3.5v7z\"/>", n(x), n(y))
}

fn path(points: &[Point]) -> String {
    let Some(first) = points.first() else { return String::new() };
    let mut out = format!("M{} {}", n(first.x), n(first.y));
    for pair in points.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let _ = if a == b {
            // Where edges meet, all of them start their dashes anew, so that they lie on each other.
            write!(out, "M{} {}", n(b.x), n(b.y))
        } else if (a.y - b.y).abs() < 0.01 {
            write!(out, "H{}", n(b.x))
        } else if (a.x - b.x).abs() < 0.01 {
            write!(out, "C{0} {1} {0} {2} {3} {2}", n(a.x + SWING), n(a.y), n(b.y), n(b.x))
        } else {
            let middle = n((a.x + b.x) / 2.0);
            write!(out, "C{middle} {} {middle} {} {} {1}", n(a.y), n(b.y), n(b.x))
        };
    }
    out
}

fn draw_node(node: &ViewNode, placed: &PlacedNode, out: &mut String) {
    let rect = placed.rect;
    let kind = node.kind.map_or("definition", NodeKind::as_str);
    let tone = tone_class(node.tone);
    if let Some(href) = &node.href {
        let _ = write!(out, "<a href=\"{}\">", escaped(href));
    }
    let _ = write!(
        out,
        "<g class=\"node {kind}{tone}\" data-id=\"{}\"><title>{}</title>",
        escaped(&node.id),
        escaped(&node.tooltip)
    );
    if node.count > 1 {
        let _ = write!(
            out,
            "<rect class=\"behind\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"7\"/>",
            n(rect.x + 4.0),
            n(rect.y + 4.0),
            n(rect.width - 4.0),
            n(rect.height)
        );
    }
    let width = if node.count > 1 { rect.width - 4.0 } else { rect.width };
    let middle = rect.y + rect.height / 2.0;
    let _ = write!(
        out,
        "<rect class=\"body\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"7\"/>\
         <rect class=\"chip\" x=\"{}\" y=\"{}\" width=\"16\" height=\"16\" rx=\"4\"/>\
         <text class=\"icon\" x=\"{}\" y=\"{}\">{}</text>",
        n(rect.x),
        n(rect.y),
        n(width),
        n(rect.height),
        n(rect.x + 7.0),
        n(middle - 8.0),
        n(rect.x + 15.0),
        n(middle + 3.7),
        escaped(node.icon)
    );
    let x = n(rect.x + ICON_WIDTH);
    let title_y = if placed.subtitle.is_empty() { middle + 4.0 } else { middle - 2.5 };
    let _ =
        write!(out, "<text class=\"title\" x=\"{x}\" y=\"{}\">{}</text>", n(title_y), escaped(&placed.title));
    if !placed.subtitle.is_empty() {
        let y = n(middle + 11.5);
        let _ =
            write!(out, "<text class=\"subtitle\" x=\"{x}\" y=\"{y}\">{}</text>", escaped(&placed.subtitle));
    }
    let at = Point { x: rect.x + width - 1.0, y: rect.y + 1.0 };
    out.push_str(&state_mark(node.tone, at));
    out.push_str("</g>");
    out.push_str(if node.href.is_some() { "</a>\n" } else { "\n" });
}

/// Returns the mark of a live state at a node's corner: each has a shape of its own.
fn state_mark(tone: Tone, at: Point) -> String {
    let (x, y) = (n(at.x), n(at.y));
    match tone {
        Tone::Good => format!("<circle class=\"mark good\" cx=\"{x}\" cy=\"{y}\" r=\"4\"/>"),
        Tone::Warning => format!("<path class=\"mark warning\" d=\"M{x} {}l5.5 9.5h-11z\"/>", n(at.y - 6.0)),
        Tone::Bad => {
            format!(
                "<rect class=\"mark bad\" x=\"{}\" y=\"{}\" width=\"9\" height=\"9\"/>",
                n(at.x - 4.5),
                n(at.y - 4.5)
            )
        }
        _ => String::new(),
    }
}

/// Draws the number under which the legend explains a fault, before the end of its edge.
fn badge(edge: &ViewEdge, placed: &PlacedEdge, out: &mut String) {
    let (Some(fault), [.., before, end]) = (edge.fault, &*placed.points) else { return };
    let x = (end.x - 17.0).max(before.x - 17.0).min(end.x - 13.0);
    out.push_str(&number(fault, Point { x, y: end.y }));
    out.push('\n');
}

/// Returns a number in a circle.
fn number(number: usize, at: Point) -> String {
    format!(
        "<g class=\"number\"><circle cx=\"{}\" cy=\"{}\" r=\"7.5\"/><text x=\"{0}\" y=\"{}\">{number}</text></g>",
        n(at.x),
        n(at.y),
        n(at.y + 3.3)
    )
}

fn tone_class(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "",
        Tone::Good => " is-good",
        Tone::Foreign => " is-foreign",
        Tone::Wildcard => " is-wildcard",
        Tone::Warning => " is-warning",
        Tone::Bad => " is-bad",
    }
}

/// Writes a number with at most one digit behind the point.
fn n(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    if rounded == rounded.trunc() { format!("{}", rounded as i64) } else { format!("{rounded:.1}") }
}

/// Escapes a text for use between tags and in attributes; characters that XML does not know are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}
