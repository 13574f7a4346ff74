//! Sums that lose little: Kahan's summation in Neumaier's variant, and the mean built on it.

/// A sum and what rounding lost of it.
///
/// Source: Prometheus util/kahansum.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct KahanSum {
    pub(crate) sum: f64,
    pub(crate) lost: f64,
}

impl KahanSum {
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        let total = self.sum + value;
        if total.is_infinite() {
            self.lost = 0.0;
        } else if self.sum.abs() >= value.abs() {
            // The low digits of the value are lost, or those of the sum.
            self.lost += (self.sum - total) + value;
        } else {
            self.lost += (value - total) + self.sum;
        }
        self.sum = total;
    }

    #[inline]
    pub(crate) fn total(self) -> f64 {
        self.sum + self.lost
    }
}

/// A mean: the sum over the count, or, once the sum would overflow, an incremental mean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct KahanMean {
    /// The sum, or the mean once incremental.
    acc: KahanSum,
    count: f64,
    incremental: bool,
}

impl KahanMean {
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.acc.sum = value;
            return;
        }
        if !self.incremental {
            let mut next = self.acc;
            next.add(value);
            if !next.sum.is_infinite() {
                self.acc = next;
                return;
            }
            self.incremental = true;
            self.acc.sum /= self.count - 1.0;
            self.acc.lost /= self.count - 1.0;
        }
        let q = (self.count - 1.0) / self.count;
        self.acc = KahanSum { sum: q * self.acc.sum, lost: q * self.acc.lost };
        self.acc.add(value / self.count);
    }

    pub(crate) fn mean(self) -> f64 {
        if self.incremental {
            return self.acc.total();
        }
        self.acc.sum / self.count + self.acc.lost / self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_values_survive_large_ones() {
        let mut sum = KahanSum::default();
        for v in [1.0, 1e100, 1.0, -1e100] {
            sum.add(v);
        }
        assert_eq!(sum.total(), 2.0);
    }

    #[test]
    fn the_mean_of_huge_values_does_not_overflow() {
        let mut mean = KahanMean::default();
        for _ in 0..3 {
            mean.add(f64::MAX);
        }
        assert!((mean.mean() / f64::MAX - 1.0).abs() < 1e-15);
    }
}
