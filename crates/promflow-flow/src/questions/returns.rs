//! Whether an expression can return anything at all, when some of its selectors never select anything.

use promflow_syntax::ast::{BinaryOp, Call, Expr, ExprKind, ValueType, VectorSelector};

/// Says whether an expression can return something; `is_empty` says which selectors select nothing.
///
/// It errs on the side of yes: values are not looked at.
pub(super) fn can_return(expr: &Expr, is_empty: &dyn Fn(&VectorSelector) -> bool) -> bool {
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) => true,
        ExprKind::Vector(selector) => !is_empty(selector),
        ExprKind::Matrix(matrix) => !is_empty(&matrix.selector),
        ExprKind::Subquery(subquery) => can_return(&subquery.expr, is_empty),
        ExprKind::Unary(_, inner) | ExprKind::Paren(inner) => can_return(inner, is_empty),
        ExprKind::Aggregate(aggregate) => can_return(&aggregate.expr, is_empty),
        ExprKind::Call(call) => call_returns(call, is_empty),
        ExprKind::Binary(binary) => {
            let left = can_return(&binary.lhs, is_empty);
            let right = can_return(&binary.rhs, is_empty);
            let fills = |fill: fn(&promflow_syntax::ast::VectorMatching) -> Option<f64>| {
                binary.matching.as_ref().and_then(fill).is_some()
            };
            match binary.op {
                BinaryOp::Or => left || right,
                BinaryOp::Unless => left,
                // `fill` makes up for the side that is missing.
                _ => match (left, right) {
                    (true, true) => true,
                    (true, false) => fills(|matching| matching.fill_right),
                    (false, true) => fills(|matching| matching.fill_left),
                    (false, false) => false,
                },
            }
        }
    }
}

fn call_returns(call: &Call, is_empty: &dyn Fn(&VectorSelector) -> bool) -> bool {
    // These return something because there is nothing.
    if matches!(call.func.name, "absent" | "absent_over_time" | "scalar" | "vector" | "time" | "pi") {
        return true;
    }
    let vectors =
        call.args.iter().filter(|arg| matches!(arg.value_type(), ValueType::Vector | ValueType::Matrix));
    // The second vector of `info` only adds labels.
    let mut vectors = vectors.take(if call.func.name == "info" { 1 } else { usize::MAX });
    vectors.all(|arg| can_return(arg, is_empty))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_returns_nothing_only_when_nothing_can_come() {
        let cases = [
            ("gone > 1", false),
            ("here > 1", true),
            ("gone or here", true),
            ("here unless gone", true),
            ("gone unless here", false),
            ("here and gone", false),
            ("here / gone", false),
            ("absent(gone)", true),
            ("absent_over_time(gone[5m]) and here", true),
            ("sum by (a) (rate(gone[5m])) > 0", false),
            ("(sum(gone) or vector(0)) < 1", true),
            ("histogram_quantile(0.9, sum by (le) (rate(gone[5m]))) > 1", false),
            ("max_over_time(gone[5m:1m]) > 1", false),
            ("label_replace(gone, \"a\", \"b\", \"c\", \"d\")", false),
            ("here > scalar(gone)", true),
            ("vector(1)", true),
        ];
        for (query, expected) in cases {
            let expr = promflow_syntax::parse(query).unwrap_or_else(|e| panic!("{query}: {e:?}"));
            let returns = can_return(&expr, &|selector| selector.metric_name() == "gone");
            assert_eq!(returns, expected, "{query}");
        }
    }
}
