//! Pools, loops and reloads, over real time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use promflow_testkit::Script;

use super::*;
use crate::{ScrapeManager, TargetHealth, TargetsSnapshot};

struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
    }
}

fn manager(storage: &Arc<FakeStorage>) -> ScrapeManager {
    ScrapeManager::new(Arc::clone(storage) as Arc<dyn Appendable>, &Registry::new(), Arc::new(SystemClock))
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(20), "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn job(name: &str, interval: &str, targets: &str, more: &str) -> String {
    format!(
        "- job_name: {name}\n  scrape_interval: {interval}\n  scrape_timeout: {interval}\n  \
         static_configs: [{{targets: [{targets}]}}]\n{more}\n"
    )
}

/// Returns the samples of a series, by metric and job.
fn samples(storage: &FakeStorage, metric: &str, job: &str) -> Vec<(i64, f64)> {
    let found = storage.dump().into_iter().find(|(l, _)| l.metric_name() == metric && l.get("job") == job);
    found.map(|(_, samples)| samples).unwrap_or_default()
}

fn healths(snapshot: &TargetsSnapshot) -> Vec<(&str, TargetHealth)> {
    snapshot.active.iter().map(|t| (t.scrape_pool.as_str(), t.health)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn targets_are_shown_at_once_and_scraped_at_their_interval() {
    let storage = Arc::new(FakeStorage::new());
    let server = ScriptedServer::start(|_| Script::page("a 1\n"));
    let manager = manager(&storage);
    let drop = "  relabel_configs: [{source_labels: [__address__], regex: 'drop.*', action: drop}]";
    let targets = format!("'{}', 'drop.me:1'", server.address());
    manager.apply(&jobs(&format!(
        "{}{}",
        job("good", "500ms", &targets, drop),
        job("bad", "500ms", "'127.0.0.1:1'", "")
    )));
    let snapshot = manager.targets();
    assert_eq!(healths(&snapshot), [("bad", TargetHealth::Unknown), ("good", TargetHealth::Unknown)]);
    assert_eq!(snapshot.dropped[0].discovered_labels.get("__address__"), "drop.me:1");
    assert_eq!(snapshot.dropped_counts["good"], 1);

    until("three samples", || samples(&storage, "a", "good").len() >= 3).await;
    let snapshot = manager.targets();
    assert_eq!(healths(&snapshot), [("bad", TargetHealth::Down), ("good", TargetHealth::Up)]);
    let bad = &snapshot.active[0];
    assert!(bad.last_error.ends_with("connect: connection refused"), "{}", bad.last_error);
    let good = &snapshot.active[1];
    assert_eq!(good.scrape_url, format!("http://{}/metrics", server.address()));
    assert_eq!((good.last_error.as_str(), good.last_samples, good.scrape_interval_ms), ("", 1, 500));
    assert!(good.last_scrape_ms.is_some() && good.last_scrape_duration_seconds > 0.0);
    assert_eq!(server.connections(), 1, "the connection is kept");
    manager.shutdown().await;
    assert!(manager.targets().active.is_empty());
    let count = samples(&storage, "a", "good").len();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let after = samples(&storage, "a", "good");
    assert_eq!(after.len(), count, "nothing is scraped any more");
    assert!(!is_stale_nan(after[count - 1].1), "and nothing is marked stale");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn job_that_goes_ends_with_stale_markers_and_the_others_go_on() {
    let storage = Arc::new(FakeStorage::new());
    let server = ScriptedServer::start(|_| Script::page("a 1\n"));
    let target = format!("'{}'", server.address());
    let manager = manager(&storage);
    let (stays, goes) = (job("stays", "500ms", &target, ""), job("goes", "500ms", &target, ""));
    manager.apply(&jobs(&format!("{stays}{goes}")));
    until("both are scraped", || {
        !samples(&storage, "a", "stays").is_empty() && !samples(&storage, "a", "goes").is_empty()
    })
    .await;
    manager.apply(&jobs(&format!("\n# moved down\n{stays}")));
    for metric in ["a", "up"] {
        until("a stale marker", || {
            samples(&storage, metric, "goes").last().is_some_and(|s| is_stale_nan(s.1))
        })
        .await;
    }
    assert_eq!(healths(&manager.targets()), [("stays", TargetHealth::Up)]);
    assert!(samples(&storage, "a", "stays").iter().all(|(_, value)| *value == 1.0));
    assert_eq!(server.connections(), 2, "an equal job keeps its connection");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_job_takes_its_changes_and_its_series_go_on() {
    let storage = Arc::new(FakeStorage::new());
    let server = ScriptedServer::start(|_| Script::page("a{x=\"y\"} 1\n"));
    let target = format!("'{}'", server.address());
    let manager = manager(&storage);
    manager.apply(&jobs(&job("j", "500ms", &target, "")));
    until("it is scraped", || samples(&storage, "a", "j").len() >= 2).await;
    manager.apply(&jobs(&job("j", "500ms", &target, "  sample_limit: 10")));
    let count = samples(&storage, "a", "j").len();
    until("it goes on", || samples(&storage, "a", "j").len() >= count + 2).await;
    let all = samples(&storage, "a", "j");
    assert!(all.iter().all(|(_, value)| *value == 1.0), "{all:?}");

    let rename = "  metric_relabel_configs: [{regex: x, action: labeldrop}]";
    manager.apply(&jobs(&job("j", "500ms", &target, rename)));
    let with_x = |x: &str| {
        let found = storage.dump().into_iter().find(|(l, _)| l.metric_name() == "a" && l.get("x") == x);
        found.map(|(_, samples)| samples).unwrap_or_default()
    };
    until("the old series ends", || with_x("y").last().is_some_and(|s| is_stale_nan(s.1))).await;
    assert!(with_x("").len() >= 2);

    manager.apply(&jobs(&job("j", "500ms", &format!("{target}, 'other:1'"), "  target_limit: 1")));
    until("the limit holds", || {
        let targets = manager.targets().active;
        targets.len() == 2
            && targets
                .iter()
                .all(|t| t.last_error == "target_limit exceeded (number of targets: 2, limit: 1)")
    })
    .await;
    manager.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn target_files_add_and_remove_targets_without_touching_the_others() {
    let storage = Arc::new(FakeStorage::new());
    let server = ScriptedServer::start(|request| Script::page(format!("path{{p=\"{}\"}} 1\n", request.path)));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("targets.yml");
    let group = |path: &str| {
        format!(
            "- targets: ['{}']\n  labels: {{__metrics_path__: {path}, who: '{path}'}}\n",
            server.address()
        )
    };
    std::fs::write(&file, group("/one")).expect("a file");
    let manager = manager(&storage);
    manager.apply(&jobs(&format!(
        "- job_name: files\n  scrape_interval: 500ms\n  scrape_timeout: 500ms\n  file_sd_configs: [{{files: ['{}']}}]",
        file.display()
    )));
    assert_eq!(manager.targets().active.len(), 1);
    std::fs::write(&file, group("/one") + &group("/two")).expect("a file");
    until("both are up", || {
        let targets = manager.targets().active;
        targets.len() == 2 && targets.iter().all(|t| t.health == TargetHealth::Up)
    })
    .await;
    std::fs::write(&file, group("/two")).expect("a file");
    until("one is left", || manager.targets().active.len() == 1).await;
    let of = |who: &str| {
        let found = storage.dump().into_iter().find(|(l, _)| l.metric_name() == "up" && l.get("who") == who);
        found.map(|(_, samples)| samples).unwrap_or_default()
    };
    until("the other ends", || of("/one").last().is_some_and(|s| is_stale_nan(s.1))).await;
    assert!(of("/two").iter().all(|s| !is_stale_nan(s.1)));
    manager.shutdown().await;
}
