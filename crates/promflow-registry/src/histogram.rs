//! Classic histograms.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use promflow_exposition::{HistogramPoint, Writer};
use promflow_model::MetricType;

use crate::counter::add_f64;
use crate::family::{Key, Metric};

/// Counts observations in buckets.
///
/// A page that is written while somebody observes may show the observation in a bucket and not yet in the sum; the
/// count is always that of the buckets.
#[derive(Clone, Debug)]
pub struct Histogram(Arc<Series>);

#[derive(Debug)]
struct Series {
    key: Key,
    bounds: Arc<[f64]>,
    /// One more than bounds, the last beyond all of them; not cumulative.
    counts: Box<[AtomicU64]>,
    sum_bits: AtomicU64,
}

/// Up to so many bounds, one after another is faster than halving.
const LINEAR_SEARCH_MAX: usize = 20;

impl Histogram {
    /// Counts an observation; a NaN is left out, as it would spoil the sum for good.
    ///
    /// Cost: a search in the bounds, an atomic addition and a compare-and-swap.
    pub fn observe(&self, value: f64) {
        if value.is_nan() {
            return;
        }
        let bounds = &*self.0.bounds;
        let bucket = if bounds.len() <= LINEAR_SEARCH_MAX {
            bounds.iter().position(|b| value <= *b).unwrap_or(bounds.len())
        } else {
            bounds.partition_point(|b| *b < value)
        };
        self.0.counts[bucket].fetch_add(1, Ordering::Relaxed);
        add_f64(&self.0.sum_bits, value);
    }

    /// Counts a duration.
    ///
    /// Units: seconds, on the page.
    pub fn observe_duration(&self, duration: Duration) {
        self.observe(duration.as_secs_f64());
    }

    /// Starts a timer that counts the time until it is dropped.
    pub fn start_timer(&self) -> Timer {
        Timer { histogram: self.clone(), start: Instant::now() }
    }

    /// Counts the observations.
    pub fn count(&self) -> u64 {
        self.0.counts.iter().map(|c| c.load(Ordering::Relaxed)).sum()
    }

    /// Returns the sum of the observations.
    pub fn sum(&self) -> f64 {
        f64::from_bits(self.0.sum_bits.load(Ordering::Relaxed))
    }
}

/// Counts the time from its making to its drop.
#[derive(Debug)]
#[must_use = "a timer that is dropped at once counts no time"]
pub struct Timer {
    histogram: Histogram,
    start: Instant,
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.histogram.observe_duration(self.start.elapsed());
    }
}

impl Metric for Histogram {
    const KIND: MetricType = MetricType::Histogram;

    fn new(key: Key, bounds: &Arc<[f64]>) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self(Arc::new(Series { key, bounds: bounds.clone(), counts, sum_bits: AtomicU64::new(0) }))
    }

    fn key(&self) -> &Key {
        &self.0.key
    }

    fn write(&self, writer: &mut Writer) {
        let counts: Vec<u64> = self.0.counts.iter().map(|c| c.load(Ordering::Relaxed)).collect();
        let point =
            HistogramPoint { bounds: &self.0.bounds, counts: &counts, sum: self.sum(), exemplars: &[] };
        writer.histogram(&self.0.key.labels, point, self.0.key.created);
    }
}
