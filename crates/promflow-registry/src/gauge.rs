//! Gauges.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use promflow_exposition::Writer;
use promflow_model::MetricType;

use crate::counter::add_f64;
use crate::family::{Key, Metric, seconds_since_epoch};

/// A value that goes up and down.
#[derive(Clone, Debug)]
pub struct Gauge(Arc<Series>);

#[derive(Debug)]
struct Series {
    key: Key,
    bits: AtomicU64,
}

impl Gauge {
    /// Sets the value.
    ///
    /// Cost: one atomic store.
    pub fn set(&self, value: f64) {
        self.0.bits.store(value.to_bits(), Ordering::Relaxed);
    }

    /// Adds an amount, which may be negative.
    pub fn add(&self, amount: f64) {
        add_f64(&self.0.bits, amount);
    }

    /// Adds one.
    pub fn inc(&self) {
        self.add(1.0);
    }

    /// Takes one away.
    pub fn dec(&self) {
        self.add(-1.0);
    }

    /// Sets the value to the time now.
    ///
    /// Units: seconds since the epoch.
    pub fn set_to_current_time(&self) {
        self.set(seconds_since_epoch());
    }

    /// Returns the value.
    pub fn value(&self) -> f64 {
        f64::from_bits(self.0.bits.load(Ordering::Relaxed))
    }
}

impl Metric for Gauge {
    const KIND: MetricType = MetricType::Gauge;

    fn new(key: Key, _: &Arc<[f64]>) -> Self {
        Self(Arc::new(Series { key, bits: AtomicU64::new(0) }))
    }

    fn key(&self) -> &Key {
        &self.0.key
    }

    fn write(&self, writer: &mut Writer) {
        writer.gauge(&self.0.key.labels, self.value());
    }
}
