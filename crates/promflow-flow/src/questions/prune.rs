//! What can go: metrics that nobody reads, alerts that cannot fire, metrics that nobody explained.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use promflow_model::METRIC_NAME;
use promflow_syntax::ast::{Expr, ExprKind, VectorSelector};
use serde::Serialize;

use super::is_reader;
use super::place::Place;
use super::returns::can_return;
use super::ways::Ways;
use crate::catalogue::{likely_family, series_names};
use crate::exporters;
use crate::graph::{DefinitionFacts, Details, Edge, Existence, Graph, Node, NodeKind};
use crate::live::LiveState;

/// What can go.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Prune {
    question: &'static str,
    /// Metrics that no rule and no dashboard reads: those with the most series first, then by name.
    pub unread: Vec<Unread>,
    /// What to write into `prometheus.yml` to drop them, by job.
    pub drops: Vec<Drop>,
    /// Alerts that cannot fire.
    pub dead_alerts: Vec<DeadAlert>,
    /// Metrics without a help text.
    pub no_help: Vec<NoHelp>,
}

/// A metric that nobody reads.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unread {
    /// The definition's id; of a metric without code here, `metric:JOB/NAME`, which no node has.
    pub id: String,
    /// The family's name.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Where it stands.
    #[serde(flatten)]
    pub place: Place,
    /// The package that holds it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub package: String,
    /// The help text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The jobs that scrape it.
    pub jobs: Vec<String>,
    /// The names of its series.
    pub series_names: Vec<String>,
    /// How many series there are, when a server answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<u64>,
}

/// What drops the unread metrics of a job.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Drop {
    /// The job.
    pub job: String,
    /// The metrics.
    pub metrics: Vec<String>,
    /// How many series that saves, when a server answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<u64>,
    /// The block for the job in `prometheus.yml`.
    pub yaml: String,
}

/// An alert that cannot fire.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeadAlert {
    /// The node's id.
    pub id: String,
    /// The alert's name.
    pub name: String,
    /// Where it stands.
    #[serde(flatten)]
    pub place: Place,
    /// The severity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// Why.
    pub causes: Vec<Cause>,
}

/// Why an alert cannot fire.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cause {
    /// The state of the edge.
    pub state: &'static str,
    /// The selector.
    pub via: String,
    /// The words for it.
    pub reason: String,
    /// What was meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
}

/// A metric without a help text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NoHelp {
    /// The node's id.
    pub id: String,
    /// The family's name.
    pub name: String,
    /// Where it stands.
    #[serde(flatten)]
    pub place: Place,
    /// The type.
    #[serde(rename = "type")]
    pub kind: &'static str,
}

/// Tells what can go; with a server's word, also of metrics whose code is not here.
pub fn prune(graph: &Graph, live: Option<&LiveState>) -> Prune {
    let ways = Ways::of(graph);
    let mut unread = unread_definitions(&ways);
    if let Some(live) = live {
        unread.extend(unread_on_pages(graph, live));
    }
    unread.sort_by(|a, b| b.series.cmp(&a.series).then_with(|| (&a.name, &a.id).cmp(&(&b.name, &b.id))));
    let no_help = definitions(graph).filter(|(_, facts)| has_no_help(facts));
    let no_help = no_help.map(|(node, facts)| NoHelp {
        id: node.id.clone(),
        name: node.name.clone(),
        place: Place::of(node),
        kind: facts.metric_type.as_str(),
    });
    Prune {
        question: "prune",
        drops: drops(&unread),
        dead_alerts: dead_alerts(&ways),
        no_help: no_help.collect(),
        unread,
    }
}

fn definitions(graph: &Graph) -> impl Iterator<Item = (&Node, &DefinitionFacts)> {
    graph.nodes.iter().filter_map(|node| Some((node, code_facts(node)?)))
}

