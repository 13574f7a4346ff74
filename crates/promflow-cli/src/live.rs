//! The state of a server elsewhere, asked for over Prometheus's API.

use std::collections::BTreeMap;

use anyhow::Result;
use promflow_flow::graph::AlertState;
use promflow_flow::live::{LiveMetric, LiveRule, LiveState, LiveTarget};
use promflow_http::{ActiveTarget, ApiClient, QueryData, Rule};
use promflow_model::{ALERT_NAME, Clock, METRIC_NAME, duration, time};

use crate::clock::SystemClock;

/// Counts the series of every metric of every job that are there now.
pub(crate) const SERIES_BY_JOB_AND_METRIC: &str = r#"count by (job, __name__) ({__name__=~".+", job=~".+"})"#;

/// Finds when alerts fired last: seconds since the epoch, as far back as somebody on call asks.
const LAST_FIRED: &str = r#"max_over_time(timestamp(ALERTS{alertstate="firing"})[1d:15s])"#;

/// Asks a server for targets, rules and metrics.
///
/// Errors: it does not answer, or refuses.
pub(crate) async fn ask(client: &ApiClient) -> Result<LiveState> {
    let targets = client.targets().await?.data.active_targets;
    let rules = client.rules().await?.data.groups;
    let series = client.query(SERIES_BY_JOB_AND_METRIC, "").await?.data;
    let fired = last_fired(client.query(LAST_FIRED, "").await?.data);
    let intervals = targets.iter().filter_map(|t| {
        let ms = duration::parse(&t.scrape_interval).ok().filter(|ms| *ms > 0)?;
        Some((t.labels.get("job")?.clone(), ms))
    });
    let metrics = metrics(series, &intervals.collect());
    Ok(LiveState {
        now_ms: SystemClock.now_ms(),
        targets: targets.into_iter().map(target).collect(),
        rules: rules
            .into_iter()
            .flat_map(|group| group.rules.into_iter().map(move |of| (group.name.clone(), of)))
            .map(|(group, of)| rule(group, of, &fired))
            .collect(),
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

/// The labels of alerts that fired, and when they did last, in milliseconds since the epoch.
type Fired = Vec<(BTreeMap<String, String>, i64)>;

fn last_fired(data: QueryData) -> Fired {
    let QueryData::Vector(samples) = data else { return Fired::new() };
    let seconds = |value: String| value.parse::<f64>().ok();
    let fired = samples.into_iter().filter_map(|sample| {
        let (_, value) = sample.value?;
        Some((sample.metric, (seconds(value)? * 1000.0) as i64))
    });
    fired.collect()
}

/// Tells whether an alert can be one of a rule: it has the rule's labels, of which those with templates may be anything.
fn is_of(alert: &BTreeMap<String, String>, rule: &Rule) -> bool {
    alert.get(ALERT_NAME) == Some(&rule.name)
        && rule.labels.iter().all(|(name, text)| text.contains("{{") || alert.get(name) == Some(text))
}

fn rule(group: String, rule: Rule, fired: &Fired) -> LiveRule {
    let last_fired_ms = fired.iter().filter(|(alert, _)| is_of(alert, &rule)).map(|(_, t_ms)| *t_ms).max();
    let evaluated = time::parse_rfc3339(&rule.last_evaluation).is_some_and(|ms| ms > 0);
    LiveRule {
        group,
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
        last_fired_ms: last_fired_ms.filter(|_| rule.kind == "alerting"),
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
