//! The state of a server elsewhere, asked for over Prometheus's API.

use std::collections::BTreeMap;

use anyhow::Result;
use promflow_flow::graph::AlertState;
use promflow_flow::live::{LiveMetric, LiveRule, LiveState, LiveTarget};
use promflow_http::{ActiveTarget, ApiClient, QueryData, Rule};
use promflow_model::{Clock, METRIC_NAME, duration, time};

use crate::clock::SystemClock;

/// Counts the series of every metric of every job that are there now.
pub(crate) const SERIES_BY_JOB_AND_METRIC: &str = r#"count by (job, __name__) ({__name__=~".+", job=~".+"})"#;

/// Asks a server for targets, rules and metrics.
///
/// Errors: it does not answer, or refuses.
pub(crate) async fn ask(client: &ApiClient) -> Result<LiveState> {
    let targets = client.targets().await?.data.active_targets;
    let rules = client.rules().await?.data.groups;
    let series = client.query(SERIES_BY_JOB_AND_METRIC, "").await?.data;
    let intervals = targets.iter().filter_map(|t| {
        let ms = duration::parse(&t.scrape_interval).ok().filter(|ms| *ms > 0)?;
        Some((t.labels.get("job")?.clone(), ms))
    });
    let metrics = metrics(series, &intervals.collect());
    Ok(LiveState {
        now_ms: SystemClock.now_ms(),
        targets: targets.into_iter().map(target).collect(),
        rules: rules.into_iter().flat_map(|g| g.rules.into_iter().map(move |r| rule(&g.name, r))).collect(),
        metrics,
        ..LiveState::default()
    })
}

fn target(target: ActiveTarget) -> LiveTarget {
    let label = |name: &str| target.labels.get(name).cloned().unwrap_or_default();
    // Before the first scrape Prometheus writes Go's zero time.
    let last_scrape_ms = time::parse_rfc3339(&target.last_scrape).filter(|ms| *ms > 0);
    LiveTarget {
        job: label("job"),
        instance: label("instance"),
        up: match target.health.as_str() {
            "up" => Some(true),
            "down" => Some(false),
            _ => None,
        },
        last_error: Some(target.last_error).filter(|e| !e.is_empty()),
        last_scrape_ms,
        duration_seconds: last_scrape_ms.map(|_| target.last_scrape_duration),
        labels: target.labels,
    }
}

fn rule(group: &str, rule: Rule) -> LiveRule {
    let evaluated = time::parse_rfc3339(&rule.last_evaluation).is_some_and(|ms| ms > 0);
    LiveRule {
        group: group.to_owned(),
        name: rule.name,
        labels: rule.labels,
        healthy: match rule.health.as_str() {
            "ok" => Some(true),
            "err" => Some(false),
            _ => None,
        },
        last_error: Some(rule.last_error).filter(|e| !e.is_empty()),
        evaluation_seconds: evaluated.then_some(rule.evaluation_time),
        state: (rule.kind == "alerting").then_some(match rule.state.as_str() {
            "firing" => AlertState::Firing,
            "pending" => AlertState::Pending,
            _ => AlertState::Inactive,
        }),
        active: rule.alerts.len(),
    }
}

fn metrics(
    data: QueryData,
    intervals_ms: &BTreeMap<String, i64>,
) -> BTreeMap<String, BTreeMap<String, LiveMetric>> {
    let QueryData::Vector(samples) = data else { return BTreeMap::new() };
    let mut jobs: BTreeMap<String, BTreeMap<String, LiveMetric>> = BTreeMap::new();
    for mut sample in samples {
        let (Some(job), Some(name), Some((_, value))) =
            (sample.metric.remove("job"), sample.metric.remove(METRIC_NAME), sample.value)
        else {
            continue;
        };
        let metric = metric(value.parse().unwrap_or(0.0), intervals_ms.get(&job).copied());
        jobs.entry(job).or_default().insert(name, metric);
    }
    jobs
}

/// Builds a metric's state from its number of series and its job's scrape interval.
pub(crate) fn metric(series: f64, interval_ms: Option<i64>) -> LiveMetric {
    LiveMetric {
        series: series as u64,
        samples_per_second: interval_ms.map(|ms| series * 1000.0 / ms as f64),
        last_sample_ms: None,
    }
}
