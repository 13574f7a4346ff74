//! Where series come from: by metric, by job, and which labels blow up, with a trend and a limit to set.

mod limits;
#[cfg(test)]
mod tests;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use promflow_model::{METRIC_NAME, quote};
use serde::Serialize;

pub use limits::{JobLimits, SeriesLimit, limits_in};

/// One sample of an answer: its labels and its value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Count {
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

impl Count {
    fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

/// A server that counts its series.
pub trait CountSource {
    /// Answers an instant query whose result is a vector.
    ///
    /// Errors: the server does not answer, or refuses; in words.
    fn query(&self, expr: &str) -> Result<Vec<Count>, String>;

    /// Returns the names of the labels that the series of a selector have.
    ///
    /// Errors: as of `query`.
    fn label_names(&self, selector: &str) -> Result<Vec<String>, String>;

    /// Returns the limits that each job is configured with; `None` when the server does not tell.
    ///
    /// Errors: as of `query`, or the configuration cannot be read.
    fn limits(&self) -> Result<Option<BTreeMap<String, JobLimits>>, String> {
        Ok(None)
    }
}

/// Where series come from.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cardinality {
    question: &'static str,
    /// When it was asked, in milliseconds since the epoch.
    pub time_ms: i64,
    /// All series.
    pub series: u64,
    /// All series an hour before, where the server has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series_hour_ago: Option<u64>,
    /// The metrics with the most series.
    pub metrics: Vec<MetricSeries>,
    /// The jobs, those with the most series first.
    pub jobs: Vec<JobSeries>,
    /// The labels with the most values, of the metrics with the most series.
    pub labels: Vec<LabelValues>,
    /// The labels of which nearly every series has a value of its own, or that have very many.
    pub blowups: Vec<Blowup>,
    /// Metrics of which a program refused series, because the limit of its library was reached.
    pub overflows: Vec<Overflow>,
    /// Limits to set in `prometheus.yml`.
    pub limits: Vec<SeriesLimit>,
    /// Why the limits that are set are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits_unknown: Option<String>,
}

/// A metric's series.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricSeries {
    /// The series' name.
    pub name: String,
    /// How many.
    pub series: u64,
    /// How many an hour before; 0 when it was not there, while others were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series_hour_ago: Option<u64>,
    /// Its part of all series.
    pub share: f64,
}

/// A job's series.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobSeries {
    /// The job; `""` for series without one, such as what rules record.
    pub name: String,
    /// How many.
    pub series: u64,
    /// How many an hour before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series_hour_ago: Option<u64>,
    /// Its part of all series.
    pub share: f64,
    /// How many targets it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<u64>,
    /// The samples of its largest target, after relabelling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples_per_target_max: Option<u64>,
    /// The samples of the target that was the largest an hour before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples_per_target_max_hour_ago: Option<u64>,
    /// The limit that is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_limit: Option<u64>,
    /// A limit with room to grow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_limit_suggested: Option<u64>,
    /// All limits that the job is configured with, when the server tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<JobLimits>,
}

/// A metric of which a program refused series: what is beyond the limit is counted in one series.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Overflow {
    /// The job.
    pub job: String,
    /// The metric.
    pub metric: String,
    /// How often a series was asked for that was refused.
    pub refused: u64,
    /// How often in the last hour.
    pub refused_in_hour: u64,
    /// How many series the metric has in the largest target, which is its limit then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series_limit: Option<u64>,
}

/// A label's values.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelValues {
    /// The metric.
    pub metric: String,
    /// The label.
    pub label: String,
    /// How many values.
    pub values: u64,
    /// How many series the metric has.
    pub series: u64,
    /// Values for each series, at most 1.
    pub share: f64,
    /// The values with the most series.
    pub examples: Vec<String>,
}

/// A label that blows up.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Blowup {
    /// The metric.
    pub metric: String,
    /// The label.
    pub label: String,
    /// How many values.
    pub values: u64,
    /// Why it counts as one.
    pub reason: String,
}

/// From how many values on a label is looked at as one that blows up.
const BLOWUP_VALUES_MIN: u64 = 50;

/// From how many values on it is one, however many series there are.
const BLOWUP_VALUES_MANY: u64 = 1_000;

/// How many metrics are looked at label by label; each costs a few queries.
const METRICS_WITH_LABELS_MAX: usize = 10;

