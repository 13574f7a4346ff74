//! The flow chart of the running system: the files as they are now, and the state of every loop.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use promflow_api::{FlowChart, FlowFormat, FlowSource};
use promflow_config::RuleKind;
use promflow_flow::graph::AlertState;
use promflow_flow::live::{LiveMetric, LiveRule, LiveState, LiveTarget};
use promflow_flow::paths::{FlowFiles, FlowPaths};
use promflow_flow::{Graph, render};
use promflow_model::{Clock, Labels, METRIC_NAME};
use promflow_promql::{CancelToken, Engine, QueryOptions, Value};
use promflow_rules::{Health, Manager, RuleSnapshot};
use promflow_scrape::{ScrapeManager, TargetHealth};
use promflow_tsdb::Head;

use super::deliveries::Deliveries;
use super::fingerprint;
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
    live: Live,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    fingerprint: u64,
    files: Option<Arc<FlowFiles>>,
    /// Why the files as they are now are not drawn; those read before are.
    problem: Option<String>,
    graph: Option<(Instant, Arc<Graph>)>,
}

impl LiveFlow {
    pub(crate) fn new(paths: FlowPaths, live: Live) -> Self {
        Self { paths, live, cache: Mutex::new(Cache::default()) }
    }

    fn graph(&self) -> Result<(Arc<Graph>, Option<String>), String> {
        // A drawing that panicked has changed nothing that the next one could trip over.
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((made, graph)) = &cache.graph
            && made.elapsed() < FRESH
        {
            return Ok((graph.clone(), cache.problem.clone()));
        }
        let now = fingerprint::flow(&self.paths);
        if cache.files.is_none() || cache.fingerprint != now {
            cache.fingerprint = now;
            cache.problem = match FlowFiles::read(&self.paths) {
                Ok(files) => {
                    cache.files = Some(Arc::new(files));
                    None
                }
                Err(errors) => Some(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
            };
        }
        let Some(files) = cache.files.clone() else {
            return Err(cache.problem.clone().unwrap_or_default());
        };
        let graph = Arc::new(files.graph(Some(&self.live.state())));
        cache.graph = Some((Instant::now(), graph.clone()));
        Ok((graph, cache.problem.clone()))
    }
}

impl FlowSource for LiveFlow {
    fn draw(&self, format: FlowFormat) -> Result<FlowChart, String> {
        let (graph, problem) = self.graph()?;
        let text = match format {
            FlowFormat::Svg => render::svg(&graph),
            FlowFormat::Json => render::json(&graph),
            FlowFormat::Mermaid => render::mermaid(&graph),
            FlowFormat::Dot => render::dot(&graph),
        };
        Ok(FlowChart {
            text,
            problems: problem.into_iter().chain(graph.problems().iter().cloned()).collect(),
        })
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
