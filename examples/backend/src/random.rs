//! Random numbers for an example: repeatable, and good enough to choose accounts and delays.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A source of random numbers that threads may share.
///
/// Source: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
#[derive(Debug)]
pub(crate) struct Random(AtomicU64);

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Default for Random {
    fn default() -> Self {
        Self(AtomicU64::new(STEP))
    }
}

impl Random {
    /// Returns a number in [0, 1).
    pub(crate) fn unit(&self) -> f64 {
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Says yes with a probability.
    pub(crate) fn chance(&self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Returns a number below a bound.
    pub(crate) fn below(&self, bound: usize) -> usize {
        (self.unit() * bound as f64) as usize
    }

    /// Returns a duration between two, in milliseconds.
    pub(crate) fn millis(&self, from_ms: u64, to_ms: u64) -> Duration {
        Duration::from_millis(from_ms + (self.unit() * (to_ms - from_ms) as f64) as u64)
    }
}
