//! Rates and differences.

use super::range::View;
use crate::column::ABSENT;

/// Computes `rate`, `increase` or `delta`: the difference between the ends, extrapolated to the ends of the range.
///
/// Source: Prometheus promql/functions.go, extrapolatedRate.
#[inline]
pub(crate) fn extrapolated(view: View<'_>, is_counter: bool, is_rate: bool) -> f64 {
    let View { t_ms, values, .. } = view;
    let last = values.len() - 1;
    if last == 0 {
        return ABSENT;
    }
    let mut result = values[last] - values[0];
    if is_counter {
        for reset in view.resets {
            result += values[reset - view.first - 1];
        }
    }
    let mut to_start = (t_ms[0] - view.start_ms) as f64 / 1000.0;
    let mut to_end = (view.end_ms - t_ms[last]) as f64 / 1000.0;
    let sampled = (t_ms[last] - t_ms[0]) as f64 / 1000.0;
    let between = sampled / last as f64;

    // A series that starts or ends within the range is extended by half a sample distance only.
    let threshold = between * 1.1;
    if to_start >= threshold {
        to_start = between / 2.0;
    }
    if is_counter && result > 0.0 && values[0] >= 0.0 {
        // A counter is not extended to below zero.
        let to_zero = sampled * (values[0] / result);
        if to_zero < to_start {
            to_start = to_zero;
        }
    }
    if to_end >= threshold {
        to_end = between / 2.0;
    }
    let mut factor = (sampled + to_start + to_end) / sampled;
    if is_rate {
        factor /= (view.end_ms - view.start_ms) as f64 / 1000.0;
    }
    result * factor
}

/// Computes `irate` or `idelta` from the last two samples.
#[inline]
pub(crate) fn instant(view: View<'_>, is_rate: bool) -> f64 {
    let View { t_ms, values, .. } = view;
    let n = values.len();
    if n < 2 {
        return ABSENT;
    }
    let (previous, last) = (values[n - 2], values[n - 1]);
    let interval = t_ms[n - 1] - t_ms[n - 2];
    if interval == 0 {
        return ABSENT;
    }
    if !is_rate {
        return last - previous;
    }
    let difference = if last < previous { last } else { last - previous };
    difference / (interval as f64 / 1000.0)
}
