//! What a family is, and what a registry refuses.

use std::fmt;
use std::sync::Arc;

use promflow_model::{BUCKET_LABEL, MetricType, QUANTILE_LABEL, is_legacy_label_name, is_legacy_metric_name};

/// The name, help, labels and buckets of a family.
#[derive(Clone, Debug)]
pub(crate) struct Desc {
    pub(crate) name: String,
    pub(crate) help: String,
    pub(crate) kind: MetricType,
    pub(crate) labels: Vec<String>,
    pub(crate) bounds: Arc<[f64]>,
}

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
    /// The name is none that text 0.0.4 can carry.
    InvalidName,
    /// A label name is none that text 0.0.4 can carry.
    InvalidLabel(String),
    /// A label name that has a meaning of its own.
    ReservedLabel(String),
    /// A label name stands twice.
    RepeatedLabel(String),
    /// The metric has a label that is also a default label of the registry.
    DefaultLabel(String),
    /// The help text is empty.
    EmptyHelp,
    /// Bucket bounds are not finite and increasing, or there are none.
    InvalidBuckets,
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
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use RegisterErrorKind as Kind;
        write!(f, "cannot register metric {:?}: ", self.metric)?;
        match &self.kind {
            Kind::InvalidName if self.metric.is_empty() => f.write_str("the name is empty"),
            Kind::InvalidName => f.write_str("not supported yet: UTF-8 metric names"),
            Kind::InvalidLabel(name) if name.is_empty() => f.write_str("a label name is empty"),
            Kind::InvalidLabel(name) => write!(f, "label {name:?}: not supported yet: UTF-8 label names"),
            Kind::ReservedLabel(name) => write!(f, "label name {name:?} is reserved"),
            Kind::RepeatedLabel(name) => write!(f, "label name {name:?} stands twice"),
            Kind::DefaultLabel(name) => write!(f, "label name {name:?} is a default label of the registry"),
            Kind::EmptyHelp => f.write_str("the help text is empty"),
            Kind::InvalidBuckets => f.write_str("bucket bounds must be finite, increasing and at least one"),
            Kind::Conflict { what, registered, requested } => {
                write!(f, "it is registered with {what} {registered}, not {requested}")
            }
            Kind::TakenName { sample, owner } => {
                write!(f, "its sample {sample:?} has the name of one of metric {owner:?}")
            }
        }
    }
}

impl std::error::Error for RegisterError {}

impl Desc {
    pub(crate) fn new(
        name: &str,
        help: &str,
        kind: MetricType,
        labels: &[&str],
        bounds: &[f64],
    ) -> Result<Self, RegisterError> {
        let refuse = |kind| Err(RegisterError { metric: name.to_owned(), kind });
        if !is_legacy_metric_name(name) {
            return refuse(RegisterErrorKind::InvalidName);
        }
        if help.is_empty() {
            return refuse(RegisterErrorKind::EmptyHelp);
        }
        for (i, label) in labels.iter().enumerate() {
            let reserved = label.starts_with("__")
                || *label == BUCKET_LABEL && kind == MetricType::Histogram
                || *label == QUANTILE_LABEL && kind == MetricType::Summary;
            if !is_legacy_label_name(label) {
                return refuse(RegisterErrorKind::InvalidLabel((*label).to_owned()));
            }
            if reserved {
                return refuse(RegisterErrorKind::ReservedLabel((*label).to_owned()));
            }
            if labels[..i].contains(label) {
                return refuse(RegisterErrorKind::RepeatedLabel((*label).to_owned()));
            }
        }
        // A last bound of infinity is what every histogram has anyway.
        let bounds = bounds.strip_suffix(&[f64::INFINITY]).unwrap_or(bounds);
        let usable = !bounds.is_empty()
            && bounds.iter().all(|b| b.is_finite())
            && bounds.windows(2).all(|pair| pair[0] < pair[1]);
        if kind == MetricType::Histogram && !usable {
            return refuse(RegisterErrorKind::InvalidBuckets);
        }
        Ok(Self {
            name: name.to_owned(),
            help: help.to_owned(),
            kind,
            labels: labels.iter().map(|l| (*l).to_owned()).collect(),
            bounds: bounds.into(),
        })
    }

    /// Lists the names of the family's samples, its own name among them.
    pub(crate) fn sample_names(&self) -> Vec<String> {
        let suffixes: &[&str] = match self.kind {
            MetricType::Histogram => &["", "_bucket", "_sum", "_count"],
            MetricType::Summary => &["", "_sum", "_count"],
            _ => &[""],
        };
        suffixes.iter().map(|suffix| [self.name.as_str(), suffix].concat()).collect()
    }

    /// Finds in what another description of the same name differs.
    pub(crate) fn conflict(&self, requested: &Self) -> Option<RegisterErrorKind> {
        let conflict =
            |what, registered, requested| Some(RegisterErrorKind::Conflict { what, registered, requested });
        if self.kind != requested.kind {
            conflict("type", self.kind.as_str().to_owned(), requested.kind.as_str().to_owned())
        } else if self.labels != requested.labels {
            conflict("labels", format!("{:?}", self.labels), format!("{:?}", requested.labels))
        } else if self.bounds != requested.bounds {
            conflict("buckets", format!("{:?}", self.bounds), format!("{:?}", requested.bounds))
        } else if self.help != requested.help {
            conflict("help", format!("{:?}", self.help), format!("{:?}", requested.help))
        } else {
            None
        }
    }
}
