//! `anchored` and `smoothed`: ranges whose ends have values.
//!
//! Source: Prometheus proposal PROM-52; promql/functions.go, extendedRate; promql/engine.go, extendFloats.

use crate::column::ABSENT;

/// Samples around a range, in two slices of equal length, at least one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Around<'w> {
    pub(crate) t_ms: &'w [i64],
    pub(crate) values: &'w [f64],
    /// The left end of the range.
    pub(crate) start_ms: i64,
    /// The right end of the range.
    pub(crate) end_ms: i64,
    pub(crate) smoothed: bool,
}

/// The indices of the first and the last sample that matter, and the values at the ends.
struct Ends {
    first: usize,
    last: usize,
    left: f64,
    right: f64,
}

impl Around<'_> {
    fn ends(&self, is_counter: bool) -> Option<Ends> {
        let Around { t_ms, values, .. } = *self;
        let mut last = t_ms.len() - 1;
        let first = t_ms[..last].partition_point(|t| *t <= self.start_ms).saturating_sub(1);
        if self.smoothed {
            last = t_ms[..last].partition_point(|t| *t < self.end_ms);
        }
        if t_ms[last] <= self.start_ms || t_ms[first] > self.end_ms {
            return None;
        }
        let left = if self.smoothed && t_ms[first] < self.start_ms {
            self.between(first, self.start_ms, is_counter)
        } else {
            values[first]
        };
        let right = if self.smoothed && last > 0 && t_ms[last] > self.end_ms {
            self.between(last - 1, self.end_ms, is_counter)
        } else {
            values[last]
        };
        Some(Ends { first, last, left, right })
    }

    fn between(&self, i: usize, t_ms: i64, is_counter: bool) -> f64 {
        interpolate((self.t_ms[i], self.values[i]), (self.t_ms[i + 1], self.values[i + 1]), t_ms, is_counter)
    }

    /// Returns the indices of the samples strictly within the range; the end is exclusive.
    fn inner(&self, ends: &Ends) -> (usize, usize) {
        let first = ends.first + usize::from(self.t_ms[ends.first] <= self.start_ms);
        let end = ends.last + usize::from(self.t_ms[ends.last] < self.end_ms);
        (first, end.max(first))
    }

    /// Computes `rate`, `increase` or `delta`.
    pub(crate) fn rate(&self, is_counter: bool, is_rate: bool) -> f64 {
        let Some(ends) = self.ends(is_counter) else { return ABSENT };
        let mut result = ends.right - ends.left;
        if is_counter {
            let (first, end) = self.inner(&ends);
            let mut previous = ends.left;
            for value in self.values[first..end].iter().chain([&ends.right]) {
                if *value < previous {
                    result += previous;
                }
                previous = *value;
            }
        }
        if is_rate {
            result /= (self.end_ms - self.start_ms) as f64 / 1000.0;
        }
        result
    }

    /// Returns the samples from the one at or before the range on, for `changes` and `resets`; `None` when no sample
    /// is within the range.
    pub(crate) fn since_anchor(&self) -> Option<&[f64]> {
        let last = self.t_ms.len() - 1;
        if self.t_ms[last] <= self.start_ms {
            return None;
        }
        let first = self.t_ms[..last].partition_point(|t| *t <= self.start_ms).saturating_sub(1);
        Some(&self.values[first..])
    }

    /// Writes the range's samples with one at either end.
    pub(crate) fn extend(&self, mut push: impl FnMut(i64, f64)) {
        let Some(ends) = self.ends(false) else { return };
        let (first, end) = self.inner(&ends);
        push(self.start_ms, ends.left);
        for i in first..end {
            push(self.t_ms[i], self.values[i]);
        }
        push(self.end_ms, ends.right);
    }
}

/// Returns the value at a time on the line between two samples; a counter that was reset starts from 0.
pub(crate) fn interpolate(a: (i64, f64), b: (i64, f64), t_ms: i64, is_counter: bool) -> f64 {
    let from = if is_counter && b.1 < a.1 { 0.0 } else { a.1 };
    from + (b.1 - from) * (t_ms - a.0) as f64 / (b.0 - a.0) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothed_ends_lie_on_the_line() {
        let around = Around {
            t_ms: &[0, 10, 20, 30],
            values: &[0.0, 10.0, 20.0, 30.0],
            start_ms: 5,
            end_ms: 25,
            smoothed: true,
        };
        let mut samples = Vec::new();
        around.extend(|t, v| samples.push((t, v)));
        assert_eq!(samples, [(5, 5.0), (10, 10.0), (20, 20.0), (25, 25.0)]);
        assert_eq!(around.rate(true, false), 20.0);
    }

    #[test]
    fn anchored_ranges_take_the_sample_before() {
        let around =
            Around { t_ms: &[0, 10, 20], values: &[3.0, 5.0, 1.0], start_ms: 5, end_ms: 25, smoothed: false };
        assert_eq!(around.rate(true, false), 3.0);
        assert_eq!(around.since_anchor(), Some(&[3.0, 5.0, 1.0][..]));
    }
}
