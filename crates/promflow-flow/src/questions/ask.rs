//! From a name that somebody typed to the nodes it means.

use std::collections::BTreeSet;

use crate::graph::{Graph, NodeKind};
use crate::nearest::nearest;

/// A name that means nothing here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskError {
    name: String,
    what: &'static str,
    nearest: Option<String>,
}

impl AskError {
    /// Returns the known name that is nearest to what was asked for.
    pub fn nearest(&self) -> Option<&str> {
        self.nearest.as_deref()
    }

    pub(super) fn new<'n>(name: &str, what: &'static str, known: impl IntoIterator<Item = &'n str>) -> Self {
        Self { name: name.to_owned(), what, nearest: near(name, known) }
    }
}

impl std::fmt::Display for AskError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no {} is called `{}`", self.what, self.name)?;
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean `{nearest}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for AskError {}

/// Returns the nearest of the known names, whatever its capitals.
pub(crate) fn near<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<String> {
    let known: BTreeSet<&str> = known.into_iter().collect();
    let lower = name.to_lowercase();
    let same = known.iter().find(|known| known.to_lowercase() == lower);
    same.copied().or_else(|| nearest(name, known.iter().copied())).map(str::to_owned)
}

/// Returns the ids of the nodes that a name means: those of one of the kinds, the first kind that has the name.
pub(super) fn ids_of(graph: &Graph, name: &str, kinds: &[NodeKind]) -> Vec<String> {
    let by_id = graph.nodes.iter().find(|node| node.id == name);
    if let Some(node) =
        by_id.filter(|node| !graph.nodes.iter().any(|other| other.name == name && other.id != node.id))
    {
        return vec![node.id.clone()];
    }
    kinds
        .iter()
        .map(|kind| graph.nodes.iter().filter(|node| node.kind == *kind && node.name == name))
        .map(|nodes| nodes.map(|node| node.id.clone()).collect::<Vec<_>>())
        .find(|ids| !ids.is_empty())
        .unwrap_or_default()
}
