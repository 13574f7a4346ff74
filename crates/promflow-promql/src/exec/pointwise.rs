//! Operators that change each value on its own.

use super::{Exec, Row, Sink};
use crate::column::{ABSENT, all_absent, is_present};
use crate::error::QueryError;
use crate::functions::binary::{Outcome, apply};
use crate::functions::date::DateFunction;
use crate::functions::math::MathFunction;
use crate::plan::{Node, NodeKind, changes_schema};
use crate::steps::Steps;

impl Exec<'_> {
    pub(super) fn negate(&self, arg: &Node, steps: &Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        self.map_renamed(arg, steps, sink, &mut |_, value| Some(-value))
    }

    pub(super) fn math(
        &self,
        function: MathFunction,
        arg: &Node,
        params: &[Node],
        steps: &Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let params = params.iter().map(|p| self.scalar(p, steps)).collect::<Result<Vec<_>, _>>()?;
        let mut at_step = [0.0; 2];
        self.map_renamed(arg, steps, sink, &mut |step, value| {
            for (param, column) in at_step.iter_mut().zip(&params) {
                *param = column[step];
            }
            function.apply(value, &at_step[..params.len()])
        })
    }

    pub(super) fn date(
        &self,
        function: DateFunction,
        arg: Option<&Node>,
        steps: &Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let Some(arg) = arg else {
            let times = steps.iter().map(|(_, t_ms)| (t_ms / 1000) as f64);
            let mut values: Vec<f64> = times.map(|seconds| function.of(seconds)).collect();
            return sink(Row { labels: Default::default(), drop_name: false, values: &mut values });
        };
        self.map_renamed(arg, steps, sink, &mut |_, value| Some(function.of(value)))
    }

    /// Maps each value; the result is another metric.
    fn map_renamed(
        &self,
        arg: &Node,
        steps: &Steps,
        sink: Sink<'_>,
        map: &mut dyn FnMut(usize, f64) -> Option<f64>,
    ) -> Result<(), QueryError> {
        let mut distinct = self.distinct(!self.delayed_name_removal && !arg.distinct_unnamed);
        self.rows(arg, steps, &mut |row| {
            for (step, value) in row.values.iter_mut().enumerate() {
                if is_present(*value) {
                    *value = map(step, *value).unwrap_or(ABSENT);
                }
            }
            if all_absent(row.values) {
                return Ok(());
            }
            let (labels, drop_name) = self.renamed(&row.labels);
            distinct.check(&labels, row.values)?;
            sink(Row { labels, drop_name, values: row.values })
        })
    }

    pub(super) fn vector_scalar(&self, node: &Node, steps: &Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        let NodeKind::VectorScalar { op, vector, scalar, scalar_left, return_bool } = &node.kind else {
            unreachable!("BUG: not a vector and a scalar");
        };
        let scalars = self.scalar(scalar, steps)?;
        let renames = changes_schema(*op) || *return_bool;
        let needed = renames && !self.delayed_name_removal && !vector.distinct_unnamed;
        let mut distinct = self.distinct(needed);
        self.rows(vector, steps, &mut |row| {
            for (value, scalar) in row.values.iter_mut().zip(&scalars) {
                if is_present(*value) {
                    let (a, b) = if *scalar_left { (*scalar, *value) } else { (*value, *scalar) };
                    *value = match apply(*op, a, b) {
                        Outcome::Value(result) => result,
                        Outcome::Compared(holds) if *return_bool => f64::from(u8::from(holds)),
                        Outcome::Compared(true) => *value,
                        Outcome::Compared(false) => ABSENT,
                        Outcome::NotForFloats => {
                            self.annotations.borrow_mut().incompatible_floats(op.as_str(), node.span);
                            ABSENT
                        }
                    };
                }
            }
            if all_absent(row.values) {
                return Ok(());
            }
            if !renames {
                return sink(row);
            }
            let (labels, drop_name) = self.renamed(&row.labels);
            distinct.check(&labels, row.values)?;
            sink(Row { labels, drop_name, values: row.values })
        })
    }
}
