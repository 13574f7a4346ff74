//! Types of expressions, and the walk over a tree.

use promflow_model::{METRIC_NAME, MatchOp};

use crate::ast::{Expr, ExprKind, ValueType, VectorSelector};

impl Expr {
    /// Returns the type of the expression's value.
    pub fn value_type(&self) -> ValueType {
        match &self.kind {
            ExprKind::Number(_) => ValueType::Scalar,
            ExprKind::String(_) => ValueType::String,
            ExprKind::Vector(_) | ExprKind::Aggregate(_) => ValueType::Vector,
            ExprKind::Matrix(_) | ExprKind::Subquery(_) => ValueType::Matrix,
            ExprKind::Unary(_, inner) | ExprKind::Paren(inner) => inner.value_type(),
            ExprKind::Binary(binary) => {
                if binary.lhs.value_type() == ValueType::Scalar
                    && binary.rhs.value_type() == ValueType::Scalar
                {
                    ValueType::Scalar
                } else {
                    ValueType::Vector
                }
            }
            ExprKind::Call(call) => call.func.returns,
        }
    }

    /// Visits the expression and then all inside it, parents before children, from left to right.
    pub fn walk(&self, visit: &mut impl FnMut(&Expr)) {
        visit(self);
        match &self.kind {
            ExprKind::Number(_) | ExprKind::String(_) | ExprKind::Vector(_) | ExprKind::Matrix(_) => {}
            ExprKind::Subquery(subquery) => subquery.expr.walk(visit),
            ExprKind::Unary(_, inner) | ExprKind::Paren(inner) => inner.walk(visit),
            ExprKind::Binary(binary) => {
                binary.lhs.walk(visit);
                binary.rhs.walk(visit);
            }
            ExprKind::Aggregate(aggregate) => {
                if let Some(param) = &aggregate.param {
                    param.walk(visit);
                }
                aggregate.expr.walk(visit);
            }
            ExprKind::Call(call) => call.args.iter().for_each(|arg| arg.walk(visit)),
        }
    }

    /// Returns the expression without the parentheses around it.
    pub fn without_parens(&self) -> &Expr {
        let mut expr = self;
        while let ExprKind::Paren(inner) = &expr.kind {
            expr = inner;
        }
        expr
    }
}

impl VectorSelector {
    /// Returns the metric name that is selected, written before or inside the braces, or `""` for none or many.
    pub fn metric_name(&self) -> &str {
        let named = |m: &&promflow_model::Matcher| m.name == METRIC_NAME && m.op == MatchOp::Equal;
        self.matchers.iter().rfind(named).map_or("", |m| &m.value)
    }
}
