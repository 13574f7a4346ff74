//! Expressions but for binary operations.

use promflow_model::quote::quote;

use super::{Parsed, Parser};
use crate::ast::{AggregateExpr, AggregateOp, BinaryOp, Call, Expr, ExprKind, NumberLiteral, Span, UnaryOp};
use crate::functions::{Function, UNKNOWN};
use crate::token::{Keyword, Token, TokenKind};

impl Parser<'_> {
    /// Parses an expression with signs and the modifiers behind it.
    pub(super) fn unary(&mut self) -> Parsed<Expr> {
        let op = match self.peek().kind {
            TokenKind::Op(BinaryOp::Add) => UnaryOp::Plus,
            TokenKind::Op(BinaryOp::Sub) => UnaryOp::Minus,
            _ => return self.postfix(),
        };
        let start = self.advance().span.start;
        let inner = self.nested(Self::sign_operand)?;
        let span = Span { start, end: inner.span.end };
        // The sign of a number is part of it.
        if let ExprKind::Number(mut number) = inner.kind {
            if op == UnaryOp::Minus {
                number.value = -number.value;
            }
            return Ok(Expr { kind: ExprKind::Number(number), span });
        }
        self.built(self.height + 1, span)?;
        Ok(Expr { kind: ExprKind::Unary(op, Box::new(inner)), span })
    }

    pub(super) fn primary(&mut self) -> Parsed<Expr> {
        let token = self.peek();
        self.height = 1;
        match token.kind {
            TokenKind::Number | TokenKind::Duration => {
                self.advance();
                let number = NumberLiteral {
                    value: self.number(token),
                    is_duration: token.kind == TokenKind::Duration,
                };
                Ok(Expr { kind: ExprKind::Number(number), span: token.span })
            }
            TokenKind::String => {
                self.advance();
                Ok(Expr { kind: ExprKind::String(self.unquote(token)), span: token.span })
            }
            TokenKind::LeftParen => {
                self.advance();
                let inner = self.nested(Self::expr)?;
                let end = self.expect_plain(TokenKind::RightParen)?.span.end;
                let span = Span { start: token.span.start, end };
                self.built(self.height + 1, span)?;
                Ok(Expr { kind: ExprKind::Paren(Box::new(inner)), span })
            }
            TokenKind::Aggregate(op) if self.is_aggregation() => {
                self.advance();
                self.aggregations += 1;
                let expr = self.aggregation(op, token);
                self.aggregations -= 1;
                expr
            }
            TokenKind::Identifier if self.peek_second() == TokenKind::LeftParen => {
                self.advance();
                self.call(token, self.text_of(token))
            }
            TokenKind::Builtin(builtin) if self.peek_second() == TokenKind::LeftParen => {
                self.advance();
                self.call(token, builtin.as_str())
            }
            TokenKind::LeftBrace => self.vector_selector(),
            kind if kind.is_metric_name() => self.vector_selector(),
            _ => Err(self.unexpected_here()),
        }
    }

    /// Says whether the aggregation operator that comes next is one, and not a metric of that name.
    fn is_aggregation(&self) -> bool {
        matches!(
            self.peek_second(),
            TokenKind::LeftParen | TokenKind::Keyword(Keyword::By | Keyword::Without)
        )
    }

    fn aggregation(&mut self, op: AggregateOp, token: Token) -> Parsed<Expr> {
        let before = self.grouping()?;
        let mut args = self.call_args()?;
        let height = self.height + 1;
        let (without, grouping) = match before {
            Some(grouping) => grouping,
            None => self.grouping()?.unwrap_or_default(),
        };
        let span = Span { start: token.span.start, end: self.last_end() };
        self.built(height, span)?;
        if let Err(message) = self.check_aggregation(op, args.len()) {
            self.error(span, message);
        }
        // A wrong number of arguments is an error already; what stands in for a missing one is thrown away.
        let nothing = || Expr { kind: ExprKind::String(String::new()), span };
        let expr = args.pop().unwrap_or_else(nothing);
        let param = op.has_param().then(|| args.pop().unwrap_or_else(nothing));
        let aggregate = AggregateExpr { op, param, expr, grouping, without };
        Ok(Expr { kind: ExprKind::Aggregate(Box::new(aggregate)), span })
    }

    fn check_aggregation(&self, op: AggregateOp, args: usize) -> Result<(), String> {
        if args == 0 {
            return Err("no arguments for aggregate expression provided".to_owned());
        }
        if op.is_experimental() && !self.options.experimental_functions {
            return Err(format!(
                "{}() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
                op.as_str()
            ));
        }
        let wanted = if op.has_param() { 2 } else { 1 };
        if args != wanted {
            return Err(format!(
                "wrong number of arguments for aggregate expression provided, expected {wanted}, got {args}"
            ));
        }
        Ok(())
    }

    /// Parses `by (...)` or `without (...)`, if it stands here: whether it is `without`, and the labels.
    fn grouping(&mut self) -> Parsed<Option<(bool, Vec<String>)>> {
        let without = match self.peek().kind {
            TokenKind::Keyword(Keyword::By) => false,
            TokenKind::Keyword(Keyword::Without) => true,
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some((without, self.grouping_labels()?)))
    }

    /// Parses the rest of a call: its arguments in parentheses.
    fn call(&mut self, token: Token, name: &str) -> Parsed<Expr> {
        let args = self.call_args()?;
        let span = Span { start: token.span.start, end: self.last_end() };
        self.built(self.height + 1, span)?;
        let func = Function::find(name);
        match func {
            None => self.error(token.span, format!("unknown function with name {}", quote(name))),
            Some(func) if func.experimental && !self.options.experimental_functions => {
                self.error(token.span, format!("function {} is not enabled", quote(name)));
            }
            Some(_) => {}
        }
        let call = Call { func: func.unwrap_or(&UNKNOWN), args };
        Ok(Expr { kind: ExprKind::Call(call), span })
    }

    /// Parses arguments in parentheses; the height is that of the highest one.
    fn call_args(&mut self) -> Parsed<Vec<Expr>> {
        self.expect_plain(TokenKind::LeftParen)?;
        let mut args = Vec::new();
        let mut height = 0;
        if self.accept(TokenKind::RightParen).is_some() {
            self.height = height;
            return Ok(args);
        }
        loop {
            args.push(self.nested(Self::expr)?);
            height = height.max(self.height);
            let mut more = false;
            while let Some(comma) = self.accept(TokenKind::Comma) {
                more = self.peek().kind.begins_expression();
                if more {
                    break;
                }
                if self.peek().kind != TokenKind::Error {
                    self.error(comma.span, "trailing commas not allowed in function call args");
                }
            }
            if !more {
                break;
            }
        }
        self.expect_plain(TokenKind::RightParen)?;
        self.height = height;
        Ok(args)
    }

    /// Returns the end of the token taken last.
    pub(super) fn last_end(&self) -> usize {
        self.tokens[self.next.saturating_sub(1)].span.end
    }
}
