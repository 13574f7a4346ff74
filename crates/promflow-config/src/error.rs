//! Errors and the places they stand at.

use std::fmt;
use std::sync::Arc;

/// A place in a file.
///
/// Units: line and column count from 1, the column in characters; 0 where the place is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The file's path as it was given.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Position {
    /// Writes `FILE:LINE:COLUMN`, or the file alone when the line is not known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        Ok(())
    }
}

/// A text taken from a file, such as an expression or a template, that knows where each of its lines stands there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceText {
    /// The text.
    pub text: String,
    /// Where the text begins in the file.
    pub position: Position,
    /// Offsets in the text, rising, with the line and column in the file where the text goes on from there.
    pub(crate) anchors: Vec<(usize, u32, u32)>,
}

impl SourceText {
    /// Returns the place in the file of a byte of the text, inside block scalars too.
    ///
    /// Units: bytes from the start of the text.
    pub fn position_at(&self, offset: usize) -> Position {
        let i = self.anchors.partition_point(|(start, ..)| *start <= offset);
        let Some(&(start, line, column)) = i.checked_sub(1).and_then(|i| self.anchors.get(i)) else {
            return self.position.clone();
        };
        let end = offset.min(self.text.len());
        let chars = self.text.get(start..end).map_or(0, |s| s.chars().count());
        Position { file: self.position.file.clone(), line, column: column + chars as u32 }
    }
}

/// One mistake in a file.
///
/// Display writes `FILE:LINE:COLUMN: MESSAGE`, then the line of the file and a hint where there are such. It never
/// holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file's path as it was given.
    pub file: String,
    /// The line, from 1; 0 when the error concerns the whole file.
    pub line: u32,
    /// The column in characters, from 1; 0 when the error concerns the whole file.
    pub column: u32,
    /// What is wrong; Prometheus's text where it has one.
    pub message: String,
    /// The line of the file, secrets left out.
    pub snippet: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl ConfigError {
    /// Builds an error about a whole file.
    pub fn for_file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self { file: file.into(), line: 0, column: 0, message: message.into(), snippet: None, hint: None }
    }

    /// Writes several errors, one below the other.
    pub fn join(errors: &[Self]) -> String {
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    /// Returns the place.
    pub fn position(&self) -> Position {
        Position { file: self.file.as_str().into(), line: self.line, column: self.column }
    }

    /// Says whether the error is about something that Prometheus has and promflow does not have yet.
    pub fn is_not_supported_yet(&self) -> bool {
        self.message.starts_with(NOT_SUPPORTED)
    }
}

/// How the message about a part begins that Prometheus has and promflow does not have yet.
pub(crate) const NOT_SUPPORTED: &str = "not supported yet: ";

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position(), self.message)?;
        if let Some(snippet) = &self.snippet {
            let number = self.line.to_string();
            write!(f, "\n{number} | {snippet}")?;
            let column = (self.column as usize).saturating_sub(1);
            if column < snippet.chars().count().max(1) {
                write!(f, "\n{:width$} | {:column$}^", "", "", width = number.len())?;
            }
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
