//! What an expression reads: its selectors, each with what stands around it.

use promflow_model::{METRIC_NAME, MatchOp, Matcher, duration, is_legacy_metric_name, quote};
use promflow_syntax::ast::{AggregateOp, BinaryOp, Expr, ExprKind, VectorSelector};

/// One selector of an expression.
#[derive(Clone, Debug, Default)]
pub(crate) struct Read {
    /// The metric's name, when there is exactly one.
    pub(crate) name: Option<String>,
    /// The conditions on the name, when it is not one name.
    pub(crate) name_matchers: Vec<Matcher>,
    /// The conditions on other labels.
    pub(crate) matchers: Vec<Matcher>,
    /// The selector as text.
    pub(crate) via: String,
    /// The function around a range, with the range: `rate 5m`.
    pub(crate) function: String,
    /// How far back a function looks that needs two samples, in milliseconds.
    pub(crate) rate_range_ms: Option<i64>,
    /// What a quantile of this histogram has to exceed.
    pub(crate) quantile_above: Option<f64>,
    /// What a value of this selector itself has to exceed.
    pub(crate) above: Option<f64>,
    /// Whether it looks at a range, not at one moment.
    pub(crate) has_range: bool,
}

/// What stands around a part of an expression.
#[derive(Clone, Copy, Default)]
struct Around<'a> {
    function: Option<&'a str>,
    above: Option<f64>,
    in_quantile: bool,
}

/// Functions that return nothing for a single sample.
const NEED_TWO_SAMPLES: [&str; 9] = [
    "rate",
    "irate",
    "increase",
    "delta",
    "idelta",
    "deriv",
    "predict_linear",
    "double_exponential_smoothing",
    "holt_winters",
];

/// Returns the selectors of an expression, from left to right; the same selector under the same function once.
pub(crate) fn reads(expr: &Expr) -> Vec<Read> {
    let mut found: Vec<Read> = Vec::new();
    visit(expr, Around::default(), &mut found);
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|read| seen.insert((read.via.clone(), read.function.clone())));
    found
}

fn visit<'a>(expr: &'a Expr, around: Around<'a>, found: &mut Vec<Read>) {
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) => {}
        ExprKind::Vector(selector) => found.push(read(selector, None, around)),
        ExprKind::Matrix(matrix) => {
            let range_ms = matrix.range.literal_ms();
            found.push(read(&matrix.selector, Some(range_ms), around));
        }
        ExprKind::Subquery(subquery) => visit(&subquery.expr, Around::default(), found),
        ExprKind::Unary(_, inner) => visit(inner, Around { above: None, ..around }, found),
        ExprKind::Paren(inner) => visit(inner, around, found),
        ExprKind::Binary(binary) => {
            let bound = |side: &Expr| match side.without_parens().kind {
                ExprKind::Number(number) => Some(number.value),
                _ => None,
            };
            let (left, right) = match binary.op {
                BinaryOp::Gt | BinaryOp::Ge => (bound(&binary.rhs), None),
                BinaryOp::Lt | BinaryOp::Le => (None, bound(&binary.lhs)),
                _ => (None, None),
            };
            visit(&binary.lhs, Around { above: left, ..Around::default() }, found);
            visit(&binary.rhs, Around { above: right, ..Around::default() }, found);
        }
        ExprKind::Aggregate(aggregate) => {
            if let Some(param) = &aggregate.param {
                visit(param, Around::default(), found);
            }
            let above = around.above.filter(|_| around.in_quantile || keeps_height(aggregate.op));
            visit(&aggregate.expr, Around { function: None, above, in_quantile: around.in_quantile }, found);
        }
        ExprKind::Call(call) => {
            let is_quantile = call.func.name == "histogram_quantile";
            let keeps = is_quantile || around.in_quantile || KEEP_HEIGHT.contains(&call.func.name);
            let around = Around {
                function: Some(call.func.name),
                above: around.above.filter(|_| keeps),
                in_quantile: is_quantile || around.in_quantile,
            };
            call.args.iter().for_each(|arg| visit(arg, around, found));
        }
    }
}

fn read(selector: &VectorSelector, range: Option<Option<i64>>, around: Around<'_>) -> Read {
    let name = Some(selector.metric_name()).filter(|name| !name.is_empty()).map(str::to_owned);
    let of_name = |m: &&Matcher| m.name == METRIC_NAME;
    let exact = |m: &Matcher| m.op == MatchOp::Equal && Some(&m.value) == name.as_ref();
    let name_matchers = selector.matchers.iter().filter(of_name).filter(|m| !exact(m)).cloned().collect();
    let matchers: Vec<Matcher> = selector.matchers.iter().filter(|m| !of_name(m)).cloned().collect();
    let function = match (range, around.function) {
        (Some(Some(range_ms)), Some(function)) => format!("{function} {}", duration::format(range_ms)),
        (Some(None), Some(function)) => function.to_owned(),
        _ => String::new(),
    };
    let needs_two = around.function.is_some_and(|function| NEED_TWO_SAMPLES.contains(&function));
    Read {
        via: text(selector, name.as_deref()),
        name,
        name_matchers,
        matchers,
        function,
        rate_range_ms: range.flatten().filter(|_| needs_two),
        quantile_above: around.above.filter(|_| around.in_quantile),
        above: around.above.filter(|_| !around.in_quantile),
        has_range: range.is_some(),
    }
}

/// Functions whose result is never above the highest value they get.
const KEEP_HEIGHT: [&str; 5] =
    ["max_over_time", "min_over_time", "avg_over_time", "last_over_time", "quantile_over_time"];

/// Says whether an aggregation's result is never above the highest value it gets.
fn keeps_height(op: AggregateOp) -> bool {
    use AggregateOp::{Avg, Bottomk, Max, Min, Topk};
    matches!(op, Avg | Bottomk | Max | Min | Topk)
}

/// Says whether the value of an expression is a histogram's quantile.
pub(crate) fn is_quantile(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Paren(inner) => is_quantile(inner),
        ExprKind::Aggregate(aggregate) => keeps_height(aggregate.op) && is_quantile(&aggregate.expr),
        ExprKind::Call(call) => call.func.name == "histogram_quantile",
        _ => false,
    }
}

/// Returns a selector as the edges have it.
pub(crate) fn selector_text(selector: &VectorSelector) -> String {
    let name = selector.metric_name();
    text(selector, Some(name).filter(|name| !name.is_empty()))
}

/// Returns a selector as it is written: a name that needs no quotes before the braces.
fn text(selector: &VectorSelector, name: Option<&str>) -> String {
    let bare = name.filter(|name| is_legacy_metric_name(name));
    let mut parts = Vec::new();
    if let Some(name) = name.filter(|_| bare.is_none()) {
        parts.push(quote::quote(name));
    }
    let is_name =
        |m: &&Matcher| m.name == METRIC_NAME && m.op == MatchOp::Equal && Some(m.value.as_str()) == name;
    parts.extend(selector.matchers.iter().filter(|m| !is_name(m)).map(ToString::to_string));
    match (bare, parts.is_empty()) {
        (Some(name), true) => name.to_owned(),
        (name, _) => format!("{}{{{}}}", name.unwrap_or(""), parts.join(",")),
    }
}
