//! From a tree back to text, in the form in which Prometheus prints queries.

use std::fmt::{self, Display, Formatter};

use promflow_model::quote::quote;
use promflow_model::{METRIC_NAME, MatchOp, Matcher, duration, float, is_legacy_label_name};

use crate::ast::{
    AggregateExpr, AtModifier, BinaryExpr, Call, DurationExpr, DurationKind, Expr, ExprKind,
    MatchCardinality, MatrixSelector, NumberLiteral, RangeExtension, Subquery, UnaryOp, VectorMatching,
    VectorSelector,
};

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Number(number) => number.fmt(f),
            ExprKind::String(text) => f.write_str(&quote(text)),
            ExprKind::Vector(selector) => selector.fmt(f),
            ExprKind::Matrix(matrix) => matrix.fmt(f),
            ExprKind::Subquery(subquery) => subquery.fmt(f),
            ExprKind::Unary(op, inner) => write!(f, "{}{inner}", op.as_str()),
            ExprKind::Binary(binary) => binary.fmt(f),
            ExprKind::Aggregate(aggregate) => aggregate.fmt(f),
            ExprKind::Call(call) => call.fmt(f),
            ExprKind::Paren(inner) => write!(f, "({inner})"),
        }
    }
}

impl UnaryOp {
    /// Returns the sign as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plus => "+",
            Self::Minus => "-",
        }
    }
}

impl Display for NumberLiteral {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.is_duration {
            f.write_str(&duration::format((self.value * 1e3).round() as i64))
        } else {
            f.write_str(&float::format_f(self.value))
        }
    }
}

impl Display for VectorSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write_matchers(f)?;
        write_at(f, self.at)?;
        self.write_extension(f)?;
        write_offset(f, self.offset.as_ref())
    }
}

impl VectorSelector {
    fn write_matchers(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        let is_name = |m: &Matcher| {
            m.name == METRIC_NAME && m.op == MatchOp::Equal && m.value == self.name && !m.value.is_empty()
        };
        let mut matchers = self.matchers.iter().filter(|m| !is_name(m)).peekable();
        if matchers.peek().is_none() {
            // `{}` prints as nothing upstream, which does not parse.
            return if self.name.is_empty() { f.write_str("{}") } else { Ok(()) };
        }
        f.write_str("{")?;
        for (i, matcher) in matchers.enumerate() {
            write!(f, "{}{matcher}", if i == 0 { "" } else { "," })?;
        }
        f.write_str("}")
    }

    fn write_extension(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.extension {
            Some(RangeExtension::Anchored) => f.write_str(" anchored"),
            Some(RangeExtension::Smoothed) => f.write_str(" smoothed"),
            None => Ok(()),
        }
    }
}

impl Display for MatrixSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.selector.write_matchers(f)?;
        write!(f, "[{}]", self.range)?;
        self.selector.write_extension(f)?;
        write_at(f, self.selector.at)?;
        write_offset(f, self.selector.offset.as_ref())
    }
}

impl Display for Subquery {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.expr)?;
        self.write_suffix(f)
    }
}

impl Subquery {
    /// Returns what is written behind the inner expression.
    pub(crate) fn suffix(&self) -> String {
        fmt::from_fn(|f| self.write_suffix(f)).to_string()
    }

    fn write_suffix(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "[{}:", self.range)?;
        if let Some(step) = &self.step {
            write!(f, "{step}")?;
        }
        f.write_str("]")?;
        write_at(f, self.at)?;
        write_offset(f, self.offset.as_ref())
    }
}

fn write_at(f: &mut Formatter<'_>, at: Option<AtModifier>) -> fmt::Result {
    match at {
        Some(AtModifier::Timestamp(ms)) => {
            let sign = if ms < 0 { "-" } else { "" };
            let ms = ms.unsigned_abs();
            write!(f, " @ {sign}{}.{:03}", ms / 1000, ms % 1000)
        }
        Some(AtModifier::Start) => f.write_str(" @ start()"),
        Some(AtModifier::End) => f.write_str(" @ end()"),
        None => Ok(()),
    }
}

