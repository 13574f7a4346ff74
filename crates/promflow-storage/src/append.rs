//! The way in.

use std::fmt;

use promflow_model::{Labels, Metadata};

/// A series' number inside one store, for appending without looking the label set up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesRef(pub u64);

/// Why a sample was not taken.
///
/// Source: Prometheus storage/interface.go, whose texts these are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppendError {
    /// The series has a later sample.
    OutOfOrder,
    /// The series has another value at this time.
    DuplicateForTimestamp,
    /// The sample is older than the store takes.
    OutOfBounds,
    /// The label set is empty, has no metric name or names a label twice.
    InvalidLabels(String),
    /// A limit of the store is reached; the text names it.
    LimitReached(String),
    /// The store cannot write at all; the text says why.
    Unavailable(String),
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfOrder => f.write_str("out of order sample"),
            Self::DuplicateForTimestamp => f.write_str("duplicate sample for timestamp"),
            Self::OutOfBounds => f.write_str("out of bounds"),
            Self::InvalidLabels(why) | Self::LimitReached(why) | Self::Unavailable(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for AppendError {}

/// What a commit did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommitStats {
    /// How many samples were written.
    pub samples: u64,
    /// How many series were created.
    pub series_created: u64,
}

/// Takes samples in a batch that becomes visible as one.
pub trait Appender: Send {
    /// Adds a sample to the batch.
    ///
    /// `series` is what an earlier call returned for the same label set, also of an earlier batch; a store that no
    /// longer knows it falls back to `labels`.
    ///
    /// Units: `t_ms` in milliseconds since the epoch.
    /// Errors: the sample is not taken; the rest of the batch stands.
    fn append(
        &mut self,
        series: Option<SeriesRef>,
        labels: &Labels,
        t_ms: i64,
        value: f64,
    ) -> Result<SeriesRef, AppendError>;

    /// Records what a target says about a metric family; the store keeps the latest.
    fn update_metadata(&mut self, metric: &str, metadata: &Metadata);

    /// Makes the batch visible.
    ///
    /// Errors: nothing of the batch is visible.
    fn commit(self: Box<Self>) -> Result<CommitStats, AppendError>;

    /// Forgets the batch.
    fn rollback(self: Box<Self>);
}

/// A store that takes samples.
pub trait Appendable: Send + Sync {
    /// Opens a batch.
    fn appender(&self) -> Box<dyn Appender + '_>;
}
