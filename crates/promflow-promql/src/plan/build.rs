//! From the syntax tree to the plan.

use promflow_model::METRIC_NAME;
use promflow_syntax::ast::{
    AggregateExpr, AggregateOp, AtModifier, BinaryExpr, BinaryOp, DurationExpr, Expr, ExprKind,
    MatrixSelector, UnaryOp, ValueType, VectorSelector,
};

use super::duration::DurationContext;
use super::{
    Aggregate, Grouping, MatchKey, Node, NodeKind, Selector, Subquery, VectorBinary, Window, WindowSource,
};
use crate::error::{QueryError, QueryErrorKind};

/// How deep expressions may be nested.
const DEPTH_MAX: usize = promflow_syntax::EXPR_HEIGHT_MAX;

/// What a plan needs to know of the query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlanContext {
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
    /// 0 for an instant query.
    pub(crate) step_ms: i64,
    pub(crate) default_subquery_step_ms: i64,
}

/// Builds the plan of an expression.
///
/// Errors: a duration cannot be computed; a function's constant argument is wrong; something is not supported yet.
pub(crate) fn build(expr: &Expr, context: &PlanContext) -> Result<Node, QueryError> {
    Builder { context, depth: 0 }.node(expr)
}

pub(super) struct Builder<'c> {
    pub(super) context: &'c PlanContext,
    depth: usize,
}

/// Returns what stands in parentheses.
pub(super) fn unwrap(expr: &Expr) -> &Expr {
    match &expr.kind {
        ExprKind::Paren(inner) => unwrap(inner),
        _ => expr,
    }
}

impl Builder<'_> {
    pub(super) fn node(&mut self, expr: &Expr) -> Result<Node, QueryError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(QueryError::new(QueryErrorKind::BadQuery, "expression is nested too deeply"));
        }
        let node = self.node_within(expr);
        self.depth -= 1;
        node
    }

    fn node_within(&mut self, expr: &Expr) -> Result<Node, QueryError> {
        match &expr.kind {
            ExprKind::Paren(inner) => self.node(inner),
            ExprKind::Number(number) => Ok(scalar(expr, NodeKind::Number(number.value), true)),
            ExprKind::String(text) => {
                Ok(Node { value_type: ValueType::String, ..scalar(expr, NodeKind::Text(text.clone()), true) })
            }
            ExprKind::Vector(selector) => {
                let selector = self.selector(selector)?;
                Ok(Node {
                    invariant: selector.at_ms.is_some(),
                    distinct_unnamed: selector.has_one_name(),
                    kind: NodeKind::Selector(selector),
                    ..vector(expr)
                })
            }
            ExprKind::Matrix(_) | ExprKind::Subquery(_) => {
                let window = self.window(expr)?;
                Ok(Node { value_type: ValueType::Matrix, kind: NodeKind::Window(window), ..vector(expr) })
            }
            ExprKind::Unary(UnaryOp::Plus, inner) => self.node(inner),
            ExprKind::Unary(UnaryOp::Minus, inner) => self.negate(expr, inner),
            ExprKind::Binary(binary) => self.binary(expr, binary),
            ExprKind::Aggregate(aggregate) => self.aggregate(expr, aggregate),
            ExprKind::Call(call) => self.call(expr, call),
        }
    }

    fn negate(&mut self, expr: &Expr, inner: &Expr) -> Result<Node, QueryError> {
        let inner = self.node(inner)?;
        if inner.value_type == ValueType::Scalar {
            let invariant = inner.invariant;
            return Ok(scalar(expr, NodeKind::Negate(Box::new(inner)), invariant));
        }
        Ok(Node {
            invariant: inner.invariant,
            distinct_unnamed: true,
            may_repeat: inner.may_repeat || !inner.distinct_unnamed,
            kind: NodeKind::Negate(Box::new(inner)),
            ..vector(expr)
        })
    }

    fn at(&self, at: Option<AtModifier>) -> Option<i64> {
        at.map(|at| match at {
            AtModifier::Timestamp(t_ms) => t_ms,
            AtModifier::Start => self.context.start_ms,
            AtModifier::End => self.context.end_ms,
        })
    }

    fn durations(&self) -> DurationContext {
        DurationContext {
            step_ms: self.context.step_ms,
            range_ms: self.context.end_ms - self.context.start_ms,
        }
    }

    fn offset(&self, offset: Option<&DurationExpr>) -> Result<i64, QueryError> {
        offset.map_or(Ok(0), |offset| self.durations().signed(offset))
    }

    fn selector(&self, selector: &VectorSelector) -> Result<Selector, QueryError> {
        Ok(Selector {
            matchers: selector.matchers.clone(),
            offset_ms: self.offset(selector.offset.as_ref())?,
            at_ms: self.at(selector.at),
            extension: selector.extension,
        })
    }

    /// Builds a range vector selector or a subquery.
    pub(super) fn window(&mut self, expr: &Expr) -> Result<Window, QueryError> {
        match &unwrap(expr).kind {
            ExprKind::Matrix(MatrixSelector { selector, range, .. }) => Ok(Window {
                source: WindowSource::Selector(self.selector(selector)?),
                range_ms: self.durations().positive(range)?,
            }),
            ExprKind::Subquery(subquery) => {
                let offset_ms = self.offset(subquery.offset.as_ref())?;
                let step_ms = match &subquery.step {
                    Some(step) => self.durations().positive(step)?,
                    None => self.context.default_subquery_step_ms,
                };
                let range_ms = self.durations().positive(&subquery.range)?;
                let source = WindowSource::Subquery(Subquery {
                    expr: Box::new(self.node(&subquery.expr)?),
                    step_ms: if step_ms == 0 { self.context.default_subquery_step_ms } else { step_ms },
                    offset_ms,
                    at_ms: self.at(subquery.at),
                });
                Ok(Window { source, range_ms })
            }
            _ => Err(QueryError::execution("expected a range vector")),
        }
    }

    fn binary(&mut self, expr: &Expr, binary: &BinaryExpr) -> Result<Node, QueryError> {
        let lhs = self.node(&binary.lhs)?;
        let rhs = self.node(&binary.rhs)?;
        let (op, return_bool) = (binary.op, binary.return_bool);
        let invariant = lhs.invariant && rhs.invariant;
        match (lhs.value_type, rhs.value_type) {
            (ValueType::Scalar, ValueType::Scalar) => {
                let kind = NodeKind::ScalarBinary { op, lhs: Box::new(lhs), rhs: Box::new(rhs) };
                Ok(scalar(expr, kind, invariant))
            }
            (ValueType::Scalar, _) => Ok(vector_scalar(expr, op, rhs, lhs, true, return_bool)),
            (_, ValueType::Scalar) => Ok(vector_scalar(expr, op, lhs, rhs, false, return_bool)),
            _ if op.is_set() => {
                let matching = binary.matching.clone().unwrap_or_default();
                let key = MatchKey::new(matching.on, &matching.labels);
                let (distinct_unnamed, may_repeat) = match op {
                    BinaryOp::Or => (false, true),
                    _ => (lhs.distinct_unnamed, lhs.may_repeat),
                };
                let kind = NodeKind::Set { op, lhs: Box::new(lhs), rhs: Box::new(rhs), key };
                Ok(Node { invariant, distinct_unnamed, may_repeat, kind, ..vector(expr) })
            }
            _ => {
                let matching = binary.matching.clone().unwrap_or_default();
                let key = MatchKey::new(matching.on, &matching.labels);
                let keeps_name = !changes_schema(op) && !return_bool;
                let kind = NodeKind::VectorBinary(Box::new(VectorBinary {
                    op,
                    lhs,
                    rhs,
                    return_bool,
                    matching,
                    key,
                }));
                Ok(Node { invariant, distinct_unnamed: !keeps_name, may_repeat: true, kind, ..vector(expr) })
            }
        }
    }

    fn aggregate(&mut self, expr: &Expr, aggregate: &AggregateExpr) -> Result<Node, QueryError> {
        let param = aggregate.param.as_ref().map(|p| self.node(unwrap(p))).transpose()?;
        let arg = self.node(unwrap(&aggregate.expr))?;
        let mut labels = aggregate.grouping.clone();
        if let (AggregateOp::CountValues, false, Some(NodeKind::Text(label))) =
            (aggregate.op, aggregate.without, param.as_ref().map(|p| &p.kind))
        {
            labels.push(label.clone());
        }
        labels.sort();
        let selects = matches!(
            aggregate.op,
            AggregateOp::Topk | AggregateOp::Bottomk | AggregateOp::Limitk | AggregateOp::LimitRatio
        );
        let groups_by_name = !aggregate.without && labels.iter().any(|l| l == METRIC_NAME);
        Ok(Node {
            invariant: arg.invariant,
            distinct_unnamed: if selects { arg.distinct_unnamed } else { !groups_by_name },
            may_repeat: selects && arg.may_repeat,
            kind: NodeKind::Aggregate(Box::new(Aggregate {
                op: aggregate.op,
                param,
                arg,
                grouping: Grouping { without: aggregate.without, labels },
            })),
            ..vector(expr)
        })
    }
}

