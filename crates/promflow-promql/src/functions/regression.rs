//! Lines and curves through samples.

use super::kahan::KahanSum;

/// A straight line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Line {
    /// Per second.
    pub(crate) slope: f64,
    /// The value at the time asked for.
    pub(crate) intercept: f64,
}

/// Lays a line through samples by least squares.
///
/// Units: times in milliseconds.
/// Source: Prometheus promql/functions.go, linearRegression.
pub(crate) fn linear(t_ms: &[i64], values: &[f64], intercept_ms: i64) -> Line {
    let first = values[0];
    if values[1..].iter().all(|v| *v == first) {
        if first.is_infinite() {
            return Line { slope: f64::NAN, intercept: f64::NAN };
        }
        return Line { slope: 0.0, intercept: first };
    }
    let n = values.len() as f64;
    let [mut sum_x, mut sum_y, mut sum_xy, mut sum_xx] = [KahanSum::default(); 4];
    for (t, y) in t_ms.iter().zip(values) {
        let x = (t - intercept_ms) as f64 / 1e3;
        sum_x.add(x);
        sum_y.add(*y);
        sum_xy.add(x * y);
        sum_xx.add(x * x);
    }
    let (sum_x, sum_y) = (sum_x.total(), sum_y.total());
    let covariance = sum_xy.total() - sum_x * sum_y / n;
    let variance = sum_xx.total() - sum_x * sum_x / n;
    let slope = covariance / variance;
    Line { slope, intercept: sum_y / n - slope * sum_x / n }
}

/// Smooths values by their level and trend (Holt's method).
pub(crate) fn double_exponential_smoothing(values: &[f64], smoothing: f64, trend_factor: f64) -> f64 {
    let mut previous = 0.0;
    let mut level = values[0];
    let mut trend = values[1] - values[0];
    for (i, value) in values.iter().enumerate().skip(1) {
        if i > 1 {
            trend = trend_factor * (level - previous) + (1.0 - trend_factor) * trend;
        }
        let next = smoothing * value + (1.0 - smoothing) * (level + trend);
        (previous, level) = (level, next);
    }
    level
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_through_points_of_a_line_is_that_line() {
        let line = linear(&[0, 1000, 2000], &[1.0, 3.0, 5.0], 2000);
        assert_eq!(line, Line { slope: 2.0, intercept: 5.0 });
        let flat = linear(&[0, 1000], &[7.0, 7.0], 0);
        assert_eq!(flat, Line { slope: 0.0, intercept: 7.0 });
    }

    #[test]
    fn smoothing_a_line_follows_it() {
        assert_eq!(double_exponential_smoothing(&[1.0, 2.0, 3.0, 4.0], 0.5, 0.5), 4.0);
    }
}
