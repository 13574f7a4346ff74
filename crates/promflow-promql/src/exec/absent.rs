//! `absent` and `absent_over_time`: a 1 where nothing is.

use promflow_model::Labels;

use super::range::check_extension;
use super::{Exec, Row, Sink};
use crate::column::{ABSENT, StepSet, all_absent};
use crate::error::QueryError;
use crate::plan::{Node, Window};
use crate::steps::Steps;

impl Exec<'_> {
    pub(super) fn absent(
        &self,
        labels: &Labels,
        arg: &Node,
        steps: &Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let mut present = StepSet::new(steps.count);
        self.rows(arg, steps, &mut |row| {
            present.add_present(row.values);
            Ok(())
        })?;
        emit_missing(labels, &present, steps, sink)
    }

    pub(super) fn absent_over_time(
        &self,
        labels: &Labels,
        window: &Window,
        steps: &Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        check_extension("absent_over_time", None, window)?;
        let mut present = StepSet::new(steps.count);
        self.window_series(window, "absent_over_time", steps, &mut |_, _, buffer| {
            let mut to = 0;
            for (step, t_ms) in steps.iter() {
                let end_ms = window.reference_ms(t_ms);
                while to < buffer.len() && buffer.t_ms[to] <= end_ms {
                    to += 1;
                }
                if to > 0 && buffer.t_ms[to - 1] > end_ms.saturating_sub(window.range_ms) {
                    present.add(step);
                }
            }
            Ok(())
        })?;
        emit_missing(labels, &present, steps, sink)
    }
}

fn emit_missing(labels: &Labels, present: &StepSet, steps: &Steps, sink: Sink<'_>) -> Result<(), QueryError> {
    let mut values: Vec<f64> =
        (0..steps.count).map(|step| if present.has(step) { ABSENT } else { 1.0 }).collect();
    if all_absent(&values) {
        return Ok(());
    }
    sink(Row { labels: labels.clone(), drop_name: false, values: &mut values })
}
