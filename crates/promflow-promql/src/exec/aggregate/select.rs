//! Aggregations that choose some of the series: `topk`, `bottomk`, `limitk`, `limit_ratio`.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use promflow_model::Labels;
use promflow_model::float::format_g;
use promflow_syntax::ast::AggregateOp;

use super::Groups;
use super::quantile::extremes;
use crate::column::{ABSENT, all_absent, is_present};
use crate::error::QueryError;
use crate::exec::{Exec, Row, Sink};
use crate::functions::quantile::nan_first;
use crate::plan::Aggregate;
use crate::steps::Steps;

/// Parameters from here on do not fit into 64 bits.
const INT64_MAX: f64 = 9_223_372_036_854_774_784.0;
const INT64_MIN: f64 = -9_223_372_036_854_775_808.0;

/// A value that was chosen; the largest entry is the one to give up first.
#[derive(Clone, Copy, Debug)]
struct Entry {
    value: f64,
    row: u32,
    smallest_first: bool,
}

impl Entry {
    /// Says whether this value is to be chosen rather than the other.
    fn beats(&self, other: &Self) -> bool {
        if other.value.is_nan() {
            return !self.value.is_nan();
        }
        if self.smallest_first { self.value < other.value } else { self.value > other.value }
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_value = match (self.value.is_nan(), other.value.is_nan()) {
            (false, false) if self.smallest_first => nan_first(&self.value, &other.value),
            (false, false) => nan_first(&other.value, &self.value),
            (a, b) => a.cmp(&b),
        };
        by_value.then(self.row.cmp(&other.row))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

/// The series among which is chosen.
struct Candidates {
    rows: Vec<(Labels, bool)>,
}

impl Exec<'_> {
    pub(super) fn select_k(
        &self,
        aggregate: &Aggregate,
        param: &[f64],
        steps: &Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let Some(k) = counts(param)? else { return Ok(()) };
        let (op, smallest_first) = (aggregate.op, aggregate.op == AggregateOp::Bottomk);
        let mut candidates = Candidates { rows: Vec::new() };
        let mut groups: Groups<'_, Vec<BinaryHeap<Entry>>> = Groups::new(self, &aggregate.grouping);
        self.rows(&aggregate.arg, steps, &mut |row| {
            let number = candidates.rows.len() as u32;
            let kept_bytes = steps.count * size_of::<BinaryHeap<Entry>>();
            let group = groups.of(&row, 0, kept_bytes, || vec![BinaryHeap::new(); steps.count])?;
            let mut taken = 0;
            for ((heap, value), k) in group.kept.iter_mut().zip(row.values.iter()).zip(&k) {
                if !is_present(*value) || *k == 0 {
                    continue;
                }
                let entry = Entry { value: *value, row: number, smallest_first };
                if heap.len() < *k {
                    heap.push(entry);
                    taken += 1;
                } else if op != AggregateOp::Limitk
                    && let Some(mut worst) = heap.peek_mut()
                    && entry.beats(&worst)
                {
                    *worst = entry;
                }
            }
            groups.account.take(taken, taken * size_of::<Entry>() + row.labels.size_bytes())?;
            candidates.rows.push((row.labels, row.drop_name));
            Ok(())
        })?;
        let chosen = groups.list.into_iter().map(|g| g.kept.into_iter().map(BinaryHeap::into_sorted_vec));
        candidates.emit(chosen, steps, sink)
    }

    pub(super) fn limit_ratio(
        &self,
        aggregate: &Aggregate,
        param: &[f64],
        steps: &Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let (min, max) = extremes(param);
        if min == 0.0 && max == 0.0 {
            return Ok(());
        }
        if param.iter().any(|r| r.is_nan()) {
            return Err(QueryError::execution("Ratio value is NaN"));
        }
        if let Some(node) = &aggregate.param {
            let mut annotations = self.annotations.borrow_mut();
            if max > 1.0 {
                annotations.invalid_ratio(max, 1.0, node.span);
            }
            if min < -1.0 {
                annotations.invalid_ratio(min, -1.0, node.span);
            }
        }
        self.rows(&aggregate.arg, steps, &mut |row| {
            let place = row.labels.hash64() as f64 / u64::MAX as f64;
            for (value, ratio) in row.values.iter_mut().zip(param) {
                let ratio = ratio.clamp(-1.0, 1.0);
                let chosen = if ratio >= 0.0 { place < ratio } else { place >= 1.0 + ratio };
                if !chosen {
                    *value = ABSENT;
                }
            }
            if all_absent(row.values) { Ok(()) } else { sink(row) }
        })
    }
}

/// Returns how many series are chosen at each step; `None` when there are none at all.
fn counts(param: &[f64]) -> Result<Option<Vec<usize>>, QueryError> {
    let (min, max) = extremes(param);
    if max < 1.0 {
        return Ok(None);
    }
    if param.iter().any(|k| k.is_nan()) {
        return Err(QueryError::execution("Parameter value is NaN"));
    }
    if min <= INT64_MIN {
        return Err(QueryError::execution(format!("Scalar value {} underflows int64", format_g(min))));
    }
    if max >= INT64_MAX {
        return Err(QueryError::execution(format!("Scalar value {} overflows int64", format_g(max))));
    }
    Ok(Some(param.iter().map(|k| if *k < 1.0 { 0 } else { *k as usize }).collect()))
}

impl Candidates {
    /// Hands the chosen series on: at a single step in the order of choice, else in the order of occurrence.
    ///
    /// Shape: `chosen` has one item per group, which has one item per step.
    fn emit(
        self,
        chosen: impl Iterator<Item = impl Iterator<Item = Vec<Entry>>>,
        steps: &Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        if steps.count == 1 {
            for mut entry in chosen.flatten().flatten() {
                let (labels, drop_name) = self.rows[entry.row as usize].clone();
                sink(Row { labels, drop_name, values: std::slice::from_mut(&mut entry.value) })?;
            }
            return Ok(());
        }
        let mut columns: HashMap<u32, Vec<f64>, RandomState> = HashMap::default();
        for group in chosen {
            for (step, entries) in group.enumerate() {
                for entry in entries {
                    let column = columns.entry(entry.row).or_insert_with(|| vec![ABSENT; steps.count]);
                    column[step] = entry.value;
                }
            }
        }
        for (number, (labels, drop_name)) in self.rows.into_iter().enumerate() {
            if let Some(mut values) = columns.remove(&(number as u32)) {
                sink(Row { labels, drop_name, values: &mut values })?;
            }
        }
        Ok(())
    }
}
