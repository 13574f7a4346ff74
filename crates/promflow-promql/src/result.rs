//! What a query gives.

use promflow_model::{Labels, Sample};

/// The value of a query.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number at a time.
    Scalar(Sample),
    /// A text at a time.
    String {
        /// When, in milliseconds since the epoch.
        t_ms: i64,
        /// The text.
        value: String,
    },
    /// One sample per series; in the order of the outermost `sort`, `topk` or the like where there is one.
    Vector(Vec<VectorSample>),
    /// Several samples per series; series sorted by label set.
    Matrix(Vec<MatrixSeries>),
}

/// One series of an instant vector.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorSample {
    /// The label set.
    pub labels: Labels,
    /// When, in milliseconds since the epoch.
    pub t_ms: i64,
    /// The value.
    pub value: f64,
}

/// One series of a matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixSeries {
    /// The label set.
    pub labels: Labels,
    /// The samples, rising in time.
    pub samples: Vec<Sample>,
}

/// What a query did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueryStats {
    /// How many series were read from the store, each as often as it was read.
    pub series_read: u64,
    /// How many samples were decoded.
    pub samples_read: u64,
    /// The most samples held at once.
    pub samples_peak: u64,
    /// The most bytes held at once.
    pub bytes_peak: u64,
}

/// The answer to a query.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryResult {
    /// The value.
    pub value: Value,
    /// Warnings, sorted, each once; those of the store first.
    pub warnings: Vec<String>,
    /// Infos, sorted, each once.
    pub infos: Vec<String>,
    /// What it took.
    pub stats: QueryStats,
}
