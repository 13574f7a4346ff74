//! The crate `prometheus`: what its collectors gather stands on the page.
//!
//! ```
//! use promflow::bridge::prometheus::Registered;
//! use promflow::{Format, page::Page};
//!
//! let theirs = prometheus::Registry::new();
//! let jobs = prometheus::IntCounter::new("jobs_total", "Jobs done.")?;
//! theirs.register(Box::new(jobs.clone()))?;
//! jobs.inc();
//!
//! let page = Page::new(&promflow::Registry::new());
//! page.add_bridge(Registered::new(&theirs));
//! assert!(String::from_utf8(page.encode(Format::Text))?.contains("jobs_total 1\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use ::prometheus::proto;

use crate::page::{Bridge, BridgedFamily, BridgedSeries, MetricType, Point};

/// Gathers a registry of the crate `prometheus`.
#[derive(Clone, Debug)]
pub struct Registered {
    registry: ::prometheus::Registry,
}

impl Registered {
    /// Gathers this registry.
    pub fn new(registry: &::prometheus::Registry) -> Self {
        Self { registry: registry.clone() }
    }

    /// Gathers the default registry, which its macros `register_...!` register in.
    pub fn default_registry() -> Self {
        Self::new(::prometheus::default_registry())
    }
}

impl Bridge for Registered {
    fn collect(&self) -> Vec<BridgedFamily> {
        self.registry.gather().iter().map(family).collect()
    }
}

fn family(family: &proto::MetricFamily) -> BridgedFamily {
    let kind = match family.get_field_type() {
        proto::MetricType::COUNTER => MetricType::Counter,
        proto::MetricType::GAUGE => MetricType::Gauge,
        proto::MetricType::HISTOGRAM => MetricType::Histogram,
        proto::MetricType::SUMMARY => MetricType::Summary,
        proto::MetricType::UNTYPED => MetricType::Unknown,
    };
    BridgedFamily {
        name: family.name().to_owned(),
        kind,
        unit: String::new(),
        help: family.help().to_owned(),
        series: family.get_metric().iter().filter_map(|metric| series(kind, metric)).collect(),
    }
}

fn series(kind: MetricType, metric: &proto::Metric) -> Option<BridgedSeries> {
    let point = match kind {
        MetricType::Counter => Point::Value(metric.get_counter().value()),
        MetricType::Gauge => Point::Value(metric.get_gauge().value()),
        MetricType::Histogram => histogram(metric.get_histogram()),
        MetricType::Summary => {
            let summary = metric.get_summary();
            let quantiles = summary.get_quantile().iter().map(|q| (q.quantile(), q.value()));
            Point::Summary {
                quantiles: quantiles.collect(),
                sum: summary.sample_sum(),
                count: summary.sample_count(),
            }
        }
        // No collector of the crate makes metrics without a type.
        _ => return None,
    };
    let labels = metric.get_label().iter().map(|label| (label.name(), label.value()));
    Some(BridgedSeries::new(labels, point))
}

/// Takes the buckets apart, which the crate adds up.
fn histogram(histogram: &proto::Histogram) -> Point {
    let finite = histogram.get_bucket().iter().filter(|bucket| bucket.upper_bound().is_finite());
    let mut below = 0;
    let (bounds, mut counts): (Vec<f64>, Vec<u64>) = finite
        .map(|bucket| {
            let count = bucket.cumulative_count().saturating_sub(below);
            below = bucket.cumulative_count();
            (bucket.upper_bound(), count)
        })
        .unzip();
    counts.push(histogram.sample_count().saturating_sub(below));
    Point::Histogram { bounds, counts, sum: histogram.sample_sum() }
}

#[cfg(test)]
mod tests {
    use ::prometheus::{Gauge, HistogramOpts, HistogramVec, IntCounterVec, Opts};
    use promflow_registry::{Format, Registry};

    use super::*;
    use crate::page::Page;

    #[test]
    fn gathered_families_are_on_the_page() {
        let theirs = ::prometheus::Registry::new();
        let counter = IntCounterVec::new(Opts::new("jobs_total", "Jobs."), &["queue"]).unwrap();
        let gauge = Gauge::new("warmth", "Of the room.").unwrap();
        let options = HistogramOpts::new("took_seconds", "Time.").buckets(vec![0.5, 1.0]);
        let histogram = HistogramVec::new(options, &["queue"]).unwrap();
        theirs.register(Box::new(counter.clone())).unwrap();
        theirs.register(Box::new(gauge.clone())).unwrap();
        theirs.register(Box::new(histogram.clone())).unwrap();
        counter.with_label_values(&["mail"]).inc_by(3);
        gauge.set(21.5);
        for value in [0.1, 0.7, 3.0] {
            histogram.with_label_values(&["mail"]).observe(value);
        }
        let page = Page::new(&Registry::new());
        page.add_bridge(Registered::new(&theirs));
        let page = String::from_utf8(page.encode(Format::Text)).unwrap();
        for line in [
            r#"jobs_total{queue="mail"} 3"#,
            "warmth 21.5",
            r#"took_seconds_bucket{queue="mail",le="0.5"} 1"#,
            r#"took_seconds_bucket{queue="mail",le="1"} 2"#,
            r#"took_seconds_bucket{queue="mail",le="+Inf"} 3"#,
            r#"took_seconds_sum{queue="mail"} 3.8"#,
            r#"took_seconds_count{queue="mail"} 3"#,
        ] {
            assert!(page.lines().any(|l| l == line), "{line} is not in\n{page}");
        }
    }
}
