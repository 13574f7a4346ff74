//! A small language that selects a part of a graph: the command, the API and the page have it alike.
//!
//! `X` is a name, `+X` with all that is upstream, `X+` with all that is downstream, `2+X+1` so many edges far,
//! `key:value` what a node is; a space joins, a comma intersects, a `-` takes away. The grammar with all keys is in
//! `docs/selection.md`.

mod keys;
mod parse;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::graph::{Graph, Node};
use crate::questions::Ways;
use parse::{Atom, Term};

/// An expression that selects nothing that exists, or that is not one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectError {
    /// The line, always 1.
    line: usize,
    /// The column, counted from 1 in characters.
    column: usize,
    message: String,
    nearest: Option<String>,
}

impl SelectError {
    /// Returns the column, counted from 1 in characters.
    pub fn column(&self) -> usize {
        self.column
    }

    /// Returns the known word that is nearest to the wrong one.
    pub fn nearest(&self) -> Option<&str> {
        self.nearest.as_deref()
    }

    fn new(column: usize, message: String) -> Self {
        Self { line: 1, column, message, nearest: None }
    }

    fn with_nearest<'n>(mut self, word: &str, known: impl IntoIterator<Item = &'n str>) -> Self {
        self.nearest = crate::questions::near(word, known);
        self
    }
}

impl std::fmt::Display for SelectError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)?;
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean `{nearest}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for SelectError {}

/// Selects a part of a graph: the nodes that the expression means, and the edges between them.
///
/// Errors: the expression is not one, or names what is not there; with the column and the nearest known word.
pub fn select(graph: &Graph, expr: &str) -> Result<Graph, SelectError> {
    Ok(graph.part(&select_ids(graph, expr)?))
}

/// Selects the ids of nodes.
///
/// Errors: as [`select`].
pub fn select_ids(graph: &Graph, expr: &str) -> Result<BTreeSet<String>, SelectError> {
    let union = parse::parse(expr)?;
    let ways = Ways::of(graph);
    let (mut taken, mut left_out) = (BTreeSet::new(), BTreeSet::new());
    let mut only_exclusions = true;
    for terms in &union {
        match &**terms {
            [term] if term.excluded => left_out.extend(evaluate(&ways, term)?),
            terms => {
                only_exclusions = false;
                taken.extend(intersection(&ways, terms)?);
            }
        }
    }
    if only_exclusions {
        taken = all(graph);
    }
    Ok(taken.difference(&left_out).cloned().collect())
}

fn all(graph: &Graph) -> BTreeSet<String> {
    graph.nodes.iter().map(|node| node.id.clone()).collect()
}

fn intersection(ways: &Ways<'_>, terms: &[Term]) -> Result<BTreeSet<String>, SelectError> {
    let mut kept = all(ways.graph());
    for term in terms {
        let found = evaluate(ways, term)?;
        kept.retain(|id| found.contains(id) != term.excluded);
    }
    Ok(kept)
}

fn evaluate(ways: &Ways<'_>, term: &Term) -> Result<BTreeSet<String>, SelectError> {
    let mut found = atom(ways, &term.atom)?;
    let starts: Vec<String> = found.iter().cloned().collect();
    let starts: Vec<&str> = starts.iter().map(String::as_str).collect();
    if let Some(depth) = term.up {
        found.extend(ways.upstream(&starts, depth).nodes);
    }
    if let Some(depth) = term.down {
        found.extend(ways.downstream(&starts, depth).nodes);
    }
    Ok(found)
}

fn atom(ways: &Ways<'_>, atom: &Atom) -> Result<BTreeSet<String>, SelectError> {
    let graph = ways.graph();
    let text = atom.text.as_str();
    let ids =
        |nodes: &mut dyn Iterator<Item = &Node>| nodes.map(|node| node.id.clone()).collect::<BTreeSet<_>>();
    // A recording rule may be called `job:requests:rate5m`: a whole name goes before a key.
    let named = ids(&mut graph.nodes.iter().filter(|node| node.name == text));
    if !named.is_empty() {
        return Ok(named);
    }
    if let Some((key, value)) = text.split_once(':').filter(|_| !atom.quoted) {
        if keys::KEYS.contains(&key) {
            return keys::select(ways, atom.column, key, value);
        }
        // A recording rule may be called `instance:requests:rate5m`, so a label's name alone is no key.
        let by_label = keys::by_label(graph, key, value);
        if !by_label.is_empty() {
            return Ok(by_label);
        }
        let by_id = ids(&mut graph.nodes.iter().filter(|node| node.id == text));
        if !by_id.is_empty() {
            return Ok(by_id);
        }
        if crate::questions::near(key, keys::KEYS).is_some() && !key.contains('_') {
            let message = format!("`{key}` is no key; keys are {}", keys::KEYS.join(", "));
            return Err(SelectError::new(atom.column, message).with_nearest(key, keys::KEYS));
        }
    }
    let found =
        ids(&mut graph.nodes.iter().filter(|node| node.id == text || keys::is_like(&node.name, text)));
    if found.is_empty() {
        let known = graph.nodes.iter().map(|node| node.name.as_str());
        let message = format!("nothing is called `{text}`");
        return Err(SelectError::new(atom.column, message).with_nearest(text, known));
    }
    Ok(found)
}
