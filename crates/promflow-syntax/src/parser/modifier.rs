//! What stands behind a selector: ranges, subqueries, `offset`, `@`, `anchored` and `smoothed`.

use super::{Parsed, Parser};
use crate::ast::{
    AtModifier, DurationExpr, DurationKind, Expr, ExprKind, MatrixSelector, RangeExtension, Span, Subquery,
    VectorSelector,
};
use crate::token::{Builtin, Keyword, Token, TokenKind};

const RANGE_ONLY: &str = "ranges only allowed for vector selectors";

impl Parser<'_> {
    /// Parses an expression with all that stands behind it.
    pub(super) fn postfix(&mut self) -> Parsed<Expr> {
        let mut expr = self.primary()?;
        let mut height = self.height;
        loop {
            let token = self.peek();
            match token.kind {
                TokenKind::LeftBracket => {
                    self.advance();
                    expr = self.bracket(expr, token)?;
                    if matches!(expr.kind, ExprKind::Subquery(_)) {
                        height += 1;
                    }
                }
                TokenKind::Keyword(Keyword::Offset) => {
                    self.advance();
                    let offset = self.offset_duration()?;
                    self.set_offset(&mut expr, offset);
                }
                TokenKind::Keyword(Keyword::Anchored) => {
                    self.extend(&mut expr, token, RangeExtension::Anchored)
                }
                TokenKind::Keyword(Keyword::Smoothed) => {
                    self.extend(&mut expr, token, RangeExtension::Smoothed)
                }
                TokenKind::At => {
                    self.advance();
                    self.at(&mut expr)?;
                }
                _ => {
                    self.built(height, expr.span)?;
                    return Ok(expr);
                }
            }
        }
    }

    /// Parses the rest of a range or a subquery.
    fn bracket(&mut self, expr: Expr, open: Token) -> Parsed<Expr> {
        let range =
            self.positive_duration("subquery or range selector", "number, duration, step(), or range()")?;
        if let Some(close) = self.accept(TokenKind::RightBracket) {
            return Ok(self.matrix(expr, open, range, close));
        }
        self.expect(TokenKind::Colon, "subquery or range", "\":\" or \"]\"")?;
        let step = if self.peek().kind == TokenKind::RightBracket {
            None
        } else {
            Some(self.positive_duration("subquery selector", "number, duration, step(), range(), or \"]\"")?)
        };
        let close = self.expect(TokenKind::RightBracket, "subquery selector", "\"]\"")?;
        let span = Span { start: expr.span.start, end: close.span.end };
        let subquery = Subquery { expr, range, step, offset: None, at: None };
        Ok(Expr { kind: ExprKind::Subquery(Box::new(subquery)), span })
    }

    fn matrix(&mut self, expr: Expr, open: Token, range: DurationExpr, close: Token) -> Expr {
        let selector_span = expr.span;
        let (selector, error) = match expr.kind {
            ExprKind::Vector(selector) => {
                let error = if matches!(&selector.offset, Some(offset) if matches!(offset.kind, DurationKind::Literal(_)))
                {
                    Some("no offset modifiers allowed before range")
                } else if matches!(selector.at, Some(AtModifier::Timestamp(_))) {
                    Some("no @ modifiers allowed before range")
                } else {
                    None
                };
                (selector, error)
            }
            _ => (VectorSelector::default(), Some(RANGE_ONLY)),
        };
        if let Some(message) = error {
            self.error(Span { start: open.span.start, end: close.span.end }, message);
        }
        let span = Span { start: selector_span.start, end: close.span.end };
        Expr { kind: ExprKind::Matrix(MatrixSelector { selector, selector_span, range }), span }
    }

    fn set_offset(&mut self, expr: &mut Expr, offset: DurationExpr) {
        let span = expr.span;
        let end = self.last_end();
        let place = match &mut expr.kind {
            ExprKind::Vector(selector) => &mut selector.offset,
            ExprKind::Matrix(matrix) => &mut matrix.selector.offset,
            ExprKind::Subquery(subquery) => &mut subquery.offset,
            _ => {
                let message = "offset modifier must be preceded by an instant vector selector or range vector \
                               selector or a subquery";
                return self.error(span, message);
            }
        };
        if place.is_some() {
            return self.error(span, "offset may not be set multiple times");
        }
        // No offset at all and one of nothing are the same.
        if offset.kind != DurationKind::Literal(0) {
            *place = Some(offset);
        }
        expr.span.end = end;
    }

    fn extend(&mut self, expr: &mut Expr, token: Token, extension: RangeExtension) {
        let span = expr.span;
        let name = self.text_of(token).to_ascii_lowercase();
        self.advance();
        if !self.options.extended_range_selectors {
            return self.error(span, format!("{name} modifier is experimental and not enabled"));
        }
        let place = match &mut expr.kind {
            ExprKind::Vector(selector) => &mut selector.extension,
            ExprKind::Matrix(matrix) => &mut matrix.selector.extension,
            ExprKind::Subquery(_) => {
                return self.error(span, format!("{name} modifier is not supported for subqueries"));
            }
            _ => return self.error(span, format!("{name} modifier not implemented")),
        };
        if place.is_some_and(|other| other != extension) {
            return self.error(span, "anchored and smoothed modifiers cannot be used together");
        }
        *place = Some(extension);
        expr.span.end = token.span.end;
    }

    /// Parses the time behind `@` and sets it.
    fn at(&mut self, expr: &mut Expr) -> Parsed<()> {
        let sign = self.sign();
        let at = if let Some((_, value)) = self.accept_number() {
            self.timestamp(expr.span, sign.map_or(value, |sign| sign * value))
        } else if sign.is_none()
            && matches!(self.peek().kind, TokenKind::Builtin(Builtin::Start | Builtin::End))
        {
            let token = self.advance();
            for kind in [TokenKind::LeftParen, TokenKind::RightParen] {
                self.expect(kind, "@", "timestamp")?;
            }
            if token.kind == TokenKind::Builtin(Builtin::Start) { AtModifier::Start } else { AtModifier::End }
        } else {
            return Err(self.unexpected("@", "timestamp"));
        };
        let span = expr.span;
        let place = match &mut expr.kind {
            ExprKind::Vector(selector) => &mut selector.at,
            ExprKind::Matrix(matrix) => &mut matrix.selector.at,
            ExprKind::Subquery(subquery) => &mut subquery.at,
            _ => {
                let message = "@ modifier must be preceded by an instant vector selector or range vector selector \
                               or a subquery";
                self.error(span, message);
                return Ok(());
            }
        };
        if place.is_some() {
            self.error(span, "@ <timestamp> may not be set multiple times");
            return Ok(());
        }
        *place = Some(at);
        expr.span.end = self.last_end();
        Ok(())
    }

    fn timestamp(&mut self, span: Span, seconds: f64) -> AtModifier {
        const LIMIT: f64 = i64::MAX as f64;
        if seconds.is_nan() || seconds >= LIMIT || seconds <= -LIMIT {
            let printed = match seconds {
                s if s.is_nan() => "NaN".to_owned(),
                s if s.is_infinite() => if s > 0.0 { "+Inf" } else { "-Inf" }.to_owned(),
                s => format!("{s:.6}"),
            };
            self.error(span, format!("timestamp out of bounds for @ modifier: {printed}"));
        }
        AtModifier::Timestamp((seconds * 1000.0).round() as i64)
    }
}
