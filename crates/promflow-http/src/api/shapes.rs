//! The shapes of the API's answers, as a client reads them: what is missing is empty, what is unknown is skipped.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What an endpoint answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<T> {
    /// The data.
    pub data: T,
    /// Warnings that do not make the data wrong.
    pub warnings: Vec<String>,
    /// Hints about the query.
    pub infos: Vec<String>,
}

/// What every answer is wrapped in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope<T> {
    pub(super) status: String,
    #[serde(default = "Option::default")]
    pub(super) data: Option<T>,
    #[serde(default)]
    pub(super) error_type: String,
    #[serde(default)]
    pub(super) error: String,
    #[serde(default)]
    pub(super) warnings: Vec<String>,
    #[serde(default)]
    pub(super) infos: Vec<String>,
}

/// The value of an expression.
///
/// Units: times in seconds since the epoch; values as the server wrote them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
pub enum QueryData {
    /// An instant vector.
    Vector(Vec<VectorSample>),
    /// A range vector.
    Matrix(Vec<MatrixSeries>),
    /// A number.
    Scalar((f64, String)),
    /// A string.
    String((f64, String)),
}

/// A series of an instant vector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VectorSample {
    /// The label set.
    pub metric: BTreeMap<String, String>,
    /// Time and value; `None` for a native histogram.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<(f64, String)>,
    /// Time and native histogram, as the server wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histogram: Option<(f64, serde_json::Value)>,
}

/// A series of a range vector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatrixSeries {
    /// The label set.
    pub metric: BTreeMap<String, String>,
    /// Times and values.
    #[serde(default)]
    pub values: Vec<(f64, String)>,
    /// Times and native histograms, as the server wrote them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub histograms: Vec<(f64, serde_json::Value)>,
}

/// The targets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Targets {
    /// Those that are scraped.
    pub active_targets: Vec<ActiveTarget>,
    /// Those that relabelling dropped.
    pub dropped_targets: Vec<DroppedTarget>,
}

/// A target that is scraped.
///
/// Units: seconds for durations; times as the server wrote them, RFC 3339.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ActiveTarget {
    /// The labels before relabelling.
    pub discovered_labels: BTreeMap<String, String>,
    /// The labels of its series.
    pub labels: BTreeMap<String, String>,
    /// The job.
    pub scrape_pool: String,
    /// What is fetched.
    pub scrape_url: String,
    /// The same, as seen from outside.
    pub global_url: String,
    /// Why the last scrape failed, or `""`.
    pub last_error: String,
    /// When it was last scraped.
    pub last_scrape: String,
    /// How long that took.
    pub last_scrape_duration: f64,
    /// `up`, `down` or `unknown`.
    pub health: String,
    /// How often it is scraped.
    pub scrape_interval: String,
    /// How long a scrape may take.
    pub scrape_timeout: String,
}

/// A target that relabelling dropped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DroppedTarget {
    /// The labels before relabelling.
    pub discovered_labels: BTreeMap<String, String>,
    /// The job.
    pub scrape_pool: String,
}

/// The rule groups.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// The groups.
    pub groups: Vec<RuleGroup>,
}

/// A rule group.
///
/// Units: seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuleGroup {
    /// The name.
    pub name: String,
    /// The file.
    pub file: String,
    /// How often it is evaluated.
    pub interval: f64,
    /// The most series of a rule; 0 for no limit.
    pub limit: u64,
    /// The rules in order.
    pub rules: Vec<Rule>,
    /// How long the last evaluation took.
    pub evaluation_time: f64,
    /// When it was last evaluated, RFC 3339.
    pub last_evaluation: String,
}

/// A rule.
///
/// Units: seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rule {
    /// `alerting` or `recording`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The alert's name, or the metric name that is recorded.
    pub name: String,
    /// The expression.
    pub query: String,
    /// `for` of an alert.
    pub duration: f64,
    /// `keep_firing_for` of an alert.
    pub keep_firing_for: f64,
    /// The labels that are added.
    pub labels: BTreeMap<String, String>,
    /// The annotations of an alert, as templates.
    pub annotations: BTreeMap<String, String>,
    /// The active alerts.
    pub alerts: Vec<Alert>,
    /// `ok`, `err` or `unknown`.
    pub health: String,
    /// Why the last evaluation failed, or `""`.
    pub last_error: String,
    /// `inactive`, `pending`, `firing` or `unknown`, of an alert.
    pub state: String,
    /// How long the last evaluation took.
    pub evaluation_time: f64,
    /// When it was last evaluated, RFC 3339.
    pub last_evaluation: String,
}

/// The active alerts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Alerts {
    /// The alerts.
    pub alerts: Vec<Alert>,
}

/// An alert that is pending or firing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Alert {
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The annotations, rendered.
    pub annotations: BTreeMap<String, String>,
    /// `pending` or `firing`.
    pub state: String,
    /// Since when, RFC 3339.
    pub active_at: Option<String>,
    /// The value of the expression.
    pub value: String,
}

/// What targets say about a metric family.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MetricMetadata {
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The help text.
    pub help: String,
    /// The unit.
    pub unit: String,
}

/// What a server is configured with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerConfig {
    /// The configuration as the server reads it, without secrets.
    pub yaml: String,
}

/// Which server it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BuildInfo {
    /// `promflow`, or empty for Prometheus.
    pub application: String,
    /// The version.
    pub version: String,
    /// The revision.
    pub revision: String,
}
