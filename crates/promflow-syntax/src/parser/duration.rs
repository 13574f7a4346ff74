//! Durations in ranges, steps and offsets, with their arithmetic.

use super::{Parsed, Parser};
use crate::ast::{BinaryOp, DurationExpr, DurationKind, Span, UnaryOp};
use crate::token::{Builtin, Token, TokenKind};

/// The largest number of seconds that fits into Go's durations.
const SECONDS_MAX: f64 = (1u64 << 63) as f64 / 1e9;
/// How tightly a sign binds: as `*`.
const SIGN: u8 = 2;

/// What messages say about a token that may not stand in a duration.
#[derive(Clone, Copy)]
struct Words<'a> {
    context: &'a str,
    expected: &'a str,
}

impl Parser<'_> {
    /// Parses a duration that must not be negative or zero, as far as that can be seen.
    pub(super) fn positive_duration(&mut self, context: &str, expected: &str) -> Parsed<DurationExpr> {
        let words = Words { context, expected };
        let mut duration = self.duration(words, 1)?;
        if matches!(duration.kind, DurationKind::Number(v) if v <= 0.0)
            || matches!(duration.kind, DurationKind::Literal(ms) if ms <= 0)
        {
            self.error(duration.span, "duration must be greater than 0");
        }
        round(&mut duration);
        Ok(duration)
    }

    /// Parses the duration behind `offset`: a single one, or an expression in parentheses.
    ///
    /// What follows a single duration belongs to the expression around it: `a offset 5m + b` adds vectors.
    pub(super) fn offset_duration(&mut self) -> Parsed<DurationExpr> {
        let words = Words { context: "offset", expected: "number, duration, step(), or range()" };
        let token = self.peek();
        let signed = matches!(token.kind, TokenKind::Op(BinaryOp::Add | BinaryOp::Sub));
        let first = if signed { self.peek_second() } else { token.kind };
        let single = match first {
            TokenKind::Number | TokenKind::Duration | TokenKind::Builtin(_) => true,
            // `-(5m)` is a single one, `(5m) + 5m` is not.
            TokenKind::LeftParen => signed,
            _ => false,
        };
        let mut duration = if !single {
            self.duration(words, 1)?
        } else if signed {
            self.advance();
            let operand = self.nested(|p| p.duration_primary(words))?;
            self.signed_duration(token, operand)?
        } else {
            self.duration_primary(words)?
        };
        round(&mut duration);
        Ok(duration)
    }

    /// Parses operations that bind at least this tightly.
    fn duration(&mut self, words: Words<'_>, precedence_min: u8) -> Parsed<DurationExpr> {
        let mut lhs = self.duration_unary(words)?;
        let mut height = self.height;
        while let TokenKind::Op(op) = self.peek().kind {
            let precedence = match op {
                BinaryOp::Add | BinaryOp::Sub => 1,
                BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod => SIGN,
                BinaryOp::Pow => 3,
                _ => break,
            };
            if precedence < precedence_min {
                break;
            }
            let token = self.advance();
            let rhs_min = if op == BinaryOp::Pow { precedence } else { precedence + 1 };
            let rhs = self.nested(|p| p.duration(words, rhs_min))?;
            self.duration_feature(lhs.span);
            if rhs.kind == DurationKind::Number(0.0) || rhs.kind == DurationKind::Literal(0) {
                match op {
                    BinaryOp::Div => self.error(token.span, "division by zero"),
                    BinaryOp::Mod => self.error(token.span, "modulo by zero"),
                    _ => {}
                }
            }
            let span = Span { start: lhs.span.start, end: rhs.span.end };
            height = height.max(self.height) + 1;
            self.built(height, span)?;
            lhs = DurationExpr { kind: DurationKind::Binary(op, Box::new(lhs), Box::new(rhs)), span };
        }
        self.height = height;
        Ok(lhs)
    }

    fn duration_unary(&mut self, words: Words<'_>) -> Parsed<DurationExpr> {
        let token = self.peek();
        if !matches!(token.kind, TokenKind::Op(BinaryOp::Add | BinaryOp::Sub)) {
            return self.duration_primary(words);
        }
        self.advance();
        let operand = self.nested(|p| p.duration(words, SIGN + 1))?;
        self.signed_duration(token, operand)
    }

    /// Puts a sign before a duration; numbers take it in, and a plus is nothing.
    fn signed_duration(&mut self, sign: Token, operand: DurationExpr) -> Parsed<DurationExpr> {
        let span = Span { start: sign.span.start, end: operand.span.end };
        let minus = sign.kind == TokenKind::Op(BinaryOp::Sub);
        let kind = match operand.kind {
            DurationKind::Number(v) => DurationKind::Number(if minus { -v } else { v }),
            DurationKind::Literal(ms) => DurationKind::Literal(if minus { -ms } else { ms }),
            _ if minus => {
                self.built(self.height + 1, span)?;
                DurationKind::Unary(UnaryOp::Minus, Box::new(operand))
            }
            kind => kind,
        };
        Ok(DurationExpr { kind, span })
    }

    fn duration_primary(&mut self, words: Words<'_>) -> Parsed<DurationExpr> {
        self.height = 1;
        if let Some((token, seconds)) = self.accept_number() {
            if seconds.is_nan() || seconds.abs() > SECONDS_MAX {
                self.error(token.span, "duration out of range");
            }
            let kind = match token.kind {
                TokenKind::Duration => DurationKind::Literal((seconds * 1e3).round() as i64),
                _ => DurationKind::Number(seconds),
            };
            return Ok(DurationExpr { kind, span: token.span });
        }
        let token = self.peek();
        let kind = match token.kind {
            TokenKind::LeftParen => {
                self.advance();
                let inner = self.nested(|p| p.duration(words, 1))?;
                self.expect(TokenKind::RightParen, words.context, words.expected)?;
                self.duration_feature(inner.span);
                self.built(self.height + 1, inner.span)?;
                DurationKind::Paren(Box::new(inner))
            }
            TokenKind::Builtin(Builtin::Step) => self.duration_constant(words, DurationKind::Step)?,
            TokenKind::Builtin(Builtin::Range) => self.duration_constant(words, DurationKind::Range)?,
            TokenKind::Builtin(Builtin::MinOf) => self.duration_pair(words, DurationKind::MinOf)?,
            TokenKind::Builtin(Builtin::MaxOf) => self.duration_pair(words, DurationKind::MaxOf)?,
            _ => return Err(self.unexpected(words.context, words.expected)),
        };
        Ok(DurationExpr { kind, span: Span { start: token.span.start, end: self.last_end() } })
    }

    /// Parses the word that comes next and its empty parentheses.
    fn duration_constant(&mut self, words: Words<'_>, kind: DurationKind) -> Parsed<DurationKind> {
        self.advance();
        self.expect(TokenKind::LeftParen, words.context, words.expected)?;
        self.expect(TokenKind::RightParen, words.context, words.expected)?;
        Ok(kind)
    }

    /// Parses the word that comes next and its two arguments.
    fn duration_pair(
        &mut self,
        words: Words<'_>,
        kind: fn(Box<DurationExpr>, Box<DurationExpr>) -> DurationKind,
    ) -> Parsed<DurationKind> {
        self.advance();
        self.expect(TokenKind::LeftParen, words.context, words.expected)?;
        let a = self.nested(|p| p.duration(words, 1))?;
        let height = self.height;
        self.expect(TokenKind::Comma, words.context, words.expected)?;
        let b = self.nested(|p| p.duration(words, 1))?;
        self.expect(TokenKind::RightParen, words.context, words.expected)?;
        self.built(height.max(self.height) + 1, b.span)?;
        Ok(kind(Box::new(a), Box::new(b)))
    }

    fn duration_feature(&mut self, span: Span) {
        if !self.options.duration_expressions {
            self.error(span, "experimental duration expression is not enabled");
        }
    }
}

/// Makes milliseconds of a number that is the whole duration, by way of nanoseconds as upstream does.
fn round(duration: &mut DurationExpr) {
    if let DurationKind::Number(seconds) = duration.kind {
        let nanoseconds = (seconds * 1e9).round() as i64;
        duration.kind = DurationKind::Literal(nanoseconds / 1_000_000);
    }
}
