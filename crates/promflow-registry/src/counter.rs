//! Counters.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use promflow_exposition::{Number, Writer};
use promflow_model::MetricType;

use crate::family::{Key, Metric};

/// A value that only goes up.
///
/// Whole and fractional parts are counted apart, so that whole steps cost one atomic addition and stay exact.
#[derive(Clone, Debug)]
pub struct Counter(Arc<Series>);

#[derive(Debug)]
struct Series {
    key: Key,
    whole: AtomicU64,
    fraction_bits: AtomicU64,
}

impl Counter {
    /// Adds one.
    ///
    /// Cost: one atomic addition.
    pub fn inc(&self) {
        self.inc_by(1);
    }

    /// Adds a whole number.
    ///
    /// Cost: one atomic addition.
    pub fn inc_by(&self, amount: u64) {
        self.0.whole.fetch_add(amount, Ordering::Relaxed);
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
            add_f64(&self.0.fraction_bits, amount);
        }
        true
    }

    /// Raises the counter to a total that is counted elsewhere, such as by the kernel; a lower total changes nothing.
    ///
    /// Only for counters that are changed in no other way.
    pub fn advance_to(&self, total: f64) {
        if total.is_finite() {
            let raise = |bits| (f64::from_bits(bits) < total).then(|| total.to_bits());
            let _ = self.0.fraction_bits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, raise);
        }
    }

    /// Returns the value.
    pub fn value(&self) -> f64 {
        match self.number() {
            Number::Int(v) => v as f64,
            Number::Float(v) => v,
        }
    }

    fn number(&self) -> Number {
        let whole = self.0.whole.load(Ordering::Relaxed);
        match f64::from_bits(self.0.fraction_bits.load(Ordering::Relaxed)) {
            0.0 => Number::Int(whole),
            fraction => Number::Float(whole as f64 + fraction),
        }
    }
}

/// Adds to a float that is kept as its bits.
pub(crate) fn add_f64(bits: &AtomicU64, amount: f64) {
    let add = |bits| Some((f64::from_bits(bits) + amount).to_bits());
    let _ = bits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
}

impl Metric for Counter {
    const KIND: MetricType = MetricType::Counter;

    fn new(key: Key, _: &Arc<[f64]>) -> Self {
        Self(Arc::new(Series { key, whole: AtomicU64::new(0), fraction_bits: AtomicU64::new(0) }))
    }

    fn key(&self) -> &Key {
        &self.0.key
    }

    fn write(&self, writer: &mut Writer) {
        writer.counter(&self.0.key.labels, self.number(), self.0.key.created, None);
    }
}
