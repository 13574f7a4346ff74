//! Registration with everything that a metric may have.

use promflow_model::MetricType;

use crate::desc::{Desc, Shape};
use crate::error::{RegisterError, RegisterErrorKind};
use crate::family::Family;
use crate::gauge::GaugeMode;
use crate::metric::Metric;
use crate::native::Native;
use crate::ranked::{Keep, RankedCounter, RankedGauge};
use crate::registry::Registry;
use crate::{Counter, Gauge, Histogram, StateSet, Summary};

/// A metric that is about to be registered: see [`Registry::metric`].
///
/// Every last step returns the metric registered alike, if there is one.
#[derive(Clone, Debug)]
#[must_use = "a metric is registered by the last step, such as `counter`"]
pub struct MetricBuilder<'a> {
    registry: &'a Registry,
    name: &'a str,
    help: &'a str,
    labels: &'a [&'a str],
    unit: &'a str,
    shape: Shape,
    series_limit: Option<usize>,
}

impl<'a> MetricBuilder<'a> {
    pub(crate) fn new(registry: &'a Registry, name: &'a str, help: &'a str) -> Self {
        Self { registry, name, help, labels: &[], unit: "", shape: Shape::default(), series_limit: None }
    }

    /// Names the labels.
    pub fn labels(mut self, labels: &'a [&'a str]) -> Self {
        self.labels = labels;
        self
    }

    /// Names the unit, with which the name has to end, such as `seconds`.
    pub fn unit(mut self, unit: &'a str) -> Self {
        self.unit = unit;
        self
    }

    /// Gives a histogram classic buckets with these upper bounds.
    pub fn buckets(mut self, bounds: &[f64]) -> Self {
        self.shape.bounds = bounds.into();
        self
    }

    /// Gives a histogram native buckets, alone or beside classic ones.
    pub fn native(mut self, native: Native) -> Self {
        self.shape.native = Some(native.shape());
        self
    }

    /// Says how a gauge of several processes is put together.
    pub fn mode(mut self, mode: GaugeMode) -> Self {
        self.shape.mode = mode;
        self
    }

    /// Limits the series, other than the registry does.
    pub fn series_limit(mut self, limit: usize) -> Self {
        self.series_limit = Some(limit);
        self
    }

    /// Registers a counter.
    ///
    /// Errors: name, labels, help or unit are unusable, or the name is taken by a metric that differs.
    pub fn counter(self) -> Result<Family<Counter>, RegisterError> {
        self.register()
    }

    /// Registers a gauge.
    ///
    /// Errors: as [`MetricBuilder::counter`].
    pub fn gauge(self) -> Result<Family<Gauge>, RegisterError> {
        self.register()
    }

    /// Registers a histogram.
    ///
    /// Errors: as [`MetricBuilder::counter`], and bounds that are not finite and increasing, or no buckets at all.
    pub fn histogram(self) -> Result<Family<Histogram>, RegisterError> {
        self.register()
    }

    /// Registers a summary without quantiles.
    ///
    /// Errors: as [`MetricBuilder::counter`].
    pub fn summary(self) -> Result<Family<Summary>, RegisterError> {
        self.register()
    }

    /// Registers a state set.
    ///
    /// Errors: as [`MetricBuilder::counter`], and states that are none, more than 64, or not distinct.
    pub fn state_set(mut self, states: &[&str]) -> Result<Family<StateSet>, RegisterError> {
        self.shape.states = states.iter().map(|state| (*state).to_owned()).collect();
        self.register()
    }

    /// Registers a counter that shows, of one label, the `k` values that count most, and all others together.
    ///
    /// The one that is registered already is returned as it is.
    ///
    /// Errors: as [`MetricBuilder::counter`], and a label that the metric does not have.
    pub fn ranked_counter(self, label: &str, k: usize) -> Result<RankedCounter, RegisterError> {
        let place = self.place(label)?;
        if let Some(registered) = self.registry.collector(self.name) {
            return Ok(registered);
        }
        let ranked = RankedCounter::new(self.desc(MetricType::Counter)?, place, k);
        self.registry.register_collector(ranked.clone())?;
        Ok(ranked)
    }

    /// Registers a gauge that shows, of one label, the largest or the smallest values.
    ///
    /// Errors: as [`MetricBuilder::ranked_counter`].
    pub fn ranked_gauge(self, label: &str, keep: Keep) -> Result<RankedGauge, RegisterError> {
        let place = self.place(label)?;
        if let Some(registered) = self.registry.collector(self.name) {
            return Ok(registered);
        }
        let ranked = RankedGauge::new(self.desc(MetricType::Gauge)?, place, keep);
        self.registry.register_collector(ranked.clone())?;
        Ok(ranked)
    }

    fn place(&self, label: &str) -> Result<usize, RegisterError> {
        self.labels.iter().position(|name| *name == label).ok_or_else(|| RegisterError {
            metric: self.name.to_owned(),
            kind: RegisterErrorKind::MissingLabel(label.to_owned()),
        })
    }

    pub(crate) fn desc(&self, kind: MetricType) -> Result<Desc, RegisterError> {
        Desc::new(self.name, self.help, kind, self.labels, self.shape.clone())?.with_unit(self.unit)
    }

    pub(crate) fn register<M: Metric>(self) -> Result<Family<M>, RegisterError> {
        let family = self.registry.register::<M>(self.desc(M::KIND)?)?;
        if let Some(limit) = self.series_limit {
            family.limit_series(limit);
        }
        Ok(family)
    }
}
