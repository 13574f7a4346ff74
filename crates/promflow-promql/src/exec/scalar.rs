//! Scalars: one number per step, always.

use promflow_syntax::ast::ValueType;

use super::{Exec, Row, Sink};
use crate::column::{ABSENT, is_present};
use crate::error::QueryError;
use crate::functions::binary::{Outcome, apply};
use crate::functions::math::{go_max, go_min};
use crate::plan::{Node, NodeKind};
use crate::steps::Steps;

impl Exec<'_> {
    /// Evaluates a scalar at all steps.
    pub(crate) fn scalar(&self, node: &Node, steps: &Steps) -> Result<Vec<f64>, QueryError> {
        self.budget.check(0, steps.count.saturating_mul(size_of::<f64>()))?;
        if node.invariant && steps.count > 1 {
            let once = self.scalar(node, &Steps::single(steps.start_ms, steps.step_ms))?;
            return Ok(vec![once[0]; steps.count]);
        }
        match &node.kind {
            NodeKind::Number(value) => Ok(vec![*value; steps.count]),
            NodeKind::Time => Ok(steps.iter().map(|(_, t_ms)| t_ms as f64 / 1000.0).collect()),
            NodeKind::Negate(arg) => {
                let mut values = self.scalar(arg, steps)?;
                values.iter_mut().for_each(|v| *v = -*v);
                Ok(values)
            }
            NodeKind::ScalarBinary { op, lhs, rhs } => {
                let mut values = self.scalar(lhs, steps)?;
                let rhs = self.scalar(rhs, steps)?;
                for (value, right) in values.iter_mut().zip(rhs) {
                    *value = match apply(*op, *value, right) {
                        Outcome::Value(result) => result,
                        Outcome::Compared(holds) => f64::from(u8::from(holds)),
                        Outcome::NotForFloats => {
                            return Err(QueryError::execution(format!(
                                "operator {} not allowed for Scalar operations",
                                promflow_model::quote::quote(op.as_str())
                            )));
                        }
                    };
                }
                Ok(values)
            }
            NodeKind::Extreme { largest, lhs, rhs } => {
                let mut values = self.scalar(lhs, steps)?;
                let pick = if *largest { go_max } else { go_min };
                for (value, other) in values.iter_mut().zip(self.scalar(rhs, steps)?) {
                    *value = pick(*value, other);
                }
                Ok(values)
            }
            NodeKind::ScalarOf(arg) => self.scalar_of(arg, steps),
            _ => Err(QueryError::execution(format!("expected a scalar, got {}", node.value_type.doc_name()))),
        }
    }

    /// Returns the value of the one series at each step, NaN where there is none or more than one.
    fn scalar_of(&self, arg: &Node, steps: &Steps) -> Result<Vec<f64>, QueryError> {
        let mut values = vec![ABSENT; steps.count];
        let mut several = vec![false; steps.count];
        self.rows(arg, steps, &mut |row| {
            for (step, value) in row.values.iter().enumerate() {
                if is_present(*value) {
                    several[step] |= is_present(values[step]);
                    values[step] = *value;
                }
            }
            Ok(())
        })?;
        for (value, several) in values.iter_mut().zip(several) {
            if several || !is_present(*value) {
                *value = f64::NAN;
            }
        }
        Ok(values)
    }

    pub(super) fn vector_of(&self, arg: &Node, steps: &Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        debug_assert_eq!(arg.value_type, ValueType::Scalar);
        let mut values = self.scalar(arg, steps)?;
        sink(Row { labels: Default::default(), drop_name: false, values: &mut values })
    }
}
