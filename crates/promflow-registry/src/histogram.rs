//! Histograms: classic, native, or both.

use std::sync::Arc;
use std::time::{Duration, Instant};

use promflow_exposition::{HistogramPoint, LabelSlice, NativeHistogramPoint, Writer};
use promflow_model::MetricType;
use promflow_model::histogram::NativeHistogram;

use crate::cells::add_f64;
use crate::desc::Shape;
use crate::exemplar;
use crate::memory::{Block, LINE_WORDS};
use crate::metric::{Cell, Metric};
use crate::native::{self, NativeSnapshot};
use crate::series::Series;
use crate::stripe::Stripes;
use crate::sync::Ordering;

const SUM: usize = 1;
/// The first bucket's count; the others follow, and behind the last the two words of native buckets.
const COUNTS: usize = 2;

/// Counts observations in buckets.
///
/// A page that is written while somebody observes may show the observation in a bucket and not yet in the sum; the
/// count is always that of the buckets.
#[derive(Clone, Debug)]
pub struct Histogram {
    cell: Cell,
    bounds: Arc<[f64]>,
    stripes: Stripes,
    native: bool,
}

/// Up to so many bounds, comparing with all of them is faster than halving.
const LINEAR_SEARCH_MAX: usize = 32;

impl Histogram {
    /// Counts an observation; a NaN is left out, as it would spoil the sum for good.
    ///
    /// Cost: a search in the bounds, an atomic addition and a compare-and-swap; with native buckets, a second addition.
    #[inline]
    pub fn observe(&self, value: f64) {
        if value.is_nan() {
            return;
        }
        let bucket = bucket_of(&self.bounds, value);
        let (block, line) = (self.cell.block(), self.stripes.own_line());
        block.word(line * LINE_WORDS + COUNTS + bucket).fetch_add(1, Ordering::Relaxed);
        add_f64(&block.line(line)[SUM], value);
        if self.native {
            native::observe(block, self.first_native(), self.cell.series(), value);
        }
    }

    /// Counts an observation, and keeps labels such as a trace's as the example of its bucket.
    ///
    /// Errors: `false` when no exemplar was kept, as another thread was keeping one or the labels are too long; the
    /// observation is counted all the same.
    pub fn observe_with_exemplar(&self, value: f64, labels: &[(&str, &str)]) -> bool {
        self.observe(value);
        let bucket = bucket_of(&self.bounds, value);
        !value.is_nan() && exemplar::keep(self.cell.series(), bucket, self.bounds.len() + 1, value, labels)
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
        self.bucket_counts().iter().sum()
    }

    /// Returns the sum of the observations.
    pub fn sum(&self) -> f64 {
        let sum = |line| f64::from_bits(self.cell.block().line(line)[SUM].load(Ordering::Relaxed));
        self.stripes.all_lines().map(sum).sum()
    }

    /// Returns the upper bounds of the classic buckets, without infinity.
    pub fn bounds(&self) -> &[f64] {
        &self.bounds
    }

    /// Counts the observations by classic bucket, not cumulative: one more than bounds.
    pub fn bucket_counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.bounds.len() + 1];
        for line in self.stripes.all_lines() {
            for (i, count) in counts.iter_mut().enumerate() {
                *count += self.cell.block().word(line * LINE_WORDS + COUNTS + i).load(Ordering::Relaxed);
            }
        }
        counts
    }

    /// Returns the native histogram: exponential buckets where the metric has them, and else its own bounds as a
    /// native histogram with custom buckets.
    pub fn native(&self) -> NativeSnapshot {
        match self.native {
            true => native::snapshot(self.cell.block(), self.first_native(), self.cell.series(), self.sum()),
            false => native::custom(&self.bounds, &self.bucket_counts(), self.sum()),
        }
    }

    /// Native buckets stand in the first stripe for all.
    fn first_native(&self) -> usize {
        COUNTS + self.bounds.len() + 1
    }
}

fn stripe_lines(shape: &Shape) -> usize {
    let native = if shape.native.is_some() { native::OWN_WORDS } else { 0 };
    (COUNTS + shape.bounds.len() + 1 + native).div_ceil(LINE_WORDS)
}

/// Finds the first bucket whose bound is not below a value.
#[inline]
fn bucket_of(bounds: &[f64], value: f64) -> usize {
    if bounds.len() <= LINEAR_SEARCH_MAX {
        // Without a branch: where a value falls is what a branch predictor cannot know.
        bounds.iter().map(|bound| usize::from(*bound < value)).sum()
    } else {
        bounds.partition_point(|bound| *bound < value)
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

    fn lines(shape: &Shape, stripes: usize) -> usize {
        stripes * stripe_lines(shape)
    }

    fn new(block: Block, series: Arc<Series>) -> Self {
        let (bounds, native) = (series.shape.bounds.clone(), series.shape.native.is_some());
        let stripes = Stripes::of(&block, stripe_lines(&series.shape));
        Self { cell: Cell::new(block, series), bounds, stripes, native }
    }

    fn cell(&self) -> &Cell {
        &self.cell
    }

    fn write(&self, writer: &mut Writer, labels: LabelSlice<'_>, created: Option<f64>) {
        let series = self.cell.series();
        let counts = self.bucket_counts();
        let exemplars: Vec<_> = match series.extension(exemplar::EXTENSION) {
            Some(_) => (0..counts.len()).map(|slot| exemplar::read(series, slot)).collect(),
            None => Vec::new(),
        };
        let point =
            HistogramPoint { bounds: &self.bounds, counts: &counts, sum: self.sum(), exemplars: &exemplars };
        if !self.native || !writer.has_native_histograms() {
            return writer.histogram(labels, point, created);
        }
        let histogram = NativeHistogram::Int(self.native().to_model());
        let exemplars: Vec<_> = exemplars.iter().flatten().cloned().collect();
        let classic = (!self.bounds.is_empty()).then_some(point);
        let native = NativeHistogramPoint { histogram: &histogram, classic, exemplars: &exemplars };
        writer.native_histogram(labels, native, created);
    }
}
