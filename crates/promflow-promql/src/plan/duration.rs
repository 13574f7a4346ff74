//! Durations that are computed.

use promflow_syntax::Span;
use promflow_syntax::ast::{BinaryOp, DurationExpr, DurationKind, UnaryOp};

use crate::error::{QueryError, QueryErrorKind};

/// What duration expressions may ask of the query.
#[derive(Clone, Copy, Debug)]
pub(super) struct DurationContext {
    /// The step of the query; 0 for an instant query.
    pub(super) step_ms: i64,
    /// The distance between start and end of the query.
    pub(super) range_ms: i64,
}

impl DurationContext {
    /// Computes a duration that must be positive.
    pub(super) fn positive(self, expr: &DurationExpr) -> Result<i64, QueryError> {
        if let DurationKind::Literal(ms) = expr.kind {
            return Ok(ms);
        }
        let seconds = self.seconds(expr)?;
        if seconds <= 0.0 {
            return Err(bad(expr, "duration must be greater than 0"));
        }
        self.in_ms(expr, seconds)
    }

    /// Computes a duration of either sign.
    pub(super) fn signed(self, expr: &DurationExpr) -> Result<i64, QueryError> {
        match expr.literal_ms() {
            Some(ms) => Ok(ms),
            None => self.in_ms(expr, self.seconds(expr)?),
        }
    }

    fn in_ms(self, expr: &DurationExpr, seconds: f64) -> Result<i64, QueryError> {
        if !seconds.is_finite() {
            return Err(bad(expr, "duration is NaN or infinite"));
        }
        // Go keeps durations in nanoseconds.
        if seconds.abs() >= i64::MAX as f64 / 1e9 {
            return Err(bad(expr, "duration is out of range"));
        }
        Ok((seconds * 1000.0) as i64)
    }

    fn seconds(self, expr: &DurationExpr) -> Result<f64, QueryError> {
        Ok(match &expr.kind {
            DurationKind::Literal(ms) => *ms as f64 / 1000.0,
            DurationKind::Number(seconds) => *seconds,
            DurationKind::Step => self.step_ms as f64 / 1000.0,
            DurationKind::Range => self.range_ms as f64 / 1000.0,
            DurationKind::Unary(UnaryOp::Plus, inner) | DurationKind::Paren(inner) => self.seconds(inner)?,
            DurationKind::Unary(UnaryOp::Minus, inner) => -self.seconds(inner)?,
            DurationKind::MinOf(a, b) => self.seconds(a)?.min(self.seconds(b)?),
            DurationKind::MaxOf(a, b) => self.seconds(a)?.max(self.seconds(b)?),
            DurationKind::Binary(op, a, b) => {
                let (a, b) = (self.seconds(a)?, self.seconds(b)?);
                match op {
                    BinaryOp::Add => a + b,
                    BinaryOp::Sub => a - b,
                    BinaryOp::Mul => a * b,
                    BinaryOp::Div if b == 0.0 => return Err(bad(expr, "division by zero")),
                    BinaryOp::Div => a / b,
                    BinaryOp::Mod if b == 0.0 => return Err(bad(expr, "modulo by zero")),
                    BinaryOp::Mod => a % b,
                    BinaryOp::Pow => a.powf(b),
                    _ => return Err(bad(expr, "unexpected duration expression operator")),
                }
            }
        })
    }
}

fn bad(expr: &DurationExpr, message: &str) -> QueryError {
    let span = unparenthesised(expr);
    QueryError::new(QueryErrorKind::BadQuery, format!("{}:{}: {message}", span.start, span.end))
}

/// Returns where Prometheus places a duration expression: parentheses at its ends do not count.
fn unparenthesised(expr: &DurationExpr) -> Span {
    match &expr.kind {
        DurationKind::Paren(inner) => unparenthesised(inner),
        DurationKind::Binary(_, a, b) => {
            Span { start: unparenthesised(a).start, end: unparenthesised(b).end }
        }
        _ => expr.span,
    }
}
