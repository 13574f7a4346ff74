//! OpenTelemetry: the instruments of a meter provider stand on the page.
//!
//! ```
//! use opentelemetry::{KeyValue, metrics::MeterProvider};
//! use opentelemetry_sdk::metrics::SdkMeterProvider;
//! use promflow::bridge::opentelemetry::Reader;
//! use promflow::{Format, page::Page};
//!
//! let reader = Reader::new();
//! let provider = SdkMeterProvider::builder().with_reader(reader.clone()).build();
//! let jobs = provider.meter("worker").u64_counter("jobs").build();
//! jobs.add(2, &[KeyValue::new("queue.name", "mail")]);
//!
//! let page = Page::new(&promflow::Registry::new());
//! page.add_bridge(reader);
//! let page = String::from_utf8(page.encode(Format::Text))?;
//! assert!(page.contains("jobs_total{otel_scope_name=\"worker\",queue_name=\"mail\"} 2\n"));
//! # Ok::<(), std::string::FromUtf8Error>(())
//! ```
//!
//! Names are changed as OpenTelemetry's Prometheus exporters do: dots become underscores, the unit becomes a word at
//! the end, counters end in `_total`. An exponential histogram is shown as its count and sum: not supported yet:
//! its buckets.
//!
//! Source: OpenTelemetry, Prometheus and OpenMetrics compatibility.

use std::sync::{Arc, Weak};
use std::time::Duration;

use ::opentelemetry::KeyValue;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, Metric, MetricData, ResourceMetrics};
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{InstrumentKind, ManualReader, Pipeline, Temporality};

use crate::page::{Bridge, BridgedFamily, BridgedSeries, MetricType, Point, sanitize_name};

mod unit;

/// Reads the instruments of one meter provider whenever a page is written.
///
/// Cost: a clone is a reference count.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    inner: Arc<ManualReader>,
}

impl Reader {
    /// Makes a reader, for `MeterProviderBuilder::with_reader` and for the page.
    pub fn new() -> Self {
        Self::default()
    }
}

impl MetricReader for Reader {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.inner.register_pipeline(pipeline);
    }

    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.inner.collect(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.inner.temporality(kind)
    }
}

impl Bridge for Reader {
    fn collect(&self) -> Vec<BridgedFamily> {
        let mut metrics = ResourceMetrics::default();
        // A provider that is shut down, or has not begun, has nothing to show.
        if self.inner.collect(&mut metrics).is_err() {
            return Vec::new();
        }
        let mut families: Vec<BridgedFamily> = Vec::new();
        for scope in metrics.scope_metrics() {
            for metric in scope.metrics() {
                let family = family(metric, scope.scope().name());
                match families.iter_mut().find(|f| f.name == family.name && f.kind == family.kind) {
                    Some(known) => known.series.extend(family.series),
                    None => families.push(family),
                }
            }
        }
        families.extend(target_info(&metrics));
        families
    }
}

/// Shows the resource as `target_info`.
fn target_info(metrics: &ResourceMetrics) -> Option<BridgedFamily> {
    let attributes: Vec<(String, String)> =
        metrics.resource().iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let labels = attributes.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    (!attributes.is_empty()).then(|| BridgedFamily {
        name: "target_info".to_owned(),
        kind: MetricType::Info,
        unit: String::new(),
        help: "Target metadata.".to_owned(),
        series: vec![BridgedSeries::new(labels, Point::Value(1.0))],
    })
}

fn family(metric: &Metric, scope: &str) -> BridgedFamily {
    let (kind, series) = match metric.data() {
        AggregatedMetrics::F64(data) => series(data, scope, |v| v),
        AggregatedMetrics::U64(data) => series(data, scope, |v| v as f64),
        AggregatedMetrics::I64(data) => series(data, scope, |v| v as f64),
    };
    let mut name = sanitize_name(metric.name(), true);
    let unit = unit::word(metric.unit(), kind);
    if !unit.is_empty() && !name.ends_with(&format!("_{unit}")) {
        // The unit stands before the suffix of a counter that was named with it.
        let base = name.strip_suffix("_total").unwrap_or(&name);
        name = if base.ends_with(&format!("_{unit}")) { base.to_owned() } else { format!("{base}_{unit}") };
    }
    if kind == MetricType::Counter && !name.ends_with("_total") {
        name.push_str("_total");
    }
    BridgedFamily { name, kind, unit: String::new(), help: metric.description().to_owned(), series }
}

fn series<T: Copy>(
    data: &MetricData<T>,
    scope: &str,
    number: fn(T) -> f64,
) -> (MetricType, Vec<BridgedSeries>) {
    match data {
        MetricData::Gauge(gauge) => {
            let points = gauge.data_points();
            let series = points.map(|p| one(scope, p.attributes(), Point::Value(number(p.value()))));
            (MetricType::Gauge, series.collect())
        }
        MetricData::Sum(sum) => {
            let kind = if sum.is_monotonic() { MetricType::Counter } else { MetricType::Gauge };
            let points = sum.data_points();
            let series = points.map(|p| one(scope, p.attributes(), Point::Value(number(p.value()))));
            (kind, series.collect())
        }
        MetricData::Histogram(histogram) => {
            let series = histogram.data_points().map(|p| {
                let point = Point::Histogram {
                    bounds: p.bounds().collect(),
                    counts: p.bucket_counts().collect(),
                    sum: number(p.sum()),
                };
                one(scope, p.attributes(), point)
            });
            (MetricType::Histogram, series.collect())
        }
        MetricData::ExponentialHistogram(histogram) => {
            let series = histogram.data_points().map(|p| {
                let counts = vec![p.count() as u64];
                one(
                    scope,
                    p.attributes(),
                    Point::Histogram { bounds: Vec::new(), counts, sum: number(p.sum()) },
                )
            });
            (MetricType::Histogram, series.collect())
        }
    }
}

fn one<'a>(scope: &str, attributes: impl Iterator<Item = &'a KeyValue>, point: Point) -> BridgedSeries {
    let mut labels: Vec<(String, String)> =
        attributes.map(|pair| (pair.key.to_string(), pair.value.to_string())).collect();
    if !scope.is_empty() {
        labels.push(("otel_scope_name".to_owned(), scope.to_owned()));
    }
    BridgedSeries::new(labels.iter().map(|(name, value)| (name.as_str(), value.as_str())), point)
}

#[cfg(test)]
mod tests;
