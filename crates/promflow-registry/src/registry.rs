//! The registry.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use promflow_exposition::{Format, LabelText, Writer};

use crate::counter::Counter;
use crate::desc::{Desc, RegisterError, RegisterErrorKind};
use crate::family::{Family, Metric};
use crate::gauge::Gauge;
use crate::histogram::Histogram;
use crate::summary::Summary;

/// How many series a family may have unless told otherwise.
pub const DEFAULT_SERIES_LIMIT: usize = 2000;

/// The metric that counts, by metric, how often a series beyond the limit was asked for.
const OVERFLOWED: &str = "promflow_series_overflowed_total";

/// How a registry behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many series a family may have; the rest share one.
    pub series_limit: usize,
    /// Whether OpenMetrics pages say when each series began (`_created`).
    pub created_timestamps: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { series_limit: DEFAULT_SERIES_LIMIT, created_timestamps: false }
    }
}

trait AnyFamily: Send + Sync {
    fn desc(&self) -> &Desc;
    fn write(&self, writer: &mut Writer);
    fn as_any(&self) -> &dyn Any;
}

impl<M: Metric> AnyFamily for Family<M> {
    fn desc(&self) -> &Desc {
        &self.0.desc
    }

    fn write(&self, writer: &mut Writer) {
        Family::write(self, writer);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

type Hook = Arc<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct State {
    families: BTreeMap<String, Arc<dyn AnyFamily>>,
    /// Sample names, and the families that have them.
    sample_names: HashMap<String, String>,
    default_labels: Vec<(String, String)>,
    hooks: Vec<Hook>,
}

struct Inner {
    options: Options,
    state: RwLock<State>,
    overflowed: Family<Counter>,
}

/// A set of families that are exposed together.
///
/// Cost: a clone is a reference count; the lock inside is taken to register and to write a page, never to count.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("families", &self.read().families.len()).finish_non_exhaustive()
    }
}

impl Registry {
    /// Makes an empty registry.
    pub fn new() -> Self {
        Self::with_options(Options::default())
    }

    /// Makes an empty registry that behaves as told.
    pub fn with_options(options: Options) -> Self {
        let help = "Lookups of series beyond their metric's limit, counted in its overflow series.";
        let desc = Desc::new(OVERFLOWED, help, Counter::KIND, &["metric"], &[])
            .expect("BUG: own metric is described wrongly");
        let overflowed = Family::new(desc, usize::MAX, options.created_timestamps, None);
        let mut state = State::default();
        state.add(Arc::new(overflowed.clone()));
        Self { inner: Arc::new(Inner { options, state: RwLock::new(state), overflowed }) }
    }

    /// Registers a counter; the name of one that is registered alike returns that one.
    ///
    /// Panics: where [`Registry::try_counter`] returns an error.
    pub fn counter(&self, name: &str, help: &str, labels: &[&str]) -> Family<Counter> {
        self.try_counter(name, help, labels).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Registers a gauge; the name of one that is registered alike returns that one.
    ///
    /// Panics: where [`Registry::try_gauge`] returns an error.
    pub fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> Family<Gauge> {
        self.try_gauge(name, help, labels).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Registers a histogram with these upper bounds; the name of one that is registered alike returns that one.
    ///
    /// Panics: where [`Registry::try_histogram`] returns an error.
    pub fn histogram(&self, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> Family<Histogram> {
        self.try_histogram(name, help, labels, buckets).unwrap_or_else(|e| panic!("{e}"))
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
        self.register(name, help, labels, &[])
    }

    /// Registers a gauge.
    ///
    /// Errors: as [`Registry::try_counter`].
    pub fn try_gauge(&self, name: &str, help: &str, labels: &[&str]) -> Result<Family<Gauge>, RegisterError> {
        self.register(name, help, labels, &[])
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
        self.register(name, help, labels, buckets)
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
        self.register(name, help, labels, &[])
    }

    fn register<M: Metric>(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> Result<Family<M>, RegisterError> {
        let desc = Desc::new(name, help, M::KIND, labels, buckets)?;
        let refuse = |kind| Err(RegisterError { metric: name.to_owned(), kind });
        let mut state = self.write();
        if let Some(registered) = state.families.get(name) {
            if let Some(kind) = registered.desc().conflict(&desc) {
                return refuse(kind);
            }
            let family = registered.as_any().downcast_ref::<Family<M>>();
            return Ok(family.expect("BUG: a family's type differs from its description").clone());
        }
        if let Some((label, _)) = state.default_labels.iter().find(|(name, _)| desc.labels.contains(name)) {
            return refuse(RegisterErrorKind::DefaultLabel(label.clone()));
        }
        for sample in desc.sample_names() {
            if let Some(owner) = state.sample_names.get(&sample) {
                return refuse(RegisterErrorKind::TakenName { sample, owner: owner.clone() });
            }
        }
        let options = &self.inner.options;
        let overflowed = Some(self.inner.overflowed.clone());
        let family = Family::new(desc, options.series_limit, options.created_timestamps, overflowed);
        state.add(Arc::new(family.clone()));
        Ok(family)
    }

    /// Puts labels on every series that the registry exposes, in place of those set before.
    ///
    /// Errors: a name is unusable, or a registered metric has a label of that name.
    pub fn set_default_labels(&self, labels: &[(String, String)]) -> Result<(), RegisterError> {
        let names: Vec<&str> = labels.iter().map(|(name, _)| name.as_str()).collect();
        Desc::new("default_labels", "Default labels.", Counter::KIND, &names, &[])?;
        let mut state = self.write();
        for family in state.families.values() {
            if let Some(label) = family.desc().labels.iter().find(|label| names.contains(&label.as_str())) {
                let metric = family.desc().name.clone();
                return Err(RegisterError { metric, kind: RegisterErrorKind::DefaultLabel(label.clone()) });
            }
        }
        state.default_labels = labels.to_vec();
        Ok(())
    }

    /// Adds a function that runs before every page, to set what is read rather than counted.
    pub fn before_scrape(&self, hook: impl Fn() + Send + Sync + 'static) {
        self.write().hooks.push(Arc::new(hook));
    }

    /// Writes a page: families by name, series by labels. A family without series is left out.
    ///
    /// Cost: nobody waits who counts; who registers waits no longer than it takes to copy the list of families.
    pub fn encode(&self, format: Format) -> Vec<u8> {
        let hooks = self.read().hooks.clone();
        for hook in hooks {
            hook();
        }
        let (families, labels) = {
            let state = self.read();
            (state.families.values().cloned().collect::<Vec<_>>(), state.default_labels.clone())
        };
        let mut writer = Writer::new(format);
        writer.constant_labels(LabelText::new(labels.iter().map(|(n, v)| (n.as_str(), v.as_str()))));
        for family in families {
            family.write(&mut writer);
        }
        writer.finish()
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.inner.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.inner.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, family: Arc<dyn AnyFamily>) {
        let desc = family.desc();
        let name = desc.name.clone();
        for sample in desc.sample_names() {
            self.sample_names.insert(sample, name.clone());
        }
        self.families.insert(name, family);
    }
}

#[cfg(test)]
mod tests;
