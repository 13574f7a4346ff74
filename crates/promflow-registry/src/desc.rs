//! What a family is: its name, help, labels and shape.

use std::sync::Arc;

use promflow_exposition::Escaping;
use promflow_model::{BUCKET_LABEL, MetricType, QUANTILE_LABEL};

use crate::error::{RegisterError, RegisterErrorKind};
use crate::gauge::GaugeMode;
use crate::native::NativeShape;
use crate::quantiles::QuantileShape;
use crate::ranked::RankedShape;

/// States that a state set may have: one bit of a word for each.
const STATES_MAX: usize = 64;

/// The name, help, labels and shape of a family.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Desc {
    pub(crate) name: String,
    pub(crate) help: String,
    pub(crate) unit: String,
    pub(crate) kind: MetricType,
    /// The labels that tell the series of the family apart; a ranked one is not among them.
    pub(crate) labels: Vec<String>,
    pub(crate) shape: Arc<Shape>,
}

/// What the cells of a family look like.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shape {
    pub(crate) bounds: Arc<[f64]>,
    pub(crate) native: Option<NativeShape>,
    pub(crate) mode: GaugeMode,
    pub(crate) states: Vec<String>,
    pub(crate) quantiles: Option<QuantileShape>,
    pub(crate) ranked: Option<RankedShape>,
}

impl Desc {
    /// Describes a metric.
    ///
    /// Errors: name, labels, help, unit or shape are unusable.
    pub(crate) fn new(
        name: &str,
        help: &str,
        kind: MetricType,
        labels: &[&str],
        shape: Shape,
    ) -> Result<Self, RegisterError> {
        let refuse = |kind| Err(RegisterError { metric: name.to_owned(), kind });
        if name.is_empty() {
            return refuse(RegisterErrorKind::InvalidName);
        }
        if help.is_empty() {
            return refuse(RegisterErrorKind::EmptyHelp);
        }
        if let Some(kind) = wrong_label(name, kind, labels) {
            return refuse(kind);
        }
        // A last bound of infinity is what every histogram has anyway.
        let bounds = shape.bounds.strip_suffix(&[f64::INFINITY]).unwrap_or(&shape.bounds);
        let usable = (!bounds.is_empty() || shape.native.is_some())
            && bounds.iter().all(|b| b.is_finite())
            && bounds.windows(2).all(|pair| pair[0] < pair[1]);
        if kind == MetricType::Histogram && !usable {
            return refuse(RegisterErrorKind::InvalidBuckets);
        }
        if shape.quantiles.as_ref().is_some_and(|q| !q.is_usable()) {
            return refuse(RegisterErrorKind::InvalidQuantiles);
        }
        let distinct = |i: usize| !shape.states[..i].contains(&shape.states[i]);
        let states = 1..=STATES_MAX;
        if kind == MetricType::StateSet
            && !(states.contains(&shape.states.len()) && (0..shape.states.len()).all(distinct))
        {
            return refuse(RegisterErrorKind::InvalidStates);
        }
        let bounds = bounds.into();
        let mut labels: Vec<String> = labels.iter().map(|l| (*l).to_owned()).collect();
        let quantiles = shape.quantiles.filter(|q| !q.quantiles.is_empty());
        let ranked = shape.ranked.map(|ranked| RankedShape { names: labels.clone(), ..ranked });
        if let Some(ranked) = &ranked {
            if ranked.place >= labels.len() {
                return refuse(RegisterErrorKind::MissingLabel(String::new()));
            }
            labels.remove(ranked.place);
        }
        Ok(Self {
            name: name.to_owned(),
            help: help.to_owned(),
            unit: String::new(),
            kind,
            labels,
            shape: Arc::new(Shape { bounds, quantiles, ranked, ..shape }),
        })
    }

    /// Returns all label names, a ranked one among them.
    pub(crate) fn all_labels(&self) -> &[String] {
        self.shape.ranked.as_ref().map_or(&self.labels, |ranked| &ranked.names)
    }

    /// Gives the metric a unit, with which its name has to end.
    ///
    /// Errors: the name ends differently.
    pub(crate) fn with_unit(mut self, unit: &str) -> Result<Self, RegisterError> {
        let base = match self.kind {
            MetricType::Counter => self.name.strip_suffix("_total").unwrap_or(&self.name),
            _ => &self.name,
        };
        let ends = base.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_'));
        if !unit.is_empty() && !ends {
            let kind = RegisterErrorKind::InvalidUnit(unit.to_owned());
            return Err(RegisterError { metric: self.name, kind });
        }
        unit.clone_into(&mut self.unit);
        Ok(self)
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
        let debug = |value: &dyn std::fmt::Debug| format!("{value:?}");
        let (ours, theirs) = (&*self.shape, &*requested.shape);
        if self.kind != requested.kind {
            conflict("type", self.kind.as_str().to_owned(), requested.kind.as_str().to_owned())
        } else if self.all_labels() != requested.all_labels() {
            conflict("labels", debug(&self.all_labels()), debug(&requested.all_labels()))
        } else if ours.bounds != theirs.bounds {
            conflict("buckets", debug(&ours.bounds), debug(&theirs.bounds))
        } else if ours.native != theirs.native {
            conflict("native buckets", debug(&ours.native), debug(&theirs.native))
        } else if ours.mode != theirs.mode {
            conflict("mode", debug(&ours.mode), debug(&theirs.mode))
        } else if ours.states != theirs.states {
            conflict("states", debug(&ours.states), debug(&theirs.states))
        } else if ours.quantiles != theirs.quantiles {
            conflict("quantiles", debug(&ours.quantiles), debug(&theirs.quantiles))
        } else if ours.ranked != theirs.ranked {
            let ranking = |shape: &Shape| shape.ranked.as_ref().map(|r| (r.names[r.place].clone(), r.keep));
            conflict("ranking", debug(&ranking(ours)), debug(&ranking(theirs)))
        } else if self.unit != requested.unit {
            conflict("unit", debug(&self.unit), debug(&requested.unit))
        } else if self.help != requested.help {
            conflict("help", debug(&self.help), debug(&requested.help))
        } else {
            None
        }
    }
}

/// Writes a name as readers see it that know classic names alone: two names that are one for them cannot stand on a page.
pub(crate) fn classic(name: &str) -> String {
    Escaping::Underscores.escape(name).into_owned()
}

fn wrong_label(name: &str, kind: MetricType, labels: &[&str]) -> Option<RegisterErrorKind> {
    let classic = |label: &str| Escaping::Underscores.escape_label(label).into_owned();
    for (i, label) in labels.iter().enumerate() {
        let reserved = label.starts_with("__")
            || *label == BUCKET_LABEL && kind == MetricType::Histogram
            || *label == QUANTILE_LABEL && kind == MetricType::Summary
            || *label == name && kind == MetricType::StateSet;
        if label.is_empty() {
            return Some(RegisterErrorKind::InvalidLabel((*label).to_owned()));
        }
        if reserved {
            return Some(RegisterErrorKind::ReservedLabel((*label).to_owned()));
        }
        if labels[..i].iter().any(|other| classic(other) == classic(label)) {
            return Some(RegisterErrorKind::RepeatedLabel((*label).to_owned()));
        }
    }
    None
}
