//! Colours and lines, for all formats that have them.

use crate::graph::{NodeKind, State};

/// Returns the colour of a kind of node on light and on dark ground.
pub(super) fn kind_colour(kind: NodeKind) -> (&'static str, &'static str) {
    match kind {
        NodeKind::Definition => ("#4f46e5", "#a5b4fc"),
        NodeKind::Library => ("#7c3aed", "#c4b5fd"),
        NodeKind::Exporter => ("#a16207", "#fcd34d"),
        NodeKind::Endpoint => ("#0e7490", "#67e8f9"),
        NodeKind::Target | NodeKind::Job => ("#0369a1", "#7dd3fc"),
        NodeKind::Recording => ("#047857", "#6ee7b7"),
        NodeKind::Alert => ("#b45309", "#fdba74"),
        NodeKind::Route => ("#475569", "#cbd5e1"),
        NodeKind::Receiver => ("#9d174d", "#f9a8d4"),
        NodeKind::Dashboard | NodeKind::Runbook => ("#57534e", "#d6d3d1"),
    }
}

/// How an edge of a state is drawn.
pub(super) struct Line {
    /// The colour on light ground.
    pub(super) light: &'static str,
    /// The colour on dark ground.
    pub(super) dark: &'static str,
    /// The width in pixels.
    pub(super) width: f64,
    /// The lengths of dashes and gaps, or `""`.
    pub(super) dashes: &'static str,
    /// Graphviz's word for it.
    pub(super) dot: &'static str,
    /// Mermaid's arrow.
    pub(super) mermaid: &'static str,
    /// The meaning in a few words.
    pub(super) meaning: &'static str,
}

/// Returns how an edge of a state is drawn: each state has a line of its own, so that it reads without colour.
pub(super) fn line(state: State) -> Line {
    let (light, dark, width, dashes, dot, mermaid, meaning) = match state {
        State::Alive => ("#15803d", "#4ade80", 1.8, "", "bold", "==>", "values seen"),
        State::Defined => ("#64748b", "#94a3b8", 1.1, "", "solid", "-->", "on paper"),
        State::Unknown => ("#b6bfcb", "#5b6676", 1.1, "", "solid", "---", "nothing to judge by"),
        State::Undecidable => ("#64748b", "#94a3b8", 1.5, "1 4", "dotted", "-.->", "may mean many"),
        State::Stale => ("#c2740a", "#fbbf24", 1.8, "8 4", "dashed", "-.->", "gone or too rare"),
        State::Dropped => ("#c2410c", "#fb923c", 1.8, "", "solid", "--x", "removed on the way"),
        State::Mismatch => ("#dc2626", "#f87171", 4.6, "", "bold", "==x", "no such label or bucket"),
        State::NeverSeen => ("#dc2626", "#f87171", 2.0, "12 4 3 4", "dashed", "-.-x", "known from nowhere"),
    };
    Line { light, dark, width, dashes, dot, mermaid, meaning }
}
