//! The flow chart of the running system: the files as they are now, and the state of every loop.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use promflow_api::{FlowChart, FlowError, FlowFormat, FlowQuestion, FlowSource};
use promflow_config::{ConfigError, RuleKind};
use promflow_flow::cardinality::{Count, CountSource, JobLimits, cardinality};
use promflow_flow::graph::AlertState;
use promflow_flow::live::{LiveMetric, LiveRule, LiveState, LiveTarget};
use promflow_flow::paths::{FlowFiles, FlowPaths};
use promflow_flow::{Graph, questions, render, select};
use promflow_model::{Clock, Labels, METRIC_NAME};
use promflow_promql::{CancelToken, Engine, QueryOptions, Value};
use promflow_rules::{Health, Manager, RuleSnapshot};
use promflow_scrape::{ScrapeManager, TargetHealth};
use promflow_storage::Queryable;
use promflow_syntax::ast::ExprKind;
use promflow_tsdb::Head;
use serde::Serialize;

use super::deliveries::Deliveries;
use super::fingerprint;
use super::since::Since;
use crate::live;

/// How long a graph is shown before it is made anew: several pages may ask at once.
const FRESH: Duration = Duration::from_secs(1);

/// How long counting the series may take; a chart without counts is better than none.
const COUNT_TIMEOUT: Duration = Duration::from_secs(5);

/// What tells how the system is.
pub(crate) struct Live {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) head: Arc<Head>,
    pub(crate) scrape: Arc<ScrapeManager>,
    pub(crate) rules: Arc<Manager>,
    pub(crate) deliveries: Arc<Deliveries>,
}

/// Draws the chart, and remembers what it read for as long as the files stay.
pub(crate) struct LiveFlow {
    paths: FlowPaths,
    since: Since,
    live: Live,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    fingerprint: u64,
    files: Option<Arc<FlowFiles>>,
    /// Why the files as they are now are not drawn; those read before are.
    problem: Option<String>,
    shown: Option<(Instant, Arc<Shown>)>,
}

/// The system at one moment.
struct Shown {
    files: Arc<FlowFiles>,
    graph: Graph,
    live: LiveState,
    limits: BTreeMap<String, JobLimits>,
    problem: Option<String>,
}

impl LiveFlow {
    pub(crate) fn new(paths: FlowPaths, live: Live) -> Self {
        Self { since: Since::new(paths.clone()), paths, live, cache: Mutex::new(Cache::default()) }
    }

    fn shown(&self) -> Result<Arc<Shown>, FlowError> {
        // A drawing that panicked has changed nothing that the next one could trip over.
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((made, shown)) = &cache.shown
            && made.elapsed() < FRESH
        {
            return Ok(shown.clone());
        }
        let now = fingerprint::flow(&self.paths);
        if cache.files.is_none() || cache.fingerprint != now {
            cache.fingerprint = now;
            cache.problem = match FlowFiles::read(&self.paths) {
                Ok(files) => {
                    cache.files = Some(Arc::new(files));
                    None
                }
                Err(errors) => Some(ConfigError::join(&errors)),
            };
        }
        let Some(files) = cache.files.clone() else {
            return Err(FlowError::Server(cache.problem.clone().unwrap_or_default()));
        };
        let live = self.live.state();
        let graph = files.graph(Some(&live));
        let (limits, problem) = (files.limits(), cache.problem.clone());
        let shown = Arc::new(Shown { files, graph, live, limits, problem });
        cache.shown = Some((Instant::now(), shown.clone()));
        Ok(shown)
    }
}

