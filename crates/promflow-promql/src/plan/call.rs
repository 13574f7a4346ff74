//! Function calls: from name and arguments to an operator.

use promflow_regex::Regex;
use promflow_syntax::Span;
use promflow_syntax::ast::{Call, Expr, ExprKind};

use super::absent::labels_of;
use super::build::{Builder, scalar, unwrap, vector};
use super::{HistogramQuantile, LabelReplace, Node, NodeKind, RangeCall, Selector, SortOrder, WindowSource};
use crate::error::QueryError;
use crate::functions::date::DateFunction;
use crate::functions::math::MathFunction;
use crate::functions::range::RangeFunction;

impl Builder<'_> {
    pub(super) fn call(&mut self, expr: &Expr, call: &Call) -> Result<Node, QueryError> {
        let name = call.func.name;
        let args: Vec<&Expr> = call.args.iter().map(unwrap).collect();
        if let Some(function) = RangeFunction::named(name) {
            return self.range_call(expr, function, &args);
        }
        if let Some(function) = MathFunction::named(name) {
            return self.math(expr, function, &args);
        }
        if let Some(function) = DateFunction::named(name) {
            let arg = args.first().map(|a| self.node(a)).transpose()?.map(Box::new);
            let repeats = arg.as_ref().is_some_and(|a| a.may_repeat || !a.distinct_unnamed);
            return Ok(Node {
                distinct_unnamed: true,
                may_repeat: repeats,
                kind: NodeKind::Date { function, arg },
                ..vector(expr)
            });
        }
        match name {
            "time" | "pi" | "start" | "end" | "step" | "range" | "scalar" | "min_of" | "max_of" => {
                self.scalar_call(expr, name, &args)
            }
            "label_replace" | "label_join" => self.label_call(expr, name, &args),
            "histogram_quantile" | "histogram_quantiles" | "histogram_fraction" => {
                self.histogram_call(expr, name, &args)
            }
            _ => self.vector_call(expr, name, &args),
        }
    }

    fn scalar_call(&mut self, expr: &Expr, name: &str, args: &[&Expr]) -> Result<Node, QueryError> {
        let seconds = |ms: i64| NodeKind::Number(ms as f64 / 1000.0);
        let context = self.context;
        Ok(match name {
            "time" => scalar(expr, NodeKind::Time, false),
            "pi" => scalar(expr, NodeKind::Number(std::f64::consts::PI), true),
            "start" => scalar(expr, seconds(context.start_ms), true),
            "end" => scalar(expr, seconds(context.end_ms), true),
            "step" => scalar(expr, seconds(context.step_ms), true),
            "range" => scalar(expr, seconds(context.end_ms - context.start_ms), true),
            "scalar" => {
                let arg = self.arg(args, 0)?;
                let invariant = arg.invariant;
                scalar(expr, NodeKind::ScalarOf(Box::new(arg)), invariant)
            }
            _ => {
                let (lhs, rhs) = (self.arg(args, 0)?, self.arg(args, 1)?);
                let invariant = lhs.invariant && rhs.invariant;
                let largest = name == "max_of";
                scalar(expr, NodeKind::Extreme { largest, lhs: Box::new(lhs), rhs: Box::new(rhs) }, invariant)
            }
        })
    }

    fn range_call(
        &mut self,
        expr: &Expr,
        function: RangeFunction,
        args: &[&Expr],
    ) -> Result<Node, QueryError> {
        let mut window = None;
        let mut params = Vec::new();
        for arg in args {
            match arg.kind {
                ExprKind::Matrix(_) | ExprKind::Subquery(_) => window = Some(self.window(arg)?),
                _ => params.push(self.node(arg)?),
            }
        }
        let window = window.ok_or_else(|| QueryError::execution("expected a range vector"))?;
        // What a subquery gives has no place of its own in Prometheus: annotations point at the query's start.
        let first_arg_span = match args[0].kind {
            ExprKind::Subquery(_) => Span::default(),
            _ => args[0].span,
        };
        let fixed = match &window.source {
            WindowSource::Selector(selector) => selector.at_ms.is_some(),
            WindowSource::Subquery(subquery) => subquery.at_ms.is_some(),
        };
        let distinct = window.is_distinct_unnamed();
        Ok(Node {
            invariant: fixed && params.iter().all(|p| p.invariant) && !function.uses_evaluation_time(),
            distinct_unnamed: !function.keeps_name() || distinct,
            kind: NodeKind::Range(Box::new(RangeCall { function, window, params, first_arg_span })),
            ..vector(expr)
        })
    }

    fn math(&mut self, expr: &Expr, function: MathFunction, args: &[&Expr]) -> Result<Node, QueryError> {
        let arg = Box::new(self.arg(args, 0)?);
        let params = args[1..].iter().map(|a| self.node(a)).collect::<Result<Vec<_>, _>>()?;
        Ok(Node {
            invariant: arg.invariant && params.iter().all(|p| p.invariant),
            distinct_unnamed: true,
            may_repeat: arg.may_repeat || !arg.distinct_unnamed,
            kind: NodeKind::Math { function, arg, params },
            ..vector(expr)
        })
    }

    fn vector_call(&mut self, expr: &Expr, name: &str, args: &[&Expr]) -> Result<Node, QueryError> {
        if name == "absent_over_time" {
            let window = self.window(args[0])?;
            let (labels, invariant) = match &window.source {
                WindowSource::Selector(selector) => (labels_of(&selector.matchers), selector.at_ms.is_some()),
                WindowSource::Subquery(subquery) => (Default::default(), subquery.at_ms.is_some()),
            };
            let kind = NodeKind::AbsentOverTime { labels, window: Box::new(window) };
            return Ok(Node { invariant, distinct_unnamed: true, kind, ..vector(expr) });
        }
        let arg = Box::new(self.arg(args, 0)?);
        let (invariant, distinct, repeats) = (arg.invariant, arg.distinct_unnamed, arg.may_repeat);
        let dropped = repeats || !distinct;
        let (kind, invariant, distinct_unnamed, may_repeat) = match name {
            "vector" => (NodeKind::VectorOf(arg), invariant, true, false),
            "absent" => {
                let labels = match &arg.kind {
                    NodeKind::Selector(selector) => labels_of(&selector.matchers),
                    _ => Default::default(),
                };
                (NodeKind::Absent { labels, arg }, invariant, true, false)
            }
            "timestamp" => (NodeKind::Timestamp(arg), false, true, dropped),
            "start_timestamp" => (NodeKind::StartTimestamp(arg), invariant, true, dropped),
            "histogram_count" | "histogram_sum" | "histogram_avg" | "histogram_stddev"
            | "histogram_stdvar" => (NodeKind::NativeOnly(arg), invariant, true, false),
            "sort" | "sort_desc" => {
                let order = SortOrder::Value { descending: name == "sort_desc" };
                (NodeKind::Sort { order, arg }, invariant, distinct, repeats)
            }
            "sort_by_label" | "sort_by_label_desc" => {
                let names = args[1..].iter().map(|a| self.text(a)).collect::<Result<_, _>>()?;
                let order = SortOrder::Labels { names, descending: name == "sort_by_label_desc" };
                (NodeKind::Sort { order, arg }, invariant, distinct, repeats)
            }
            "info" => {
                let matchers = match args.get(1).map(|a| &a.kind) {
                    Some(ExprKind::Vector(selector)) => Some(selector.matchers.clone()),
                    _ => None,
                };
                let moved = Selector { extension: None, ..first_move(&arg).unwrap_or_default() };
                (NodeKind::Info { arg, matchers, moved }, invariant, distinct, true)
            }
            _ => return Err(QueryError::not_supported(&format!("function {name}"))),
        };
        Ok(Node { invariant, distinct_unnamed, may_repeat, kind, ..vector(expr) })
    }

    fn label_call(&mut self, expr: &Expr, name: &str, args: &[&Expr]) -> Result<Node, QueryError> {
        let destination = self.text(args[1])?;
        let kind = if name == "label_replace" {
            let pattern = self.text(args[4])?;
            let regex = Regex::new(&pattern).map_err(|_| {
                QueryError::execution(format!("invalid regular expression in label_replace(): {pattern}"))
            })?;
            check_label_name(&destination, "destination", name)?;
            NodeKind::LabelReplace(Box::new(LabelReplace {
                arg: self.node(args[0])?,
                destination,
                replacement: self.text(args[2])?,
                source: self.text(args[3])?,
                regex,
            }))
        } else {
            let sources = args[3..].iter().map(|a| self.text(a)).collect::<Result<Vec<_>, _>>()?;
            for source in &sources {
                check_label_name(source, "source", name)?;
            }
            check_label_name(&destination, "destination", name)?;
            let separator = self.text(args[2])?;
            NodeKind::LabelJoin { arg: Box::new(self.node(args[0])?), destination, separator, sources }
        };
        let invariant = match &kind {
            NodeKind::LabelReplace(call) => call.arg.invariant,
            NodeKind::LabelJoin { arg, .. } => arg.invariant,
            _ => false,
        };
        Ok(Node { invariant, may_repeat: true, kind, ..vector(expr) })
    }

    fn histogram_call(&mut self, expr: &Expr, name: &str, args: &[&Expr]) -> Result<Node, QueryError> {
        let nodes = |builder: &mut Self, args: &[&Expr]| {
            args.iter().map(|a| builder.node(a)).collect::<Result<Vec<_>, _>>()
        };
        let (kind, invariant) = match name {
            "histogram_fraction" => {
                let (lower, upper, arg) = (self.arg(args, 0)?, self.arg(args, 1)?, self.arg(args, 2)?);
                let invariant = lower.invariant && upper.invariant && arg.invariant;
                let (lower, upper, arg) = (Box::new(lower), Box::new(upper), Box::new(arg));
                (NodeKind::HistogramFraction { lower, upper, arg }, invariant)
            }
            _ => {
                let several = name == "histogram_quantiles";
                let quantiles = nodes(self, if several { &args[2..] } else { &args[..1] })?;
                let arg = self.arg(args, if several { 0 } else { 1 })?;
                let label = if several { Some(self.text(args[1])?) } else { None };
                let invariant = arg.invariant && quantiles.iter().all(|q| q.invariant);
                let call = HistogramQuantile { quantiles, monotonicity_span: arg.span, arg, label };
                (NodeKind::HistogramQuantile(Box::new(call)), invariant)
            }
        };
        Ok(Node { invariant, distinct_unnamed: true, may_repeat: true, kind, ..vector(expr) })
    }

    fn arg(&mut self, args: &[&Expr], i: usize) -> Result<Node, QueryError> {
        match args.get(i) {
            Some(arg) => self.node(arg),
            None => Err(QueryError::execution(format!("argument {} is missing", i + 1))),
        }
    }

    fn text(&self, arg: &Expr) -> Result<String, QueryError> {
        match &arg.kind {
            ExprKind::String(text) => Ok(text.clone()),
            _ => Err(QueryError::execution("expected a string literal")),
        }
    }
}

/// Returns how the selector that stands first in an expression moves the evaluation time, subqueries around it
/// included.
fn first_move(node: &Node) -> Option<Selector> {
    match &node.kind {
        NodeKind::Selector(selector) => Some(Selector { matchers: Vec::new(), ..selector.clone() }),
        NodeKind::Range(call) => match &call.window.source {
            WindowSource::Selector(selector) => Some(Selector { matchers: Vec::new(), ..selector.clone() }),
            WindowSource::Subquery(subquery) => first_move(&subquery.expr).map(|inner| match inner.at_ms {
                Some(_) => inner,
                None => Selector {
                    offset_ms: inner.offset_ms + subquery.offset_ms,
                    at_ms: subquery.at_ms,
                    ..inner
                },
            }),
        },
        _ => node.children().into_iter().find_map(first_move),
    }
}

/// Label names may be any text but the empty one.
fn check_label_name(label: &str, role: &str, function: &str) -> Result<(), QueryError> {
    if label.is_empty() {
        return Err(QueryError::execution(format!("invalid {role} label name in {function}(): {label}")));
    }
    Ok(())
}