const ALL: &str = r#"{__name__=~".+"}"#;

/// What a job is counted by.
const BY_JOB: [&str; 5] = [
    "count by (job) (up)",
    "max by (job) (scrape_samples_post_metric_relabeling)",
    "max by (job) (scrape_samples_post_metric_relabeling offset 1h)",
    "max by (job) (scrape_sample_limit)",
    r#"count by (job) ({__name__=~".+"} offset 1h)"#,
];

/// Asks a server where its series come from; at most `limit` metrics and labels are named.
///
/// Errors: the server does not answer, or refuses.
pub fn cardinality(source: &dyn CountSource, time_ms: i64, limit: usize) -> Result<Cardinality, String> {
    let by_metric = source.query(&format!("count by (__name__) ({ALL})"))?;
    let before = source.query(&format!("count by (__name__) ({ALL} offset 1h)"))?;
    let total = |counts: &[Count]| counts.iter().map(|count| count.value as u64).sum::<u64>();
    let whole = Whole { series: total(&by_metric), has_past: !before.is_empty() };
    let mut metrics: Vec<MetricSeries> = by_metric
        .iter()
        .map(|count| MetricSeries {
            name: count.label(METRIC_NAME).to_owned(),
            series: count.value as u64,
            series_hour_ago: whole.past(&before, METRIC_NAME, count.label(METRIC_NAME)),
            share: whole.share(count.value as u64),
        })
        .collect();
    metrics.sort_by(|a, b| b.series.cmp(&a.series).then_with(|| a.name.cmp(&b.name)));
    metrics.truncate(limit);
    // A server that does not show its configuration still counts.
    let (configured, limits_unknown) = match source.limits() {
        Ok(Some(limits)) => (Some(limits), None),
        Ok(None) => (None, Some("the server does not show its configuration".to_owned())),
        Err(problem) => (None, Some(problem)),
    };
    let jobs = jobs(source, &whole, configured.as_ref())?;
    let mut labels = Vec::new();
    for metric in metrics.iter().take(METRICS_WITH_LABELS_MAX) {
        labels.extend(label_values(source, metric)?);
    }
    let mut widest: BTreeMap<&str, u64> = BTreeMap::new();
    labels.iter().for_each(|label: &LabelValues| *widest.entry(&label.metric).or_default() += 1);
    let labels_max = widest.values().copied().max().unwrap_or(0);
    labels.sort_by(|a, b| {
        b.values.cmp(&a.values).then_with(|| (&a.metric, &a.label).cmp(&(&b.metric, &b.label)))
    });
    let blowups = labels.iter().filter_map(blowup).collect();
    labels.truncate(limit);
    Ok(Cardinality {
        question: "cardinality",
        time_ms,
        series: whole.series,
        series_hour_ago: whole.has_past.then(|| total(&before)),
        limits: jobs.iter().filter_map(|job| limits::to_set(job, labels_max)).collect(),
        limits_unknown,
        overflows: overflows(source)?,
        metrics,
        jobs,
        labels,
        blowups,
    })
}

/// All series of a server, for parts to be measured by.
struct Whole {
    series: u64,
    has_past: bool,
}

impl Whole {
    fn share(&self, part: u64) -> f64 {
        if self.series == 0 { 0.0 } else { rounded(part as f64 / self.series as f64) }
    }

    fn past(&self, counts: &[Count], label: &str, name: &str) -> Option<u64> {
        self.has_past.then(|| value_of(counts, label, name).unwrap_or(0))
    }
}

fn value_of(counts: &[Count], label: &str, name: &str) -> Option<u64> {
    counts.iter().find(|count| count.label(label) == name).map(|count| count.value as u64)
}

