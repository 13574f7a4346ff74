//! Nodes and edges as JSON.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::graph::{Details, Edge, Existence, Graph, Node, State};

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        node(self).serialize(serializer)
    }
}

impl Serialize for Edge {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        edge(self).serialize(serializer)
    }
}

#[derive(Serialize)]
struct JsonGraph<'a> {
    nodes: Vec<JsonNode<'a>>,
    edges: Vec<JsonEdge<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    problems: &'a [String],
    summary: JsonSummary,
}

#[derive(Serialize)]
struct JsonSummary {
    nodes: usize,
    edges: usize,
    broken: usize,
    states: BTreeMap<&'static str, usize>,
}

#[derive(Serialize)]
struct JsonNode<'a> {
    id: &'a str,
    kind: &'static str,
    name: &'a str,
    lane: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    #[serde(flatten)]
    facts: JsonFacts<'a>,
}

/// What kinds of node add; the names are those of Prometheus's API where it has them.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonFacts<'a> {
    #[serde(skip_serializing_if = "Option::is_none", rename = "type")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label_names: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    buckets: Option<&'a [f64]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    library: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    existence: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unread: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cannot_fire: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    series: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    samples_per_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    met_by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<&'a BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<&'a BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    targets: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    targets_up: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    untried: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_files: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    up: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_scrape_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_scrape_duration_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scrape_interval_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expr: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    for_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_firing_for_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    active: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_fired_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    healthy: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evaluation_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    matchers: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receiver: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_by: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_wait_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repeat_interval_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mute_time_intervals: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    continues: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channels: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_sent_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    panels: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonEdge<'a> {
    from: &'a str,
    to: &'a str,
    via: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    function: &'a str,
    metrics: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    alerts: &'a [String],
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nearest: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    panel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    samples_per_second: Option<f64>,
}

/// Writes the whole graph, unfolded, with all that is known of each node.
pub fn json(graph: &Graph) -> String {
    let wire = JsonGraph {
        nodes: graph.nodes.iter().map(node).collect(),
        edges: graph.edges.iter().map(edge).collect(),
        problems: &graph.problems,
        summary: summary(graph),
    };
    let mut text =
        serde_json::to_string_pretty(&wire).expect("BUG: a graph has no map with keys that are no strings");
    text.push('\n');
    text
}

fn summary(graph: &Graph) -> JsonSummary {
    let mut states = BTreeMap::new();
    for state in State::ALL {
        let count = graph.edges.iter().filter(|edge| edge.state == state).count();
        if count > 0 {
            states.insert(state.as_str(), count);
        }
    }
    JsonSummary { nodes: graph.nodes.len(), edges: graph.edges.len(), broken: graph.broken().count(), states }
}

fn node(node: &Node) -> JsonNode<'_> {
    JsonNode {
        id: &node.id,
        kind: node.kind.as_str(),
        name: &node.name,
        lane: node.kind.lane().as_str(),
        file: node.file.as_deref(),
        line: node.line,
        group: node.group.as_deref(),
        facts: facts(&node.details),
    }
}

fn filled(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn facts(details: &Details) -> JsonFacts<'_> {
    let none = JsonFacts::default();
    match details {
        Details::Definition(d) => JsonFacts {
            kind: Some(d.metric_type.as_str()),
            help: d.help.as_deref(),
            label_names: d.labels.as_deref(),
            buckets: d.buckets.as_deref(),
            unit: d.unit.as_deref(),
            library: filled(&d.library),
            package: filled(&d.package),
            existence: Some(match d.existence {
                Existence::Code => "code",
                Existence::Nowhere => "nowhere",
                Existence::Unjudged => "unjudged",
                Existence::Wildcard => "wildcard",
            }),
            unread: d.is_unread,
            series: d.series,
            samples_per_second: d.samples_per_second,
            ..none
        },
        Details::Library { dir } => JsonFacts { path: Some(dir), ..none },
        Details::Exporter { product } => JsonFacts { library: Some(product), ..none },
        Details::Endpoint { path, package, met_by } => JsonFacts {
            path: filled(path),
            package: package.as_deref(),
            met_by: met_by.map(|met_by| met_by.as_str()),
            ..none
        },
        Details::Target(t) => JsonFacts {
            job: Some(&t.job),
            labels: Some(&t.labels),
            up: t.up,
            last_error: t.last_error.as_deref(),
            last_scrape_ms: t.last_scrape_ms,
            last_scrape_duration_seconds: t.duration_seconds,
            ..none
        },
        Details::Job(j) => JsonFacts {
            path: Some(&j.metrics_path),
            scrape_interval_ms: Some(j.scrape_interval_ms),
            targets: Some(j.targets),
            targets_up: j.up,
            untried: Some(j.untried).filter(|untried| *untried),
            target_files: Some(&j.target_files[..]).filter(|files| !files.is_empty()),
            ..none
        },
        Details::Rule(r) => JsonFacts {
            expr: Some(&r.expr),
            interval_ms: r.interval_ms,
            labels: Some(&r.labels),
            annotations: Some(&r.annotations).filter(|annotations| !annotations.is_empty()),
            for_ms: Some(r.for_ms).filter(|ms| *ms > 0),
            keep_firing_for_ms: Some(r.keep_firing_for_ms).filter(|ms| *ms > 0),
            severity: filled(r.severity()),
            state: r.alert_state.map(|state| state.as_str()),
            cannot_fire: r.cannot_fire,
            active: r.active,
            last_fired_ms: r.last_fired_ms,
            healthy: r.healthy,
            last_error: r.last_error.as_deref(),
            evaluation_seconds: r.evaluation_seconds,
            ..none
        },
        Details::Route(r) => JsonFacts {
            matchers: Some(&r.matchers),
            receiver: Some(&r.receiver),
            group_by: Some(&r.group_by),
            group_wait_ms: Some(r.group_wait_ms),
            repeat_interval_ms: Some(r.repeat_interval_ms),
            mute_time_intervals: Some(&r.mute_time_intervals[..]).filter(|names| !names.is_empty()),
            continues: Some(true).filter(|_| r.continues),
            ..none
        },
        Details::Receiver(r) => JsonFacts {
            channels: Some(&r.channels),
            last_sent_ms: r.last_sent_ms,
            sent: r.sent,
            failed: r.failed,
            ..none
        },
        Details::Runbook { url } => JsonFacts { url: Some(url), ..none },
        Details::Dashboard(d) => JsonFacts { panels: Some(d.panels), url: d.url.as_deref(), ..none },
    }
}

fn edge(edge: &Edge) -> JsonEdge<'_> {
    JsonEdge {
        from: &edge.from,
        to: &edge.to,
        via: &edge.via,
        function: &edge.function,
        metrics: &edge.metrics,
        alerts: &edge.alerts,
        state: edge.state.as_str(),
        reason: edge.reason.as_deref(),
        nearest: edge.nearest.as_deref(),
        panel: edge.panel.as_deref(),
        samples_per_second: edge.samples_per_second,
    }
}
