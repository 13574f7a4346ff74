//! Where series come from: by metric, by job, and which labels blow up, with a trend and a limit to set.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use promflow_model::{METRIC_NAME, quote};
use serde::Serialize;

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
    /// Limits to set in `prometheus.yml`, and in code.
    pub limits: Vec<SeriesLimit>,
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
    /// The limit that is set, where the server exports it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_limit: Option<u64>,
    /// A limit with room to grow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_limit_suggested: Option<u64>,
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

/// A limit to set.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeriesLimit {
    /// The job.
    pub job: String,
    /// The limit.
    pub sample_limit: u64,
    /// What to write into `prometheus.yml`.
    pub yaml: String,
    /// What it comes from.
    pub reason: String,
}

/// From how many values on a label is looked at as one that blows up.
const BLOWUP_VALUES_MIN: u64 = 50;

/// From how many values on it is one, however many series there are.
const BLOWUP_VALUES_MANY: u64 = 1_000;

/// How many metrics are looked at label by label; each costs a few queries.
const METRICS_WITH_LABELS_MAX: usize = 10;

const ALL: &str = r#"{__name__=~".+"}"#;

/// Asks a server where its series come from; at most `limit` metrics and labels are named.
///
/// Errors: the server does not answer, or refuses.
pub fn cardinality(source: &dyn CountSource, time_ms: i64, limit: usize) -> Result<Cardinality, String> {
    let count = |expr: &str| source.query(expr);
    let by_metric = count(&format!("count by (__name__) ({ALL})"))?;
    let before = count(&format!("count by (__name__) ({ALL} offset 1h)"))?;
    let by_job = count(&format!("count by (job) ({ALL})"))?;
    let by_job_before = count(&format!("count by (job) ({ALL} offset 1h)"))?;
    let total = |counts: &[Count]| counts.iter().map(|count| count.value as u64).sum::<u64>();
    let series = total(&by_metric);
    let has_past = !before.is_empty();
    let share = |part: u64| if series == 0 { 0.0 } else { rounded(part as f64 / series as f64) };
    let past = |counts: &[Count], label: &str, name: &str| {
        let found = counts.iter().find(|count| count.label(label) == name);
        has_past.then(|| found.map_or(0, |count| count.value as u64))
    };
    let mut metrics: Vec<MetricSeries> = by_metric
        .iter()
        .map(|count| MetricSeries {
            name: count.label(METRIC_NAME).to_owned(),
            series: count.value as u64,
            series_hour_ago: past(&before, METRIC_NAME, count.label(METRIC_NAME)),
            share: share(count.value as u64),
        })
        .collect();
    metrics.sort_by(|a, b| b.series.cmp(&a.series).then_with(|| a.name.cmp(&b.name)));
    metrics.truncate(limit);
    let targets = count("count by (job) (up)")?;
    let largest = count("max by (job) (scrape_samples_post_metric_relabeling)")?;
    let limits_set = count("max by (job) (scrape_sample_limit)")?;
    let of_job = |counts: &[Count], job: &str| {
        counts.iter().find(|count| count.label("job") == job).map(|count| count.value as u64)
    };
    let mut jobs: Vec<JobSeries> = by_job
        .iter()
        .map(|count| {
            let job = count.label("job");
            let largest = of_job(&largest, job);
            JobSeries {
                name: job.to_owned(),
                series: count.value as u64,
                series_hour_ago: past(&by_job_before, "job", job),
                share: share(count.value as u64),
                targets: of_job(&targets, job),
                samples_per_target_max: largest,
                sample_limit: of_job(&limits_set, job),
                sample_limit_suggested: largest.map(suggested),
            }
        })
        .collect();
    jobs.sort_by(|a, b| b.series.cmp(&a.series).then_with(|| a.name.cmp(&b.name)));
    let mut labels = Vec::new();
    for metric in metrics.iter().take(METRICS_WITH_LABELS_MAX) {
        labels.extend(label_values(source, metric)?);
    }
    labels.sort_by(|a: &LabelValues, b| {
        b.values.cmp(&a.values).then_with(|| (&a.metric, &a.label).cmp(&(&b.metric, &b.label)))
    });
    let blowups = labels.iter().filter_map(blowup).collect();
    labels.truncate(limit);
    Ok(Cardinality {
        question: "cardinality",
        time_ms,
        series,
        series_hour_ago: has_past.then(|| total(&before)),
        limits: jobs.iter().filter_map(limit_of).collect(),
        metrics,
        jobs,
        labels,
        blowups,
    })
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

fn limit_of(job: &JobSeries) -> Option<SeriesLimit> {
    let (largest, limit) = (job.samples_per_target_max?, job.sample_limit_suggested?);
    let name = if job.name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
        job.name.clone()
    } else {
        quote::quote(&job.name)
    };
    Some(SeriesLimit {
        job: job.name.clone(),
        sample_limit: limit,
        yaml: format!("  - job_name: {name}\n    sample_limit: {limit}\n"),
        reason: format!("the largest target has {largest} samples"),
    })
}

/// Returns a round number at least twice as large.
fn suggested(samples: u64) -> u64 {
    let wanted = (samples * 2).max(100);
    let step = 10_u64.pow(wanted.ilog10().saturating_sub(1)) * 5;
    wanted.div_ceil(step) * step
}

fn rounded(share: f64) -> f64 {
    (share * 10_000.0).round() / 10_000.0
}

