//! What is read but cannot come: names that are defined nowhere, and labels, buckets and series that do not exist.

use std::collections::BTreeMap;
use std::fmt::Write;

use promflow_syntax::ast::ExprKind;
use serde::Serialize;

use super::is_reader;
use super::place::Place;
use crate::graph::{Graph, NodeKind, State};

/// What is read but cannot come.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Missing {
    question: &'static str,
    /// One entry for each name and reason, sorted by name.
    pub missing: Vec<MissingName>,
}

/// A name that is read in vain.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MissingName {
    /// The metric's name as the reader writes it.
    pub name: String,
    /// `never_seen`, `mismatch` or `dropped`.
    pub state: &'static str,
    /// Why nothing comes.
    pub reason: String,
    /// The real name, label, job or bucket that was meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
    /// Where that is defined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest_file: Option<String>,
    /// The line there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest_line: Option<u32>,
    /// Who reads it.
    pub readers: Vec<Reader>,
}

/// Somebody who reads a metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reader {
    /// The node's id.
    pub id: String,
    /// `alert`, `recording` or `dashboard`.
    pub kind: &'static str,
    /// The node's name.
    pub name: String,
    /// Where it stands.
    #[serde(flatten)]
    pub place: Place,
    /// The selector.
    pub via: String,
}

/// Tells what is read but cannot come.
pub fn missing(graph: &Graph) -> Missing {
    let mut found: BTreeMap<(String, State, String), MissingName> = BTreeMap::new();
    for edge in graph.broken() {
        let Some(reader) = graph.node(&edge.to).filter(|node| is_reader(node.kind)) else { continue };
        let name = metric_of(&edge.via).or_else(|| edge.metrics.first().cloned()).unwrap_or_default();
        let reason = edge.reason.clone().unwrap_or_default();
        let entry = found.entry((name.clone(), edge.state, reason.clone())).or_insert_with(|| {
            let defined = edge.nearest.as_deref().and_then(|near| definition_of(graph, near));
            let (nearest_file, nearest_line) =
                defined.map_or((None, None), |node| (node.file.clone(), node.line));
            MissingName {
                name,
                state: edge.state.as_str(),
                reason,
                nearest: edge.nearest.clone(),
                nearest_file,
                nearest_line,
                readers: Vec::new(),
            }
        });
        let reader = Reader {
            id: reader.id.clone(),
            kind: reader.kind.as_str(),
            name: reader.name.clone(),
            place: Place::of(reader),
            via: edge.via.clone(),
        };
        if !entry.readers.contains(&reader) {
            entry.readers.push(reader);
        }
    }
    Missing { question: "missing", missing: found.into_values().collect() }
}

/// Returns the metric's name of a selector as it is written.
fn metric_of(via: &str) -> Option<String> {
    match promflow_syntax::parse(via).ok()?.kind {
        ExprKind::Vector(selector) => Some(selector.metric_name().to_owned()).filter(|name| !name.is_empty()),
        _ => None,
    }
}

fn definition_of<'g>(graph: &'g Graph, name: &str) -> Option<&'g crate::graph::Node> {
    let of_name = |name: &str| {
        let nodes = graph.nodes.iter();
        let mut fitting = nodes.filter(|node| node.file.is_some() && node.name == name);
        fitting.find(|node| matches!(node.kind, NodeKind::Definition | NodeKind::Recording))
    };
    let suffixes = ["_bucket", "_sum", "_count", "_total", "_created", "_info"];
    of_name(name).or_else(|| suffixes.iter().find_map(|suffix| of_name(name.strip_suffix(suffix)?)))
}

impl Missing {
    /// Writes the answer for a terminal.
    pub fn text(&self) -> String {
        if self.missing.is_empty() {
            return "everything that is read is written\n".to_owned();
        }
        let mut out = String::new();
        for missing in &self.missing {
            let _ = writeln!(out, "{}  [{}] {}", missing.name, missing.state, missing.reason);
            if let Some(nearest) = &missing.nearest {
                let place =
                    Place { file: missing.nearest_file.clone(), line: missing.nearest_line }.to_string();
                let gap = if place.is_empty() { "" } else { "  " };
                let _ = writeln!(out, "  nearest: {nearest}{gap}{place}");
            }
            for reader in &missing.readers {
                let _ = writeln!(
                    out,
                    "  read by {} {}  {}  {}",
                    reader.kind, reader.name, reader.place, reader.via
                );
            }
        }
        out
    }
}
