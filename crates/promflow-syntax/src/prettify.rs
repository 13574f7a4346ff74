//! From a tree to text on several lines, in the form of Prometheus's `format_query`.

use std::fmt::{self, Write};

use crate::ast::{Expr, ExprKind};

/// What fits on one line stays on it.
const LINE_BYTES_MAX: usize = 100;
const INDENT: &str = "  ";

impl Expr {
    /// Writes the expression with what is longer than a line split at its operators and arguments.
    ///
    /// Source: Prometheus promql/parser/prettier.go.
    pub fn prettify(&self) -> String {
        let mut out = String::new();
        pretty(self, 0, &mut out);
        out
    }
}

/// Writes an expression, with the indent of this level before each of its lines.
fn pretty(expr: &Expr, level: usize, out: &mut String) {
    if fits(expr) {
        indent(level, out);
        out.push_str(&expr.to_string());
        return;
    }
    match &expr.kind {
        ExprKind::Paren(inner) => block("(", [&**inner], level, out),
        ExprKind::Call(call) if !call.args.is_empty() => {
            block(&format!("{}(", call.func.name), &call.args, level, out);
        }
        ExprKind::Aggregate(aggregate) => {
            let head = format!("{}(", aggregate.head());
            block(&head, aggregate.param.iter().chain([&aggregate.expr]), level, out);
        }
        ExprKind::Binary(binary) => {
            pretty(&binary.lhs, level + 1, out);
            out.push('\n');
            indent(level, out);
            out.push_str(&binary.operator());
            out.push('\n');
            pretty(&binary.rhs, level + 1, out);
        }
        ExprKind::Subquery(subquery) => {
            pretty(&subquery.expr, level, out);
            out.push_str(&subquery.suffix());
        }
        ExprKind::Unary(op, inner) => {
            indent(level, out);
            out.push_str(op.as_str());
            let mut operand = String::new();
            pretty(inner, level, &mut operand);
            out.push_str(operand.trim_start());
        }
        ExprKind::Number(_)
        | ExprKind::String(_)
        | ExprKind::Vector(_)
        | ExprKind::Matrix(_)
        | ExprKind::Call(_) => {
            indent(level, out);
            out.push_str(&expr.to_string());
        }
    }
}

/// Writes expressions one level deeper, each on lines of its own, between the head and a closing parenthesis.
fn block<'a>(head: &str, inner: impl IntoIterator<Item = &'a Expr>, level: usize, out: &mut String) {
    indent(level, out);
    out.push_str(head);
    for (i, expr) in inner.into_iter().enumerate() {
        out.push_str(if i == 0 { "\n" } else { ",\n" });
        pretty(expr, level + 1, out);
    }
    out.push('\n');
    indent(level, out);
    out.push(')');
}

fn indent(level: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(INDENT, level));
}

/// Says whether the expression fits on one line, writing no more of it than a line.
fn fits(expr: &Expr) -> bool {
    struct Line(usize);
    impl Write for Line {
        fn write_str(&mut self, s: &str) -> fmt::Result {
            self.0 = self.0.checked_sub(s.len()).ok_or(fmt::Error)?;
            Ok(())
        }
    }
    write!(Line(LINE_BYTES_MAX), "{expr}").is_ok()
}
