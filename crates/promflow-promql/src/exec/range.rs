//! Functions over range vectors: one series' samples are decoded once, and all its steps computed in one go.

use promflow_model::Labels;
use promflow_model::Sample;
use promflow_storage::{SampleBuffer, SelectHints};
use promflow_syntax::ast::RangeExtension;

use super::selector::drop_stale;
use super::subquery::TakeSamples;
use super::{Exec, Row, Sink};
use crate::column::{ABSENT, all_absent, is_present};
use crate::error::QueryError;
use crate::functions::extended::Around;
use crate::functions::quantile;
use crate::functions::range::{RangeFunction, View};
use crate::functions::sliding::SlidingExtreme;
use crate::plan::{RangeCall, Window, WindowSource, window_reach};
use crate::result::MatrixSeries;
use crate::steps::Steps;

/// The functions that `anchored` is for.
const ANCHORED: [RangeFunction; 5] = [
    RangeFunction::Changes,
    RangeFunction::Delta,
    RangeFunction::Increase,
    RangeFunction::Rate,
    RangeFunction::Resets,
];
/// The functions that `smoothed` is for.
const SMOOTHED: [RangeFunction; 3] = [RangeFunction::Delta, RangeFunction::Increase, RangeFunction::Rate];

impl Exec<'_> {
    pub(super) fn range_call(
        &self,
        call: &RangeCall,
        steps: &Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        check_extension(call.function.name(), Some(call.function), &call.window)?;
        let params = call.params.iter().map(|p| self.scalar(p, steps)).collect::<Result<Vec<_>, _>>()?;
        let keeps_name = call.function.keeps_name();
        let needed = !self.delayed_name_removal && !keeps_name && !call.window.is_distinct_unnamed();
        let mut distinct = self.distinct(needed);
        let mut computed = Computation::new(call, &params, steps, self.lookback_ms);
        self.window_series(&call.window, call.function.name(), steps, &mut |labels, drop_name, buffer| {
            self.note_work(steps.count)?;
            computed.run(buffer)?;
            self.budget.check(steps.count + computed.samples_max, steps.count * 8)?;
            if all_absent(&computed.column) {
                return Ok(());
            }
            self.annotate(call, &params, labels, &computed.column);
            let (labels, drop_name) =
                if keeps_name { (labels.clone(), drop_name) } else { self.renamed(labels) };
            distinct.check_whole(&labels)?;
            sink(Row { labels, drop_name, values: &mut computed.column })
        })
    }

    fn annotate(&self, call: &RangeCall, params: &[Vec<f64>], labels: &Labels, column: &[f64]) {
        if call.function.expects_counter() {
            let name = labels.metric_name();
            let is_counter = ["_total", "_sum", "_count", "_bucket"].iter().any(|s| name.ends_with(s));
            if !name.is_empty() && !is_counter {
                self.annotations.borrow_mut().possible_non_counter(name, call.first_arg_span);
            }
        }
        if call.function == RangeFunction::Quantile {
            for (value, q) in column.iter().zip(&params[0]) {
                if is_present(*value) && !quantile::is_valid(*q) {
                    self.annotations.borrow_mut().invalid_quantile(*q, call.first_arg_span);
                }
            }
        }
    }

    /// Hands on the series of a range vector with all their samples, stale markers left out.
    pub(super) fn window_series(
        &self,
        window: &Window,
        function: &str,
        steps: &Steps,
        take: TakeSamples<'_>,
    ) -> Result<(), QueryError> {
        match &window.source {
            WindowSource::Subquery(subquery) => self.subquery(window, subquery, steps, take),
            WindowSource::Selector(selector) => {
                let reach = window_reach(window, steps, self.lookback_ms);
                let hints = SelectHints {
                    step_ms: steps.step_ms,
                    range_ms: window.range_ms,
                    func: function.to_owned(),
                    ..SelectHints::default()
                };
                self.series(selector, reach, hints, &mut |labels, buffer| {
                    drop_stale(buffer);
                    take(labels, false, buffer)
                })
            }
        }
    }

    /// Evaluates a range vector at one time, as a query's result.
    pub(crate) fn matrix(&self, window: &Window, steps: &Steps) -> Result<Vec<MatrixSeries>, QueryError> {
        let end_ms = window.reference_ms(steps.start_ms);
        let start_ms = end_ms.saturating_sub(window.range_ms);
        let mut account = self.budget.account();
        let mut matrix = Vec::new();
        self.window_series(window, "", steps, &mut |labels, drop_name, buffer| {
            let mut samples = Vec::new();
            match window.extension() {
                None => {
                    let within = |t: &i64| *t > start_ms && *t <= end_ms;
                    let all = buffer.t_ms.iter().zip(&buffer.values);
                    samples
                        .extend(all.filter(|(t, _)| within(t)).map(|(t, v)| Sample { t_ms: *t, value: *v }));
                }
                Some(extension) => {
                    if let Some(around) = around(buffer, extension, start_ms, end_ms, self.lookback_ms) {
                        around.extend(|t_ms, value| samples.push(Sample { t_ms, value }));
                    }
                }
            }
            account.take(samples.len(), samples.len() * size_of::<Sample>())?;
            if !samples.is_empty() {
                let labels = if drop_name { super::without_metadata(labels) } else { labels.clone() };
                matrix.push(MatrixSeries { labels, samples });
            }
            Ok(())
        })?;
        matrix.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok(matrix)
    }
}

