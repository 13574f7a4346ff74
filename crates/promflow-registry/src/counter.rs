//! Counters.

use std::sync::Arc;

use promflow_exposition::{LabelSlice, Number, Writer};
use promflow_model::MetricType;

use crate::cells::add_f64;
use crate::desc::Shape;
use crate::exemplar;
use crate::memory::{Block, LINE_WORDS};
use crate::metric::{Cell, Metric};
use crate::series::Series;
use crate::stripe::Stripes;
use crate::sync::{AtomicU64, Ordering};

const WHOLE: usize = 1;
const FRACTION: usize = 2;
/// Whether an exemplar was ever kept: so a page need not look at anything but this line.
const HAS_EXEMPLAR: usize = 3;

/// A value that only goes up.
///
/// Whole and fractional parts are counted apart, so that whole steps cost one atomic addition and stay exact.
#[derive(Clone, Debug)]
pub struct Counter {
    cell: Cell,
    stripes: Stripes,
}

impl Counter {
    /// Adds one.
    ///
    /// Cost: one atomic addition.
    #[inline]
    pub fn inc(&self) {
        self.inc_by(1);
    }

    /// Adds a whole number.
    ///
    /// Cost: one atomic addition.
    #[inline]
    pub fn inc_by(&self, amount: u64) {
        self.own()[WHOLE].fetch_add(amount, Ordering::Relaxed);
    }

    /// Adds an amount; a negative one, a NaN or an infinity is refused, as a counter never goes down.
    ///
    /// Errors: `false` when the amount was refused.
    pub fn add(&self, amount: f64) -> bool {
        if !(amount >= 0.0 && amount.is_finite()) {
            return false;
        }
        if amount.fract() == 0.0 && amount < u64::MAX as f64 {
            self.inc_by(amount as u64);
        } else {
            add_f64(&self.own()[FRACTION], amount);
        }
        true
    }

    /// Adds one, and keeps labels such as a trace's as the example of what was counted last.
    ///
    /// Errors: `false` when no exemplar was kept, as another thread was keeping one or the labels are too long; the
    /// counter goes up all the same.
    pub fn inc_with_exemplar(&self, labels: &[(&str, &str)]) -> bool {
        self.inc();
        let kept = exemplar::keep(self.cell.series(), 0, 1, 1.0, labels);
        if kept {
            self.cell.head()[HAS_EXEMPLAR].store(1, Ordering::Release);
        }
        kept
    }

    /// Raises the counter to a total that is counted elsewhere, such as by the kernel; a lower total changes nothing.
    ///
    /// Only for counters that are changed in no other way.
    pub fn advance_to(&self, total: f64) {
        if total.is_finite() {
            let raise = |bits| (f64::from_bits(bits) < total).then(|| total.to_bits());
            let fraction = &self.cell.head()[FRACTION];
            let _ = fraction.fetch_update(Ordering::Relaxed, Ordering::Relaxed, raise);
        }
    }

    /// Sets the counter back to zero.
    pub fn reset(&self) {
        self.cell.clear();
    }

    /// Returns the value.
    pub fn value(&self) -> f64 {
        match self.number() {
            Number::Int(v) => v as f64,
            Number::Float(v) => v,
        }
    }

    fn number(&self) -> Number {
        let (mut whole, mut fraction) = (0u64, 0.0);
        for line in self.stripes.all_lines() {
            let words = self.cell.block().line(line);
            whole = whole.wrapping_add(words[WHOLE].load(Ordering::Relaxed));
            fraction += f64::from_bits(words[FRACTION].load(Ordering::Relaxed));
        }
        if fraction == 0.0 { Number::Int(whole) } else { Number::Float(whole as f64 + fraction) }
    }

    /// Returns the words that this thread counts in.
    #[inline]
    fn own(&self) -> &[AtomicU64; LINE_WORDS] {
        self.cell.block().line(self.stripes.own_line())
    }
}

impl Metric for Counter {
    const KIND: MetricType = MetricType::Counter;

    fn lines(_: &Shape, stripes: usize) -> usize {
        stripes
    }

    fn new(block: Block, series: Arc<Series>) -> Self {
        Self { stripes: Stripes::of(&block, 1), cell: Cell::new(block, series) }
    }

    fn cell(&self) -> &Cell {
        &self.cell
    }

    fn write(&self, writer: &mut Writer, labels: LabelSlice<'_>, created: Option<f64>) {
        let exemplar = match self.cell.head()[HAS_EXEMPLAR].load(Ordering::Acquire) {
            0 => None,
            _ => exemplar::read(self.cell.series(), 0),
        };
        writer.counter(labels, self.number(), created, exemplar.as_ref());
    }
}
