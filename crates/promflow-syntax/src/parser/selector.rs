//! Vector selectors and lists of labels.

use promflow_model::quote::quote;
use promflow_model::{METRIC_NAME, MatchOp, Matcher};

use super::{Parsed, Parser};
use crate::ast::{BinaryOp, Expr, ExprKind, Span, VectorSelector};
use crate::token::TokenKind;

const CONTEXT: &str = "label matching";

impl Parser<'_> {
    /// Parses a metric name, matchers in braces, or both; one of them comes next.
    pub(super) fn vector_selector(&mut self) -> Parsed<Expr> {
        let mut selector = VectorSelector::default();
        let start = self.peek().span.start;
        if self.peek().kind != TokenKind::LeftBrace {
            let token = self.advance();
            selector.name = self.text_of(token).to_owned();
        }
        if self.accept(TokenKind::LeftBrace).is_some() {
            selector.matchers = self.matchers()?;
        }
        if !selector.name.is_empty() {
            selector.matchers.push(Matcher::equal(METRIC_NAME, &selector.name));
        }
        let span = Span { start, end: self.last_end() };
        Ok(Expr { kind: ExprKind::Vector(selector), span })
    }

    /// Parses the rest of the braces.
    fn matchers(&mut self) -> Parsed<Vec<Matcher>> {
        let mut matchers = Vec::new();
        loop {
            if self.accept(TokenKind::RightBrace).is_some() {
                return Ok(matchers);
            }
            matchers.extend(self.matcher()?);
            if self.accept(TokenKind::RightBrace).is_some() {
                return Ok(matchers);
            }
            self.expect(TokenKind::Comma, CONTEXT, "\",\" or \"}\"")?;
        }
    }

    /// Parses a matcher, or a quoted metric name; `None` when its pattern is wrong.
    fn matcher(&mut self) -> Parsed<Option<Matcher>> {
        let token = self.peek();
        let name = match token.kind {
            TokenKind::Identifier => {
                self.advance();
                self.text_of(token).to_owned()
            }
            TokenKind::String => {
                self.advance();
                self.unquote(token)
            }
            _ => return Err(self.unexpected(CONTEXT, "identifier or \"}\"")),
        };
        let op = match self.peek().kind {
            TokenKind::Equal => MatchOp::Equal,
            TokenKind::Op(BinaryOp::Ne) => MatchOp::NotEqual,
            TokenKind::EqualRegex => MatchOp::Regex,
            TokenKind::NotRegex => MatchOp::NotRegex,
            _ if token.kind == TokenKind::String => return Ok(Some(Matcher::equal(METRIC_NAME, name))),
            _ => return Err(self.unexpected(CONTEXT, "label matching operator")),
        };
        self.advance();
        let value = self.expect(TokenKind::String, CONTEXT, "string")?;
        let unquoted = self.unquote(value);
        match Matcher::new(op, name, unquoted) {
            Ok(matcher) => Ok(Some(matcher)),
            Err(error) => {
                let span = Span { start: token.span.start, end: value.span.end };
                self.error(span, error.to_string());
                Ok(None)
            }
        }
    }

    /// Parses label names in parentheses.
    pub(super) fn grouping_labels(&mut self) -> Parsed<Vec<String>> {
        const CONTEXT: &str = "grouping opts";
        self.expect(TokenKind::LeftParen, CONTEXT, "\"(\"")?;
        let mut labels = Vec::new();
        loop {
            if self.accept(TokenKind::RightParen).is_some() {
                return Ok(labels);
            }
            labels.push(self.grouping_label(CONTEXT)?);
            if self.accept(TokenKind::RightParen).is_some() {
                return Ok(labels);
            }
            self.expect(TokenKind::Comma, CONTEXT, "\",\" or \")\"")?;
        }
    }

    fn grouping_label(&mut self, context: &str) -> Parsed<String> {
        let token = self.peek();
        let label = match token.kind {
            TokenKind::String => {
                self.advance();
                self.unquote(token)
            }
            kind if kind.is_label_name() => {
                self.advance();
                self.text_of(token).to_owned()
            }
            _ => return Err(self.unexpected(context, "label")),
        };
        if label.is_empty() {
            self.error(token.span, format!("invalid label name for grouping: {}", quote(&label)));
        }
        Ok(label)
    }
}