fn write_offset(f: &mut Formatter<'_>, offset: Option<&DurationExpr>) -> fmt::Result {
    match offset {
        Some(offset) => write!(f, " offset {offset}"),
        None => Ok(()),
    }
}

impl Display for DurationExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            DurationKind::Literal(ms) => f.write_str(&duration::format(*ms)),
            DurationKind::Number(seconds) => f.write_str(&float::format_f(*seconds)),
            DurationKind::Step => f.write_str("step()"),
            DurationKind::Range => f.write_str("range()"),
            DurationKind::Unary(op, inner) => write!(f, "{}{inner}", op.as_str()),
            DurationKind::Binary(op, lhs, rhs) => write!(f, "{lhs} {} {rhs}", op.as_str()),
            DurationKind::MinOf(a, b) => write!(f, "min_of({a}, {b})"),
            DurationKind::MaxOf(a, b) => write!(f, "max_of({a}, {b})"),
            DurationKind::Paren(inner) => write!(f, "({inner})"),
        }
    }
}

impl Display for BinaryExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.lhs)?;
        self.write_operator(f)?;
        write!(f, " {}", self.rhs)
    }
}

impl BinaryExpr {
    /// Returns the operator with its modifiers, as it is written.
    pub(crate) fn operator(&self) -> String {
        fmt::from_fn(|f| self.write_operator(f)).to_string()
    }

    fn write_operator(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.op.as_str())?;
        if self.return_bool {
            f.write_str(" bool")?;
        }
        match &self.matching {
            Some(matching) => matching.fmt(f),
            None => Ok(()),
        }
    }
}

impl Display for VectorMatching {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let group = match self.card {
            MatchCardinality::ManyToOne => Some("left"),
            MatchCardinality::OneToMany => Some("right"),
            MatchCardinality::OneToOne | MatchCardinality::ManyToMany => None,
        };
        if !self.labels.is_empty() || self.on || group.is_some() {
            write!(f, " {} ", if self.on { "on" } else { "ignoring" })?;
            write_labels(f, &self.labels)?;
        }
        if let Some(side) = group {
            write!(f, " group_{side} ")?;
            write_labels(f, &self.include)?;
        }
        match (self.fill_left, self.fill_right) {
            (Some(left), Some(right)) if left.to_bits() == right.to_bits() => {
                write!(f, " fill ({})", float::format_g(left))
            }
            (left, right) => {
                if let Some(left) = left {
                    write!(f, " fill_left ({})", float::format_g(left))?;
                }
                match right {
                    Some(right) => write!(f, " fill_right ({})", float::format_g(right)),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Writes label names in parentheses.
fn write_labels(f: &mut Formatter<'_>, labels: &[String]) -> fmt::Result {
    f.write_str("(")?;
    for (i, label) in labels.iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        if is_legacy_label_name(label) {
            f.write_str(label)?;
        } else {
            f.write_str(&quote(label))?;
        }
    }
    f.write_str(")")
}

impl Display for AggregateExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write_head(f)?;
        f.write_str("(")?;
        if let Some(param) = &self.param {
            write!(f, "{param}, ")?;
        }
        write!(f, "{})", self.expr)
    }
}

impl AggregateExpr {
    /// Returns what is written before the parenthesis.
    pub(crate) fn head(&self) -> String {
        fmt::from_fn(|f| self.write_head(f)).to_string()
    }

    fn write_head(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.op.as_str())?;
        if self.without || !self.grouping.is_empty() {
            write!(f, " {} ", if self.without { "without" } else { "by" })?;
            write_labels(f, &self.grouping)?;
            f.write_str(" ")?;
        }
        Ok(())
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.func.name)?;
        for (i, arg) in self.args.iter().enumerate() {
            write!(f, "{}{arg}", if i == 0 { "" } else { ", " })?;
        }
        f.write_str(")")
    }
}
