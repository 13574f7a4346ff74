//! The flow chart of the running system: the files as they are now, and the state of every loop.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hash, Hasher};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, UNIX_EPOCH};

use promflow_api::{FlowFormat, FlowSource};
use promflow_config::RuleKind;
use promflow_flow::graph::AlertState;
use promflow_flow::live::{LiveMetric, LiveRule, LiveState, LiveTarget};
use promflow_flow::paths::{FlowFiles, FlowPaths};
use promflow_flow::{Graph, render};
use promflow_model::{Clock, Labels, METRIC_NAME};
use promflow_promql::{Engine, QueryOptions, Value};
use promflow_rules::{Health, Manager, RuleSnapshot};
use promflow_scrape::{ScrapeManager, TargetHealth};
use promflow_source::{DiskTree, SourceTree};
use promflow_tsdb::Head;

use super::deliveries::Deliveries;
use crate::live;

/// How long a graph is shown before it is made anew: several pages may ask at once.
const FRESH: Duration = Duration::from_secs(1);

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
    graph: Option<(Instant, Arc<Graph>)>,
}

impl LiveFlow {
    pub(crate) fn new(paths: FlowPaths, live: Live) -> Self {
        Self { paths, live, cache: Mutex::new(Cache::default()) }
    }

    fn graph(&self) -> Result<Arc<Graph>, String> {
        let mut cache = self.cache.lock().expect("BUG: a thread panicked while it held the flow chart");
        if let Some((made, graph)) = &cache.graph
            && made.elapsed() < FRESH
        {
            return Ok(graph.clone());
        }
        let fingerprint = fingerprint(&self.paths);
        if cache.files.is_none() || cache.fingerprint != fingerprint {
            let files = FlowFiles::read(&self.paths)
                .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
            cache.files = Some(Arc::new(files));
            cache.fingerprint = fingerprint;
        }
        let files = cache.files.clone().expect("BUG: the files were just read");
        let graph = Arc::new(files.graph(Some(&self.live.state())));
        cache.graph = Some((Instant::now(), graph.clone()));
        Ok(graph)
    }
}

impl FlowSource for LiveFlow {
    fn draw(&self, format: FlowFormat) -> Result<String, String> {
        let graph = self.graph()?;
        Ok(match format {
            FlowFormat::Svg => render::svg(&graph),
            FlowFormat::Json => render::json(&graph),
            FlowFormat::Mermaid => render::mermaid(&graph),
            FlowFormat::Dot => render::dot(&graph),
        })
    }
}

/// Hashes names, sizes and times of change of every file that the chart is drawn from.
fn fingerprint(paths: &FlowPaths) -> u64 {
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    let mut note = |path: &Path| {
        path.hash(&mut hasher);
        if let Ok(metadata) = std::fs::metadata(path) {
            metadata.len().hash(&mut hasher);
            let changed = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
            changed.map(|t| t.as_nanos()).hash(&mut hasher);
        }
    };
    for file in [&paths.config, &paths.alertmanager].into_iter().flatten() {
        note(file);
        for folder in [file.parent(), file.parent().map(|p| p.join("rules")).as_deref()].into_iter().flatten()
        {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                note(&entry.path());
            }
        }
    }
    if let Some(source) = &paths.source {
        for file in DiskTree::new(source).files().unwrap_or_default() {
            note(&source.join(file));
        }
    }
    hasher.finish()
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
        let result = self.engine.instant(&*self.head, &expr, now_ms, &QueryOptions::default());
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
