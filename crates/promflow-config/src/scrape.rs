//! Scrape jobs and their targets.

pub(crate) mod read;

use std::collections::BTreeMap;

use promflow_model::Labels;

use crate::{HttpClientConfig, Position, RelabelConfig};

/// A scrape job, with the global settings filled in where it has none of its own.
///
/// Units: milliseconds, bytes; a limit of 0 is no limit.
#[derive(Clone, Debug, PartialEq)]
pub struct ScrapeConfig {
    /// The name, the value of the label `job` unless relabelled.
    pub job_name: String,
    /// Whether the labels of the page win over those of the target.
    pub honor_labels: bool,
    /// Whether the timestamps of the page are used.
    pub honor_timestamps: bool,
    /// Whether series with timestamps of their own get stale markers.
    pub track_timestamps_staleness: bool,
    /// The query of the URL.
    pub params: BTreeMap<String, Vec<String>>,
    /// How often a target is scraped.
    pub scrape_interval_ms: i64,
    /// How long a scrape may take.
    pub scrape_timeout_ms: i64,
    /// The formats to ask for, best first.
    pub scrape_protocols: Vec<ScrapeProtocol>,
    /// The format of a page whose content type is missing or not known.
    pub fallback_scrape_protocol: Option<ScrapeProtocol>,
    /// Which metric and label names are valid.
    pub metric_name_validation_scheme: ValidationScheme,
    /// How names are to be escaped by the target.
    pub metric_name_escaping_scheme: EscapingScheme,
    /// The path.
    pub metrics_path: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Whether to ask for a compressed page.
    pub enable_compression: bool,
    /// The largest page.
    pub body_size_limit_bytes: u64,
    /// The most samples of a scrape after relabelling.
    pub sample_limit: u64,
    /// The most targets of the job.
    pub target_limit: u64,
    /// The most labels of a sample.
    pub label_limit: u64,
    /// The longest label name.
    pub label_name_length_limit: u64,
    /// The longest label value.
    pub label_value_length_limit: u64,
    /// How many dropped targets are remembered.
    pub keep_dropped_targets: u64,
    /// The client.
    pub http: HttpClientConfig,
    /// Targets named here.
    pub static_configs: Vec<TargetGroup>,
    /// Targets named in files.
    pub file_sd_configs: Vec<FileSdConfig>,
    /// Changes the labels of targets.
    pub relabel_configs: Vec<RelabelConfig>,
    /// Changes the labels of samples.
    pub metric_relabel_configs: Vec<RelabelConfig>,
    /// Where the job is defined.
    pub position: Position,
    /// The directory of the job's source code, from the comment `# promflow: source=DIR` above the job, as written.
    pub source_dir: Option<String>,
}

/// A format of the metrics page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScrapeProtocol {
    /// `OpenMetricsText0.0.1`
    OpenMetricsText0_0_1,
    /// `OpenMetricsText1.0.0`
    OpenMetricsText1_0_0,
    /// `PrometheusProto`
    PrometheusProto,
    /// `PrometheusText0.0.4`
    PrometheusText0_0_4,
    /// `PrometheusText1.0.0`
    PrometheusText1_0_0,
}

impl ScrapeProtocol {
    /// All of them, sorted by name.
    pub const ALL: [Self; 5] = [
        Self::OpenMetricsText0_0_1,
        Self::OpenMetricsText1_0_0,
        Self::PrometheusProto,
        Self::PrometheusText0_0_4,
        Self::PrometheusText1_0_0,
    ];

    /// Those asked for when nothing is set, best first.
    pub const DEFAULT: [Self; 4] = [
        Self::OpenMetricsText1_0_0,
        Self::OpenMetricsText0_0_1,
        Self::PrometheusText1_0_0,
        Self::PrometheusText0_0_4,
    ];

    /// Returns the protocol's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenMetricsText0_0_1 => "OpenMetricsText0.0.1",
            Self::OpenMetricsText1_0_0 => "OpenMetricsText1.0.0",
            Self::PrometheusProto => "PrometheusProto",
            Self::PrometheusText0_0_4 => "PrometheusText0.0.4",
            Self::PrometheusText1_0_0 => "PrometheusText1.0.0",
        }
    }

    /// Returns the media type to ask for, without a weight.
    pub fn accept(self) -> &'static str {
        match self {
            Self::OpenMetricsText0_0_1 => "application/openmetrics-text;version=0.0.1",
            Self::OpenMetricsText1_0_0 => "application/openmetrics-text;version=1.0.0",
            Self::PrometheusProto => {
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
            }
            Self::PrometheusText0_0_4 => "text/plain;version=0.0.4",
            Self::PrometheusText1_0_0 => "text/plain;version=1.0.0",
        }
    }
}

/// Which metric and label names are valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ValidationScheme {
    /// Any UTF-8.
    #[default]
    Utf8,
    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`
    Legacy,
}

impl ValidationScheme {
    /// Returns the scheme as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf8",
            Self::Legacy => "legacy",
        }
    }

    /// Says whether a label name is valid.
    pub fn is_label_name(self, name: &str) -> bool {
        match self {
            Self::Utf8 => !name.is_empty(),
            Self::Legacy => promflow_model::is_legacy_label_name(name),
        }
    }

    /// Says whether a metric name is valid.
    pub fn is_metric_name(self, name: &str) -> bool {
        match self {
            Self::Utf8 => !name.is_empty(),
            Self::Legacy => promflow_model::is_legacy_metric_name(name),
        }
    }
}

/// How a target is asked to escape names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EscapingScheme {
    /// `allow-utf-8`: not at all.
    #[default]
    AllowUtf8,
    /// `underscores`
    Underscores,
    /// `dots`
    Dots,
    /// `values`
    Values,
}

impl EscapingScheme {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::AllowUtf8, Self::Underscores, Self::Dots, Self::Values];

    /// Returns the scheme as it is written, also in the `Accept` header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllowUtf8 => "allow-utf-8",
            Self::Underscores => "underscores",
            Self::Dots => "dots",
            Self::Values => "values",
        }
    }
}

/// Targets that share labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetGroup {
    /// The targets: each a label set with `__address__`.
    pub targets: Vec<Labels>,
    /// The labels that they share.
    pub labels: Labels,
    /// What names the group within its source: an index, or a file and an index.
    pub source: String,
}

/// Targets named in files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSdConfig {
    /// Paths, with `*` in the last part only.
    pub files: Vec<String>,
    /// How often the files are read anew, whatever else happens.
    pub refresh_interval_ms: i64,
}

impl Default for FileSdConfig {
    fn default() -> Self {
        Self { files: Vec::new(), refresh_interval_ms: 300_000 }
    }
}

#[cfg(test)]
mod tests;
