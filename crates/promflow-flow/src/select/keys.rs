//! What `key:value` selects.

use std::collections::BTreeSet;

use super::SelectError;
use crate::graph::{AlertState, DefinitionFacts, Details, Existence, Graph, Lane, Node, NodeKind, State};
use crate::questions::{Ways, code_facts, has_no_help};

/// What may stand before a colon, beside the names of labels.
pub(super) const KEYS: [&str; 16] = [
    "kind", "job", "severity", "state", "is", "package", "group", "file", "receiver", "label", "name",
    "metric", "lane", "library", "id", "type",
];

/// What `state:` knows besides the states of edges.
const NODE_STATES: [&str; 7] = ["broken", "firing", "pending", "inactive", "up", "down", "failing"];

/// What `is:` knows.
pub(super) const IS: [&str; 8] =
    ["unread", "missing", "nohelp", "mute", "unroutable", "firing", "failing", "broken"];

/// Selects the ids of the rules and targets that have a label with a value.
pub(super) fn by_label(graph: &Graph, name: &str, pattern: &str) -> BTreeSet<String> {
    let has = |node: &&Node| label(node, name).is_some_and(|value| is_like(value, pattern));
    graph.nodes.iter().filter(has).map(|node| node.id.clone()).collect()
}

/// Selects the ids of the nodes that a key and a value mean.
///
/// Errors: the value is none that the key knows, with its column.
pub(super) fn select(
    ways: &Ways<'_>,
    column: usize,
    key: &str,
    value: &str,
) -> Result<BTreeSet<String>, SelectError> {
    if value.is_empty() {
        return Err(SelectError::new(column, format!("a word is missing after `{key}:`")));
    }
    let graph = ways.graph();
    let column = column + key.chars().count() + 1;
    match key {
        "kind" => one_of(column, key, value, NodeKind::ALL.iter().map(|kind| kind.as_str()).collect())?,
        "lane" => one_of(column, key, value, Lane::ALL.iter().map(|lane| lane.as_str()).collect())?,
        "state" => {
            let states = State::ALL.iter().map(|state| state.as_str());
            one_of(column, key, value, states.chain(NODE_STATES).collect())?;
            return Ok(by_state(graph, value));
        }
        "is" => {
            one_of(column, key, value, IS.to_vec())?;
            return Ok(by_word(ways, value));
        }
        "job" => {
            let jobs = graph.nodes.iter().filter_map(|node| match node.kind {
                NodeKind::Job => Some(node.name.as_str()),
                _ => label(node, "job"),
            });
            one_of(column, key, value, jobs.collect::<BTreeSet<_>>().into_iter().collect())?;
        }
        _ => {}
    }
    let nodes = graph.nodes.iter().filter(|node| has(node, key, value));
    Ok(nodes.map(|node| node.id.clone()).collect())
}

/// Refuses a value that is none of those known; patterns with `*` may mean none of them.
fn one_of(column: usize, key: &str, value: &str, known: Vec<&str>) -> Result<(), SelectError> {
    let mut column = column;
    for word in value.split('|') {
        if !word.contains('*') && !known.contains(&word) {
            let message = format!("`{word}` is no {key}; there are {}", known.join(", "));
            return Err(SelectError::new(column, message).with_nearest(word, known));
        }
        column += word.chars().count() + 1;
    }
    Ok(())
}

fn by_state(graph: &Graph, pattern: &str) -> BTreeSet<String> {
    let is = |state: &str| is_like(state, pattern);
    let mut found = BTreeSet::new();
    for edge in &graph.edges {
        if is(edge.state.as_str()) || (edge.state.is_broken() && is("broken")) {
            found.extend([edge.from.clone(), edge.to.clone()]);
        }
    }
    let up = |up: bool| is(if up { "up" } else { "down" });
    let nodes = graph.nodes.iter().filter(|node| match &node.details {
        Details::Rule(rule) => {
            rule.alert_state.map(AlertState::as_str).is_some_and(is)
                || (rule.healthy == Some(false) && is("failing"))
        }
        Details::Target(target) => target.up.is_some_and(up),
        Details::Job(job) if job.targets > 0 => job.up.is_some_and(|count| up(count == job.targets)),
        Details::Receiver(receiver) => receiver.failed.unwrap_or(0) > 0 && is("failing"),
        _ => false,
    });
    found.extend(nodes.map(|node| node.id.clone()));
    found
}

fn by_word(ways: &Ways<'_>, pattern: &str) -> BTreeSet<String> {
    let graph = ways.graph();
    let mut found = BTreeSet::new();
    let ids = |fits: &dyn Fn(&Node) -> bool| {
        graph.nodes.iter().filter(|node| fits(node)).map(|node| node.id.clone()).collect::<BTreeSet<_>>()
    };
    for word in IS.into_iter().filter(|word| is_like(word, pattern)) {
        found.extend(match word {
            "unread" => ids(&|node| matches!(&node.details, Details::Definition(facts) if facts.is_unread)),
            "mute" => ids(&|node| matches!(&node.details, Details::Rule(facts) if facts.cannot_fire)),
            "missing" => ids(&|node| existence(node) == Some(Existence::Nowhere)),
            "nohelp" => ids(&|node| code_facts(node).is_some_and(has_no_help)),
            "unroutable" => {
                let told: BTreeSet<&str> = graph
                    .edges
                    .iter()
                    .filter(|edge| {
                        let to = ways.node(&edge.to).map(|node| node.kind);
                        matches!(to, Some(NodeKind::Route | NodeKind::Receiver))
                    })
                    .map(|edge| edge.from.as_str())
                    .collect();
                ids(&|node| node.kind == NodeKind::Alert && !told.contains(node.id.as_str()))
            }
            state => by_state(graph, state),
        });
    }
    found
}

fn existence(node: &Node) -> Option<Existence> {
    match &node.details {
        Details::Definition(DefinitionFacts { existence, .. }) => Some(*existence),
        _ => None,
    }
}

/// Returns the value of a label that a rule or a target sets.
fn label<'n>(node: &'n Node, name: &str) -> Option<&'n str> {
    let labels = match &node.details {
        Details::Rule(rule) => &rule.labels,
        Details::Target(target) => &target.labels,
        _ => return None,
    };
    labels.get(name).map(String::as_str)
}

fn has(node: &Node, key: &str, pattern: &str) -> bool {
    let is = |text: &str| is_like(text, pattern);
    match (key, &node.details) {
        ("kind", _) => is(node.kind.as_str()),
        ("lane", _) => is(node.kind.lane().as_str()),
        ("id", _) => is(&node.id),
        ("name", _) => is(&node.name),
        ("metric", Details::Definition(_)) => is(&node.name),
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
        ("metric" | "package" | "library" | "type" | "label" | "receiver", _) => false,
        (key, _) => label(node, key).is_some_and(is),
    }
}

/// Says whether a text is what a pattern says, in which `*` stands for anything and `|` parts alternatives.
pub(super) fn is_like(text: &str, pattern: &str) -> bool {
    pattern.split('|').any(|pattern| is_like_one(text, pattern))
}

fn is_like_one(text: &str, pattern: &str) -> bool {
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
