//! The plan: the syntax tree with everything resolved that does not depend on data.
//!
//! Durations are numbers, `@ start()` and `@ end()` are times, parentheses are gone, functions are enum variants,
//! and every node knows whether its value is the same at every step, so that it is evaluated once.

mod absent;
mod build;
mod call;
mod duration;
mod reach;

use promflow_model::{Labels, METRIC_NAME, MatchOp, Matcher};
use promflow_regex::Regex;
use promflow_syntax::Span;
use promflow_syntax::ast::{AggregateOp, BinaryOp, RangeExtension, ValueType, VectorMatching};

pub(crate) use build::{PlanContext, build, changes_schema};
pub(crate) use reach::{Reach, reach, selector_reach, window_reach};

use crate::functions::date::DateFunction;
use crate::functions::math::MathFunction;
use crate::functions::range::RangeFunction;

/// One operator of the plan.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    pub(crate) span: Span,
    pub(crate) value_type: ValueType,
    /// Whether the value is the same at every step.
    pub(crate) invariant: bool,
    /// Whether label sets stay distinct when their metric names are dropped.
    pub(crate) distinct_unnamed: bool,
    /// Whether a label set may come in several rows, each with other steps.
    pub(crate) may_repeat: bool,
}

/// What an operator does.
#[derive(Debug)]
pub(crate) enum NodeKind {
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// An instant vector selector.
    Selector(Selector),
    /// A range vector selector or subquery as the query's result.
    Window(Window),
    /// The sign turned.
    Negate(Box<Node>),
    /// A binary operation between two scalars.
    ScalarBinary { op: BinaryOp, lhs: Box<Node>, rhs: Box<Node> },
    /// A binary operation between a vector and a scalar.
    VectorScalar { op: BinaryOp, vector: Box<Node>, scalar: Box<Node>, scalar_left: bool, return_bool: bool },
    /// A binary operation between two vectors.
    VectorBinary(Box<VectorBinary>),
    /// A set operation between two vectors.
    Set { op: BinaryOp, lhs: Box<Node>, rhs: Box<Node>, key: MatchKey },
    /// An aggregation.
    Aggregate(Box<Aggregate>),
    /// The evaluation time.
    Time,
    /// The one value of a vector.
    ScalarOf(Box<Node>),
    /// The smaller or the larger of two scalars.
    Extreme { largest: bool, lhs: Box<Node>, rhs: Box<Node> },
    /// A scalar as a vector.
    VectorOf(Box<Node>),
    /// A function of each value.
    Math { function: MathFunction, arg: Box<Node>, params: Vec<Node> },
    /// A part of the date; of the evaluation time when there is no argument.
    Date { function: DateFunction, arg: Option<Box<Node>> },
    /// A function over a range vector.
    Range(Box<RangeCall>),
    /// `absent`
    Absent { labels: Labels, arg: Box<Node> },
    /// `absent_over_time`
    AbsentOverTime { labels: Labels, window: Box<Window> },
    /// `timestamp`
    Timestamp(Box<Node>),
    /// `start_timestamp`, of a selector.
    StartTimestamp(Box<Node>),
    /// A function that looks at native histograms alone: no float series has a result.
    NativeOnly(Box<Node>),
    /// `histogram_quantile` and `histogram_quantiles`.
    HistogramQuantile(Box<HistogramQuantile>),
    /// `histogram_fraction`
    HistogramFraction { lower: Box<Node>, upper: Box<Node>, arg: Box<Node> },
    /// `label_replace`
    LabelReplace(Box<LabelReplace>),
    /// `label_join`
    LabelJoin { arg: Box<Node>, destination: String, separator: String, sources: Vec<String> },
    /// `sort` and its kin.
    Sort { order: SortOrder, arg: Box<Node> },
    /// `info`
    ///
    /// The info series are looked at when the first selector of the argument is: `moved` says so, without matchers.
    Info { arg: Box<Node>, matchers: Option<Vec<Matcher>>, moved: Selector },
}

/// An instant vector selector.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    pub(crate) matchers: Vec<Matcher>,
    /// How far back the evaluation time is moved.
    pub(crate) offset_ms: i64,
    /// The time that stands for every evaluation time.
    pub(crate) at_ms: Option<i64>,
    pub(crate) extension: Option<RangeExtension>,
}

impl Selector {
    /// Says whether all series selected have the same metric name.
    pub(crate) fn has_one_name(&self) -> bool {
        self.matchers.iter().any(|m| m.name == METRIC_NAME && m.op == MatchOp::Equal && !m.value.is_empty())
    }

