//! Aggregations that keep a few numbers per group and step.

use super::Groups;
use crate::column::{ABSENT, is_absent, is_present};
use crate::error::QueryError;
use crate::exec::{Exec, Row, Sink};
use crate::functions::kahan::{KahanMean, KahanSum};
use crate::plan::Aggregate;
use crate::steps::Steps;

/// What is kept for one group at one step.
pub(super) trait Accumulator: Clone {
    /// Builds one that has seen nothing.
    fn empty() -> Self;
    /// Takes a value.
    fn add(&mut self, value: f64);
    /// Returns the result, or [`ABSENT`] when there was no value.
    fn result(&self) -> f64;
}

impl Exec<'_> {
    pub(super) fn fold<A: Accumulator>(
        &self,
        aggregate: &Aggregate,
        steps: &Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let mut groups: Groups<'_, Vec<A>> = Groups::new(self, &aggregate.grouping);
        self.rows(&aggregate.arg, steps, &mut |row| {
            let kept_bytes = steps.count * size_of::<A>();
            let group = groups.of(&row, steps.count, kept_bytes, || vec![A::empty(); steps.count])?;
            for (kept, value) in group.kept.iter_mut().zip(row.values.iter()) {
                if is_present(*value) {
                    kept.add(*value);
                }
            }
            Ok(())
        })?;
        let mut column = vec![ABSENT; steps.count];
        for group in groups.list {
            for (value, kept) in column.iter_mut().zip(&group.kept) {
                *value = kept.result();
            }
            sink(Row { labels: group.labels, drop_name: group.drop_name, values: &mut column })?;
        }
        Ok(())
    }
}

/// `sum`
#[derive(Clone)]
pub(super) struct Sum {
    sum: KahanSum,
    seen: bool,
}

impl Accumulator for Sum {
    fn empty() -> Self {
        Self { sum: KahanSum::default(), seen: false }
    }

    #[inline]
    fn add(&mut self, value: f64) {
        if self.seen {
            self.sum.add(value);
        } else {
            self.sum.sum = value;
            self.seen = true;
        }
    }

    fn result(&self) -> f64 {
        if self.seen { self.sum.total() } else { ABSENT }
    }
}

/// `avg`
#[derive(Clone)]
pub(super) struct Avg {
    mean: KahanMean,
    seen: bool,
}

impl Accumulator for Avg {
    fn empty() -> Self {
        Self { mean: KahanMean::default(), seen: false }
    }

    #[inline]
    fn add(&mut self, value: f64) {
        self.seen = true;
        self.mean.add(value);
    }

    fn result(&self) -> f64 {
        if self.seen { self.mean.mean() } else { ABSENT }
    }
}

/// `min`
#[derive(Clone)]
pub(super) struct Min(f64);

impl Accumulator for Min {
    fn empty() -> Self {
        Self(ABSENT)
    }

    #[inline]
    fn add(&mut self, value: f64) {
        if self.0 > value || self.0.is_nan() {
            self.0 = value;
        }
    }

    fn result(&self) -> f64 {
        self.0
    }
}

/// `max`
#[derive(Clone)]
pub(super) struct Max(f64);

impl Accumulator for Max {
    fn empty() -> Self {
        Self(ABSENT)
    }

    #[inline]
    fn add(&mut self, value: f64) {
        if self.0 < value || self.0.is_nan() {
            self.0 = value;
        }
    }

    fn result(&self) -> f64 {
        self.0
    }
}

/// `count`
#[derive(Clone)]
pub(super) struct Count(f64);

impl Accumulator for Count {
    fn empty() -> Self {
        Self(0.0)
    }

    #[inline]
    fn add(&mut self, _value: f64) {
        self.0 += 1.0;
    }

    fn result(&self) -> f64 {
        if self.0 == 0.0 { ABSENT } else { self.0 }
    }
}

/// `group`
#[derive(Clone)]
pub(super) struct Group(f64);

impl Accumulator for Group {
    fn empty() -> Self {
        Self(ABSENT)
    }

    #[inline]
    fn add(&mut self, _value: f64) {
        self.0 = 1.0;
    }

    fn result(&self) -> f64 {
        self.0
    }
}

/// `stdvar`, by Welford's algorithm.
#[derive(Clone)]
pub(super) struct Stdvar {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Accumulator for Stdvar {
    fn empty() -> Self {
        Self { count: 0.0, mean: 0.0, squares: ABSENT }
    }

    #[inline]
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        if is_absent(self.squares) {
            self.mean = value;
            self.squares = if value.is_finite() { 0.0 } else { f64::NAN };
            return;
        }
        let delta = value - self.mean;
        self.mean += delta / self.count;
        self.squares += delta * (value - self.mean);
    }

    fn result(&self) -> f64 {
        if is_absent(self.squares) { ABSENT } else { self.squares / self.count }
    }
}

/// `stddev`
#[derive(Clone)]
pub(super) struct Stddev(Stdvar);

impl Accumulator for Stddev {
    fn empty() -> Self {
        Self(Stdvar::empty())
    }

    #[inline]
    fn add(&mut self, value: f64) {
        self.0.add(value);
    }

    fn result(&self) -> f64 {
        let variance = self.0.result();
        if is_absent(variance) { ABSENT } else { variance.sqrt() }
    }
}
