//! All pools.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use promflow_config::ScrapeConfig;
use promflow_discovery::DiscoveryMetrics;
use promflow_model::{Clock, Labels};
use promflow_registry::Registry;
use promflow_storage::Appendable;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::buffers::Buffers;
use crate::job::{Shared, same_config};
use crate::metrics::ScrapeMetrics;
use crate::pool::{Pool, PoolView};
use crate::target::{TargetHealth, TargetState, lock};

/// What holds for all jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScrapeOptions {
    /// Whether each target also gets `scrape_timeout_seconds`, `scrape_sample_limit` and `scrape_body_size_bytes`.
    pub extra_metrics: bool,
    /// Moves the scrapes of this server within the interval, so that several servers do not scrape at once.
    pub offset_seed: u64,
}

/// The targets as they are now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TargetsSnapshot {
    /// Those that are scraped, by job and URL.
    pub active: Vec<ActiveTarget>,
    /// Those that relabelling dropped, as many as their jobs keep.
    pub dropped: Vec<DroppedTarget>,
    /// How many targets each job dropped.
    pub dropped_counts: BTreeMap<String, usize>,
}

/// A target that is scraped.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveTarget {
    /// The labels before relabelling.
    pub discovered_labels: Labels,
    /// The labels of its series.
    pub labels: Labels,
    /// The job.
    pub scrape_pool: String,
    /// What is fetched.
    pub scrape_url: String,
    /// How the last scrape went.
    pub health: TargetHealth,
    /// Why the last scrape failed, or what it could not keep; `""` when all is well.
    pub last_error: String,
    /// When the last scrape began, in milliseconds since the epoch.
    pub last_scrape_ms: Option<i64>,
    /// How long the last scrape took, in seconds.
    pub last_scrape_duration_seconds: f64,
    /// How many samples the last page had.
    pub last_samples: usize,
    /// How often it is scraped, in milliseconds.
    pub scrape_interval_ms: i64,
    /// How long a scrape may take, in milliseconds.
    pub scrape_timeout_ms: i64,
}

/// A target that relabelling dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DroppedTarget {
    /// The labels before relabelling.
    pub discovered_labels: Labels,
    /// The job.
    pub scrape_pool: String,
}

/// Scrapes the targets of all jobs.
pub struct ScrapeManager {
    shared: Arc<Shared>,
    sd_metrics: DiscoveryMetrics,
    runtime: Handle,
    state: Arc<Mutex<ManagerState>>,
}

#[derive(Default)]
struct ManagerState {
    pools: BTreeMap<String, PoolHandle>,
    /// Pools of jobs that are gone and still write their stale markers.
    retired: Vec<JoinHandle<()>>,
}

struct PoolHandle {
    config: Arc<ScrapeConfig>,
    commands: mpsc::UnboundedSender<Arc<ScrapeConfig>>,
    view: Arc<Mutex<PoolView>>,
    task: JoinHandle<()>,
}

impl ScrapeManager {
    /// Sets up a manager without jobs.
    ///
    /// Panics: outside of a Tokio runtime.
    pub fn new(storage: Arc<dyn Appendable>, registry: &Registry, clock: Arc<dyn Clock>) -> Self {
        Self::with_options(storage, registry, clock, ScrapeOptions::default())
    }

    /// Sets up a manager without jobs, with options.
    ///
    /// Panics: outside of a Tokio runtime.
    pub fn with_options(
        storage: Arc<dyn Appendable>,
        registry: &Registry,
        clock: Arc<dyn Clock>,
        options: ScrapeOptions,
    ) -> Self {
        let metrics = ScrapeMetrics::new(registry);
        let shared = Arc::new(Shared { storage, clock, metrics, buffers: Buffers::default(), options });
        let sd_metrics = DiscoveryMetrics::new(registry);
        let state: Arc<Mutex<ManagerState>> = Arc::default();
        let (counted, entries) = (Arc::downgrade(&state), shared.metrics.metadata_entries.clone());
        registry.before_scrape(move || {
            let Some(state) = counted.upgrade() else { return };
            for (name, handle) in &lock(&state).pools {
                let families: usize = lock(&handle.view).active.iter().map(|t| t.last().families).sum();
                entries.with(&[name]).set(families as f64);
            }
        });
        Self { shared, sd_metrics, runtime: Handle::current(), state }
    }

    /// Takes the jobs of a configuration: new ones start, changed ones take their changes, equal ones go on as they
    /// are, and those that are gone end, with stale markers. Targets of a new job are shown when this returns.
    pub fn apply(&self, jobs: &[ScrapeConfig]) {
        let _runtime = self.runtime.enter();
        let mut state = lock(&self.state);
        state.retired.retain(|task| !task.is_finished());
        let mut old = std::mem::take(&mut state.pools);
        for config in jobs {
            let config = Arc::new(config.clone());
            let name = config.job_name.clone();
            let handle = match old.remove(&name) {
                Some(handle) if same_config(&handle.config, &config) => handle,
                Some(handle) => {
                    // A pool that listens no more ended by a bug, which was logged.
                    let _ = handle.commands.send(Arc::clone(&config));
                    PoolHandle { config, ..handle }
                }
                None => self.start_pool(config),
            };
            state.pools.insert(name, handle);
        }
        // Without its sender a pool ends.
        state.retired.extend(old.into_values().map(|handle| handle.task));
    }

    fn start_pool(&self, config: Arc<ScrapeConfig>) -> PoolHandle {
        let pool = Pool::start(Arc::clone(&self.shared), self.sd_metrics.clone(), Arc::clone(&config));
        let view = pool.view();
        let (commands, receiver) = mpsc::unbounded_channel();
        let task = self.runtime.spawn(pool.run(receiver));
        PoolHandle { config, commands, view, task }
    }

    /// Returns the targets as they are now.
    pub fn targets(&self) -> TargetsSnapshot {
        let mut snapshot = TargetsSnapshot::default();
        for (name, handle) in &lock(&self.state).pools {
            let view = lock(&handle.view);
            snapshot.active.extend(view.active.iter().map(|target| show(name, target)));
            snapshot.dropped.extend(view.dropped.iter().map(|labels| DroppedTarget {
                discovered_labels: labels.clone(),
                scrape_pool: name.clone(),
            }));
            snapshot.dropped_counts.insert(name.clone(), view.dropped_count);
        }
        snapshot
    }

    /// Ends all scraping at once. As Prometheus, it writes no stale markers: a server that is back soon goes on where
    /// it was.
    pub async fn shutdown(&self) {
        let tasks: Vec<JoinHandle<()>> = {
            let mut state = lock(&self.state);
            let pools = std::mem::take(&mut state.pools);
            pools.into_values().map(|handle| handle.task).chain(std::mem::take(&mut state.retired)).collect()
        };
        tasks.iter().for_each(JoinHandle::abort);
        for task in tasks {
            // Aborted is what it should be.
            let _ = task.await;
        }
    }
}

fn show(pool: &str, target: &TargetState) -> ActiveTarget {
    let last = target.last();
    ActiveTarget {
        discovered_labels: target.discovered_labels(),
        labels: target.target.labels.clone(),
        scrape_pool: pool.to_owned(),
        scrape_url: target.target.url.clone(),
        health: last.health,
        last_error: last.error,
        last_scrape_ms: last.start_ms,
        last_scrape_duration_seconds: last.duration_seconds,
        last_samples: last.samples,
        scrape_interval_ms: target.target.scrape_interval_ms,
        scrape_timeout_ms: target.target.scrape_timeout_ms,
    }
}