    /// Returns the time that is looked at when the expression is evaluated at `t_ms`.
    #[inline]
    pub(crate) fn reference_ms(&self, t_ms: i64) -> i64 {
        self.at_ms.unwrap_or(t_ms).saturating_sub(self.offset_ms)
    }
}

/// A range vector: each step looks at the samples of `(reference - range, reference]`.
#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) source: WindowSource,
    pub(crate) range_ms: i64,
}

/// Where a range vector's samples come from.
#[derive(Debug)]
pub(crate) enum WindowSource {
    /// From the store.
    Selector(Selector),
    /// From another expression.
    Subquery(Subquery),
}

/// A subquery.
#[derive(Debug)]
pub(crate) struct Subquery {
    pub(crate) expr: Box<Node>,
    pub(crate) step_ms: i64,
    pub(crate) offset_ms: i64,
    pub(crate) at_ms: Option<i64>,
}

impl Window {
    /// Returns the right end of the window when the expression is evaluated at `t_ms`.
    #[inline]
    pub(crate) fn reference_ms(&self, t_ms: i64) -> i64 {
        match &self.source {
            WindowSource::Selector(selector) => selector.reference_ms(t_ms),
            WindowSource::Subquery(subquery) => {
                subquery.at_ms.unwrap_or(t_ms).saturating_sub(subquery.offset_ms)
            }
        }
    }

    /// Says whether label sets stay distinct when their metric names are dropped.
    pub(crate) fn is_distinct_unnamed(&self) -> bool {
        match &self.source {
            WindowSource::Selector(selector) => selector.has_one_name(),
            WindowSource::Subquery(subquery) => subquery.expr.distinct_unnamed,
        }
    }

    pub(crate) fn extension(&self) -> Option<RangeExtension> {
        match &self.source {
            WindowSource::Selector(selector) => selector.extension,
            WindowSource::Subquery(_) => None,
        }
    }
}

/// A call of a function over a range vector.
#[derive(Debug)]
pub(crate) struct RangeCall {
    pub(crate) function: RangeFunction,
    pub(crate) window: Window,
    pub(crate) params: Vec<Node>,
    /// Where the first argument stands.
    pub(crate) first_arg_span: Span,
}

/// A binary operation between two vectors.
#[derive(Debug)]
pub(crate) struct VectorBinary {
    pub(crate) op: BinaryOp,
    pub(crate) lhs: Node,
    pub(crate) rhs: Node,
    pub(crate) return_bool: bool,
    pub(crate) matching: VectorMatching,
    pub(crate) key: MatchKey,
}

/// Which labels series are matched on.
#[derive(Clone, Debug)]
pub(crate) struct MatchKey {
    pub(crate) on: bool,
    /// Sorted.
    pub(crate) labels: Vec<String>,
}

impl MatchKey {
    pub(crate) fn new(on: bool, labels: &[String]) -> Self {
        let mut labels = labels.to_vec();
        labels.sort();
        Self { on, labels }
    }

    pub(crate) fn of(&self, labels: &Labels) -> Labels {
        if self.on { labels.keep(&self.labels) } else { labels.drop(&self.labels) }
    }
}

/// An aggregation.
#[derive(Debug)]
pub(crate) struct Aggregate {
    pub(crate) op: AggregateOp,
    pub(crate) param: Option<Node>,
    pub(crate) arg: Node,
    pub(crate) grouping: Grouping,
}

/// Which group a series belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Grouping {
    pub(crate) without: bool,
    /// Sorted.
    pub(crate) labels: Vec<String>,
}

impl Grouping {
    pub(crate) fn of(&self, labels: &Labels) -> Labels {
        if self.without { labels.drop(&self.labels) } else { labels.keep(&self.labels) }
    }
}

/// `histogram_quantile` and `histogram_quantiles`.
#[derive(Debug)]
pub(crate) struct HistogramQuantile {
    pub(crate) quantiles: Vec<Node>,
    pub(crate) arg: Node,
    /// The label that tells the quantiles apart.
    pub(crate) label: Option<String>,
    /// Where the place for what is said about the buckets stands.
    pub(crate) monotonicity_span: Span,
}

/// `label_replace`
#[derive(Debug)]
pub(crate) struct LabelReplace {
    pub(crate) arg: Node,
    pub(crate) destination: String,
    pub(crate) replacement: String,
    pub(crate) source: String,
    pub(crate) regex: Regex,
}

/// How `sort` and its kin order an instant vector.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SortOrder {
    /// By value.
    Value { descending: bool },
    /// By the named labels, numbers in them as numbers.
    Labels { names: Vec<String>, descending: bool },
}
