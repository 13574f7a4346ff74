//! What breaks when a metric, a label or a job goes: the blast radius, up to the person who is paged.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use promflow_syntax::ast::{Expr, ExprKind};
use serde::Serialize;

use super::ask::AskError;
use super::place::Place;
use super::tree::{Branch, grow};
use super::ways::Ways;
use super::{Lineage, is_reader};
use crate::catalogue::likely_family;
use crate::graph::{Details, Edge, Graph, Node, NodeKind};

/// What breaks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Breaks {
    question: &'static str,
    /// The name asked about.
    pub name: String,
    /// What the name was found to be, sorted.
    pub kinds: Vec<&'static str>,
    /// The nodes that go.
    pub ids: Vec<String>,
    /// The recording rules hit.
    pub recordings: Vec<Hit>,
    /// The alerts hit.
    pub alerts: Vec<Hit>,
    /// The dashboards hit.
    pub dashboards: Vec<Hit>,
    /// The routes that ask for a label that goes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Hit>,
    /// Who is told by the alerts hit.
    pub receivers: Vec<ReceiverHit>,
    /// The ways, one tree for each node that goes.
    pub tree: Vec<Branch>,
    /// The nodes hit, and those on the way.
    pub nodes: Vec<Node>,
    /// The edges on the way.
    pub edges: Vec<Edge>,
}

/// A reader that is hit.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Hit {
    /// The node's id.
    pub id: String,
    /// The node's name.
    pub name: String,
    /// Where it stands.
    #[serde(flatten)]
    pub place: Place,
    /// An alert's severity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// The selectors that are hit, sorted.
    pub via: Vec<String>,
    /// Whether it reads what goes itself, not through a recording rule.
    pub direct: bool,
    /// Who is told, for an alert.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub receivers: Vec<String>,
}

/// A receiver that is told less.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReceiverHit {
    /// The node's id.
    pub id: String,
    /// The receiver's name.
    pub name: String,
    /// Its channels.
    pub channels: Vec<String>,
    /// The alerts hit that it is told of, sorted.
    pub alerts: Vec<String>,
}

/// Tells what breaks when everything of that name goes: a metric, one of its series, a label, a job, or any node.
///
/// `metric{label}` means the label of that metric alone.
/// Errors: nothing has the name; the nearest that a metric, label or job has is in the text.
pub fn breaks(graph: &Graph, name: &str) -> Result<Breaks, AskError> {
    let ways = Ways::of(graph);
    let mut found = Found::default();
    if let Some((metric, label)) = name.strip_suffix('}').and_then(|name| name.split_once('{')) {
        found.label(graph, label.trim(), Some(likely_family(metric.trim())));
    } else {
        found.nodes(graph, name);
        found.metric(graph, name);
        let label = name.strip_prefix("label:").unwrap_or(name);
        if found.kinds.is_empty() || name != label || is_used_as_label(graph, label) {
            found.label(graph, label, None);
        }
    }
    if found.kinds.is_empty() {
        return Err(AskError::new(name, "metric, label or job", known(graph).iter().map(String::as_str)));
    }
    let mut lineage = Lineage::default();
    let ids: Vec<&str> = found.ids.iter().map(String::as_str).collect();
    merge(&mut lineage, ways.downstream(&ids, None));
    for (id, metric) in &found.carriers {
        let node = ways.node(id).into_iter().map(|node| node.id.as_str()).collect::<Vec<_>>();
        merge(&mut lineage, ways.downstream_of_metric(&node, metric));
    }
    let readers: Vec<&str> = found.readers.keys().map(String::as_str).collect();
    merge(&mut lineage, ways.downstream(&readers, None));
    Ok(answer(&ways, name, found, lineage))
}

/// What a name means.
#[derive(Default)]
struct Found<'g> {
    kinds: BTreeSet<&'static str>,
    ids: BTreeSet<String>,
    /// Nodes that carry a metric which has no node of its own.
    carriers: Vec<(String, &'g str)>,
    /// Rules and dashboards that use a label, with the selectors they use it in.
    readers: BTreeMap<String, BTreeSet<String>>,
    routes: BTreeSet<String>,
}

impl<'g> Found<'g> {
    fn nodes(&mut self, graph: &Graph, name: &str) {
        for node in graph.named(name) {
            self.kinds.insert(node.kind.as_str());
            self.ids.insert(node.id.clone());
        }
    }

    /// Finds a metric by the edges that carry it, when its code is not here, and a series by its family.
    fn metric(&mut self, graph: &'g Graph, name: &str) {
        if self.kinds.contains(NodeKind::Definition.as_str())
            || self.kinds.contains(NodeKind::Recording.as_str())
        {
            return;
        }
        let family = ["_bucket", "_sum", "_count", "_total"].iter().find_map(|suffix| {
            let family = name.strip_suffix(suffix)?;
            graph
                .nodes
                .iter()
                .any(|node| node.kind == NodeKind::Definition && node.name == family)
                .then_some(family)
        });
        if let Some(family) = family {
            self.nodes(graph, family);
            return;
        }
        let name = likely_family(name);
        for edge in &graph.edges {
            if let Some(metric) = edge.metrics.iter().find(|metric| *metric == name) {
                self.kinds.insert("metric");
                self.carriers.push((edge.from.clone(), metric));
            }
        }
    }

