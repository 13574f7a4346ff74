//! Summaries without quantiles.

use std::sync::Arc;

use promflow_exposition::{LabelSlice, SummaryPoint, Writer};
use promflow_model::MetricType;

use crate::counter::add_f64;
use crate::desc::Shape;
use crate::memory::Block;
use crate::metric::{Cell, Metric};
use crate::series::Series;
use crate::sync::Ordering;

const COUNT: usize = 1;
const SUM: usize = 2;

/// Counts observations and adds them up: the pair `_sum` and `_count`, from which averages are made.
///
/// Quantiles are not supported yet: those of several processes cannot be put together; a native [`crate::Histogram`]
/// gives them for any set of series.
#[derive(Clone, Debug)]
pub struct Summary(Cell);

impl Summary {
    /// Counts an observation; a NaN is left out.
    pub fn observe(&self, value: f64) {
        if !value.is_nan() {
            self.0.head()[COUNT].fetch_add(1, Ordering::Relaxed);
            add_f64(&self.0.head()[SUM], value);
        }
    }

    /// Counts the observations.
    pub fn count(&self) -> u64 {
        self.0.head()[COUNT].load(Ordering::Relaxed)
    }

    /// Returns the sum of the observations.
    pub fn sum(&self) -> f64 {
        f64::from_bits(self.0.head()[SUM].load(Ordering::Relaxed))
    }
}

impl Metric for Summary {
    const KIND: MetricType = MetricType::Summary;

    fn lines(_: &Shape, _: usize) -> usize {
        1
    }

    fn new(block: Block, series: Arc<Series>) -> Self {
        Self(Cell::new(block, series))
    }

    fn cell(&self) -> &Cell {
        &self.0
    }

    fn write(&self, writer: &mut Writer, labels: LabelSlice<'_>, created: Option<f64>) {
        let point = SummaryPoint { quantiles: &[], sum: self.sum(), count: self.count() };
        writer.summary(labels, point, created);
    }
}
