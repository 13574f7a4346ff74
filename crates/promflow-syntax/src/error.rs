//! What is wrong with a text, and where.

use std::fmt;

use crate::ast::Span;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Where it stands in the text.
    pub span: Span,
    /// What is wrong, in Prometheus's words.
    pub message: String,
}

/// All that is wrong with a text; at least one thing.
///
/// Displays the first one with its line and column, as Prometheus does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseErrors {
    text: String,
    errors: Vec<ParseError>,
}

impl ParseErrors {
    pub(crate) fn new(text: &str, errors: Vec<ParseError>) -> Self {
        Self { text: text.to_owned(), errors }
    }

    /// Returns the errors in the order in which Prometheus finds them.
    pub fn errors(&self) -> &[ParseError] {
        &self.errors
    }

    /// Returns the text that was parsed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Writes one error with its line and column.
    pub fn render(&self, error: &ParseError) -> String {
        if self.text.is_empty() {
            return format!("unknown position: parse error: {}", error.message);
        }
        let (line, column) = position(&self.text, error.span.start);
        format!("{line}:{column}: parse error: {}", error.message)
    }
}

impl fmt::Display for ParseErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errors.first() {
            Some(error) => f.write_str(&self.render(error)),
            None => f.write_str("error contains no error message"),
        }
    }
}

impl std::error::Error for ParseErrors {}

/// Returns the line and the column of a byte of the text, both counted from one.
///
/// Units: the column counts bytes, as Prometheus's messages do; a position behind the text is that of its end.
pub fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..byte.min(text.len())];
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
    (line, before.len() - line_start + 1)
}
