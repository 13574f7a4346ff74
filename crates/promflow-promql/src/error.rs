//! What can go wrong with a query.

use std::fmt;

use promflow_storage::SelectError;

/// The kind of a query's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QueryErrorKind {
    /// The query itself is wrong: a duration that cannot be computed, a type that cannot be the result.
    BadQuery,
    /// The evaluation failed.
    Execution,
    /// The deadline passed.
    Timeout,
    /// The query was given up.
    Canceled,
    /// The query needs more samples in memory than it may have.
    TooManySamples,
    /// The query needs more bytes in memory than it may have.
    TooManyBytes,
    /// The store could not be read.
    Storage,
    /// Prometheus has it, promflow does not yet.
    NotSupportedYet,
}

/// An error of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    kind: QueryErrorKind,
    message: String,
}

impl QueryError {
    pub(crate) fn new(kind: QueryErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(crate) fn execution(message: impl Into<String>) -> Self {
        Self::new(QueryErrorKind::Execution, message)
    }

    pub(crate) fn not_supported(name: &str) -> Self {
        Self::new(QueryErrorKind::NotSupportedYet, format!("not supported yet: {name}"))
    }

    pub(crate) fn same_labelset() -> Self {
        Self::execution("vector cannot contain metrics with the same labelset")
    }

    /// Returns what kind of error it is.
    pub fn kind(&self) -> QueryErrorKind {
        self.kind
    }

    /// Returns the text, which is Prometheus's where Prometheus has the error too.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl From<SelectError> for QueryError {
    fn from(error: SelectError) -> Self {
        Self::new(QueryErrorKind::Storage, format!("expanding series: {error}"))
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for QueryError {}
