//! Metric names, types and metadata.

/// The type of a metric family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MetricType {
    /// Only goes up, but for resets.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts in buckets.
    Histogram,
    /// A histogram of the current state.
    GaugeHistogram,
    /// Quantiles computed at the source.
    Summary,
    /// Textual facts, with the value 1.
    Info,
    /// A set of states, each 0 or 1.
    StateSet,
    /// Not known.
    #[default]
    Unknown,
}

impl MetricType {
    /// Returns the type's name as the API and OpenMetrics write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Summary => "summary",
            Self::Info => "info",
            Self::StateSet => "stateset",
            Self::Unknown => "unknown",
        }
    }
}

/// What a target says about a metric family.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Metadata {
    /// The type.
    pub kind: MetricType,
    /// The unit, or `""`.
    pub unit: String,
    /// The help text, or `""`.
    pub help: String,
}

/// Says whether a metric name needs no quotes: `[a-zA-Z_:][a-zA-Z0-9_:]*`.
pub fn is_legacy_metric_name(name: &str) -> bool {
    is_name(name, true)
}

/// Says whether a label name needs no quotes: `[a-zA-Z_][a-zA-Z0-9_]*`.
pub fn is_legacy_label_name(name: &str) -> bool {
    is_name(name, false)
}

fn is_name(name: &str, colon: bool) -> bool {
    !name.is_empty()
        && name.bytes().enumerate().all(|(i, b)| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => true,
            b':' => colon,
            b'0'..=b'9' => i > 0,
            _ => false,
        })
}