/// Says whether the operator makes another metric of its operands.
pub(crate) fn changes_schema(op: BinaryOp) -> bool {
    matches!(
        op,
        BinaryOp::Add
            | BinaryOp::Sub
            | BinaryOp::Mul
            | BinaryOp::Div
            | BinaryOp::Mod
            | BinaryOp::Pow
            | BinaryOp::Atan2
    )
}

pub(super) fn scalar(expr: &Expr, kind: NodeKind, invariant: bool) -> Node {
    Node {
        kind,
        span: expr.span,
        value_type: ValueType::Scalar,
        invariant,
        distinct_unnamed: true,
        may_repeat: false,
    }
}

/// Returns a vector node whose kind is still to be set.
pub(super) fn vector(expr: &Expr) -> Node {
    Node {
        kind: NodeKind::Time,
        span: expr.span,
        value_type: ValueType::Vector,
        invariant: false,
        distinct_unnamed: false,
        may_repeat: false,
    }
}

fn vector_scalar(
    expr: &Expr,
    op: BinaryOp,
    vector_node: Node,
    scalar_node: Node,
    scalar_left: bool,
    return_bool: bool,
) -> Node {
    let drops = changes_schema(op) || return_bool;
    Node {
        invariant: vector_node.invariant && scalar_node.invariant,
        distinct_unnamed: drops || vector_node.distinct_unnamed,
        may_repeat: vector_node.may_repeat || (drops && !vector_node.distinct_unnamed),
        kind: NodeKind::VectorScalar {
            op,
            vector: Box::new(vector_node),
            scalar: Box::new(scalar_node),
            scalar_left,
            return_bool,
        },
        ..vector(expr)
    }
}
