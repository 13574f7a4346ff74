use std::fmt;

/// The reason why a pattern was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A character range is upside down, or a class name is not known.
    InvalidCharRange,
    /// An escape sequence that RE2 does not have.
    InvalidEscape,
    /// A capture group's name is empty, unclosed or holds a forbidden character.
    InvalidNamedCapture,
    /// Perl syntax that RE2 leaves out, such as look-around.
    InvalidPerlOp,
    /// Two repetition operators in a row, `a**`.
    InvalidRepeatOp,
    /// A repeat count over 1000 or with its bounds upside down.
    InvalidRepeatSize,
    /// A character class without its `]`.
    MissingBracket,
    /// A group without its `)`.
    MissingParen,
    /// A repetition operator with nothing before it.
    MissingRepeatArgument,
    /// The pattern ends in a lone backslash.
    TrailingBackslash,
    /// A `)` that closes nothing.
    UnexpectedParen,
    /// Groups and operators are nested deeper than the limit.
    NestingDepth,
    /// The compiled pattern would take more memory than the limit.
    TooLarge,
}

impl ErrorKind {
    fn text(self) -> &'static str {
        match self {
            ErrorKind::InvalidCharRange => "invalid character class range",
            ErrorKind::InvalidEscape => "invalid escape sequence",
            ErrorKind::InvalidNamedCapture => "invalid named capture",
            ErrorKind::InvalidPerlOp => "invalid or unsupported Perl syntax",
            ErrorKind::InvalidRepeatOp => "invalid nested repetition operator",
            ErrorKind::InvalidRepeatSize => "invalid repeat count",
            ErrorKind::MissingBracket => "missing closing ]",
            ErrorKind::MissingParen => "missing closing )",
            ErrorKind::MissingRepeatArgument => "missing argument to repetition operator",
            ErrorKind::TrailingBackslash => "trailing backslash at end of expression",
            ErrorKind::UnexpectedParen => "unexpected )",
            ErrorKind::NestingDepth => "expression nests too deeply",
            ErrorKind::TooLarge => "expression too large",
        }
    }
}

/// A refused pattern, in the words of Go's `regexp/syntax`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    expr: String,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, expr: &str) -> Error {
        Error { kind, expr: expr.to_owned() }
    }

    /// Returns the reason.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the offending part of the pattern.
    pub fn expr(&self) -> &str {
        &self.expr
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error parsing regexp: {}: `{}`", self.kind.text(), self.expr)
    }
}

impl std::error::Error for Error {}