/// Returns what is known of a metric when the node is its definition in code.
pub(crate) fn code_facts(node: &Node) -> Option<&DefinitionFacts> {
    match &node.details {
        Details::Definition(facts) if facts.existence == Existence::Code => Some(facts),
        _ => None,
    }
}

/// Says whether nobody explained a metric.
pub(crate) fn has_no_help(facts: &DefinitionFacts) -> bool {
    facts.help.as_deref().unwrap_or("").trim().is_empty()
}

/// Marks what is read by nobody and what cannot fire, once the graph is whole: of a part of it neither can be told.
pub(crate) fn mark(graph: &mut Graph) {
    let ways = Ways::of(graph);
    let unread: BTreeSet<String> = unread_definitions(&ways).into_iter().map(|metric| metric.id).collect();
    let dead: BTreeSet<String> = dead_alerts(&ways).into_iter().map(|alert| alert.id).collect();
    for node in &mut graph.nodes {
        match &mut node.details {
            Details::Definition(facts) => facts.is_unread = unread.contains(&node.id),
            Details::Rule(facts) => facts.cannot_fire = dead.contains(&node.id),
            _ => {}
        }
    }
}

/// Says whether a wildcard asks for some names and not for all of them: to count all series is not to read them.
fn is_choosy(node: &Node) -> bool {
    let Details::Definition(DefinitionFacts { existence: Existence::Wildcard, .. }) = &node.details else {
        return true;
    };
    let Ok(Expr { kind: ExprKind::Vector(selector), .. }) = promflow_syntax::parse(&node.name) else {
        return true;
    };
    selector.matchers.iter().any(|matcher| matcher.name == METRIC_NAME && !matcher.matches("\u{1}"))
}

fn unread_definitions(ways: &Ways<'_>) -> Vec<Unread> {
    let graph = ways.graph();
    let greedy: BTreeSet<&str> =
        graph.nodes.iter().filter(|node| !is_choosy(node)).map(|node| node.id.as_str()).collect();
    let mut unread = Vec::new();
    for (node, facts) in definitions(graph) {
        let lineage = ways.downstream(&[&node.id], None);
        let is_read = lineage.edges.iter().map(|at| &graph.edges[*at]).any(|edge| {
            !greedy.contains(edge.from.as_str()) && ways.node(&edge.to).is_some_and(|to| is_reader(to.kind))
        });
        if is_read {
            continue;
        }
        let jobs =
            lineage.nodes.iter().filter_map(|id| ways.node(id)).filter(|node| node.kind == NodeKind::Job);
        unread.push(Unread {
            id: node.id.clone(),
            name: node.name.clone(),
            kind: facts.metric_type.as_str(),
            place: Place::of(node),
            package: facts.package.clone(),
            help: facts.help.clone(),
            jobs: jobs.map(|job| job.name.clone()).collect(),
            series_names: series_names(&node.name, facts.metric_type),
            series: facts.series,
        });
    }
    unread
}

/// Finds what the pages of jobs show that no code here defines and nobody reads.
fn unread_on_pages(graph: &Graph, live: &LiveState) -> Vec<Unread> {
    let defined: BTreeSet<String> =
        definitions(graph).flat_map(|(node, facts)| series_names(&node.name, facts.metric_type)).collect();
    let mut read: BTreeSet<(&str, &str)> = BTreeSet::new();
    for edge in &graph.edges {
        let (Some(from), Some(to)) = (graph.node(&edge.from), graph.node(&edge.to)) else { continue };
        if from.kind == NodeKind::Job && is_choosy(to) {
            read.extend(edge.metrics.iter().map(|metric| (from.name.as_str(), metric.as_str())));
        }
    }
    let recorded: BTreeSet<&str> =
        graph.nodes.iter().filter(|n| n.kind == NodeKind::Recording).map(|n| n.name.as_str()).collect();
    let mut unread = Vec::new();
    for (job, page) in &live.metrics {
        let is_own = |series: &str| {
            defined.contains(series) || exporters::is_scrape_metric(series) || recorded.contains(series)
        };
        let foreign = page.iter().filter(|(series, _)| !is_own(series) && !series.starts_with("ALERTS"));
        let mut families: BTreeMap<&str, Vec<(&String, u64)>> = BTreeMap::new();
        for (series, metric) in foreign {
            let family = family_on_page(series, page);
            families.entry(family).or_default().push((series, metric.series));
        }
        for (family, members) in families {
            let names = members.iter().map(|(series, _)| likely_family(series)).chain([family]);
            if names.into_iter().any(|name| read.contains(&(job.as_str(), name))) {
                continue;
            }
            unread.push(Unread {
                id: format!("metric:{job}/{family}"),
                name: family.to_owned(),
                kind: "unknown",
                jobs: vec![job.clone()],
                series: Some(members.iter().map(|(_, series)| series).sum()),
                series_names: members.iter().map(|(series, _)| (*series).clone()).collect(),
                ..Unread::default()
            });
        }
    }
    unread
}

