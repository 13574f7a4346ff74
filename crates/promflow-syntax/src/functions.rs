//! The functions and their signatures.

use crate::ast::ValueType;
use crate::ast::ValueType::{Matrix as M, Scalar as S, String as T, Vector as V};

/// A function's signature.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// The name.
    pub name: &'static str,
    /// The arguments' types; of the optional ones too.
    pub args: &'static [ValueType],
    /// How many of the last arguments may be left out; the last one may be repeated when `repeated` is set.
    pub optional: usize,
    /// Whether the last argument may stand any number of times.
    pub repeated: bool,
    /// How many arguments there may be at most.
    pub args_max: usize,
    /// The result's type.
    pub returns: ValueType,
    /// Whether Prometheus has it behind a feature flag.
    pub experimental: bool,
}

impl Function {
    /// Finds a function by its name.
    pub fn find(name: &str) -> Option<&'static Self> {
        FUNCTIONS.binary_search_by(|f| f.name.cmp(name)).ok().map(|i| &FUNCTIONS[i])
    }

    const fn new(name: &'static str, args: &'static [ValueType], returns: ValueType) -> Self {
        let args_max = args.len();
        Self { name, args, optional: 0, repeated: false, args_max, returns, experimental: false }
    }

    const fn optional(mut self) -> Self {
        self.optional = 1;
        self
    }

    /// The last argument may be left out or repeated.
    const fn repeated(mut self, args_max: usize) -> Self {
        self.optional = 1;
        self.repeated = true;
        self.args_max = args_max;
        self
    }

    const fn experimental(mut self) -> Self {
        self.experimental = true;
        self
    }
}

/// Stands for a function that is not known, in a tree that is thrown away.
pub(crate) static UNKNOWN: Function = Function::new("", &[], V);

/// All functions, sorted by name.
///
/// Source: Prometheus promql/parser/functions.go.
pub static FUNCTIONS: [Function; 90] = [
    Function::new("abs", &[V], V),
    Function::new("absent", &[V], V),
    Function::new("absent_over_time", &[M], V),
    Function::new("acos", &[V], V),
    Function::new("acosh", &[V], V),
    Function::new("asin", &[V], V),
    Function::new("asinh", &[V], V),
    Function::new("atan", &[V], V),
    Function::new("atanh", &[V], V),
    Function::new("avg_over_time", &[M], V),
    Function::new("ceil", &[V], V),
    Function::new("changes", &[M], V),
    Function::new("clamp", &[V, S, S], V),
    Function::new("clamp_max", &[V, S], V),
    Function::new("clamp_min", &[V, S], V),
    Function::new("cos", &[V], V),
    Function::new("cosh", &[V], V),
    Function::new("count_over_time", &[M], V),
    Function::new("day_of_month", &[V], V).optional(),
    Function::new("day_of_week", &[V], V).optional(),
    Function::new("day_of_year", &[V], V).optional(),
    Function::new("days_in_month", &[V], V).optional(),
    Function::new("deg", &[V], V),
    Function::new("delta", &[M], V),
    Function::new("deriv", &[M], V),
    Function::new("double_exponential_smoothing", &[M, S, S], V).experimental(),
    Function::new("end", &[], S).experimental(),
    Function::new("exp", &[V], V),
    Function::new("first_over_time", &[M], V),
    Function::new("floor", &[V], V),
    Function::new("histogram_avg", &[V], V),
    Function::new("histogram_count", &[V], V),
    Function::new("histogram_fraction", &[S, S, V], V),
    Function::new("histogram_quantile", &[S, V], V),
    Function::new("histogram_quantiles", &[V, T, S, S], V).repeated(12).experimental(),
    Function::new("histogram_stddev", &[V], V),
    Function::new("histogram_stdvar", &[V], V),
    Function::new("histogram_sum", &[V], V),
    Function::new("hour", &[V], V).optional(),
    Function::new("idelta", &[M], V),
    Function::new("increase", &[M], V),
    Function::new("info", &[V, V], V).optional().experimental(),
    Function::new("irate", &[M], V),
    Function::new("label_join", &[V, T, T, T], V).repeated(usize::MAX),
    Function::new("label_replace", &[V, T, T, T, T], V),
    Function::new("last_over_time", &[M], V),
    Function::new("ln", &[V], V),
    Function::new("log10", &[V], V),
    Function::new("log2", &[V], V),
    Function::new("mad_over_time", &[M], V).experimental(),
    Function::new("max_of", &[S, S], S).experimental(),
    Function::new("max_over_time", &[M], V),
    Function::new("min_of", &[S, S], S).experimental(),
    Function::new("min_over_time", &[M], V),
    Function::new("minute", &[V], V).optional(),
    Function::new("month", &[V], V).optional(),
    Function::new("pi", &[], S),
    Function::new("predict_linear", &[M, S], V),
    Function::new("present_over_time", &[M], V),
    Function::new("quantile_over_time", &[S, M], V),
    Function::new("rad", &[V], V),
    Function::new("range", &[], S).experimental(),
    Function::new("rate", &[M], V),
    Function::new("resets", &[M], V),
    Function::new("round", &[V, S], V).optional(),
    Function::new("scalar", &[V], S),
    Function::new("sgn", &[V], V),
    Function::new("sin", &[V], V),
    Function::new("sinh", &[V], V),
    Function::new("sort", &[V], V),
    Function::new("sort_by_label", &[V, T], V).repeated(usize::MAX).experimental(),
    Function::new("sort_by_label_desc", &[V, T], V).repeated(usize::MAX).experimental(),
    Function::new("sort_desc", &[V], V),
    Function::new("sqrt", &[V], V),
    Function::new("start", &[], S).experimental(),
    Function::new("start_timestamp", &[V], V).experimental(),
    Function::new("stddev_over_time", &[M], V),
    Function::new("stdvar_over_time", &[M], V),
    Function::new("step", &[], S).experimental(),
    Function::new("sum_over_time", &[M], V),
    Function::new("tan", &[V], V),
    Function::new("tanh", &[V], V),
    Function::new("time", &[], S),
    Function::new("timestamp", &[V], V),
    Function::new("ts_of_first_over_time", &[M], V).experimental(),
    Function::new("ts_of_last_over_time", &[M], V).experimental(),
    Function::new("ts_of_max_over_time", &[M], V).experimental(),
    Function::new("ts_of_min_over_time", &[M], V).experimental(),
    Function::new("vector", &[S], V),
    Function::new("year", &[V], V).optional(),
];