impl FlowSource for LiveFlow {
    fn draw(&self, format: FlowFormat, expr: &str) -> Result<FlowChart, FlowError> {
        let shown = self.shown()?;
        let part = match expr {
            "" => None,
            expr => Some(select(&shown.graph, expr).map_err(|e| FlowError::Request(e.to_string()))?),
        };
        let graph = part.as_ref().unwrap_or(&shown.graph);
        let bytes = match format {
            FlowFormat::Svg => render::svg(graph).into_bytes(),
            FlowFormat::Png => render::png(graph, false).map_err(FlowError::Server)?,
            FlowFormat::Html => render::html(graph).into_bytes(),
            FlowFormat::Json => render::json(graph).into_bytes(),
            FlowFormat::Mermaid => render::mermaid(graph).into_bytes(),
            FlowFormat::Dot => render::dot(graph).into_bytes(),
            FlowFormat::Text => render::text(graph).into_bytes(),
        };
        let problems = shown.problem.iter().chain(graph.problems()).cloned().collect();
        Ok(FlowChart { bytes, problems })
    }

    fn ask(&self, question: &FlowQuestion) -> Result<String, FlowError> {
        let wrong = |e: questions::AskError| FlowError::Request(e.to_string());
        match question {
            FlowQuestion::Feeds(name) => {
                to_json(&questions::feeds(&self.shown()?.graph, name).map_err(wrong)?)
            }
            FlowQuestion::Breaks(name) => {
                to_json(&questions::breaks(&self.shown()?.graph, name).map_err(wrong)?)
            }
            FlowQuestion::Missing => to_json(&questions::missing(&self.shown()?.graph)),
            FlowQuestion::Prune => {
                let shown = self.shown()?;
                to_json(&questions::prune(&shown.graph, Some(&shown.live)))
            }
            FlowQuestion::Diff { since, to } => {
                let shown = self.shown()?;
                to_json(&self.since.diff(since, to, &shown.files)?)
            }
            FlowQuestion::Revisions => to_json(&self.since.revisions()?),
            FlowQuestion::Cardinality(limit) => {
                let now_ms = self.live.clock.now_ms();
                // What the files say is of use, but the series are counted without it.
                let limits = self.shown().ok().map(|shown| shown.limits.clone());
                let counter = Counter { live: &self.live, now_ms, limits };
                to_json(&cardinality(&counter, now_ms, *limit).map_err(FlowError::Server)?)
            }
        }
    }
}

fn to_json(answer: &impl Serialize) -> Result<String, FlowError> {
    serde_json::to_string(answer).map_err(|e| FlowError::Server(format!("cannot write the answer: {e}")))
}

/// Counts the server's own series.
struct Counter<'l> {
    live: &'l Live,
    now_ms: i64,
    /// What the jobs are configured with.
    limits: Option<BTreeMap<String, JobLimits>>,
}

/// How far back label names are looked for, in milliseconds.
const LABELS_BACK_MS: i64 = 300_000;

impl CountSource for Counter<'_> {
    fn query(&self, expr: &str) -> Result<Vec<Count>, String> {
        let expr = promflow_syntax::parse(expr).expect("BUG: the counting query is valid");
        let options = QueryOptions::default();
        let result = self.live.engine.instant(&*self.live.head, &expr, self.now_ms, &options);
        match result.map_err(|e| e.to_string())?.value {
            Value::Vector(samples) => Ok(samples
                .into_iter()
                .map(|sample| Count { labels: map(&sample.labels), value: sample.value })
                .collect()),
            _ => Ok(Vec::new()),
        }
    }

    fn label_names(&self, selector: &str) -> Result<Vec<String>, String> {
        let expr = promflow_syntax::parse(selector).expect("BUG: the selector is valid");
        let ExprKind::Vector(selector) = expr.kind else { return Ok(Vec::new()) };
        let querier =
            self.live.head.querier(self.now_ms - LABELS_BACK_MS, self.now_ms).map_err(|e| e.to_string())?;
        querier.label_names(&selector.matchers).map_err(|e| e.to_string())
    }

    fn limits(&self) -> Result<Option<BTreeMap<String, JobLimits>>, String> {
        Ok(self.limits.clone())
    }
}