/// Returns the family of a series by its company on the page: a `_sum` beside a `_count` is a part.
fn family_on_page<'s, V>(series: &'s str, page: &BTreeMap<String, V>) -> &'s str {
    let part = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| series.strip_suffix(suffix));
    let has = |family: &str, suffix: &str| page.contains_key(&format!("{family}{suffix}"));
    part.filter(|family| has(family, "_sum") && has(family, "_count")).unwrap_or(series)
}

/// The widest line of a regular expression in the block.
const LINE_MAX: usize = 100;

fn drops(unread: &[Unread]) -> Vec<Drop> {
    let mut by_job: BTreeMap<&str, Vec<&Unread>> = BTreeMap::new();
    for metric in unread {
        for job in &metric.jobs {
            by_job.entry(job).or_default().push(metric);
        }
    }
    by_job
        .into_iter()
        .map(|(job, mut metrics)| {
            metrics.sort_by(|a, b| a.name.cmp(&b.name));
            metrics.dedup_by(|a, b| a.name == b.name);
            let counts: Vec<u64> = metrics.iter().filter_map(|metric| metric.series).collect();
            Drop {
                job: job.to_owned(),
                metrics: metrics.iter().map(|metric| metric.name.clone()).collect(),
                series: (!counts.is_empty()).then(|| counts.iter().sum()),
                yaml: drop_block(&metrics),
            }
        })
        .collect()
}

/// Writes the relabelling that drops metrics: one rule for each line of names.
fn drop_block(metrics: &[&Unread]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for metric in metrics {
        let names = match &*metric.series_names {
            [one] => one.clone(),
            many => {
                let suffixes: Option<Vec<&str>> =
                    many.iter().map(|series| series.strip_prefix(metric.name.as_str())).collect();
                match suffixes {
                    Some(suffixes) => format!("{}({})", metric.name, suffixes.join("|")),
                    None => many.join("|"),
                }
            }
        };
        match lines.last_mut() {
            Some(line) if line.len() + names.len() < LINE_MAX => {
                line.push('|');
                line.push_str(&names);
            }
            _ => lines.push(names),
        }
    }
    let mut yaml = String::from("metric_relabel_configs:\n");
    for line in lines {
        let _ = write!(yaml, "  - source_labels: [__name__]\n    regex: {line}\n    action: drop\n");
    }
    yaml
}

