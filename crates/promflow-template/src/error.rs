use std::fmt;
use std::ops::Range;

/// The reason why a template failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text is no template.
    Parse,
    /// The template failed on its data, or a function it calls did.
    Execute,
    /// The expansion took more output, steps or depth than it may.
    Limit,
}

/// A template that could not be parsed or expanded, in Prometheus's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub(crate) kind: ErrorKind,
    pub(crate) template: String,
    pub(crate) detail: String,
    pub(crate) span: Range<usize>,
}

impl Error {
    /// Returns the reason.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the message as Go's template engine gives it, as the check of a rule file prints it: without the words
    /// `error parsing template NAME:` in front.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Returns the bytes of the text, as it was given to `Template::parse`, that the error is about.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let doing = if self.kind == ErrorKind::Parse { "parsing" } else { "executing" };
        write!(f, "error {doing} template {}: {}", self.template, self.detail)
    }
}

impl std::error::Error for Error {}
