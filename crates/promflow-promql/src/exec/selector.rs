//! Selectors: from stored samples to values at steps.

use promflow_model::{Labels, is_stale_nan};
use promflow_storage::{SampleBuffer, SelectHints};
use promflow_syntax::ast::RangeExtension;

use super::{Exec, Row, Sink};
use crate::column::{ABSENT, all_absent};
use crate::error::QueryError;
use crate::functions::extended::interpolate;
use crate::plan::{Node, NodeKind, Reach, Selector, selector_reach};
use crate::steps::Steps;

/// What is taken of the sample that a step sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Take {
    Value,
    /// Seconds since the epoch.
    Time,
    /// The start timestamp, which the store does not keep: 0.
    Start,
}

impl Exec<'_> {
    /// Reads the series of a selector one after the other.
    ///
    /// Ownership: the buffer is reused; the reader may overwrite it.
    pub(super) fn series(
        &self,
        selector: &Selector,
        reach: Reach,
        hints: SelectHints,
        take: &mut dyn FnMut(&Labels, &mut SampleBuffer) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let Some(querier) = self.querier else { return Ok(()) };
        let hints = SelectHints { start_ms: reach.min_ms, end_ms: reach.max_ms, ..hints };
        let mut set = querier.select(false, &hints, &selector.matchers)?;
        let mut buffer = SampleBuffer::default();
        while let Some(series) = set.next() {
            let series = series?;
            series.samples(&mut buffer)?;
            self.note_read(buffer.len())?;
            self.budget.check(0, buffer.len() * 16)?;
            take(series.labels(), &mut buffer)?;
        }
        let mut warnings = self.storage_warnings.borrow_mut();
        for warning in set.warnings() {
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        Ok(())
    }

    pub(super) fn selector(
        &self,
        selector: &Selector,
        steps: &Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        self.instant(selector, steps, Take::Value, sink)
    }

    /// Hands on the times of the samples that a selector sees, in seconds since the epoch.
    pub(super) fn sample_times(
        &self,
        selector: &Selector,
        steps: &Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        self.instant(selector, steps, Take::Time, sink)
    }

    pub(super) fn timestamp(&self, arg: &Node, steps: &Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        let mut distinct = self.distinct(!self.delayed_name_removal && !arg.distinct_unnamed);
        let mut renamed = |row: Row<'_>| {
            let (labels, drop_name) = self.renamed(&row.labels);
            distinct.check(&labels, row.values)?;
            sink(Row { labels, drop_name, values: row.values })
        };
        if let NodeKind::Selector(selector) = &arg.kind {
            return self.instant(selector, steps, Take::Time, &mut renamed);
        }
        self.rows(arg, steps, &mut |row| {
            for (step, t_ms) in steps.iter() {
                if !is_stale_nan(row.values[step]) {
                    row.values[step] = t_ms as f64 / 1000.0;
                }
            }
            renamed(row)
        })
    }

    /// Start timestamps are 0 where there is a sample; what is computed has none.
    pub(super) fn start_timestamp(
        &self,
        arg: &Node,
        steps: &Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let NodeKind::Selector(selector) = &arg.kind else {
            return self.rows(arg, steps, &mut |_| Ok(()));
        };
        let mut distinct = self.distinct(!self.delayed_name_removal && !arg.distinct_unnamed);
        self.instant(selector, steps, Take::Start, &mut |row| {
            let (labels, drop_name) = self.renamed(&row.labels);
            distinct.check(&labels, row.values)?;
            sink(Row { labels, drop_name, values: row.values })
        })
    }

    fn instant(
        &self,
        selector: &Selector,
        steps: &Steps,
        take: Take,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let reach = selector_reach(selector, steps, self.lookback_ms);
        let hints = SelectHints { step_ms: steps.step_ms, ..SelectHints::default() };
        let mut column = vec![ABSENT; steps.count];
        self.series(selector, reach, hints, &mut |labels, buffer| {
            self.budget.check(steps.count, steps.count * 8)?;
            if selector.extension == Some(RangeExtension::Smoothed) && take == Take::Value {
                smooth(selector, buffer, steps, self.lookback_ms, &mut column);
            } else {
                latest(selector, buffer, steps, self.lookback_ms, take, &mut column);
            }
            if all_absent(&column) {
                return Ok(());
            }
            sink(Row { labels: labels.clone(), drop_name: false, values: &mut column })
        })
    }
}

/// Writes the latest sample of `(reference - lookback, reference]` at each step, unless it is a stale marker.
fn latest(
    selector: &Selector,
    buffer: &SampleBuffer,
    steps: &Steps,
    lookback_ms: i64,
    take: Take,
    column: &mut [f64],
) {
    let mut next = 0;
    for (step, t_ms) in steps.iter() {
        let reference = selector.reference_ms(t_ms);
        while next < buffer.len() && buffer.t_ms[next] <= reference {
            next += 1;
        }
        column[step] = match next.checked_sub(1) {
            Some(i)
                if buffer.t_ms[i] > reference.saturating_sub(lookback_ms)
                    && !is_stale_nan(buffer.values[i]) =>
            {
                match take {
                    Take::Value => buffer.values[i],
                    Take::Time => buffer.t_ms[i] as f64 / 1000.0,
                    Take::Start => 0.0,
                }
            }
            _ => ABSENT,
        };
    }
}

/// Writes the value on the line between the samples around each step.
fn smooth(
    selector: &Selector,
    buffer: &mut SampleBuffer,
    steps: &Steps,
    lookback_ms: i64,
    column: &mut [f64],
) {
    drop_stale(buffer);
    let SampleBuffer { t_ms: times, values } = buffer;
    for (step, t_ms) in steps.iter() {
        let reference = selector.reference_ms(t_ms);
        let next = times.partition_point(|t| *t < reference);
        let after =
            (next < times.len() && times[next] <= reference.saturating_add(lookback_ms)).then_some(next);
        let before = next.checked_sub(1).filter(|i| times[*i] > reference.saturating_sub(lookback_ms));
        column[step] = match (before, after) {
            (_, Some(i)) if times[i] == reference => values[i],
            (Some(b), Some(a)) => interpolate((times[b], values[b]), (times[a], values[a]), reference, false),
            (Some(b), None) => values[b],
            (None, _) => ABSENT,
        };
    }
}

/// Removes stale markers.
pub(super) fn drop_stale(buffer: &mut SampleBuffer) {
    let Some(first) = buffer.values.iter().position(|v| is_stale_nan(*v)) else { return };
    let mut kept = first;
    for i in first..buffer.values.len() {
        if !is_stale_nan(buffer.values[i]) {
            buffer.t_ms[kept] = buffer.t_ms[i];
            buffer.values[kept] = buffer.values[i];
            kept += 1;
        }
    }
    buffer.t_ms.truncate(kept);
    buffer.values.truncate(kept);
}
