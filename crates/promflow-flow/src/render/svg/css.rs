//! The style sheet inside the picture.

use std::fmt::Write;

use super::super::style::{kind_colour, line};
use super::{SUBTITLE_SIZE, TITLE_SIZE};
use crate::graph::{NodeKind, State};

/// Colours that are not a kind's or a state's: ground, lane, node, line, text, faint text, good, warning, bad.
const LIGHT: [&str; 9] =
    ["#ffffff", "#f4f6f9", "#ffffff", "#d5dce5", "#0f172a", "#566377", "#15803d", "#b45309", "#dc2626"];
const DARK: [&str; 9] =
    ["#0d1117", "#151b24", "#1c2430", "#323d4d", "#e6edf3", "#93a1b5", "#4ade80", "#fbbf24", "#f87171"];

/// Returns the style sheet: light, and dark for who prefers that, or one of the two.
pub(super) fn css(dark: Option<bool>) -> String {
    let mut out = String::new();
    let _ = write!(
        out,
        "text{{font-family:ui-sans-serif,system-ui,\"Segoe UI\",Roboto,\"Helvetica Neue\",Arial,\"DejaVu Sans\",sans-serif}}\n\
         .title{{font-size:{TITLE_SIZE}px}}.subtitle,.group,.legend{{font-size:{SUBTITLE_SIZE}px}}\n\
         .heading{{font-size:11px;font-weight:600;letter-spacing:.08em;text-transform:uppercase}}\n\
         .icon{{font-size:10px;font-weight:700;text-anchor:middle}}\n\
         .number text{{font-size:9px;font-weight:700;text-anchor:middle}}\n\
         .edge path{{fill:none;stroke-linecap:round}}.edge .head{{stroke:none}}.edge .stop{{stroke-width:2.5;stroke-dasharray:none}}\n\
         .edge .inner{{stroke-width:1.8}}.frame{{fill:none;stroke-width:1;stroke-dasharray:3 3}}\n\
         .body{{stroke-width:1.2}}.behind{{stroke-width:1}}.is-foreign .body{{stroke-dasharray:6 3}}.is-wildcard .body{{stroke-dasharray:2 3}}\n\
         .is-bad .body{{stroke-width:2}}.definition.is-bad .body{{stroke-dasharray:5 3}}\n\
         a .title{{text-decoration:underline}}\n"
    );
    for state in State::ALL {
        let style = line(state);
        let dashes = if style.dashes.is_empty() {
            String::new()
        } else {
            format!(";stroke-dasharray:{}", style.dashes)
        };
        let _ = writeln!(out, ".{} path{{stroke-width:{}{dashes}}}", state.as_str(), style.width);
    }
    if let Some(dark) = dark {
        colours(if dark { &DARK } else { &LIGHT }, dark, &mut out);
        return format!("<style>\n{}</style>\n", scoped(&out));
    }
    colours(&LIGHT, false, &mut out);
    let mut in_dark = String::new();
    colours(&DARK, true, &mut in_dark);
    format!(
        "<style>\n{}@media (prefers-color-scheme:dark){{\n{}}}\n</style>\n",
        scoped(&out),
        scoped(&in_dark)
    )
}

/// Limits rules to the picture, so that it can stand inside a page.
fn scoped(rules: &str) -> String {
    let mut out = String::with_capacity(rules.len() * 3 / 2);
    for rule in rules.split_inclusive('}') {
        let Some((selectors, body)) = rule.split_once('{') else { continue };
        let selectors: Vec<String> =
            selectors.split(',').map(|selector| format!(".flow {}", selector.trim())).collect();
        let _ = writeln!(out, "{}{{{body}", selectors.join(","));
    }
    out
}

fn colours(colours: &[&str; 9], dark: bool, out: &mut String) {
    let [ground, lane, node, border, text, faint, good, warning, bad] = colours;
    let _ = write!(
        out,
        ".ground{{fill:{ground}}}.lane{{fill:{lane}}}.heading,.group,.subtitle,.legend{{fill:{faint}}}.title,.fault{{fill:{text}}}\n\
         .body,.behind{{fill:{node};stroke:{border}}}.frame{{stroke:{border}}}.icon,.number text{{fill:{ground}}}\n\
         .mark{{stroke:{node};stroke-width:1}}.good{{fill:{good}}}.warning{{fill:{warning}}}.bad,.number circle{{fill:{bad}}}\n"
    );
    // Targets are not drawn: their jobs are.
    for kind in NodeKind::ALL.into_iter().filter(|kind| *kind != NodeKind::Target) {
        let (light, on_dark) = kind_colour(kind);
        let colour = if dark { on_dark } else { light };
        let name = kind.as_str();
        let _ = writeln!(out, ".{name} .chip{{fill:{colour}}}.{name} .body{{stroke:{colour}}}");
    }
    for state in State::ALL {
        let style = line(state);
        let (name, colour) = (state.as_str(), if dark { style.dark } else { style.light });
        let _ = writeln!(out, ".{name} path{{stroke:{colour}}}.{name} .head{{fill:{colour}}}");
    }
    let _ = writeln!(
        out,
        ".mismatch .inner{{stroke:{lane}}}.is-bad .body{{stroke:{bad}}}.is-bad .chip{{fill:{bad}}}.is-warning .body{{stroke:{warning}}}.is-wildcard .chip{{fill:{faint}}}"
    );
}
