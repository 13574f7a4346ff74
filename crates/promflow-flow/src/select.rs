//! A small language that selects a part of a graph.
//!
//! `X` is a name, `+X` with all that is upstream, `X+` with all that is downstream, `2+X+1` so many edges far;
//! `job:backend`, `kind:alert`, `severity:critical`, `state:broken` and the like select by what nodes are. A space
//! joins, a comma keeps what both have, a `-` before a term takes away.

mod parse;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::graph::{AlertState, Details, Graph, Lane, Node, NodeKind, State};
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

/// What may stand before a colon.
const KEYS: [&str; 14] = [
    "kind", "job", "severity", "state", "package", "group", "file", "receiver", "label", "name", "lane",
    "library", "id", "type",
];

/// What `state:` knows besides the states of edges.
const NODE_STATES: [&str; 7] = ["broken", "firing", "pending", "inactive", "up", "down", "failing"];

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
    let mut found = atom(ways.graph(), &term.atom)?;
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

fn atom(graph: &Graph, atom: &Atom) -> Result<BTreeSet<String>, SelectError> {
    let text = atom.text.as_str();
    let ids =
        |nodes: &mut dyn Iterator<Item = &Node>| nodes.map(|node| node.id.clone()).collect::<BTreeSet<_>>();
    // A recording rule may be called `job:requests:rate5m`: a whole name goes before a key.
    let named = ids(&mut graph.nodes.iter().filter(|node| node.name == text));
    if !named.is_empty() {
        return Ok(named);
    }
    if let Some((key, value)) = text.split_once(':').filter(|_| !atom.quoted) {
        if KEYS.contains(&key) {
            return by_key(graph, atom, key, value);
        }
        let by_id = ids(&mut graph.nodes.iter().filter(|node| node.id == text));
        if !by_id.is_empty() {
            return Ok(by_id);
        }
        if crate::questions::near(key, KEYS).is_some() && !key.contains('_') {
            let message = format!("`{key}` is no key; keys are {}", KEYS.join(", "));
            return Err(SelectError::new(atom.column, message).with_nearest(key, KEYS));
        }
    }
    let found = ids(&mut graph.nodes.iter().filter(|node| node.id == text || is_like(&node.name, text)));
    if found.is_empty() {
        let known = graph.nodes.iter().map(|node| node.name.as_str());
        let message = format!("nothing is called `{text}`");
        return Err(SelectError::new(atom.column, message).with_nearest(text, known));
    }
    Ok(found)
}

fn by_key(graph: &Graph, atom: &Atom, key: &str, value: &str) -> Result<BTreeSet<String>, SelectError> {
    if value.is_empty() {
        return Err(SelectError::new(atom.column, format!("a word is missing after `{key}:`")));
    }
    let one_of = |known: Vec<&str>| {
        if known.contains(&value) {
            return Ok(());
        }
        let message = format!("`{value}` is no {key}; there are {}", known.join(", "));
        Err(SelectError::new(atom.column + key.len() + 1, message).with_nearest(value, known))
    };
    match key {
        "kind" => one_of(KINDS.iter().map(|kind| kind.as_str()).collect())?,
        "lane" => one_of(Lane::ALL.iter().map(|lane| lane.as_str()).collect())?,
        "state" => {
            one_of(State::ALL.iter().map(|state| state.as_str()).chain(NODE_STATES).collect())?;
            return Ok(by_state(graph, value));
        }
        "job" if !value.contains('*') => {
            let jobs = graph.nodes.iter().filter(|node| node.kind == NodeKind::Job);
            one_of(jobs.map(|node| node.name.as_str()).collect())?;
        }
        _ => {}
    }
    let nodes = graph.nodes.iter().filter(|node| has(node, key, value));
    Ok(nodes.map(|node| node.id.clone()).collect())
}

/// All kinds of node.
const KINDS: [NodeKind; 12] = [
    NodeKind::Definition,
    NodeKind::Library,
    NodeKind::Exporter,
    NodeKind::Endpoint,
    NodeKind::Target,
    NodeKind::Job,
    NodeKind::Recording,
    NodeKind::Alert,
    NodeKind::Route,
    NodeKind::Receiver,
    NodeKind::Dashboard,
    NodeKind::Runbook,
];

fn by_state(graph: &Graph, state: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for edge in &graph.edges {
        if edge.state.as_str() == state || (state == "broken" && edge.state.is_broken()) {
            found.extend([edge.from.clone(), edge.to.clone()]);
        }
    }
    for node in &graph.nodes {
        let is = match &node.details {
            Details::Rule(rule) => {
                rule.alert_state.map(AlertState::as_str) == Some(state)
                    || (state == "failing" && rule.healthy == Some(false))
            }
            Details::Target(target) => match target.up {
                Some(true) => state == "up",
                Some(false) => state == "down",
                None => false,
            },
            Details::Receiver(receiver) => state == "failing" && receiver.failed.unwrap_or(0) > 0,
            _ => false,
        };
        if is {
            found.insert(node.id.clone());
        }
    }
    found
}

fn has(node: &Node, key: &str, value: &str) -> bool {
    let is = |text: &str| is_like(text, value);
    match (key, &node.details) {
        ("kind", _) => node.kind.as_str() == value,
        ("lane", _) => node.kind.lane().as_str() == value,
        ("id", _) => is(&node.id),
        ("name", _) => is(&node.name),
        ("group", _) => node.group.as_deref().is_some_and(is),
        ("file", _) => {
            node.file.as_deref().is_some_and(|file| is(file) || file.rsplit('/').next().is_some_and(is))
        }
        ("job", Details::Job(_)) => is(&node.name),
        ("job", Details::Target(target)) => is(&target.job),
        ("job", Details::Endpoint { .. }) => {
            let own = node.id.strip_prefix("endpoint:").unwrap_or(&node.id);
            is(own.split('/').next().unwrap_or(own))
        }
        ("severity", Details::Rule(rule)) => is(rule.severity()),
        ("package", Details::Definition(facts)) => is(&facts.package),
        ("package", Details::Endpoint { package, .. }) => package.as_deref().is_some_and(is),
        ("package", Details::Library { .. }) => is(&node.name),
        ("library", Details::Definition(facts)) => is(&facts.library),
        ("library", Details::Library { .. }) => is(&node.name),
        ("type", Details::Definition(facts)) => is(facts.metric_type.as_str()),
        ("label", Details::Definition(facts)) => facts.labels.iter().flatten().any(|label| is(label)),
        ("label", Details::Rule(rule)) => rule.labels.keys().any(|label| is(label)),
        ("receiver", Details::Receiver(_)) => is(&node.name),
        ("receiver", Details::Route(route)) => is(&route.receiver),
        _ => false,
    }
}

/// Says whether a text is what a pattern says, in which `*` stands for anything.
fn is_like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}
