//! What stands below the chart: the lines and marks it uses, and what is broken, in words.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::super::style::line;
use super::{SUBTITLE_SIZE, escaped, head, n, number, state_mark};
use crate::graph::State;
use crate::layout::{Layout, Point, text};
use crate::view::{Tone, View};

/// The height of a line of text.
const ROW: f64 = 20.0;
/// The room left and right.
const MARGIN: f64 = 18.0;
/// How many faults are written out.
const FAULTS_MAX: usize = 24;
/// The narrowest legend.
const WIDTH_MIN: f64 = 560.0;

/// The legend and the room it takes.
pub(super) struct Legend {
    pub(super) text: String,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Writes the legend below a layout.
pub(super) fn legend(view: &View, placed: &Layout) -> Legend {
    let width = placed.width.max(WIDTH_MIN);
    let mut pen = Pen { out: String::new(), x: MARGIN, y: placed.height + ROW, width };
    let states: BTreeSet<State> = view.edges.iter().map(|edge| edge.state).collect();
    for state in states {
        pen.state(state);
    }
    let tones: BTreeSet<Tone> = view.nodes.iter().map(|node| node.tone).collect();
    for (tone, words) in [
        (Tone::Good, "seen, well"),
        (Tone::Warning, "pending or partly down"),
        (Tone::Bad, "firing, down or missing"),
    ] {
        if tones.contains(&tone) {
            pen.mark(tone, words);
        }
    }
    pen.words("C counter · G gauge · H histogram · S summary · L library · X exporter · J job · = recording · ! alert");
    if view.total > view.nodes.len() {
        pen.words(&format!("{} nodes drawn as {}", view.total, view.nodes.len()));
    }
    pen.faults(&view.faults);
    let height = pen.y + ROW - placed.height;
    Legend { text: pen.out, width, height }
}

struct Pen {
    out: String,
    x: f64,
    y: f64,
    width: f64,
}

impl Pen {
    /// Makes room for an entry and goes to the next row where there is none left.
    fn room(&mut self, width: f64) -> Point {
        if self.x > MARGIN && self.x + width > self.width - MARGIN {
            (self.x, self.y) = (MARGIN, self.y + ROW);
        }
        let at = Point { x: self.x, y: self.y };
        self.x += width + 22.0;
        at
    }

    fn text(&mut self, x: f64, y: f64, class: &str, words: &str) {
        let _ = writeln!(
            self.out,
            "<text class=\"{class}\" x=\"{}\" y=\"{}\">{}</text>",
            n(x),
            n(y),
            escaped(words)
        );
    }

    fn state(&mut self, state: State) {
        let words = format!("{}: {}", state.as_str(), line(state).meaning);
        let at = self.room(44.0 + text::width(&words, SUBTITLE_SIZE));
        let middle = at.y - 3.5;
        let path = format!("M{} {}h36", n(at.x), n(middle));
        let inner = if state == State::Mismatch {
            format!("<path class=\"inner\" d=\"{path}\"/>")
        } else {
            String::new()
        };
        let end = head(state, Point { x: at.x + 37.0, y: middle });
        let _ =
            writeln!(self.out, "<g class=\"edge {}\"><path d=\"{path}\"/>{inner}{end}</g>", state.as_str());
        self.text(at.x + 44.0, at.y, "legend", &words);
    }

    fn mark(&mut self, tone: Tone, words: &str) {
        let at = self.room(14.0 + text::width(words, SUBTITLE_SIZE));
        self.out.push_str(&state_mark(tone, Point { x: at.x + 5.0, y: at.y - 3.5 }));
        self.text(at.x + 14.0, at.y, "legend", words);
    }

    fn words(&mut self, words: &str) {
        let words = text::fit(words, SUBTITLE_SIZE, self.width - 2.0 * MARGIN);
        let at = self.room(text::width(&words, SUBTITLE_SIZE));
        self.text(at.x, at.y, "legend", &words);
    }

    fn faults(&mut self, faults: &[String]) {
        for (place, fault) in faults.iter().take(FAULTS_MAX).enumerate() {
            (self.x, self.y) = (MARGIN, self.y + ROW);
            let badge = number(place + 1, Point { x: self.x + 8.0, y: self.y - 3.5 });
            let cut = text::fit(fault, SUBTITLE_SIZE, self.width - 2.0 * MARGIN - 24.0);
            let _ = write!(self.out, "<g><title>{}</title>{badge}", escaped(fault));
            self.text(self.x + 24.0, self.y, "legend fault", &cut);
            self.out.push_str("</g>\n");
        }
        if faults.len() > FAULTS_MAX {
            self.y += ROW;
            self.text(MARGIN + 24.0, self.y, "legend", &format!("and {} more", faults.len() - FAULTS_MAX));
        }
    }
}
