//! What a registry refuses.

use std::fmt;

use crate::shared::ArenaError;

/// Says why a metric cannot be registered.
#[derive(Clone, Debug, PartialEq)]
pub struct RegisterError {
    /// The metric's name.
    pub metric: String,
    /// What is wrong.
    pub kind: RegisterErrorKind,
}

/// What is wrong with a registration.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RegisterErrorKind {
    /// The name is empty.
    InvalidName,
    /// A label name is empty.
    InvalidLabel(String),
    /// A label name that has a meaning of its own.
    ReservedLabel(String),
    /// A label name stands twice, or is another one's once it is escaped.
    RepeatedLabel(String),
    /// The metric has a label that is also a default label of the registry.
    DefaultLabel(String),
    /// The metric has no label of that name.
    MissingLabel(String),
    /// The help text is empty.
    EmptyHelp,
    /// The name does not end with the unit.
    InvalidUnit(String),
    /// Bucket bounds are not finite and increasing, or there are none.
    InvalidBuckets,
    /// A quantile is not between 0 and 1.
    InvalidQuantiles,
    /// The states of a state set are none, more than 64, or not distinct.
    InvalidStates,
    /// The name is taken by a metric that differs.
    Conflict {
        /// In what they differ.
        what: &'static str,
        /// How the registered metric is.
        registered: String,
        /// How this one is.
        requested: String,
    },
    /// A sample of the metric would have the name of another metric's.
    TakenName {
        /// The sample's name.
        sample: String,
        /// The metric that has it.
        owner: String,
    },
    /// The file that processes share has no room, or cannot be written.
    Arena(ArenaError),
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use RegisterErrorKind as Kind;
        write!(f, "cannot register metric {:?}: ", self.metric)?;
        match &self.kind {
            Kind::InvalidName => f.write_str("the name is empty"),
            Kind::InvalidLabel(_) => f.write_str("a label name is empty"),
            Kind::ReservedLabel(name) => write!(f, "label name {name:?} is reserved"),
            Kind::RepeatedLabel(name) => write!(f, "label name {name:?} stands twice"),
            Kind::DefaultLabel(name) => write!(f, "label name {name:?} is a default label of the registry"),
            Kind::MissingLabel(name) => write!(f, "it has no label {name:?}"),
            Kind::EmptyHelp => f.write_str("the help text is empty"),
            Kind::InvalidUnit(unit) => write!(f, "the name does not end with its unit {unit:?}"),
            Kind::InvalidBuckets => f.write_str("bucket bounds must be finite, increasing and at least one"),
            Kind::InvalidQuantiles => f.write_str("quantiles must be between 0 and 1"),
            Kind::InvalidStates => f.write_str("states must be distinct, at least one and at most 64"),
            Kind::Conflict { what, registered, requested } => {
                write!(f, "it is registered with {what} {registered}, not {requested}")
            }
            Kind::TakenName { sample, owner } => {
                write!(f, "its sample {sample:?} has the name of one of metric {owner:?}")
            }
            Kind::Arena(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for RegisterError {}

/// The number of label values differs from the number of label names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelCountError {
    pub(crate) metric: String,
    pub(crate) names: usize,
    pub(crate) values: usize,
}

impl fmt::Display for LabelCountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { metric, names, values } = self;
        write!(f, "metric {metric:?} has {names} labels, but {values} values were given")
    }
}

impl std::error::Error for LabelCountError {}

/// Something that whoever runs the program should hear of, once.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// A metric reached its limit of series, and further label values share one.
    SeriesLimit {
        /// The metric's name.
        metric: String,
        /// Its limit.
        limit: usize,
    },
    /// A series could not be put into the file that processes share; what belongs to it is counted in its metric's
    /// overflow series.
    Arena {
        /// The metric's name.
        metric: String,
        /// Why.
        error: ArenaError,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SeriesLimit { metric, limit } => {
                write!(
                    f,
                    "metric {metric:?} reached its limit of {limit} series: further label values share one"
                )
            }
            Self::Arena { metric, error } => write!(f, "metric {metric:?} got no further series: {error}"),
        }
    }
}