/// Refuses `anchored` and `smoothed` around functions that would misread them.
pub(super) fn check_extension(
    name: &str,
    function: Option<RangeFunction>,
    window: &Window,
) -> Result<(), QueryError> {
    let (word, allowed): (_, &[RangeFunction]) = match window.extension() {
        None => return Ok(()),
        Some(RangeExtension::Anchored) => ("anchored", &ANCHORED),
        Some(RangeExtension::Smoothed) => ("smoothed", &SMOOTHED),
    };
    if function.is_some_and(|f| allowed.contains(&f)) {
        return Ok(());
    }
    let names: Vec<&str> = allowed.iter().map(|f| f.name()).collect();
    Err(QueryError::execution(format!(
        "{word} modifier can only be used with: {} - not with {name}",
        names.join(", ")
    )))
}

/// Returns the samples around a range, as far as the lookback reaches.
fn around(
    buffer: &SampleBuffer,
    extension: RangeExtension,
    start_ms: i64,
    end_ms: i64,
    lookback_ms: i64,
) -> Option<Around<'_>> {
    let smoothed = extension == RangeExtension::Smoothed;
    let reach_ms = if smoothed { end_ms.saturating_add(lookback_ms) } else { end_ms };
    let from = buffer.t_ms.partition_point(|t| *t <= start_ms.saturating_sub(lookback_ms));
    let to = buffer.t_ms.partition_point(|t| *t <= reach_ms);
    (from < to).then(|| Around {
        t_ms: &buffer.t_ms[from..to],
        values: &buffer.values[from..to],
        start_ms,
        end_ms,
        smoothed,
    })
}

/// The computation of one function over series after series.
struct Computation<'c> {
    call: &'c RangeCall,
    params: &'c [Vec<f64>],
    steps: &'c Steps,
    lookback_ms: i64,
    column: Vec<f64>,
    resets: Vec<usize>,
    extreme: Option<SlidingExtreme>,
    scratch: Vec<f64>,
    /// The most samples that one step saw.
    samples_max: usize,
}

impl<'c> Computation<'c> {
    fn new(call: &'c RangeCall, params: &'c [Vec<f64>], steps: &'c Steps, lookback_ms: i64) -> Self {
        Self {
            call,
            params,
            steps,
            lookback_ms,
            column: vec![ABSENT; steps.count],
            resets: Vec::new(),
            extreme: call.function.extreme(),
            scratch: Vec::new(),
            samples_max: 0,
        }
    }

    fn run(&mut self, buffer: &SampleBuffer) -> Result<(), QueryError> {
        match self.call.window.extension() {
            None => self.slide(buffer),
            Some(extension) => {
                self.extended(buffer, extension);
                Ok(())
            }
        }
    }

    /// Slides the window over the samples, whose ends only ever move forward.
    fn slide(&mut self, buffer: &SampleBuffer) -> Result<(), QueryError> {
        let function = self.call.function;
        let SampleBuffer { t_ms: times, values } = buffer;
        self.resets.clear();
        if let Some(extreme) = &mut self.extreme {
            extreme.reset();
        }
        if function.uses_resets() {
            self.resets.extend((1..values.len()).filter(|i| values[*i] < values[i - 1]));
        }
        let (mut from, mut to, mut reset_from, mut reset_to) = (0, 0, 0, 0);
        let mut params = [0.0; 2];
        for (step, eval_ms) in self.steps.iter() {
            let end_ms = self.call.window.reference_ms(eval_ms);
            let start_ms = end_ms.saturating_sub(self.call.window.range_ms);
            while to < times.len() && times[to] <= end_ms {
                to += 1;
            }
            while from < to && times[from] <= start_ms {
                from += 1;
            }
            if from == to {
                self.column[step] = ABSENT;
                continue;
            }
            while reset_to < self.resets.len() && self.resets[reset_to] < to {
                reset_to += 1;
            }
            while reset_from < reset_to && self.resets[reset_from] <= from {
                reset_from += 1;
            }
            for (param, column) in params.iter_mut().zip(self.params) {
                *param = column[step];
            }
            function.check_params(&params)?;
            self.samples_max = self.samples_max.max(to - from);
            let view = View {
                t_ms: &times[from..to],
                values: &values[from..to],
                resets: &self.resets[reset_from..reset_to],
                first: from,
                extreme: self.extreme.as_mut().map_or(0, |e| e.slide(values, from, to) - from),
                start_ms,
                end_ms,
                eval_ms,
            };
            self.column[step] = function.compute(view, &params, &mut self.scratch);
        }
        Ok(())
    }

    fn extended(&mut self, buffer: &SampleBuffer, extension: RangeExtension) {
        for (step, eval_ms) in self.steps.iter() {
            let end_ms = self.call.window.reference_ms(eval_ms);
            let start_ms = end_ms.saturating_sub(self.call.window.range_ms);
            let around = around(buffer, extension, start_ms, end_ms, self.lookback_ms);
            let Some(around) = around else {
                self.column[step] = ABSENT;
                continue;
            };
            self.samples_max = self.samples_max.max(around.values.len());
            self.column[step] = match self.call.function {
                RangeFunction::Rate => around.rate(true, true),
                RangeFunction::Increase => around.rate(true, false),
                RangeFunction::Delta => around.rate(false, false),
                RangeFunction::Resets => around
                    .since_anchor()
                    .map_or(ABSENT, |v| v.windows(2).filter(|w| w[1] < w[0]).count() as f64),
                _ => around.since_anchor().map_or(ABSENT, crate::functions::over_time::changes),
            };
        }
    }
}
