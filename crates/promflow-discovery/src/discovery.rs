//! The groups of one job, as they are now.

use std::sync::Arc;

use promflow_config::{FileSdConfig, TargetGroup};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::file::FileDiscovery;
use crate::metrics::DiscoveryMetrics;

/// The groups of each provider: the static ones first, then one entry per `file_sd_config`.
pub(crate) type Provided = Vec<Arc<Vec<TargetGroup>>>;

/// Finds the target groups of a job, and goes on until it is dropped.
#[derive(Debug)]
pub struct Discovery {
    groups: watch::Receiver<Provided>,
    tasks: Vec<AbortHandle>,
}

impl Discovery {
    /// Starts to discover. The target files are read before this returns.
    ///
    /// `name` and `kind` are the labels of the metric of discovered targets: the job, and `scrape` or `notify`.
    ///
    /// Panics: outside of a Tokio runtime, when there are target files.
    pub fn start(
        name: &str,
        kind: &str,
        static_configs: &[TargetGroup],
        file_sd_configs: &[FileSdConfig],
        metrics: &DiscoveryMetrics,
    ) -> Self {
        let mut provided = vec![Arc::new(static_configs.to_vec())];
        let mut files: Vec<FileDiscovery> = Vec::new();
        for config in file_sd_configs {
            let mut file = FileDiscovery::new(config.clone(), metrics.clone());
            provided.push(Arc::new(file.refresh()));
            files.push(file);
        }
        let gauge = metrics.discovered_targets.with(&[kind, name]).clone();
        gauge.set(count(&provided));
        let (sender, groups) = watch::channel(provided);
        let sender = Arc::new(sender);
        let start = |(i, file): (usize, FileDiscovery)| {
            let (sender, gauge) = (Arc::clone(&sender), gauge.clone());
            let publish = move |groups: Vec<TargetGroup>| {
                sender.send_if_modified(|provided| {
                    let changed = *provided[i + 1] != groups;
                    if changed {
                        provided[i + 1] = Arc::new(groups);
                        gauge.set(count(provided));
                    }
                    changed
                });
            };
            tokio::spawn(file.run(publish)).abort_handle()
        };
        let tasks = files.into_iter().enumerate().map(start).collect();
        Self { groups, tasks }
    }

    /// Returns all groups as they are now.
    pub fn groups(&mut self) -> Vec<TargetGroup> {
        self.groups.borrow_and_update().iter().flat_map(|groups| groups.iter().cloned()).collect()
    }

    /// Waits until the groups differ from those that [`Discovery::groups`] returned last; for ever, when nothing can
    /// change them.
    pub async fn changed(&mut self) {
        if self.groups.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

fn count(provided: &Provided) -> f64 {
    provided.iter().flat_map(|groups| groups.iter()).map(|group| group.targets.len()).sum::<usize>() as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use promflow_registry::Registry;

    use super::*;

    fn addresses(discovery: &mut Discovery) -> Vec<String> {
        let groups = discovery.groups();
        let mut all: Vec<String> =
            groups.iter().flat_map(|g| &g.targets).map(|t| t.get("__address__").to_owned()).collect();
        all.sort();
        all
    }

    async fn changed(discovery: &mut Discovery) {
        tokio::time::timeout(Duration::from_secs(20), discovery.changed()).await.expect("a change");
    }

    #[tokio::test]
    async fn files_are_followed_and_a_bad_one_keeps_its_groups() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("a.yml"), "- targets: [a:1]\n  labels: {env: test}\n").expect("a file");
        let config = FileSdConfig {
            files: vec![path("*.yml").display().to_string(), path("*.json").display().to_string()],
            refresh_interval_ms: 300_000,
        };
        let registry = Registry::new();
        let metrics = DiscoveryMetrics::new(&registry);
        let mut discovery = Discovery::start("job", "scrape", &[], std::slice::from_ref(&config), &metrics);
        assert_eq!(addresses(&mut discovery), ["a:1"], "files are read at once");
        let group = discovery.groups().remove(0);
        assert_eq!(group.labels.get("__meta_filepath"), path("a.yml").display().to_string());
        assert_eq!(group.labels.get("env"), "test");

        std::fs::write(path("b.json"), r#"[{"targets": ["b:1", "b:2"]}]"#).expect("a file");
        while addresses(&mut discovery) != ["a:1", "b:1", "b:2"] {
            changed(&mut discovery).await;
        }
        assert_eq!(metrics.discovered_targets.with(&["scrape", "job"]).value(), 3.0);

        std::fs::write(path("a.yml"), "- targets: {").expect("a file");
        while metrics.file_read_errors.with(&[]).value() == 0.0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(addresses(&mut discovery), ["a:1", "b:1", "b:2"]);

        std::fs::remove_file(path("a.yml")).expect("the file is there");
        while addresses(&mut discovery) != ["b:1", "b:2"] {
            changed(&mut discovery).await;
        }
    }

    #[tokio::test]
    async fn folder_that_appears_later_is_found_by_polling() {
        let folder = tempfile::tempdir().expect("a folder");
        let late = folder.path().join("late");
        let config =
            FileSdConfig { files: vec![late.join("*.yml").display().to_string()], refresh_interval_ms: 50 };
        let metrics = DiscoveryMetrics::new(&Registry::new());
        let mut discovery = Discovery::start("job", "scrape", &[], &[config], &metrics);
        assert!(addresses(&mut discovery).is_empty());
        std::fs::create_dir(&late).expect("a folder");
        std::fs::write(late.join("t.yml"), "- targets: [late:1]").expect("a file");
        changed(&mut discovery).await;
        assert_eq!(addresses(&mut discovery), ["late:1"]);
    }

    #[tokio::test]
    async fn static_groups_are_there_and_never_change() {
        let groups = [TargetGroup {
            targets: vec![promflow_model::Labels::from_pairs([("__address__", "s:1")])],
            ..TargetGroup::default()
        }];
        let metrics = DiscoveryMetrics::new(&Registry::new());
        let mut discovery = Discovery::start("job", "scrape", &groups, &[], &metrics);
        assert_eq!(discovery.groups(), groups);
        let change = tokio::time::timeout(Duration::from_millis(20), discovery.changed());
        assert!(change.await.is_err());
    }
}
