//! Errors with their place on the page.

use std::borrow::Cow;
use std::fmt;

/// Says what is wrong on a page, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The place in bytes from the beginning of the body.
    pub offset: usize,
    /// The line, from 1; 0 in protobuf, which has no lines.
    pub line: usize,
    /// The column in characters, from 1; 0 in protobuf.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it, or `""`.
    pub hint: &'static str,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "byte {}: {}", self.offset, self.message)?;
        } else {
            write!(f, "{}:{}: {}", self.line, self.column, self.message)?;
        }
        if !self.hint.is_empty() {
            write!(f, " (hint: {})", self.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for ParseError {}

/// An error before line and column are known: those are computed once, when the error leaves the parser.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) message: Cow<'static, str>,
    pub(crate) hint: &'static str,
}

impl Fault {
    pub(crate) fn new(at: usize, message: impl Into<Cow<'static, str>>) -> Self {
        Self { at, message: message.into(), hint: "" }
    }

    pub(crate) fn hint(mut self, hint: &'static str) -> Self {
        self.hint = hint;
        self
    }

    /// Makes the error for a page that has no lines.
    pub(crate) fn locate_byte(self) -> ParseError {
        ParseError {
            offset: self.at,
            line: 0,
            column: 0,
            message: self.message.into_owned(),
            hint: self.hint,
        }
    }

    pub(crate) fn locate(self, body: &[u8]) -> ParseError {
        let offset = self.at.min(body.len());
        let before = &body[..offset];
        let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        ParseError {
            offset,
            line: before.iter().filter(|b| **b == b'\n').count() + 1,
            column: String::from_utf8_lossy(&before[line_start..]).chars().count() + 1,
            message: self.message.into_owned(),
            hint: self.hint,
        }
    }
}