/// Finds the alerts that cannot fire.
fn dead_alerts(ways: &Ways<'_>) -> Vec<DeadAlert> {
    let graph = ways.graph();
    let mut into: BTreeMap<&str, Vec<&Edge>> = BTreeMap::new();
    for edge in &graph.edges {
        into.entry(edge.to.as_str()).or_default().push(edge);
    }
    let rules: Vec<(&Node, Expr)> = graph
        .nodes
        .iter()
        .filter_map(|node| match &node.details {
            Details::Rule(rule) => Some((node, promflow_syntax::parse(&rule.expr).ok()?)),
            _ => None,
        })
        .collect();
    // A rule that reads a dead one is dead too, so this is repeated until nothing changes.
    let mut dead: BTreeSet<&str> = BTreeSet::new();
    loop {
        let before = dead.len();
        for (node, expr) in &rules {
            let edges = into.get(node.id.as_str()).map_or(&[][..], |edges| edges);
            let is_empty = |selector: &VectorSelector| selects_nothing(selector, edges, &dead);
            if !can_return(expr, &is_empty) {
                dead.insert(&node.id);
            }
        }
        if dead.len() == before {
            break;
        }
    }
    let is_dead_alert = |node: &&Node| node.kind == NodeKind::Alert && dead.contains(node.id.as_str());
    let alerts = rules.iter().map(|(node, _)| *node).filter(is_dead_alert);
    alerts
        .map(|node| DeadAlert {
            id: node.id.clone(),
            name: node.name.clone(),
            place: Place::of(node),
            severity: match &node.details {
                Details::Rule(rule) => Some(rule.severity().to_owned()).filter(|s| !s.is_empty()),
                _ => None,
            },
            causes: causes(&into, &node.id, &dead, &mut BTreeSet::new()),
        })
        .collect()
}

fn selects_nothing(selector: &VectorSelector, edges: &[&Edge], dead: &BTreeSet<&str>) -> bool {
    let via = crate::reads::selector_text(selector);
    let mut own = edges.iter().filter(|edge| edge.via == via).peekable();
    own.peek().is_some() && own.all(|edge| edge.state.is_broken() || dead.contains(edge.from.as_str()))
}

fn causes(
    into: &BTreeMap<&str, Vec<&Edge>>,
    rule: &str,
    dead: &BTreeSet<&str>,
    seen: &mut BTreeSet<String>,
) -> Vec<Cause> {
    if !seen.insert(rule.to_owned()) {
        return Vec::new();
    }
    let mut causes = Vec::new();
    for edge in into.get(rule).into_iter().flatten() {
        if edge.state.is_broken() {
            causes.push(Cause {
                state: edge.state.as_str(),
                via: edge.via.clone(),
                reason: edge.reason.clone().unwrap_or_default(),
                nearest: edge.nearest.clone(),
            });
        } else if dead.contains(edge.from.as_str()) {
            causes.extend(self::causes(into, &edge.from, dead, seen));
        }
    }
    causes.dedup();
    causes
}

impl Prune {
    /// Writes the answer for a terminal.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "metrics read by nobody: {}", self.unread.len());
        for metric in &self.unread {
            let place = metric.place.to_string();
            let place = if place.is_empty() { "code not here".to_owned() } else { place };
            let series = metric.series.map_or(String::new(), |series| format!("  {series} series"));
            let jobs = if metric.jobs.is_empty() { "no job".to_owned() } else { metric.jobs.join(", ") };
            let _ = writeln!(out, "  {}  {}  {place}  {jobs}{series}", metric.name, metric.kind);
        }
        for drop in &self.drops {
            let saved = drop.series.map_or(String::new(), |series| format!(", saves {series} series"));
            let _ = writeln!(out, "\nto drop them from job {}{saved}:", drop.job);
            for line in drop.yaml.lines() {
                let _ = writeln!(out, "    {line}");
            }
        }
        let _ = writeln!(out, "\nalerts that cannot fire: {}", self.dead_alerts.len());
        for alert in &self.dead_alerts {
            let place = alert.place.to_string();
            let _ = writeln!(out, "  {}  {place}", alert.name);
            for cause in &alert.causes {
                let _ = writeln!(out, "      [{}] {}", cause.state, cause.reason);
            }
        }
        let _ = writeln!(out, "\nmetrics without help text: {}", self.no_help.len());
        for metric in &self.no_help {
            let place = metric.place.to_string();
            let _ = writeln!(out, "  {}  {}  {place}", metric.name, metric.kind);
        }
        out
    }
}
