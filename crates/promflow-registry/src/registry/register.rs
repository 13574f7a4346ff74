//! Registration of what is needed most, in one call each.

use promflow_model::MetricType;

use super::Registry;
use crate::collector::Callback;
use crate::counter::Counter;
use crate::error::RegisterError;
use crate::family::Family;
use crate::gauge::Gauge;
use crate::histogram::Histogram;
use crate::label_set::LabelSet;
use crate::state::Info;
use crate::summary::Summary;

impl Registry {
    /// Registers a counter; the name of one that is registered alike returns that one.
    ///
    /// Panics: where [`Registry::try_counter`] returns an error.
    pub fn counter(&self, name: &str, help: &str, labels: &[&str]) -> Family<Counter> {
        self.try_counter(name, help, labels).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Registers a counter whose labels are a type: see [`crate::label_set!`].
    ///
    /// Panics: where [`Registry::try_counter`] returns an error.
    pub fn counter_of<L: LabelSet>(&self, name: &str, help: &str) -> Family<Counter> {
        self.counter(name, help, L::NAMES)
    }

    /// Registers a gauge; the name of one that is registered alike returns that one.
    ///
    /// Panics: where [`Registry::try_gauge`] returns an error.
    pub fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> Family<Gauge> {
        self.try_gauge(name, help, labels).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Registers a gauge whose labels are a type.
    ///
    /// Panics: where [`Registry::try_gauge`] returns an error.
    pub fn gauge_of<L: LabelSet>(&self, name: &str, help: &str) -> Family<Gauge> {
        self.gauge(name, help, L::NAMES)
    }

    /// Registers a histogram with these upper bounds; the name of one that is registered alike returns that one.
    ///
    /// Panics: where [`Registry::try_histogram`] returns an error.
    pub fn histogram(&self, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> Family<Histogram> {
        self.try_histogram(name, help, labels, buckets).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Registers a histogram whose labels are a type.
    ///
    /// Panics: where [`Registry::try_histogram`] returns an error.
    pub fn histogram_of<L: LabelSet>(&self, name: &str, help: &str, buckets: &[f64]) -> Family<Histogram> {
        self.histogram(name, help, L::NAMES, buckets)
    }

    /// Registers a summary without quantiles; the name of one that is registered alike returns that one.
    ///
    /// Panics: where [`Registry::try_summary`] returns an error.
    pub fn summary(&self, name: &str, help: &str, labels: &[&str]) -> Family<Summary> {
        self.try_summary(name, help, labels).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Registers a counter.
    ///
    /// Errors: name, labels or help are unusable, or the name is taken by a metric that differs.
    pub fn try_counter(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<Family<Counter>, RegisterError> {
        self.metric(name, help).labels(labels).counter()
    }

    /// Registers a gauge.
    ///
    /// Errors: as [`Registry::try_counter`].
    pub fn try_gauge(&self, name: &str, help: &str, labels: &[&str]) -> Result<Family<Gauge>, RegisterError> {
        self.metric(name, help).labels(labels).gauge()
    }

    /// Registers a histogram with these upper bounds.
    ///
    /// Errors: as [`Registry::try_counter`], and bounds that are not finite, increasing and at least one.
    pub fn try_histogram(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> Result<Family<Histogram>, RegisterError> {
        self.metric(name, help).labels(labels).buckets(buckets).histogram()
    }

    /// Registers a summary without quantiles.
    ///
    /// Errors: as [`Registry::try_counter`].
    pub fn try_summary(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<Family<Summary>, RegisterError> {
        self.metric(name, help).labels(labels).summary()
    }

    /// Puts facts on the page, such as a version: a sample of 1 with these labels. Its name ends with `_info`.
    ///
    /// Errors: as [`Registry::try_counter`].
    pub fn try_info(&self, name: &str, help: &str, facts: &[(&str, &str)]) -> Result<(), RegisterError> {
        let (labels, values): (Vec<&str>, Vec<&str>) = facts.iter().copied().unzip();
        let family: Family<Info> = self.metric(name, help).labels(&labels).register()?;
        family.with(&values);
        Ok(())
    }

    /// Registers a function that reads a metric's values whenever a page is written: it is given a function that
    /// takes the label values and the value of a series.
    ///
    /// Errors: as [`Registry::try_counter`]; such a metric is registered once.
    pub fn try_gauge_fn(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        read: impl Fn(&mut dyn FnMut(&[&str], f64)) + Send + Sync + 'static,
    ) -> Result<(), RegisterError> {
        let desc = self.metric(name, help).labels(labels).desc(MetricType::Gauge)?;
        self.register_collector(Callback { desc, read })
    }

    /// Registers a function that reads a counter's values whenever a page is written, as [`Registry::try_gauge_fn`].
    ///
    /// Errors: as [`Registry::try_gauge_fn`].
    pub fn try_counter_fn(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        read: impl Fn(&mut dyn FnMut(&[&str], f64)) + Send + Sync + 'static,
    ) -> Result<(), RegisterError> {
        let desc = self.metric(name, help).labels(labels).desc(MetricType::Counter)?;
        self.register_collector(Callback { desc, read })
    }
}
