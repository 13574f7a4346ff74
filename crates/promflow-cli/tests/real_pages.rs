//! Real exporters, scraped through a relay that keeps the page it was sent.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use promflow_testkit::{Peer, Script, ScriptedServer, http_get, wait_until};
use serde_json::Value;
use support::{Promflow, query};

/// Serves the page that the exporter sent first, again and again: what is scraped is known.
fn relay(exporter: &Peer) -> ScriptedServer {
    let url = exporter.url("/metrics");
    let kept = OnceLock::new();
    ScriptedServer::start(move |_| {
        Script::page(kept.get_or_init(|| http_get(&url).expect("the exporter answers").1).clone())
    })
}

fn write_config(dir: &Path, job: &str, target: &str) -> std::path::PathBuf {
    let path = dir.join("prometheus.yml");
    let text = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
         scrape_configs: [{{job_name: {job}, static_configs: [{{targets: ['{target}']}}]}}]\n"
    );
    fs::write(&path, text).expect("cannot write");
    path
}

/// Returns the job's series with their values, but for those that the scrape itself adds.
fn series(server: &str, job: &str) -> BTreeMap<String, String> {
    let own = [
        "up",
        "scrape_duration_seconds",
        "scrape_series_added",
        "scrape_samples_scraped",
        "scrape_samples_post_metric_relabeling",
    ];
    query(server, &format!("{{job=\"{job}\"}}"))
        .iter()
        .filter(|s| !own.contains(&s["metric"]["__name__"].as_str().unwrap_or_default()))
        .map(|s: &Value| (normalized(&s["metric"]), s["value"][1].as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// Writes a label set with bounds as Prometheus 3 stores them (`1` is `1.0`); Debian's 2.42 stores the page's text.
fn normalized(metric: &Value) -> String {
    let mut metric = metric.clone();
    for bound in ["le", "quantile"] {
        if let Some(number) = metric[bound].as_str().and_then(|text| text.parse::<f64>().ok()) {
            metric[bound] = number.into();
        }
    }
    metric.to_string()
}

fn every_sample_of_the_page_is_queryable(job: &str, exporter: &Peer, at_least: usize) {
    let relay = relay(exporter);
    let dir = tempfile::tempdir().expect("no temporary directory");
    let config = write_config(dir.path(), job, &relay.address());
    let promflow = Promflow::serve(&config, &[]);
    let stock = Peer::prometheus(&config);
    let page = http_get(&relay.url("/metrics")).expect("the relay answers").1;
    let lines = page.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()).count();
    assert!(lines >= at_least, "a page of {lines} samples is no real page");
    for server in [promflow.url.clone(), stock.url("").trim_end_matches('/').to_owned()] {
        wait_until("the page to be scraped", Duration::from_secs(30), || series(&server, job).len() >= lines);
    }
    let ours = series(&promflow.url, job);
    let theirs = series(stock.url("").trim_end_matches('/'), job);
    assert_eq!(ours.len(), lines, "as many series as the page has samples");
    assert_eq!(ours, theirs);
    let up = query(&promflow.url, &format!("up{{job=\"{job}\"}}"));
    assert_eq!(up[0]["value"][1], "1");
    println!("{job}: {lines} samples agree with stock Prometheus");
}

#[test]
fn a_real_node_exporter_page_is_scraped_without_loss() {
    every_sample_of_the_page_is_queryable("node", &Peer::node_exporter(), 300);
}

#[test]
fn a_real_redis_exporter_page_is_scraped_without_loss() {
    let redis = Peer::redis();
    let exporter = Peer::redis_exporter(redis.port);
    every_sample_of_the_page_is_queryable("redis", &exporter, 100);
}
