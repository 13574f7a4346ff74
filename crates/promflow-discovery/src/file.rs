//! Target files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use promflow_config::{
    ConfigError, FileSdConfig, FileSystem, OsFileSystem, TargetGroup, parse_target_groups,
};
use promflow_model::LabelsBuilder;
use tokio::sync::mpsc;
use tracing::{debug, warn};

use crate::metrics::DiscoveryMetrics;

/// How often files are read when their folders cannot be watched.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// How long a burst of changes may go on before the files are read.
const SETTLE: Duration = Duration::from_millis(100);

pub(crate) struct FileDiscovery {
    config: FileSdConfig,
    metrics: DiscoveryMetrics,
    /// What each file last gave.
    known: BTreeMap<PathBuf, Vec<TargetGroup>>,
    watcher: Option<RecommendedWatcher>,
    changes: mpsc::Receiver<()>,
    watched: BTreeSet<PathBuf>,
}

impl FileDiscovery {
    pub(crate) fn new(config: FileSdConfig, metrics: DiscoveryMetrics) -> Self {
        let (sender, changes) = mpsc::channel(1);
        let on_event = move |event: notify::Result<notify::Event>| {
            // Reading a file is an event too, and would follow itself for ever.
            if !event.is_ok_and(|e| e.kind.is_access()) {
                // A full channel has a change in it already.
                let _ = sender.try_send(());
            }
        };
        let watcher = notify::recommended_watcher(on_event);
        if let Err(error) = &watcher {
            metrics.file_watcher_errors.with(&[]).inc();
            warn!(%error, "files cannot be watched, they are read every {POLL_INTERVAL:?}");
        }
        Self {
            config,
            metrics,
            known: BTreeMap::new(),
            watcher: watcher.ok(),
            changes,
            watched: BTreeSet::new(),
        }
    }

    /// Reads all files whenever something changes, and at the refresh interval.
    pub(crate) async fn run(mut self, publish: impl Fn(Vec<TargetGroup>)) {
        loop {
            let wait = self.wait();
            tokio::select! {
                Some(()) = self.changes.recv(), if self.watcher.is_some() => {
                    tokio::time::sleep(SETTLE).await;
                    let _ = self.changes.try_recv();
                }
                () = tokio::time::sleep(wait) => {}
            }
            let refreshed = tokio::task::spawn_blocking(move || {
                let groups = self.refresh();
                (self, groups)
            });
            let Ok((state, groups)) = refreshed.await else { return };
            self = state;
            publish(groups);
        }
    }

    fn wait(&self) -> Duration {
        let refresh = Duration::from_millis(self.config.refresh_interval_ms.max(1) as u64);
        let all_watched = self.folders().iter().all(|folder| self.watched.contains(folder));
        if self.watcher.is_some() && all_watched { refresh } else { refresh.min(POLL_INTERVAL) }
    }

    /// Reads all files; one that cannot be read keeps what it gave before.
    pub(crate) fn refresh(&mut self) -> Vec<TargetGroup> {
        let started = Instant::now();
        // Watched before read: a change in between is seen.
        self.watch();
        let mut paths = BTreeSet::new();
        for pattern in &self.config.files {
            match OsFileSystem.glob(pattern) {
                Ok(found) => paths.extend(found),
                Err(error) => warn!(%pattern, %error, "cannot list target files"),
            }
        }
        self.known.retain(|path, _| paths.contains(path));
        for path in paths {
            match read(&path) {
                Ok(groups) => {
                    self.known.insert(path, groups);
                }
                Err(error) => {
                    self.metrics.file_read_errors.with(&[]).inc();
                    warn!(file = %path.display(), "target file keeps its old targets: {error}");
                }
            }
        }
        self.metrics.file_scan_seconds.with(&[]).observe(started.elapsed().as_secs_f64());
        self.known.values().flatten().cloned().collect()
    }

    /// Watches the folders of the files; one that was made anew is watched anew.
    fn watch(&mut self) {
        let folders = self.folders();
        let Some(watcher) = &mut self.watcher else { return };
        for folder in folders {
            match watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(folder);
                }
                Err(error) => {
                    debug!(folder = %folder.display(), %error, "folder cannot be watched");
                    if self.watched.remove(&folder) {
                        self.metrics.file_watcher_errors.with(&[]).inc();
                    }
                }
            }
        }
    }

    fn folders(&self) -> BTreeSet<PathBuf> {
        let parent = |pattern: &String| match Path::new(pattern).parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        self.config.files.iter().map(parent).collect()
    }
}

fn read(path: &Path) -> Result<Vec<TargetGroup>, String> {
    let text = OsFileSystem.read(path).map_err(|e| format!("cannot read {path:?}: {e}"))?;
    let name = path.display().to_string();
    let mut groups = parse_target_groups(&text, &name).map_err(|errors| ConfigError::join(&errors))?;
    for group in &mut groups {
        let mut labels = LabelsBuilder::new(&group.labels);
        labels.set("__meta_filepath", &name);
        group.labels = labels.labels();
    }
    Ok(groups)
}
