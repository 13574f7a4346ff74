//! The functions over a range vector, and what one step of them sees.

use super::sliding::SlidingExtreme;
use super::{over_time, quantile, rate, regression};
use crate::column::ABSENT;
use crate::error::QueryError;

/// A function over a range vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RangeFunction {
    Avg,
    Changes,
    Count,
    Delta,
    Deriv,
    DoubleExponentialSmoothing,
    First,
    Idelta,
    Increase,
    Irate,
    Last,
    Mad,
    Max,
    Min,
    PredictLinear,
    Present,
    Quantile,
    Rate,
    Resets,
    Stddev,
    Stdvar,
    Sum,
    TsOfFirst,
    TsOfLast,
    TsOfMax,
    TsOfMin,
}

const NAMES: [(&str, RangeFunction); 26] = [
    ("avg_over_time", RangeFunction::Avg),
    ("changes", RangeFunction::Changes),
    ("count_over_time", RangeFunction::Count),
    ("delta", RangeFunction::Delta),
    ("deriv", RangeFunction::Deriv),
    ("double_exponential_smoothing", RangeFunction::DoubleExponentialSmoothing),
    ("first_over_time", RangeFunction::First),
    ("idelta", RangeFunction::Idelta),
    ("increase", RangeFunction::Increase),
    ("irate", RangeFunction::Irate),
    ("last_over_time", RangeFunction::Last),
    ("mad_over_time", RangeFunction::Mad),
    ("max_over_time", RangeFunction::Max),
    ("min_over_time", RangeFunction::Min),
    ("predict_linear", RangeFunction::PredictLinear),
    ("present_over_time", RangeFunction::Present),
    ("quantile_over_time", RangeFunction::Quantile),
    ("rate", RangeFunction::Rate),
    ("resets", RangeFunction::Resets),
    ("stddev_over_time", RangeFunction::Stddev),
    ("stdvar_over_time", RangeFunction::Stdvar),
    ("sum_over_time", RangeFunction::Sum),
    ("ts_of_first_over_time", RangeFunction::TsOfFirst),
    ("ts_of_last_over_time", RangeFunction::TsOfLast),
    ("ts_of_max_over_time", RangeFunction::TsOfMax),
    ("ts_of_min_over_time", RangeFunction::TsOfMin),
];

/// The samples that one step of one series sees; at least one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'w> {
    /// Milliseconds since the epoch, rising.
    pub(crate) t_ms: &'w [i64],
    pub(crate) values: &'w [f64],
    /// The indices, within the view's series, of samples lower than the one before, all within this view and not
    /// its first.
    pub(crate) resets: &'w [usize],
    /// The index of the view's first sample within the series.
    pub(crate) first: usize,
    /// The index within the view of the extreme value, for the functions that ask for it.
    pub(crate) extreme: usize,
    /// The left end of the range, exclusive.
    pub(crate) start_ms: i64,
    /// The right end of the range, inclusive.
    pub(crate) end_ms: i64,
    /// The evaluation time.
    pub(crate) eval_ms: i64,
}

impl RangeFunction {
    pub(crate) fn named(name: &str) -> Option<Self> {
        NAMES.binary_search_by(|(n, _)| n.cmp(&name)).ok().map(|i| NAMES[i].1)
    }

    pub(crate) fn name(self) -> &'static str {
        NAMES.iter().find(|(_, f)| *f == self).map_or("", |(name, _)| name)
    }

    /// Says whether the result is still the same metric.
    pub(crate) fn keeps_name(self) -> bool {
        matches!(self, Self::First | Self::Last)
    }

    /// Says whether the result depends on the evaluation time also when the samples do not.
    pub(crate) fn uses_evaluation_time(self) -> bool {
        self == Self::PredictLinear
    }

    /// Says whether it asks for a counter.
    pub(crate) fn expects_counter(self) -> bool {
        matches!(self, Self::Rate | Self::Increase)
    }

    /// Says whether it looks at counter resets.
    pub(crate) fn uses_resets(self) -> bool {
        matches!(self, Self::Rate | Self::Increase | Self::Resets)
    }

    /// Returns the finder of the extreme value that the function asks for.
    pub(crate) fn extreme(self) -> Option<SlidingExtreme> {
        match self {
            Self::Max | Self::TsOfMax => Some(SlidingExtreme::new(true)),
            Self::Min | Self::TsOfMin => Some(SlidingExtreme::new(false)),
            _ => None,
        }
    }

    /// Checks the parameters of a step.
    pub(crate) fn check_params(self, params: &[f64]) -> Result<(), QueryError> {
        if self != Self::DoubleExponentialSmoothing {
            return Ok(());
        }
        for (value, role, short) in [(params[0], "smoothing", "sf"), (params[1], "trend", "tf")] {
            // NaN passes, as it does upstream.
            if value <= 0.0 || value >= 1.0 {
                return Err(QueryError::execution(format!(
                    "invalid {role} factor. Expected: 0 < {short} < 1, got: {}",
                    fixed_six(value)
                )));
            }
        }
        Ok(())
    }

    /// Computes one step.
    ///
    /// Shape: `params` are the scalar arguments at this step; `scratch` is overwritten.
    #[inline]
    pub(crate) fn compute(self, view: View<'_>, params: &[f64], scratch: &mut Vec<f64>) -> f64 {
        let values = view.values;
        match self {
            Self::Rate => rate::extrapolated(view, true, true),
            Self::Increase => rate::extrapolated(view, true, false),
            Self::Delta => rate::extrapolated(view, false, false),
            Self::Irate => rate::instant(view, true),
            Self::Idelta => rate::instant(view, false),
            Self::Resets => view.resets.len() as f64,
            Self::Changes => over_time::changes(values),
            Self::Avg => over_time::avg(values),
            Self::Sum => over_time::sum(values),
            Self::Count => values.len() as f64,
            Self::Present => 1.0,
            Self::First => values[0],
            Self::Last => values[values.len() - 1],
            Self::Max | Self::Min => values[view.extreme],
            Self::TsOfFirst => view.t_ms[0] as f64 / 1000.0,
            Self::TsOfLast => view.t_ms[values.len() - 1] as f64 / 1000.0,
            Self::TsOfMax | Self::TsOfMin => view.t_ms[view.extreme] as f64 / 1000.0,
            Self::Stdvar => over_time::variance(values),
            Self::Stddev => over_time::variance(values).sqrt(),
            Self::Mad => quantile::median_absolute_deviation(values, scratch),
            Self::Quantile => {
                scratch.clear();
                scratch.extend_from_slice(values);
                quantile::quantile(params[0], scratch)
            }
            _ if values.len() < 2 => ABSENT,
            Self::Deriv => regression::linear(view.t_ms, values, view.t_ms[0]).slope,
            Self::PredictLinear => {
                let line = regression::linear(view.t_ms, values, view.eval_ms);
                line.slope * params[0] + line.intercept
            }
            Self::DoubleExponentialSmoothing => {
                regression::double_exponential_smoothing(values, params[0], params[1])
            }
        }
    }
}

/// Writes as Go's `%f`.
fn fixed_six(value: f64) -> String {
    if value.is_finite() { format!("{value:.6}") } else { promflow_model::float::format_g(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_for_the_search() {
        assert!(NAMES.is_sorted_by_key(|(name, _)| *name));
        assert_eq!(RangeFunction::named("rate"), Some(RangeFunction::Rate));
        assert_eq!(RangeFunction::Rate.name(), "rate");
        assert_eq!(RangeFunction::named("abs"), None);
    }
}
