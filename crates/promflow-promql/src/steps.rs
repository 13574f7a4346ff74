//! The times at which an expression is evaluated.

/// Evenly spaced times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Steps {
    /// The first time, in milliseconds since the epoch.
    pub(crate) start_ms: i64,
    /// The distance between two times, in milliseconds; positive.
    pub(crate) step_ms: i64,
    /// How many times there are.
    pub(crate) count: usize,
}

impl Steps {
    /// Builds the steps from `start_ms` to `end_ms`, both inclusive.
    pub(crate) fn between(start_ms: i64, end_ms: i64, step_ms: i64) -> Self {
        let count =
            if end_ms < start_ms { 0 } else { (end_ms.saturating_sub(start_ms) / step_ms) as usize + 1 };
        Self { start_ms, step_ms, count }
    }

    /// Builds a single step.
    pub(crate) fn single(t_ms: i64, step_ms: i64) -> Self {
        Self { start_ms: t_ms, step_ms, count: 1 }
    }

    #[inline]
    pub(crate) fn at(&self, step: usize) -> i64 {
        self.start_ms + step as i64 * self.step_ms
    }

    /// Returns the last time.
    pub(crate) fn end_ms(&self) -> i64 {
        self.at(self.count.saturating_sub(1))
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = (usize, i64)> {
        (0..self.count).map(move |step| (step, self.at(step)))
    }
}
