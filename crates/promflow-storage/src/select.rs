//! The way out.

use std::fmt;

use promflow_model::{Labels, Matcher};

/// What the reader will do with the series: a store may use it to read less, never to return other samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SelectHints {
    /// The first time the reader looks at, in milliseconds since the epoch, inclusive.
    pub start_ms: i64,
    /// The last time the reader looks at, in milliseconds since the epoch, inclusive.
    pub end_ms: i64,
    /// The step of a range query, in milliseconds; 0 for an instant query.
    pub step_ms: i64,
    /// The range of a range vector selector, in milliseconds; 0 for an instant vector.
    pub range_ms: i64,
    /// The function or aggregation around the selector, or `""`.
    pub func: String,
    /// The most series the reader wants; 0 for all.
    pub limit: usize,
}

/// Warnings that do not make a result wrong, such as a store that was left out.
pub type Warnings = Vec<String>;

/// The samples of one series: two arrays of equal length, times rising.
///
/// Ownership: the reader owns it and hands it to one series after another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SampleBuffer {
    /// Milliseconds since the epoch, strictly rising.
    pub t_ms: Vec<i64>,
    /// The values, stale markers included.
    pub values: Vec<f64>,
}

impl SampleBuffer {
    /// Forgets the samples and keeps the memory.
    pub fn clear(&mut self) {
        self.t_ms.clear();
        self.values.clear();
    }

    /// Adds a sample at the end.
    pub fn push(&mut self, t_ms: i64, value: f64) {
        self.t_ms.push(t_ms);
        self.values.push(value);
    }

    /// Counts the samples.
    pub fn len(&self) -> usize {
        self.t_ms.len()
    }

    /// Says whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.t_ms.is_empty()
    }
}

/// What went wrong while reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SelectErrorKind {
    /// The stored data are damaged.
    Corrupt,
    /// The store is closed or out of reach.
    Unavailable,
    /// The reader asked for more than the store gives.
    LimitReached,
}

/// An error of a select.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectError {
    kind: SelectErrorKind,
    message: String,
}

impl SelectError {
    /// Builds an error.
    pub fn new(kind: SelectErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Returns what kind of error it is.
    pub fn kind(&self) -> SelectErrorKind {
        self.kind
    }
}

impl fmt::Display for SelectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SelectError {}

/// One series of a select.
pub trait Series: Send {
    /// Returns the label set.
    fn labels(&self) -> &Labels;

    /// Writes the samples within the querier's range into the buffer, which is cleared first.
    ///
    /// Cost: decodes each chunk once; no allocation once the buffer has grown.
    fn samples(&self, into: &mut SampleBuffer) -> Result<(), SelectError>;
}

/// The series of a select, one after the other, each label set once.
pub trait SeriesSet: Send {
    /// Returns the next series, or `None` at the end.
    fn next(&mut self) -> Option<Result<Box<dyn Series + '_>, SelectError>>;

    /// Returns the warnings so far; complete after the last series.
    fn warnings(&self) -> Warnings {
        Vec::new()
    }
}

/// A view of a store over a range of time.
pub trait Querier: Send {
    /// Selects the series that satisfy all matchers; sorted by label set where asked.
    fn select<'q>(
        &'q self,
        sorted: bool,
        hints: &SelectHints,
        matchers: &[Matcher],
    ) -> Result<Box<dyn SeriesSet + 'q>, SelectError>;

    /// Returns the label names of the series that satisfy all matchers, sorted, each once.
    fn label_names(&self, matchers: &[Matcher]) -> Result<Vec<String>, SelectError>;

    /// Returns the values of a label among the series that satisfy all matchers, sorted, each once.
    fn label_values(&self, name: &str, matchers: &[Matcher]) -> Result<Vec<String>, SelectError>;
}

/// A store that can be read.
pub trait Queryable: Send + Sync {
    /// Opens a view.
    ///
    /// Units: milliseconds since the epoch, both ends inclusive.
    fn querier(&self, min_t_ms: i64, max_t_ms: i64) -> Result<Box<dyn Querier + '_>, SelectError>;
}
