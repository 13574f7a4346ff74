//! What the buckets, count and sum of a histogram have to agree on.

use pyo3::PyResult;
use pyo3::exceptions::PyValueError;

/// The point at hand.
#[derive(Default)]
pub(super) struct HistogramCheck {
    begun: bool,
    /// The last upper bound.
    bound: Option<f64>,
    /// The last bucket's count.
    value: f64,
    count: Option<f64>,
    has_negative_bounds: bool,
    has_sum: bool,
    /// The sum of a gauge histogram.
    gsum: Option<f64>,
}

fn wrong<T>(what: &str, family: &str) -> PyResult<T> {
    Err(PyValueError::new_err(format!("{what}: {family}")))
}

impl HistogramCheck {
    /// Ends the last point and begins another.
    pub(super) fn begin(&mut self, family: &str) -> PyResult<()> {
        self.finish(family)?;
        *self = Self { begun: true, ..Self::default() };
        Ok(())
    }

    pub(super) fn add(&mut self, family: &str, suffix: &str, bound: f64, value: f64) -> PyResult<()> {
        match suffix {
            "_bucket" => {
                if self.bound.is_some_and(|last| bound <= last) {
                    return wrong("Buckets out of order", family);
                }
                if value < self.value {
                    return wrong("Bucket values out of order", family);
                }
                self.has_negative_bounds |= bound < 0.0;
                self.bound = Some(bound);
                self.value = value;
            }
            "_count" | "_gcount" => self.count = Some(value),
            "_sum" => self.has_sum = true,
            "_gsum" => self.gsum = Some(value),
            _ => {}
        }
        Ok(())
    }

    pub(super) fn finish(&self, family: &str) -> PyResult<()> {
        if !self.begun {
            return Ok(());
        }
        if self.bound != Some(f64::INFINITY) {
            return wrong("+Inf bucket missing", family);
        }
        if self.count.is_some_and(|count| count != self.value) {
            return wrong("Count does not match +Inf value", family);
        }
        match (self.count, self.has_sum, self.gsum) {
            (None, true, _) => return wrong("_count must be present if _sum is present", family),
            (None, _, Some(_)) => return wrong("_gcount must be present if _gsum is present", family),
            (Some(_), false, None) => {
                return wrong("_sum/_gsum must be present if _count is present", family);
            }
            _ => {}
        }
        if self.has_negative_bounds && self.has_sum {
            return wrong("Cannot have _sum with negative buckets", family);
        }
        if !self.has_negative_bounds && self.gsum.is_some_and(|sum| sum < 0.0) {
            return wrong("Cannot have negative _gsum with non-negative buckets", family);
        }
        Ok(())
    }
}
