//! Binary operators on numbers.

use promflow_syntax::ast::BinaryOp;

/// What an operator makes of two floats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// A value.
    Value(f64),
    /// A comparison that holds or not; when it filters, the left value stays.
    Compared(bool),
    /// The operator is not for floats.
    NotForFloats,
}

/// Applies an operator that is not a set operator.
#[inline]
pub(crate) fn apply(op: BinaryOp, a: f64, b: f64) -> Outcome {
    use Outcome::{Compared, Value};
    match op {
        BinaryOp::Add => Value(a + b),
        BinaryOp::Sub => Value(a - b),
        BinaryOp::Mul => Value(a * b),
        BinaryOp::Div => Value(a / b),
        BinaryOp::Mod => Value(a % b),
        BinaryOp::Pow => Value(a.powf(b)),
        BinaryOp::Atan2 => Value(a.atan2(b)),
        BinaryOp::Eq => Compared(a == b),
        BinaryOp::Ne => Compared(a != b),
        BinaryOp::Gt => Compared(a > b),
        BinaryOp::Lt => Compared(a < b),
        BinaryOp::Ge => Compared(a >= b),
        BinaryOp::Le => Compared(a <= b),
        BinaryOp::TrimUpper | BinaryOp::TrimLower | BinaryOp::And | BinaryOp::Or | BinaryOp::Unless => {
            Outcome::NotForFloats
        }
    }
}
