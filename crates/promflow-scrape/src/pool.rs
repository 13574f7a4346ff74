//! The pool of one job: its targets and their loops.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use promflow_config::ScrapeConfig;
use promflow_discovery::{Discovery, DiscoveryMetrics, JobTargets, Target, targets_of};
use promflow_model::Labels;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tracing::error;

use crate::job::{Job, Shared, same_labels};
use crate::run::{self, Schedule, Stopped};
use crate::scrape::{LoopState, Scraper};
use crate::target::{TargetState, lock};

/// What a pool shows of itself.
#[derive(Debug, Default)]
pub(crate) struct PoolView {
    pub(crate) active: Vec<Arc<TargetState>>,
    pub(crate) dropped: Vec<Labels>,
    pub(crate) dropped_count: usize,
}

/// A new configuration; a pool whose channel is closed ends.
pub(crate) type Commands = mpsc::UnboundedReceiver<Arc<ScrapeConfig>>;

pub(crate) struct Pool {
    shared: Arc<Shared>,
    sd_metrics: DiscoveryMetrics,
    job: Arc<Job>,
    discovery: Discovery,
    loops: HashMap<u64, Loop>,
    /// Targets that are gone and get their stale markers in due time.
    endings: JoinSet<()>,
    view: Arc<Mutex<PoolView>>,
}

struct Loop {
    target: Arc<TargetState>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Stopped>,
}

impl Drop for Loop {
    fn drop(&mut self) {
        // A pool that is aborted takes its loops with it; one that was stopped has ended already.
        self.task.abort();
    }
}

impl Pool {
    /// Starts the loops of a job.
    pub(crate) fn start(
        shared: Arc<Shared>,
        sd_metrics: DiscoveryMetrics,
        config: Arc<ScrapeConfig>,
    ) -> Self {
        let discovery = discover(&config, &sd_metrics);
        let job = new_job(&shared, config);
        let mut pool = Self {
            shared,
            sd_metrics,
            job,
            discovery,
            loops: HashMap::new(),
            endings: JoinSet::new(),
            view: Arc::default(),
        };
        let targets = pool.find_targets();
        for target in targets {
            pool.start_loop(target);
        }
        pool.show();
        pool
    }

    pub(crate) fn view(&self) -> Arc<Mutex<PoolView>> {
        Arc::clone(&self.view)
    }

