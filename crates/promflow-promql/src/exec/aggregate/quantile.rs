//! `quantile`: all values of a group are kept.

use super::Groups;
use crate::column::{ABSENT, is_present};
use crate::error::QueryError;
use crate::exec::{Exec, Row, Sink};
use crate::functions::math::{go_max, go_min};
use crate::functions::quantile::quantile;
use crate::plan::Aggregate;
use crate::steps::Steps;

impl Exec<'_> {
    pub(super) fn quantile(
        &self,
        aggregate: &Aggregate,
        param: &[f64],
        steps: &Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        if let Some(node) = &aggregate.param {
            let mut annotations = self.annotations.borrow_mut();
            if param.iter().any(|q| q.is_nan()) {
                annotations.invalid_quantile(f64::NAN, node.span);
            }
            let (min, max) = extremes(param);
            if max > 1.0 {
                annotations.invalid_quantile(max, node.span);
            }
            if min < 0.0 {
                annotations.invalid_quantile(min, node.span);
            }
        }
        let mut groups: Groups<'_, Vec<Vec<f64>>> = Groups::new(self, &aggregate.grouping);
        self.rows(&aggregate.arg, steps, &mut |row| {
            groups.account.take_column(steps.count)?;
            let group =
                groups.of(&row, 0, steps.count * size_of::<Vec<f64>>(), || vec![Vec::new(); steps.count])?;
            for (kept, value) in group.kept.iter_mut().zip(row.values.iter()) {
                if is_present(*value) {
                    kept.push(*value);
                }
            }
            Ok(())
        })?;
        let mut column = vec![ABSENT; steps.count];
        for mut group in groups.list {
            for ((value, kept), q) in column.iter_mut().zip(&mut group.kept).zip(param) {
                *value = if kept.is_empty() { ABSENT } else { quantile(*q, kept) };
            }
            sink(Row { labels: group.labels, drop_name: group.drop_name, values: &mut column })?;
        }
        Ok(())
    }
}

/// Returns the smallest and the largest parameter; NaN where one is NaN.
pub(super) fn extremes(param: &[f64]) -> (f64, f64) {
    let min = param.iter().copied().reduce(go_min).unwrap_or(0.0);
    let max = param.iter().copied().reduce(go_max).unwrap_or(0.0);
    (min, max)
}
