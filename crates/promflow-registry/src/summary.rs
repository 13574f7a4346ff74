//! Summaries without quantiles.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use promflow_exposition::{SummaryPoint, Writer};
use promflow_model::MetricType;

use crate::counter::add_f64;
use crate::family::{Key, Metric};

/// Counts observations and adds them up: the pair `_sum` and `_count`, from which averages are made.
#[derive(Clone, Debug)]
pub struct Summary(Arc<Series>);

#[derive(Debug)]
struct Series {
    key: Key,
    count: AtomicU64,
    sum_bits: AtomicU64,
}

impl Summary {
    /// Counts an observation; a NaN is left out.
    pub fn observe(&self, value: f64) {
        if !value.is_nan() {
            self.0.count.fetch_add(1, Ordering::Relaxed);
            add_f64(&self.0.sum_bits, value);
        }
    }

    /// Counts the observations.
    pub fn count(&self) -> u64 {
        self.0.count.load(Ordering::Relaxed)
    }

    /// Returns the sum of the observations.
    pub fn sum(&self) -> f64 {
        f64::from_bits(self.0.sum_bits.load(Ordering::Relaxed))
    }
}

impl Metric for Summary {
    const KIND: MetricType = MetricType::Summary;

    fn new(key: Key, _: &Arc<[f64]>) -> Self {
        Self(Arc::new(Series { key, count: AtomicU64::new(0), sum_bits: AtomicU64::new(0) }))
    }

    fn key(&self) -> &Key {
        &self.0.key
    }

    fn write(&self, writer: &mut Writer) {
        let point = SummaryPoint { quantiles: &[], sum: self.sum(), count: self.count() };
        writer.summary(&self.0.key.labels, point, self.0.key.created);
    }
}
