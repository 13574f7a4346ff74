//! The vocabulary of the Prometheus data model, shared by every other crate.
//!
//! A series is a [`Labels`], a sample is a timestamp in milliseconds and an `f64`, a selection is a list of
//! [`Matcher`]s. Label sets are one flat immutable string behind one pointer: a series costs a single allocation,
//! equality is one comparison of bytes, and a clone is a reference count. The rejected model, a vector of name and
//! value pairs, costs two allocations per label and a cache miss per comparison.

mod alert;
pub mod duration;
pub mod float;
pub mod histogram;
mod labels;
mod matcher;
mod metric;
pub mod quote;
mod sample;
pub mod time;

pub use alert::{Alert, AlertSink};
pub use labels::{Labels, LabelsBuilder, LabelsIter};
pub use matcher::{MatchOp, Matcher};
pub use metric::{Metadata, MetricType, is_legacy_label_name, is_legacy_metric_name};
pub use sample::{NORMAL_NAN, STALE_NAN, Sample, is_stale_nan};
pub use time::Clock;

/// The label that holds the metric name.
pub const METRIC_NAME: &str = "__name__";
/// The label that holds a classic histogram's upper bound.
pub const BUCKET_LABEL: &str = "le";
/// The label that holds a summary's quantile.
pub const QUANTILE_LABEL: &str = "quantile";
/// The label that holds an alert's name.
pub const ALERT_NAME: &str = "alertname";
