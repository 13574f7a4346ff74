//! One file that opens in any browser: the picture, with pan and zoom, search, and the path of what is pointed at.

use std::collections::BTreeMap;

use crate::Graph;
use crate::view::{View, ViewOptions};

const STYLE: &str = include_str!("html/chart.css");
const SCRIPT: &str = include_str!("html/chart.js");

/// Writes the chart as one file that needs nothing else.
pub fn html(graph: &Graph) -> String {
    html_of(&View::of(graph, &ViewOptions::default()))
}

/// Writes what is shown of a graph as one file.
pub fn html_of(view: &View) -> String {
    let svg = super::svg::svg_of(view);
    // Search finds what is folded too. `<` must not end the script.
    let folds: BTreeMap<&str, &[String]> = view
        .nodes
        .iter()
        .filter(|node| !node.members.is_empty())
        .map(|node| (node.id.as_str(), &*node.members))
        .collect();
    let folds = serde_json::to_string(&folds).expect("BUG: a map of names is JSON").replace('<', "\\u003c");
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <title>Flow of metrics</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header><label>Search <input id=\"search\" type=\"search\" autocomplete=\"off\" spellcheck=\"false\"></label>\
         <output id=\"found\" aria-live=\"polite\"></output>\
         <span class=\"buttons\"><button id=\"out\" aria-label=\"Zoom out\">−</button>\
         <button id=\"in\" aria-label=\"Zoom in\">+</button><button id=\"whole\">Whole chart</button></span></header>\n\
         <main id=\"stage\" tabindex=\"0\" aria-label=\"Flow of metrics; arrow keys move, + and - zoom\">\n{svg}</main>\n\
         <script type=\"application/json\" id=\"folds\">{folds}</script>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n"
    )
}