impl Live {
    fn state(&self) -> LiveState {
        LiveState {
            now_ms: self.clock.now_ms(),
            targets: self.targets(),
            rules: self.rules(),
            metrics: self.metrics(),
            receivers: self.deliveries.receivers(),
            ..LiveState::default()
        }
    }

    fn targets(&self) -> Vec<LiveTarget> {
        let targets = self.scrape.targets();
        let active = targets.active.iter().map(|target| LiveTarget {
            job: target.labels.get("job").to_owned(),
            instance: target.labels.get("instance").to_owned(),
            labels: map(&target.labels),
            up: match target.health {
                TargetHealth::Unknown => None,
                TargetHealth::Up => Some(true),
                TargetHealth::Down => Some(false),
            },
            last_error: Some(target.last_error.clone()).filter(|e| !e.is_empty()),
            last_scrape_ms: target.last_scrape_ms,
            duration_seconds: target.last_scrape_ms.map(|_| target.last_scrape_duration_seconds),
        });
        active.collect()
    }

    fn rules(&self) -> Vec<LiveRule> {
        let mut all = Vec::new();
        for group in self.rules.groups() {
            all.extend(group.rules.iter().map(|rule| LiveRule {
                group: group.name.clone(),
                name: rule.name.clone(),
                labels: map(&rule.labels),
                healthy: match rule.health {
                    Health::Unknown => None,
                    Health::Good => Some(true),
                    Health::Bad => Some(false),
                },
                last_error: rule.last_error.clone(),
                evaluation_seconds: (rule.last_evaluation_ms > 0).then_some(rule.evaluation_seconds),
                state: alert_state(rule),
                active: rule.alerts.len(),
                last_fired_ms: rule.last_fired_ms,
            }));
        }
        all
    }

    /// Counts the series of every metric of every job that are there now.
    fn metrics(&self) -> BTreeMap<String, BTreeMap<String, LiveMetric>> {
        let now_ms = self.clock.now_ms();
        let expr =
            promflow_syntax::parse(live::SERIES_BY_JOB_AND_METRIC).expect("BUG: the counting query is valid");
        let deadline = Instant::now() + COUNT_TIMEOUT;
        let cancel = CancelToken::new().expiring(move || Instant::now() >= deadline);
        let options = QueryOptions { cancel, ..QueryOptions::default() };
        let result = self.engine.instant(&*self.head, &expr, now_ms, &options);
        let mut jobs: BTreeMap<String, BTreeMap<String, LiveMetric>> = BTreeMap::new();
        let samples = match result.map(|r| r.value) {
            Ok(Value::Vector(samples)) => samples,
            Ok(_) => Vec::new(),
            Err(e) => {
                tracing::warn!(error = %e, "cannot count the series for the flow chart");
                Vec::new()
            }
        };
        let active = self.scrape.targets().active;
        let intervals: BTreeMap<&str, i64> =
            active.iter().map(|target| (target.labels.get("job"), target.scrape_interval_ms)).collect();
        for sample in samples {
            let job = sample.labels.get("job").to_owned();
            let interval_ms = intervals.get(job.as_str()).copied().filter(|ms| *ms > 0);
            let metric = live::metric(sample.value, interval_ms);
            jobs.entry(job).or_default().insert(sample.labels.get(METRIC_NAME).to_owned(), metric);
        }
        jobs
    }
}

fn alert_state(rule: &RuleSnapshot) -> Option<AlertState> {
    if rule.kind == RuleKind::Recording {
        return None;
    }
    let highest = rule.alerts.iter().map(|alert| alert.state).max();
    Some(match highest {
        Some(promflow_rules::AlertState::Firing) => AlertState::Firing,
        Some(promflow_rules::AlertState::Pending) => AlertState::Pending,
        _ => AlertState::Inactive,
    })
}

fn map(labels: &Labels) -> BTreeMap<String, String> {
    labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}