    /// Follows discovery and configuration until the channel is closed, then ends all targets.
    pub(crate) async fn run(mut self, mut commands: Commands) {
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(config) => self.reload(config).await,
                    None => break,
                },
                () = self.discovery.changed() => self.sync().await,
                Some(_) = self.endings.join_next() => {}
            }
        }
        let hashes: Vec<u64> = self.loops.keys().copied().collect();
        self.stop_loops(&hashes).await.into_iter().for_each(|stopped| self.end(stopped));
        self.show();
        while self.endings.join_next().await.is_some() {}
    }

    /// Takes a new configuration. Every loop starts anew, and keeps its schedule and, where that still holds, its
    /// cache.
    async fn reload(&mut self, config: Arc<ScrapeConfig>) {
        self.shared.metrics.pool_reloads.with(&[]).inc();
        let keep_cache = same_labels(&self.job.config, &config);
        self.discovery = discover(&config, &self.sd_metrics);
        self.job = new_job(&self.shared, config);
        let targets = self.find_targets();
        let hashes: Vec<u64> = self.loops.keys().copied().collect();
        let mut stopped: HashMap<u64, Stopped> = HashMap::new();
        for old in self.stop_loops(&hashes).await {
            stopped.insert(old.scraper.target.target.hash, old);
        }
        for target in targets {
            match stopped.remove(&target.hash) {
                Some(old) if keep_cache => self.resume_loop(target, old),
                Some(old) => {
                    let (target_state, schedule) = (Arc::clone(&old.scraper.target), old.schedule);
                    self.end(old);
                    target_state.rediscovered(target.discovered_labels);
                    self.spawn_loop(target_state, None, schedule);
                }
                None => self.start_loop(target),
            }
        }
        stopped.into_values().for_each(|old| self.end(old));
        self.show();
    }

    /// Takes new groups: starts and stops loops, and leaves the others alone.
    async fn sync(&mut self) {
        let targets = self.find_targets();
        let gone: Vec<u64> = {
            let wanted: std::collections::HashSet<u64> = targets.iter().map(|t| t.hash).collect();
            self.loops.keys().copied().filter(|hash| !wanted.contains(hash)).collect()
        };
        for target in targets {
            match self.loops.get(&target.hash) {
                Some(running) => running.target.rediscovered(target.discovered_labels),
                None => self.start_loop(target),
            }
        }
        self.stop_loops(&gone).await.into_iter().for_each(|stopped| self.end(stopped));
        self.show();
    }

    /// Turns the groups as they are now into targets, and shows what was dropped.
    fn find_targets(&mut self) -> Vec<Target> {
        let started = Instant::now();
        let (metrics, config) = (&self.shared.metrics, &self.job.config);
        let name = [config.job_name.as_str()];
        let JobTargets { active, dropped, dropped_count, failures } =
            targets_of(config, &self.discovery.groups());
        for why in &failures {
            error!(scrape_pool = %config.job_name, "creating target failed: {why}");
        }
        metrics.sync_failed.with(&name).inc_by(failures.len() as u64);
        metrics.pool_syncs.with(&name).inc();
        metrics.pool_target_limit.with(&name).set(config.target_limit as f64);
        let over = config.target_limit > 0 && active.len() as u64 > config.target_limit;
        if over {
            metrics.exceeded_target_limit.with(&[]).inc();
        }
        self.job.forbid(over.then(|| {
            format!(
                "target_limit exceeded (number of targets: {}, limit: {})",
                active.len(),
                config.target_limit
            )
        }));
        let mut view = lock(&self.view);
        view.dropped = dropped;
        view.dropped_count = dropped_count;
        metrics.sync_seconds.with(&name).observe(started.elapsed().as_secs_f64());
        active
    }

    fn start_loop(&mut self, target: Target) {
        let hash = target.hash ^ self.shared.options.offset_seed;
        let schedule = Schedule::new(self.shared.clock.now_ms(), target.scrape_interval_ms, hash);
        self.spawn_loop(Arc::new(TargetState::new(target)), None, schedule);
    }

    fn resume_loop(&mut self, target: Target, old: Stopped) {
        let state = Arc::clone(&old.scraper.target);
        state.rediscovered(target.discovered_labels);
        self.spawn_loop(state, Some(old.state), old.schedule);
    }

    fn spawn_loop(&mut self, target: Arc<TargetState>, state: Option<LoopState>, schedule: Schedule) {
        let scraper = Arc::new(Scraper { job: Arc::clone(&self.job), target: Arc::clone(&target) });
        let state = state.unwrap_or_else(|| LoopState::new(&scraper));
        let (stop, stopping) = oneshot::channel();
        let hash = target.target.hash;
        let task = tokio::spawn(run::run(scraper, state, schedule, stopping));
        self.loops.insert(hash, Loop { target, stop, task });
    }

    /// Stops loops; each finishes the scrape that it is in.
    async fn stop_loops(&mut self, hashes: &[u64]) -> Vec<Stopped> {
        let mut stopping = JoinSet::new();
        for running in hashes.iter().filter_map(|hash| self.loops.remove(hash)) {
            stopping.spawn(stop(running));
        }
        stopping.join_all().await.into_iter().flatten().collect()
    }

    fn end(&mut self, stopped: Stopped) {
        self.endings.spawn(run::end(stopped));
    }

    fn show(&self) {
        let mut active: Vec<_> = self.loops.values().map(|l| Arc::clone(&l.target)).collect();
        active.sort_by(|a, b| (&a.target.url, &a.target.labels).cmp(&(&b.target.url, &b.target.labels)));
        let name = self.job.config.job_name.as_str();
        self.shared.metrics.pool_targets.with(&[name]).set(active.len() as f64);
        lock(&self.view).active = active;
    }
}

/// Stops one loop; `None` for one that ended by a bug.
async fn stop(mut running: Loop) -> Option<Stopped> {
    let (stop, _) = oneshot::channel();
    // A loop that has ended does not listen.
    let _ = std::mem::replace(&mut running.stop, stop).send(());
    (&mut running.task).await.ok()
}

fn discover(config: &ScrapeConfig, metrics: &DiscoveryMetrics) -> Discovery {
    Discovery::start(&config.job_name, "scrape", &config.static_configs, &config.file_sd_configs, metrics)
}

fn new_job(shared: &Arc<Shared>, config: Arc<ScrapeConfig>) -> Arc<Job> {
    let job = Job::new(Arc::clone(shared), config);
    shared.metrics.pools.with(&[]).inc();
    if let Err(why) = &job.client {
        shared.metrics.pools_failed.with(&[]).inc();
        error!(scrape_pool = %job.config.job_name, "targets cannot be scraped: {why}");
    }
    Arc::new(job)
}
