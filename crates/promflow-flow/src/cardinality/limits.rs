//! The limits of jobs: those that are set, and those to set.

use std::collections::BTreeMap;

use promflow_config::{Config, ConfigError, ScrapeConfig};
use promflow_model::quote;
use serde::Serialize;

use super::JobSeries;

/// The limits that a job is configured with; `None` where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobLimits {
    /// The most samples of a scrape, after relabelling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_limit: Option<u64>,
    /// The most labels of a sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_limit: Option<u64>,
    /// The longest name of a label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_name_length_limit: Option<u64>,
    /// The longest value of a label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_value_length_limit: Option<u64>,
    /// The most targets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_limit: Option<u64>,
    /// The largest page, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_size_limit: Option<u64>,
}

impl JobLimits {
    /// Reads the limits of a job, with what it has from the global ones.
    pub fn of(job: &ScrapeConfig) -> Self {
        let set = |limit: u64| Some(limit).filter(|limit| *limit > 0);
        Self {
            sample_limit: set(job.sample_limit),
            label_limit: set(job.label_limit),
            label_name_length_limit: set(job.label_name_length_limit),
            label_value_length_limit: set(job.label_value_length_limit),
            target_limit: set(job.target_limit),
            body_size_limit: set(job.body_size_limit_bytes),
        }
    }
}

/// Reads the limits of each job from the configuration that a server shows.
///
/// Errors: the configuration is not one that promflow reads; in words.
pub fn limits_in(yaml: &str) -> Result<BTreeMap<String, JobLimits>, String> {
    let config = Config::parse("prometheus.yml", yaml, &|_| None).map_err(|errors| {
        format!("the server's configuration is not read: {}", ConfigError::join(&errors))
    })?;
    Ok(config.scrape_configs.iter().map(|job| (job.job_name.clone(), JobLimits::of(job))).collect())
}

/// A limit to set.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeriesLimit {
    /// The job.
    pub job: String,
    /// The limit of samples to set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_limit: Option<u64>,
    /// The limit of samples that is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_limit_set: Option<u64>,
    /// The limit of labels to set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_limit: Option<u64>,
    /// What to write into `prometheus.yml`.
    pub yaml: String,
    /// What it comes from.
    pub reason: String,
}

/// The fewest labels that are a limit: a few are always added by scraping and by the target.
const LABEL_LIMIT_MIN: u64 = 30;

/// Returns the limits that a job lacks, or that its largest target is about to reach; none when all is well.
pub(super) fn to_set(job: &JobSeries, labels_max: u64) -> Option<SeriesLimit> {
    let (largest, suggested) = (job.samples_per_target_max?, job.sample_limit_suggested?);
    let is_narrow = job.sample_limit.is_none_or(|limit| largest * 5 > limit * 4);
    let sample_limit = Some(suggested).filter(|_| is_narrow);
    // What the configuration says of labels is known only from the configuration.
    let lacks_labels = job.limits.as_ref().is_some_and(|limits| limits.label_limit.is_none());
    let label_limit = lacks_labels.then(|| (labels_max * 2).max(LABEL_LIMIT_MIN));
    if sample_limit.is_none() && label_limit.is_none() {
        return None;
    }
    let name = if job.name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
        job.name.clone()
    } else {
        quote::quote(&job.name)
    };
    let line =
        |key: &str, limit: Option<u64>| limit.map_or(String::new(), |limit| format!("    {key}: {limit}\n"));
    let mut reasons = Vec::new();
    if is_narrow {
        let grown = job.samples_per_target_max_hour_ago.and_then(|before| largest.checked_sub(before));
        let grown = grown
            .filter(|grown| *grown > 0)
            .map_or(String::new(), |grown| format!(", {grown} more than an hour ago"));
        let set = job.sample_limit.map_or(String::new(), |limit| format!("; the limit is {limit}"));
        reasons.push(format!("the largest target has {largest} samples{grown}{set}"));
    }
    if label_limit.is_some() {
        reasons.push(format!("the metrics with the most series have at most {labels_max} labels"));
    }
    Some(SeriesLimit {
        job: job.name.clone(),
        sample_limit,
        sample_limit_set: job.sample_limit,
        label_limit,
        yaml: format!(
            "  - job_name: {name}\n{}{}",
            line("sample_limit", sample_limit),
            line("label_limit", label_limit)
        ),
        reason: reasons.join("; "),
    })
}

/// Returns a round number at least twice as large, and with room for a day of the last hour's growth.
pub(super) fn suggested(samples: u64, hour_ago: Option<u64>) -> u64 {
    let grown = hour_ago.map_or(0, |before| samples.saturating_sub(before));
    let wanted = (samples * 2).max(samples + 24 * grown).max(100);
    let step = 10_u64.pow(wanted.ilog10().saturating_sub(1)) * 5;
    wanted.div_ceil(step) * step
}
