//! `prometheus.yml` as a whole.

pub(crate) mod read;
mod show;

use promflow_model::Labels;

use crate::{Alerting, EscapingScheme, ScrapeConfig, ScrapeProtocol, ValidationScheme};

/// The contents of `prometheus.yml`, defaults filled in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// What holds for every job and group unless they say otherwise.
    pub global: Global,
    /// Settings of Go's runtime, kept and not used.
    pub runtime: Runtime,
    /// Paths of rule files, with `*`.
    pub rule_files: Vec<String>,
    /// Paths of files with further jobs, with `*`.
    pub scrape_config_files: Vec<String>,
    /// The jobs of this file alone; `LoadedConfig::scrape_configs` has those of the further files too.
    pub scrape_configs: Vec<ScrapeConfig>,
    /// Where alerts are sent.
    pub alerting: Alerting,
    /// Storage.
    pub storage: Storage,
}

/// The `global` part.
///
/// Units: milliseconds, bytes; a limit of 0 is no limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Global {
    /// How often targets are scraped.
    pub scrape_interval_ms: i64,
    /// How long a scrape may take.
    pub scrape_timeout_ms: i64,
    /// The formats to ask for, best first.
    pub scrape_protocols: Vec<ScrapeProtocol>,
    /// How often rules are evaluated.
    pub evaluation_interval_ms: i64,
    /// How far before now rules are evaluated.
    pub rule_query_offset_ms: i64,
    /// Labels of what leaves this server: alerts; `$externalLabels` in templates.
    pub external_labels: Labels,
    /// The largest page.
    pub body_size_limit_bytes: u64,
    /// The most samples of a scrape after relabelling.
    pub sample_limit: u64,
    /// The most targets of a job.
    pub target_limit: u64,
    /// The most labels of a sample.
    pub label_limit: u64,
    /// The longest label name.
    pub label_name_length_limit: u64,
    /// The longest label value.
    pub label_value_length_limit: u64,
    /// How many dropped targets are remembered per job.
    pub keep_dropped_targets: u64,
    /// Which metric and label names are valid.
    pub metric_name_validation_scheme: ValidationScheme,
    /// How names are to be escaped by targets.
    pub metric_name_escaping_scheme: EscapingScheme,
}

impl Default for Global {
    fn default() -> Self {
        Self {
            scrape_interval_ms: 60_000,
            scrape_timeout_ms: 10_000,
            scrape_protocols: ScrapeProtocol::DEFAULT.to_vec(),
            evaluation_interval_ms: 60_000,
            rule_query_offset_ms: 0,
            external_labels: Labels::default(),
            body_size_limit_bytes: 0,
            sample_limit: 0,
            target_limit: 0,
            label_limit: 0,
            label_name_length_limit: 0,
            label_value_length_limit: 0,
            keep_dropped_targets: 0,
            metric_name_validation_scheme: ValidationScheme::default(),
            metric_name_escaping_scheme: EscapingScheme::default(),
        }
    }
}

/// The `runtime` part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// Go's garbage collection target percentage.
    pub gogc: i64,
}

impl Default for Runtime {
    fn default() -> Self {
        Self { gogc: 75 }
    }
}

/// The `storage` part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Storage {
    /// What is kept; wins over the flags where set.
    pub retention: Retention,
}

/// How much is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Retention {
    /// For how long, in milliseconds.
    pub time_ms: Option<i64>,
    /// How much, in bytes.
    pub size_bytes: Option<u64>,
}

#[cfg(test)]
mod tests;
