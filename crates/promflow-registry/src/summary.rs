//! Summaries.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use promflow_exposition::{LabelSlice, SummaryPoint, Writer};
use promflow_model::MetricType;

use crate::cells::add_f64;
use crate::desc::Shape;
use crate::memory::Block;
use crate::metric::{Cell, Metric};
use crate::quantiles;
use crate::series::Series;
use crate::sync::Ordering;

const COUNT: usize = 1;
const SUM: usize = 2;

/// Counts observations and adds them up: the pair `_sum` and `_count`, from which averages are made; and, when it was
/// registered with [`crate::MetricBuilder::quantiles`], quantiles of what was observed lately.
///
/// A quantile is at most 2.2 % off; absolute values below 2e-10 count as zero, those beyond 2.8e14 as infinite. Those of
/// several series cannot be put together: a native [`crate::Histogram`] gives quantiles of any set of series.
#[derive(Clone, Debug)]
pub struct Summary {
    cell: Cell,
    has_quantiles: bool,
}

impl Summary {
    /// Counts an observation; a NaN is left out.
    ///
    /// Cost: an atomic addition and a compare-and-swap; with quantiles, also a reading of the clock and a second addition.
    pub fn observe(&self, value: f64) {
        if value.is_nan() {
            return;
        }
        self.cell.head()[COUNT].fetch_add(1, Ordering::Relaxed);
        add_f64(&self.cell.head()[SUM], value);
        let series = self.cell.series();
        if self.has_quantiles
            && let Some(shape) = &series.shape.quantiles
        {
            quantiles::observe(self.cell.block(), series, shape, value, now_ms());
        }
    }

    /// Counts the observations.
    pub fn count(&self) -> u64 {
        self.cell.head()[COUNT].load(Ordering::Relaxed)
    }

    /// Returns the sum of the observations.
    pub fn sum(&self) -> f64 {
        f64::from_bits(self.cell.head()[SUM].load(Ordering::Relaxed))
    }

    /// Returns the quantiles and their values; NaN where nothing was observed lately.
    pub fn quantiles(&self) -> Vec<(f64, f64)> {
        let series = self.cell.series();
        match &series.shape.quantiles {
            Some(shape) => quantiles::read(self.cell.block(), series, shape, now_ms()),
            None => Vec::new(),
        }
    }
}

/// Units: milliseconds since the epoch.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as u64)
}

impl Metric for Summary {
    const KIND: MetricType = MetricType::Summary;

    fn lines(shape: &Shape, _: usize) -> usize {
        1 + if shape.quantiles.is_some() { quantiles::OWN_LINES } else { 0 }
    }

    fn new(block: Block, series: Arc<Series>) -> Self {
        let has_quantiles = series.shape.quantiles.is_some();
        Self { cell: Cell::new(block, series), has_quantiles }
    }

    fn cell(&self) -> &Cell {
        &self.cell
    }

    fn write(&self, writer: &mut Writer, labels: LabelSlice<'_>, created: Option<f64>) {
        let quantiles = self.quantiles();
        let point = SummaryPoint { quantiles: &quantiles, sum: self.sum(), count: self.count() };
        writer.summary(labels, point, created);
    }
}
