//! Subqueries: an expression evaluated at its own steps, its values read as samples.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use promflow_model::Labels;
use promflow_storage::SampleBuffer;

use super::Exec;
use crate::column::is_present;
use crate::error::QueryError;
use crate::plan::{Subquery, Window};
use crate::steps::Steps;

/// Returns the steps at which a subquery is evaluated: multiples of its step within all windows.
pub(crate) fn subquery_steps(window: &Window, subquery: &Subquery, steps: &Steps) -> Steps {
    let step_ms = subquery.step_ms;
    let start_ms = window.reference_ms(steps.start_ms).saturating_sub(window.range_ms);
    let end_ms = window.reference_ms(steps.end_ms());
    let mut first_ms = step_ms * (start_ms / step_ms);
    if first_ms <= start_ms {
        first_ms = first_ms.saturating_add(step_ms);
    }
    Steps::between(first_ms, end_ms, step_ms)
}

/// Takes a series of a subquery: its label set, whether its name is to be dropped, and its samples.
pub(super) type TakeSamples<'t> =
    &'t mut dyn FnMut(&Labels, bool, &mut SampleBuffer) -> Result<(), QueryError>;

impl Exec<'_> {
    /// Evaluates a subquery and hands on each series with its samples, each label set once.
    pub(super) fn subquery(
        &self,
        window: &Window,
        subquery: &Subquery,
        steps: &Steps,
        take: TakeSamples<'_>,
    ) -> Result<(), QueryError> {
        let inner = subquery_steps(window, subquery, steps);
        if subquery.expr.value_type == promflow_syntax::ast::ValueType::Scalar {
            let values = self.scalar(&subquery.expr, &inner)?;
            let mut buffer = SampleBuffer::default();
            fill(&mut buffer, &inner, &values);
            return if buffer.is_empty() { Ok(()) } else { take(&Labels::empty(), false, &mut buffer) };
        }
        if subquery.expr.may_repeat {
            return self.merged_subquery(subquery, &inner, take);
        }
        let mut buffer = SampleBuffer::default();
        self.rows(&subquery.expr, &inner, &mut |row| {
            fill(&mut buffer, &inner, row.values);
            take(&row.labels, row.drop_name, &mut buffer)
        })
    }

    fn merged_subquery(
        &self,
        subquery: &Subquery,
        inner: &Steps,
        take: TakeSamples<'_>,
    ) -> Result<(), QueryError> {
        let mut index: HashMap<Labels, usize, RandomState> = HashMap::default();
        let mut merged: Vec<(Labels, bool, Vec<f64>)> = Vec::new();
        let mut account = self.budget.account();
        self.rows(&subquery.expr, inner, &mut |row| {
            if let Some(i) = index.get(&row.labels) {
                let (_, drop_name, values) = &mut merged[*i];
                *drop_name |= row.drop_name;
                for (value, other) in values.iter_mut().zip(row.values.iter()) {
                    if is_present(*other) {
                        if is_present(*value) {
                            return Err(QueryError::same_labelset());
                        }
                        *value = *other;
                    }
                }
                return Ok(());
            }
            account.take_column(inner.count)?;
            index.insert(row.labels.clone(), merged.len());
            merged.push((row.labels, row.drop_name, row.values.to_vec()));
            Ok(())
        })?;
        let mut buffer = SampleBuffer::default();
        for (labels, drop_name, values) in &merged {
            fill(&mut buffer, inner, values);
            take(labels, *drop_name, &mut buffer)?;
        }
        Ok(())
    }
}

fn fill(buffer: &mut SampleBuffer, steps: &Steps, values: &[f64]) {
    buffer.clear();
    for (step, t_ms) in steps.iter() {
        if is_present(values[step]) {
            buffer.push(t_ms, values[step]);
        }
    }
}
