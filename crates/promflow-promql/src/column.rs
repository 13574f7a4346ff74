//! The values of one series over all steps.

use promflow_model::{STALE_NAN, is_stale_nan};

/// Stands where a series has no value at a step.
///
/// No operator can produce these bits: selectors leave stale markers out, and arithmetic on the rest only gives
/// quiet NaNs, while the marker is a signalling one.
pub(crate) const ABSENT: f64 = STALE_NAN;

#[inline]
pub(crate) fn is_absent(value: f64) -> bool {
    is_stale_nan(value)
}

#[inline]
pub(crate) fn is_present(value: f64) -> bool {
    !is_stale_nan(value)
}

/// Says whether no step has a value.
pub(crate) fn all_absent(values: &[f64]) -> bool {
    values.iter().all(|v| is_absent(*v))
}

/// A set of steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct StepSet {
    words: Vec<u64>,
}

impl StepSet {
    pub(crate) fn new(steps: usize) -> Self {
        Self { words: vec![0; steps.div_ceil(64)] }
    }

    #[inline]
    pub(crate) fn has(&self, step: usize) -> bool {
        self.words[step / 64] >> (step % 64) & 1 == 1
    }

    /// Adds a step and says whether it was there already.
    #[inline]
    pub(crate) fn add(&mut self, step: usize) -> bool {
        let word = &mut self.words[step / 64];
        let bit = 1 << (step % 64);
        let had = *word & bit != 0;
        *word |= bit;
        had
    }

    /// Adds the steps at which a column has values; returns the first that was there already.
    pub(crate) fn add_present(&mut self, values: &[f64]) -> Option<usize> {
        let mut repeated = None;
        for (step, value) in values.iter().enumerate() {
            if is_present(*value) && self.add(step) && repeated.is_none() {
                repeated = Some(step);
            }
        }
        repeated
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.words.len() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_never_gives_the_mark_of_absence() {
        for v in [f64::NAN, promflow_model::NORMAL_NAN, f64::INFINITY, 0.0, -0.0] {
            for r in [v + f64::INFINITY, v - v, v * 0.0, v / v, v % 0.0, v.powf(f64::NAN), -v, v.abs()] {
                assert!(is_present(r));
            }
        }
    }

    #[test]
    fn a_step_set_tells_the_first_repeated_step() {
        let mut set = StepSet::new(70);
        assert_eq!(set.add_present(&[ABSENT, 1.0]), None);
        assert_eq!(set.add_present(&[2.0, ABSENT, 3.0]), None);
        assert_eq!(set.add_present(&[ABSENT, ABSENT, 3.0]), Some(2));
        assert!(!set.add(69) && set.has(69) && !set.has(68));
    }
}
