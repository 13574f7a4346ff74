//! Binary operations: precedence, and how vectors are matched.

use super::{Parsed, Parser};
use crate::ast::{BinaryExpr, BinaryOp, Expr, ExprKind, MatchCardinality, Span, VectorMatching};
use crate::token::{Keyword, TokenKind};

/// How tightly a sign binds: as `*`, so that `-a ^ b` is the sign of a power.
const SIGN: u8 = 5;

/// Returns how tightly an operator binds.
fn precedence(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Or => 1,
        BinaryOp::And | BinaryOp::Unless => 2,
        BinaryOp::Eq
        | BinaryOp::Ne
        | BinaryOp::Gt
        | BinaryOp::Lt
        | BinaryOp::Ge
        | BinaryOp::Le
        | BinaryOp::TrimUpper
        | BinaryOp::TrimLower => 3,
        BinaryOp::Add | BinaryOp::Sub => 4,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod | BinaryOp::Atan2 => SIGN,
        BinaryOp::Pow => 6,
    }
}

impl Parser<'_> {
    pub(super) fn expr(&mut self) -> Parsed<Expr> {
        self.binary(1)
    }

    /// Parses what a sign stands before.
    pub(super) fn sign_operand(&mut self) -> Parsed<Expr> {
        self.binary(SIGN + 1)
    }

    /// Parses operations that bind at least this tightly.
    fn binary(&mut self, precedence_min: u8) -> Parsed<Expr> {
        let mut lhs = self.unary()?;
        let mut height = self.height;
        while let TokenKind::Op(op) = self.peek().kind {
            let precedence = precedence(op);
            if precedence < precedence_min {
                break;
            }
            self.advance();
            let mut binary = self.binary_modifiers(op, lhs)?;
            // Powers associate to the right.
            let rhs_min = if op == BinaryOp::Pow { precedence } else { precedence + 1 };
            binary.rhs = self.nested(|p| p.binary(rhs_min))?;
            let span = Span { start: binary.lhs.span.start, end: binary.rhs.span.end };
            height = height.max(self.height) + 1;
            self.built(height, span)?;
            let fills = binary.matching.as_ref().is_some_and(|m| m.fill_left.or(m.fill_right).is_some());
            if fills && !self.options.binop_fill_modifiers {
                self.error(span, "binop fill modifiers are experimental and not enabled");
            }
            lhs = Expr { kind: ExprKind::Binary(Box::new(binary)), span };
        }
        self.height = height;
        Ok(lhs)
    }

    /// Parses what stands between the operator and its right side, which the caller fills in.
    fn binary_modifiers(&mut self, op: BinaryOp, lhs: Expr) -> Parsed<BinaryExpr> {
        let return_bool = self.accept(TokenKind::Keyword(Keyword::Bool)).is_some();
        let mut matching = VectorMatching::default();
        let on = self.accept(TokenKind::Keyword(Keyword::On)).is_some();
        if on || self.accept(TokenKind::Keyword(Keyword::Ignoring)).is_some() {
            matching.on = on;
            matching.labels = self.grouping_labels()?;
            matching.card = match self.peek().kind {
                TokenKind::Keyword(Keyword::GroupLeft) => MatchCardinality::ManyToOne,
                TokenKind::Keyword(Keyword::GroupRight) => MatchCardinality::OneToMany,
                _ => MatchCardinality::OneToOne,
            };
            if matching.card != MatchCardinality::OneToOne {
                self.advance();
                if self.peek().kind == TokenKind::LeftParen {
                    matching.include = self.grouping_labels()?;
                }
            }
        }
        self.fill_modifiers(&mut matching)?;
        let rhs = Expr { kind: ExprKind::String(String::new()), span: lhs.span };
        Ok(BinaryExpr { op, lhs, rhs, return_bool, matching: Some(matching) })
    }

    /// Parses `fill`, or `fill_left` and `fill_right` in either order.
    fn fill_modifiers(&mut self, matching: &mut VectorMatching) -> Parsed<()> {
        if self.accept(TokenKind::Keyword(Keyword::Fill)).is_some() {
            let value = self.fill_value()?;
            matching.fill_left = Some(value);
            matching.fill_right = Some(value);
            return Ok(());
        }
        // A second `fill_left` is read as a metric name, and stumbles over its parenthesis.
        for _ in 0..2 {
            let side = match self.peek().kind {
                TokenKind::Keyword(Keyword::FillLeft) => &mut matching.fill_left,
                TokenKind::Keyword(Keyword::FillRight) => &mut matching.fill_right,
                _ => break,
            };
            if side.is_some() {
                break;
            }
            self.advance();
            *side = Some(self.fill_value()?);
        }
        Ok(())
    }

    fn fill_value(&mut self) -> Parsed<f64> {
        self.expect_plain(TokenKind::LeftParen)?;
        let sign = self.sign();
        let Some((_, value)) = self.accept_number() else {
            return Err(self.unexpected_here());
        };
        self.expect_plain(TokenKind::RightParen)?;
        Ok(sign.map_or(value, |sign| sign * value))
    }

    /// Takes a sign: 1 or -1.
    pub(super) fn sign(&mut self) -> Option<f64> {
        let sign = match self.peek().kind {
            TokenKind::Op(BinaryOp::Add) => 1.0,
            TokenKind::Op(BinaryOp::Sub) => -1.0,
            _ => return None,
        };
        self.advance();
        Some(sign)
    }
}