    fn label(&mut self, graph: &Graph, label: &str, metric: Option<&str>) {
        for node in &graph.nodes {
            match &node.details {
                Details::Definition(facts)
                    if facts.labels.iter().flatten().any(|own| own == label)
                        && metric.is_none_or(|metric| metric == node.name) =>
                {
                    self.kinds.insert("label");
                }
                Details::Route(route) => {
                    let asks = route.matchers.iter().any(|text| matcher_label(text) == label);
                    if metric.is_none() && (asks || route.group_by.iter().any(|by| by == label)) {
                        self.kinds.insert("label");
                        self.routes.insert(node.id.clone());
                    }
                }
                _ => {}
            }
        }
        for edge in graph.edges.iter().filter(|edge| !edge.via.is_empty()) {
            let Some(reader) = graph.node(&edge.to).filter(|node| is_reader(node.kind)) else { continue };
            if metric.is_some_and(|metric| !edge.metrics.iter().any(|own| own == metric)) {
                continue;
            }
            let in_selector = promflow_syntax::parse(&edge.via).is_ok_and(|expr| uses_label(&expr, label));
            let in_rule = || match &reader.details {
                Details::Rule(rule) => {
                    promflow_syntax::parse(&rule.expr).is_ok_and(|expr| uses_label(&expr, label))
                }
                _ => false,
            };
            if in_selector || in_rule() {
                self.kinds.insert("label");
                self.readers.entry(reader.id.clone()).or_default().insert(edge.via.clone());
            }
        }
    }
}

fn matcher_label(text: &str) -> &str {
    text.split(['=', '!', '~']).next().unwrap_or(text).trim().trim_matches('"')
}

fn is_used_as_label(graph: &Graph, name: &str) -> bool {
    graph.nodes.iter().any(|node| match &node.details {
        Details::Definition(facts) => facts.labels.iter().flatten().any(|label| label == name),
        _ => false,
    })
}

/// Says whether an expression names a label: in a matcher, a grouping, a join, or as an argument.
fn uses_label(expr: &Expr, label: &str) -> bool {
    let named = |labels: &[String]| labels.iter().any(|own| own == label);
    match &expr.kind {
        ExprKind::Number(_) => false,
        ExprKind::String(text) => text == label,
        ExprKind::Vector(selector) => selector.matchers.iter().any(|matcher| matcher.name == label),
        ExprKind::Matrix(matrix) => matrix.selector.matchers.iter().any(|matcher| matcher.name == label),
        ExprKind::Subquery(subquery) => uses_label(&subquery.expr, label),
        ExprKind::Unary(_, inner) | ExprKind::Paren(inner) => uses_label(inner, label),
        ExprKind::Binary(binary) => {
            let joined = binary.matching.as_ref().is_some_and(|m| named(&m.labels) || named(&m.include));
            joined || uses_label(&binary.lhs, label) || uses_label(&binary.rhs, label)
        }
        ExprKind::Aggregate(aggregate) => named(&aggregate.grouping) || uses_label(&aggregate.expr, label),
        ExprKind::Call(call) => {
            // `histogram_quantile` reads the buckets' bound without naming it.
            let implied = label == promflow_model::BUCKET_LABEL && call.func.name.starts_with("histogram_");
            implied || call.args.iter().any(|arg| uses_label(arg, label))
        }
    }
}

fn known(graph: &Graph) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for node in &graph.nodes {
        match &node.details {
            Details::Definition(facts) => {
                if facts.existence == crate::graph::Existence::Code {
                    names.insert(node.name.clone());
                }
                names.extend(facts.labels.iter().flatten().cloned());
            }
            Details::Job(_) | Details::Rule(_) | Details::Receiver(_) => {
                names.insert(node.name.clone());
            }
            _ => {}
        }
    }
    names.extend(
        graph.edges.iter().filter(|edge| !edge.state.is_broken()).flat_map(|edge| edge.metrics.clone()),
    );
    names
}

fn merge(into: &mut Lineage, more: Lineage) {
    into.nodes.extend(more.nodes);
    into.edges.extend(more.edges);
}