fn trend(now: u64, before: Option<u64>) -> String {
    match before {
        None => String::new(),
        Some(before) if before == now => "=".to_owned(),
        Some(before) if now > before => format!("+{}", now - before),
        Some(before) => format!("-{}", before - now),
    }
}

impl Cardinality {
    /// Writes the answer for a terminal.
    pub fn text(&self) -> String {
        let mut out = format!("{} series", self.series);
        match self.series_hour_ago {
            Some(before) => {
                let _ = writeln!(out, ", {} an hour ago ({})", before, trend(self.series, Some(before)));
            }
            None => out.push_str("; the server has none from an hour ago\n"),
        }
        let rows = self.metrics.iter().map(|m| {
            vec![m.name.clone(), m.series.to_string(), percent(m.share), trend(m.series, m.series_hour_ago)]
        });
        table("metric", &["series", "share", "1h"], rows, &mut out);
        let number = |value: Option<u64>| value.map_or(String::new(), |value| value.to_string());
        let rows = self.jobs.iter().map(|job| {
            let name = if job.name.is_empty() { "(no job)".to_owned() } else { job.name.clone() };
            let (targets, largest) = (number(job.targets), number(job.samples_per_target_max));
            let trend = trend(job.series, job.series_hour_ago);
            vec![
                name,
                job.series.to_string(),
                percent(job.share),
                trend,
                targets,
                largest,
                number(job.sample_limit_suggested),
            ]
        });
        table("job", &["series", "share", "1h", "targets", "largest", "limit"], rows, &mut out);
        let rows = self.labels.iter().map(|label| {
            let name = format!("{} {}", label.metric, label.label);
            vec![name, label.values.to_string(), label.series.to_string(), label.examples.join(", ")]
        });
        table("label", &["values", "series", "examples"], rows, &mut out);
        if !self.blowups.is_empty() {
            out.push_str("\nlabels that blow up:\n");
        }
        for blowup in &self.blowups {
            let _ = writeln!(out, "  {} of {}: {}", blowup.label, blowup.metric, blowup.reason);
        }
        if !self.limits.is_empty() {
            out.push_str("\nlimits to set (a scrape above its limit fails as a whole):\n");
        }
        for limit in &self.limits {
            out.push_str(&limit.yaml);
        }
        out
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn table(first: &str, titles: &[&str], rows: impl Iterator<Item = Vec<String>>, out: &mut String) {
    let head = std::iter::once(first).chain(titles.iter().copied()).map(str::to_owned).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    if rows.len() == 1 {
        return;
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    out.push('\n');
    for row in &rows {
        let mut line = format!("  {:<1$}", row[0], widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            let is_text = cell.contains(|c: char| c.is_alphabetic()) && row.len() == 4 && cell == &row[3];
            let _ = if is_text {
                write!(line, "  {cell}")
            } else {
                write!(line, "  {cell:>width$}", width = *width)
            };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server with series in its memory, which knows the few queries that are asked.
    struct Fake(Vec<(&'static str, u64, &'static str)>);

    impl CountSource for Fake {
        fn query(&self, expr: &str) -> Result<Vec<Count>, String> {
            let of = |label: &str, name: &str, value: u64| Count {
                labels: BTreeMap::from([(label.to_owned(), name.to_owned())]),
                value: value as f64,
            };
            Ok(match expr {
                r#"count by (__name__) ({__name__=~".+"})"# => {
                    self.0.iter().map(|(name, series, _)| of("__name__", name, *series)).collect()
                }
                r#"count by (job) ({__name__=~".+"})"# => vec![of("job", "backend", 1_010)],
                "max by (job) (scrape_samples_post_metric_relabeling)" => vec![of("job", "backend", 1_010)],
                r#"count(count by (user_id) ({__name__="orders_total"}))"# => vec![of("x", "x", 980)],
                r#"topk(3, count by (user_id) ({__name__="orders_total"}))"# => {
                    vec![of("user_id", "b", 1), of("user_id", "a", 1)]
                }
                _ => Vec::new(),
            })
        }

        fn label_names(&self, selector: &str) -> Result<Vec<String>, String> {
            let own = self.0.iter().find(|(name, ..)| selector.contains(name));
            Ok(own.map(|(_, _, label)| (*label).to_owned()).into_iter().collect())
        }
    }

    #[test]
    fn labels_that_blow_up_are_named_with_a_limit_that_has_room() {
        let fake = Fake(vec![("up", 10, "instance"), ("orders_total", 1_000, "user_id")]);
        let answer = cardinality(&fake, 1, 5).expect("the fake answers");
        assert_eq!(answer.series, 1_010);
        assert_eq!(answer.series_hour_ago, None);
        assert_eq!(answer.metrics[0].name, "orders_total");
        assert_eq!(answer.blowups.len(), 1);
        assert!(answer.blowups[0].reason.contains("nearly every series"), "{:?}", answer.blowups);
        assert_eq!(answer.labels[0].examples, ["a", "b"]);
        assert_eq!(answer.limits[0].sample_limit, 2_500);
        let text = answer.text();
        assert!(text.contains("user_id of orders_total") && text.contains("sample_limit: 2500"), "{text}");
    }

    #[test]
    fn suggested_limits_are_round_and_at_least_twice_as_large() {
        for (samples, limit) in [(0, 100), (10, 100), (700, 1_500), (2_026, 4_500), (60_000, 150_000)] {
            assert_eq!(suggested(samples), limit, "{samples}");
            assert!(limit >= samples * 2);
        }
    }
}