fn jobs(
    source: &dyn CountSource,
    whole: &Whole,
    configured: Option<&BTreeMap<String, JobLimits>>,
) -> Result<Vec<JobSeries>, String> {
    let by_job = source.query(&format!("count by (job) ({ALL})"))?;
    let mut asked = Vec::new();
    for expr in BY_JOB {
        asked.push(source.query(expr)?);
    }
    let [targets, largest, largest_before, exported, before] = &*asked else { return Ok(Vec::new()) };
    let mut jobs: Vec<JobSeries> = by_job
        .iter()
        .map(|count| {
            let job = count.label("job");
            let of_job = |counts: &[Count]| value_of(counts, "job", job);
            let limits = configured.and_then(|limits| limits.get(job)).cloned();
            let set = limits.as_ref().map_or_else(|| of_job(exported), |limits| limits.sample_limit);
            let (now, past) = (of_job(largest), of_job(largest_before));
            JobSeries {
                name: job.to_owned(),
                series: count.value as u64,
                series_hour_ago: whole.past(before, "job", job),
                share: whole.share(count.value as u64),
                targets: of_job(targets),
                samples_per_target_max: now,
                samples_per_target_max_hour_ago: past,
                sample_limit: set.filter(|limit| *limit > 0),
                sample_limit_suggested: now.map(|now| limits::suggested(now, past)),
                limits,
            }
        })
        .collect();
    jobs.sort_by(|a, b| b.series.cmp(&a.series).then_with(|| a.name.cmp(&b.name)));
    Ok(jobs)
}

/// Asks for what the library of a program refused.
fn overflows(source: &dyn CountSource) -> Result<Vec<Overflow>, String> {
    let all = source.query("sum by (job, metric) (promflow_series_overflowed_total) > 0")?;
    let hour = source.query("sum by (job, metric) (increase(promflow_series_overflowed_total[1h])) > 0")?;
    let mut found = Vec::new();
    for count in &all {
        let (job, metric) = (count.label("job"), count.label("metric"));
        let same = |other: &&Count| other.label("job") == job && other.label("metric") == metric;
        let selector = format!("{{__name__={},job={}}}", quote::quote(metric), quote::quote(job));
        let series = source.query(&format!("max(count by (instance) ({selector}))"))?;
        found.push(Overflow {
            job: job.to_owned(),
            metric: metric.to_owned(),
            refused: count.value as u64,
            refused_in_hour: hour.iter().find(same).map_or(0, |count| count.value.round() as u64),
            series_limit: series.first().map(|count| count.value as u64),
        });
    }
    found.sort_by(|a, b| {
        b.refused.cmp(&a.refused).then_with(|| (&a.job, &a.metric).cmp(&(&b.job, &b.metric)))
    });
    Ok(found)
}

fn label_values(source: &dyn CountSource, metric: &MetricSeries) -> Result<Vec<LabelValues>, String> {
    let selector = format!("{{__name__={}}}", quote::quote(&metric.name));
    let names: BTreeSet<String> =
        source.label_names(&selector)?.into_iter().filter(|name| name != METRIC_NAME).collect();
    let mut found = Vec::new();
    for label in names {
        let by =
            if promflow_model::is_legacy_label_name(&label) { label.clone() } else { quote::quote(&label) };
        let grouped = format!("count by ({by}) ({selector})");
        let values =
            source.query(&format!("count({grouped})"))?.first().map_or(0, |count| count.value as u64);
        let top = source.query(&format!("topk(3, {grouped})"))?;
        let mut top: Vec<&Count> = top.iter().collect();
        top.sort_by(|a, b| b.value.total_cmp(&a.value).then_with(|| a.label(&label).cmp(b.label(&label))));
        let share = if metric.series == 0 { 0.0 } else { rounded(values as f64 / metric.series as f64) };
        found.push(LabelValues {
            metric: metric.name.clone(),
            examples: top.iter().map(|count| count.label(&label).to_owned()).collect(),
            label,
            values,
            series: metric.series,
            share,
        });
    }
    Ok(found)
}

fn blowup(label: &LabelValues) -> Option<Blowup> {
    let LabelValues { values, series, .. } = *label;
    // What tells targets apart grows with the targets, not with the traffic.
    if matches!(label.label.as_str(), "instance" | "job") || values < BLOWUP_VALUES_MIN {
        return None;
    }
    let reason = if values * 10 >= series * 9 {
        format!("{values} values on {series} series: nearly every series has its own")
    } else if values >= BLOWUP_VALUES_MANY {
        format!("{values} values: every other label multiplies them")
    } else if values * 2 >= series {
        format!("{values} values on {series} series: it makes most of them")
    } else {
        return None;
    };
    Some(Blowup { metric: label.metric.clone(), label: label.label.clone(), values, reason })
}

fn rounded(share: f64) -> f64 {
    (share * 10_000.0).round() / 10_000.0
}