fn answer(ways: &Ways<'_>, name: &str, found: Found<'_>, mut lineage: Lineage) -> Breaks {
    let graph = ways.graph();
    lineage.nodes.extend(found.routes.iter().cloned());
    let edges: Vec<Edge> = lineage.edges.iter().map(|at| graph.edges[*at].clone()).collect();
    let of_kind = |kind: NodeKind| {
        let nodes = graph.nodes.iter().filter(move |node| node.kind == kind);
        nodes.filter(|node| lineage.nodes.contains(&node.id) && !found.ids.contains(&node.id))
    };
    let hits =
        |kind: NodeKind| of_kind(kind).map(|node| hit(ways, node, &edges, &found)).collect::<Vec<Hit>>();
    let alerts = hits(NodeKind::Alert);
    let mut receivers: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for alert in &alerts {
        for receiver in &alert.receivers {
            receivers.entry(receiver).or_default().insert(alert.name.clone());
        }
    }
    let receivers = receivers.into_iter().filter_map(|(receiver, alerts)| {
        let node = graph.nodes.iter().find(|n| n.kind == NodeKind::Receiver && n.name == receiver)?;
        let Details::Receiver(facts) = &node.details else { return None };
        let (id, name) = (node.id.clone(), node.name.clone());
        Some(ReceiverHit { id, name, channels: facts.channels.clone(), alerts: alerts.into_iter().collect() })
    });
    let receivers: Vec<ReceiverHit> = receivers.collect();
    let trees = found.ids.iter().filter_map(|id| grow(ways, id, None, false));
    let carried = found.carriers.iter().filter_map(|(id, metric)| grow(ways, id, Some(metric), false));
    let read = found.readers.keys().filter_map(|id| grow(ways, id, None, false));
    let mut tree: Vec<Branch> = trees.chain(carried).chain(read).collect();
    tree.dedup_by(|a, b| a.id == b.id);
    Breaks {
        question: "breaks",
        name: name.to_owned(),
        kinds: found.kinds.iter().copied().collect(),
        recordings: hits(NodeKind::Recording),
        dashboards: hits(NodeKind::Dashboard),
        routes: graph.nodes.iter().filter(|node| found.routes.contains(&node.id)).map(plain_hit).collect(),
        alerts,
        receivers,
        tree,
        nodes: graph.nodes.iter().filter(|node| lineage.nodes.contains(&node.id)).cloned().collect(),
        edges,
        ids: found.ids.into_iter().collect(),
    }
}

fn plain_hit(node: &Node) -> Hit {
    Hit {
        id: node.id.clone(),
        name: node.name.clone(),
        place: Place::of(node),
        direct: true,
        ..Hit::default()
    }
}

fn hit(ways: &Ways<'_>, node: &Node, edges: &[Edge], found: &Found<'_>) -> Hit {
    let into = edges.iter().filter(|edge| edge.to == node.id);
    let mut via: BTreeSet<String> =
        into.clone().map(|edge| edge.via.clone()).filter(|via| !via.is_empty()).collect();
    via.extend(found.readers.get(&node.id).into_iter().flatten().cloned());
    let from_rule = |edge: &Edge| {
        ways.node(&edge.from).is_some_and(|from| from.kind == NodeKind::Recording)
            && !found.ids.contains(&edge.from)
    };
    let direct = found.readers.contains_key(&node.id)
        || (found.readers.is_empty() && into.clone().any(|edge| !from_rule(edge)));
    let (mut severity, mut receivers) = (None, Vec::new());
    if let (NodeKind::Alert, Details::Rule(rule)) = (node.kind, &node.details) {
        severity = Some(rule.severity().to_owned()).filter(|severity| !severity.is_empty());
        let told = ways.downstream(&[&node.id], None);
        let told =
            told.nodes.iter().filter_map(|id| ways.node(id)).filter(|node| node.kind == NodeKind::Receiver);
        receivers = told.map(|node| node.name.clone()).collect();
    }
    Hit { via: via.into_iter().collect(), direct, severity, receivers, ..plain_hit(node) }
}

impl Breaks {
    /// Writes the answer for a terminal.
    pub fn text(&self) -> String {
        let mut out = format!("{} ({})\n", self.name, self.kinds.join(", "));
        let parts = [
            ("recording rules", &self.recordings),
            ("alerts", &self.alerts),
            ("dashboards", &self.dashboards),
            ("routes that ask for it", &self.routes),
        ];
        if parts.iter().all(|(_, hits)| hits.is_empty()) {
            out.push_str("\nnothing reads it: nothing breaks\n");
            return out;
        }
        for (title, hits) in parts.into_iter().filter(|(_, hits)| !hits.is_empty()) {
            let _ = writeln!(out, "\n{title}:");
            for hit in hits {
                write_hit(hit, &mut out);
            }
        }
        if !self.receivers.is_empty() {
            out.push_str("\nwho is no longer told:\n");
        }
        for receiver in &self.receivers {
            let channels = receiver.channels.join(", ");
            let _ = writeln!(out, "  {} ({channels}): {}", receiver.name, receiver.alerts.join(", "));
        }
        out
    }
}

fn write_hit(hit: &Hit, out: &mut String) {
    let _ = write!(out, "  {}", hit.name);
    let place = hit.place.to_string();
    if !place.is_empty() {
        let _ = write!(out, "  {place}");
    }
    if let Some(severity) = &hit.severity {
        let _ = write!(out, "  {severity}");
    }
    if !hit.receivers.is_empty() {
        let _ = write!(out, " -> {}", hit.receivers.join(", "));
    }
    out.push_str(if hit.direct { "\n" } else { "  (through a recording rule)\n" });
    for via in &hit.via {
        let _ = writeln!(out, "      {via}");
    }
}
