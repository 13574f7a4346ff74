//! Bounds for the values of a label.

use std::collections::HashSet;

use crate::family::OVERFLOW;
use crate::shared::checksum;

/// How the values of a label are kept few.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LabelGuard {
    /// Only these values are kept; all others become [`OVERFLOW`].
    Allow(Vec<String>),
    /// A value becomes the number of one of so many buckets, the same in every process and after every restart.
    Hash(u16),
}

/// The guards of a family, one for each label that has one.
pub(crate) struct Guards(Vec<Option<Bound>>);

enum Bound {
    Allowed(HashSet<Box<str>>),
    Buckets(Box<[Box<str>]>),
}

/// Up to so many labels, values are replaced without an allocation.
const VALUES_INLINE: usize = 16;

impl Guards {
    /// Builds guards; the error is the name of a label that does not exist.
    pub(crate) fn new(names: &[String], guards: &[(&str, LabelGuard)]) -> Result<Self, String> {
        let mut bounds: Vec<Option<Bound>> = names.iter().map(|_| None).collect();
        for (label, guard) in guards {
            let place = names.iter().position(|name| name == label).ok_or_else(|| (*label).to_owned())?;
            bounds[place] = Some(match guard {
                LabelGuard::Allow(values) => {
                    Bound::Allowed(values.iter().map(|value| value.as_str().into()).collect())
                }
                LabelGuard::Hash(buckets) => {
                    Bound::Buckets((0..(*buckets).max(1)).map(|i| i.to_string().into()).collect())
                }
            });
        }
        Ok(Self(bounds))
    }

    pub(crate) fn apply<R>(&self, values: &[&str], run: impl FnOnce(&[&str]) -> R) -> R {
        let bound = |(value, bound)| bounded(value, bound);
        let pairs = || values.iter().copied().zip(&self.0);
        if values.len() > VALUES_INLINE {
            return run(&pairs().map(bound).collect::<Vec<_>>());
        }
        let mut replaced = [""; VALUES_INLINE];
        for (place, pair) in replaced.iter_mut().zip(pairs()) {
            *place = bound(pair);
        }
        run(&replaced[..values.len()])
    }
}

fn bounded<'a>(value: &'a str, bound: &'a Option<Bound>) -> &'a str {
    match bound {
        None => value,
        Some(Bound::Allowed(allowed)) if allowed.contains(value) => value,
        Some(Bound::Allowed(_)) => OVERFLOW,
        Some(Bound::Buckets(names)) => {
            &names[(checksum(&[], value.as_bytes()) % names.len() as u64) as usize]
        }
    }
}
