//! Aggregations over time.

use super::kahan::{KahanMean, KahanSum};

/// Sums the values.
pub(crate) fn sum(values: &[f64]) -> f64 {
    let mut sum = KahanSum::default();
    for value in values {
        sum.add(*value);
    }
    if sum.sum.is_infinite() { sum.sum } else { sum.total() }
}

/// Averages the values.
pub(crate) fn avg(values: &[f64]) -> f64 {
    let mut mean = KahanMean::default();
    for value in values {
        mean.add(*value);
    }
    mean.mean()
}

/// Returns the population variance.
///
/// Source: Welford's algorithm with compensated sums, as Prometheus.
pub(crate) fn variance(values: &[f64]) -> f64 {
    let mut mean = KahanSum::default();
    let mut squares = KahanSum::default();
    let mut count = 0.0;
    for value in values {
        count += 1.0;
        let delta = value - mean.total();
        mean.add(delta / count);
        squares.add(delta * (value - mean.total()));
    }
    squares.total() / count
}

/// Counts how often the value is another one than before.
pub(crate) fn changes(values: &[f64]) -> f64 {
    values.windows(2).filter(|w| w[0] != w[1] && !(w[0].is_nan() && w[1].is_nan())).count() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aggregations_over_time_agree_with_hand_counts() {
        assert_eq!(sum(&[1.0, 2.0, 3.0]), 6.0);
        assert_eq!(sum(&[f64::INFINITY, 1.0]), f64::INFINITY);
        assert_eq!(avg(&[1.0, 2.0, 6.0]), 3.0);
        assert_eq!(variance(&[1.0, 1.0, 4.0]), 2.0);
        assert_eq!(changes(&[1.0, 1.0, 2.0, f64::NAN, f64::NAN]), 2.0);
    }
}
