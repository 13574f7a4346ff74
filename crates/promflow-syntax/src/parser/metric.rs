//! Label sets.

use promflow_model::{Labels, METRIC_NAME};

use super::{Parsed, Parser};
use crate::token::TokenKind;

const CONTEXT: &str = "label set";

impl Parser<'_> {
    /// Parses a metric name, labels in braces, both or nothing.
    pub(super) fn metric(&mut self) -> Parsed<Labels> {
        let mut pairs = Vec::new();
        let token = self.peek();
        let named = token.kind.is_metric_name();
        if named {
            self.advance();
        }
        if self.accept(TokenKind::LeftBrace).is_some() {
            self.label_set(&mut pairs)?;
        }
        if named {
            pairs.push((METRIC_NAME.to_owned(), self.text_of(token).to_owned()));
        }
        Ok(Labels::from_pairs(pairs))
    }

    /// Parses the rest of the braces.
    fn label_set(&mut self, pairs: &mut Vec<(String, String)>) -> Parsed<()> {
        loop {
            if self.accept(TokenKind::RightBrace).is_some() {
                return Ok(());
            }
            pairs.push(self.label()?);
            if self.accept(TokenKind::RightBrace).is_some() {
                return Ok(());
            }
            self.expect(TokenKind::Comma, CONTEXT, "\",\" or \"}\"")?;
        }
    }

    fn label(&mut self) -> Parsed<(String, String)> {
        let token = self.peek();
        let name = match token.kind {
            TokenKind::Identifier => {
                self.advance();
                if self.peek().kind != TokenKind::Equal {
                    return Err(self.unexpected(CONTEXT, "\"=\""));
                }
                self.text_of(token).to_owned()
            }
            TokenKind::String => {
                self.advance();
                self.unquote(token)
            }
            _ => return Err(self.unexpected(CONTEXT, "identifier or \"}\"")),
        };
        if self.accept(TokenKind::Equal).is_none() {
            return Ok((METRIC_NAME.to_owned(), name));
        }
        let value = self.expect(TokenKind::String, CONTEXT, "string")?;
        Ok((name, self.unquote(value)))
    }
}
