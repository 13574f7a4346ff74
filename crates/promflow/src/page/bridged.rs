//! What a bridge brings: plain values, which the page writes in any format.

use promflow_model::MetricType;

/// A metric that was counted elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct BridgedFamily {
    /// Its name, as its samples have it in text (`jobs_total`).
    pub name: String,
    /// Its type.
    pub kind: MetricType,
    /// Its unit, which is the last word of the name then; or empty.
    pub unit: String,
    /// What it counts.
    pub help: String,
    /// Its series.
    pub series: Vec<BridgedSeries>,
}

/// One combination of labels, and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct BridgedSeries {
    /// Names and values, sorted by name, each once.
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) point: Point,
}

impl BridgedSeries {
    /// Makes a series; names that no label can have are changed to such as it can (`http.route` to `http_route`), and
    /// values whose names become the same are joined with `;`.
    pub fn new<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>, point: Point) -> Self {
        let pairs = labels.into_iter().map(|(name, value)| (sanitize_name(name, false), value.to_owned()));
        let mut sorted: Vec<(String, String)> = pairs.collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        let mut labels: Vec<(String, String)> = Vec::with_capacity(sorted.len());
        for (name, value) in sorted {
            match labels.last_mut() {
                Some((last, joined)) if *last == name => {
                    joined.push(';');
                    joined.push_str(&value);
                }
                _ => labels.push((name, value)),
            }
        }
        Self { labels, point }
    }
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Point {
    /// Of a counter, a gauge or a metric of unknown type.
    Value(f64),
    /// Of a classic histogram.
    Histogram {
        /// Upper bounds without `+Inf`, increasing.
        bounds: Vec<f64>,
        /// Observations per bucket, not cumulative: one more than bounds, the last beyond all of them.
        counts: Vec<u64>,
        /// The sum of all observations.
        sum: f64,
    },
    /// Of a summary.
    Summary {
        /// Quantiles and their values.
        quantiles: Vec<(f64, f64)>,
        /// The sum of all observations.
        sum: f64,
        /// The number of observations.
        count: u64,
    },
}

/// Changes a name to one that the text format can carry without quotes: other characters become `_`.
pub(crate) fn sanitize_name(name: &str, is_metric: bool) -> String {
    let usable = |c: char| c.is_ascii_alphanumeric() || c == '_' || is_metric && c == ':';
    let mut sanitized: String = name.chars().map(|c| if usable(c) { c } else { '_' }).collect();
    if sanitized.is_empty() || sanitized.starts_with(|c: char| c.is_ascii_digit()) {
        sanitized.insert(0, '_');
    }
    sanitized
}
