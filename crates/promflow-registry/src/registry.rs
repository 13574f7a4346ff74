//! The registry.

mod parts;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::time::Duration;

use promflow_exposition::{Format, LabelText, Negotiated, Writer};
use promflow_model::MetricType;

use crate::arena::Arena;
use crate::builder::MetricBuilder;
use crate::collector::{Callback, Collector};
use crate::counter::Counter;
use crate::desc::{Desc, Shape};
use crate::error::{RegisterError, RegisterErrorKind, Warning};
use crate::family::{Family, Setting, WarningHook};
use crate::gauge::Gauge;
use crate::histogram::Histogram;
use crate::label_set::LabelSet;
use crate::metric::Metric;
use crate::series::Home;
use crate::shared::{ArenaError, Record, Shared, SharedOptions, Sink};
use crate::state::{Info, StateSet};
use crate::stripe;
use crate::summary::Summary;
use parts::{AnyFamily, Part, State};

/// How many series a family may have unless told otherwise.
pub const DEFAULT_SERIES_LIMIT: usize = 2000;

/// How long a page is taken to be before the first was written.
const PAGE_BYTES_MIN: usize = 4096;

/// The metric that counts, by metric, how often a series beyond the limit was asked for.
const OVERFLOWED: &str = "promflow_series_overflowed_total";

/// How a registry behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many series a family may have; the rest share one.
    pub series_limit: usize,
    /// Whether OpenMetrics pages say when each series began (`_created`).
    pub created_timestamps: bool,
    /// Whether series are left off the page in which nothing was counted for so long, as [`Family::expire_idle`].
    pub idle_timeout: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self { series_limit: DEFAULT_SERIES_LIMIT, created_timestamps: false, idle_timeout: None }
    }
}

struct Inner {
    options: Options,
    arena: Arc<Arena>,
    stripes: usize,
    state: RwLock<State>,
    warn: WarningHook,
    overflowed: OnceLock<Family<Counter>>,
    /// The length of the last page.
    page_bytes: AtomicUsize,
}

/// A set of metrics that are exposed together.
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
        f.debug_struct("Registry").field("metrics", &self.inner.read().parts.len()).finish_non_exhaustive()
    }
}

impl Registry {
    /// Makes an empty registry.
    pub fn new() -> Self {
        Self::with_options(Options::default())
    }

    /// Makes an empty registry that behaves as told.
    pub fn with_options(options: Options) -> Self {
        Self::with_arena(Arena::heap(), options).expect("BUG: memory of the process refused a metric")
    }

    /// Opens a registry whose cells stand in a file that processes share: all count into the same series, and each
    /// writes the page of all. The file belongs in a directory of this machine, at best in memory (`/dev/shm`).
    ///
    /// A process that is forked after this goes on with the registry of its parent; others open the same path. What a
    /// process counted stays when it ends, however it ends; there is nothing to clean up.
    ///
    /// Errors: the file cannot be opened, made or mapped, is full, or is none of this library's.
    pub fn open_shared(
        path: impl AsRef<Path>,
        options: Options,
        shared: &SharedOptions,
    ) -> Result<Self, ArenaError> {
        let shared = Arc::new(Shared::open(path.as_ref(), shared)?);
        Self::with_arena(Arena::Shared(shared), options)
    }

    fn with_arena(arena: Arena, options: Options) -> Result<Self, ArenaError> {
        let arena = Arc::new(arena);
        let (state, overflowed) = (RwLock::default(), OnceLock::new());
        let (stripes, page_bytes) = (stripe::count(), AtomicUsize::new(PAGE_BYTES_MIN));
        let inner =
            Arc::new(Inner { options, arena, stripes, state, warn: Arc::default(), overflowed, page_bytes });
        if let Some(shared) = inner.arena.shared() {
            let sink: Arc<dyn Sink> = inner.clone();
            shared.set_sink(Arc::downgrade(&sink) as Weak<dyn Sink>);
            shared.replay()?;
        }
        let registry = Self { inner };
        let help = "Lookups of series beyond their metric's limit, counted in its overflow series.";
        let registered =
            registry.metric(OVERFLOWED, help).labels(&["metric"]).series_limit(usize::MAX).counter();
        let overflowed = registered.map_err(|error| match error.kind {
            RegisterErrorKind::Arena(error) => error,
            kind => unreachable!("BUG: own metric is described wrongly: {kind:?}"),
        })?;
        let _ = registry.inner.overflowed.set(overflowed);
        Ok(registry)
    }

    /// Returns the file of a shared registry, and how many of its bytes are in use.
    pub fn shared_file(&self) -> Option<(&Path, u64)> {
        self.inner.arena.shared().map(|shared| (shared.path(), shared.used_bytes()))
    }

    /// Begins the registration of a metric with everything that it may have.
    ///
    /// ```
    /// use promflow_registry::{Native, Registry};
    ///
    /// let registry = Registry::new();
    /// let sizes = registry.metric("upload_bytes", "Sizes.").unit("bytes").native(Native::default()).histogram()?;
    /// sizes.with(&[]).observe(1234.0);
    /// # Ok::<(), promflow_registry::RegisterError>(())
    /// ```
    pub fn metric<'a>(&'a self, name: &'a str, help: &'a str) -> MetricBuilder<'a> {
        MetricBuilder::new(self, name, help)
    }

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

    /// Registers something that writes metrics of its own.
    ///
    /// Errors: it has no sample names, or one of them is another metric's.
    pub fn register_collector(&self, collector: impl Collector + 'static) -> Result<(), RegisterError> {
        let names = collector.sample_names();
        let Some(name) = names.first().cloned() else {
            return Err(RegisterError { metric: String::new(), kind: RegisterErrorKind::InvalidName });
        };
        self.catch_up(&name)?;
        let mut state = self.inner.write();
        state.check_samples(&name, &names)?;
        state.add(name, names, Part::Collector(Arc::new(collector)));
        Ok(())
    }

    /// Takes a metric or a collector off the page of this process, by its name; handles go on unseen.
    ///
    /// `false` when there is none of that name.
    pub fn unregister(&self, name: &str) -> bool {
        let mut state = self.inner.write();
        let known = state.parts.remove(name);
        state.sample_names.retain(|_, owner| owner != name);
        known.is_some()
    }

    pub(crate) fn register<M: Metric>(&self, desc: Desc) -> Result<Family<M>, RegisterError> {
        let arena_error =
            |error| RegisterError { metric: desc.name.clone(), kind: RegisterErrorKind::Arena(error) };
        self.catch_up(&desc.name)?;
        let family = match self.inner.find::<M>(&desc)? {
            Some(family) => family,
            None => match self.inner.arena.shared() {
                None => self.inner.add::<M>(desc.clone(), 0)?,
                Some(shared) => {
                    let exists = || self.inner.read().parts.contains_key(&desc.name);
                    shared.create_family(&desc, exists).map_err(arena_error)?;
                    self.inner.find::<M>(&desc)?.expect("BUG: a family is missing whose record was written")
                }
            },
        };
        family.prepare().map_err(arena_error)?;
        Ok(family)
    }

    /// Learns of the metrics that other processes registered.
    fn catch_up(&self, metric: &str) -> Result<(), RegisterError> {
        let Some(shared) = self.inner.arena.shared() else { return Ok(()) };
        shared.replay().map_err(|error| RegisterError {
            metric: metric.to_owned(),
            kind: RegisterErrorKind::Arena(error),
        })
    }

    /// Puts labels on every series that the registry exposes, in place of those set before.
    ///
    /// Errors: a name is unusable, or a registered metric has a label of that name.
    pub fn set_default_labels(&self, labels: &[(String, String)]) -> Result<(), RegisterError> {
        let names: Vec<&str> = labels.iter().map(|(name, _)| name.as_str()).collect();
        Desc::new("default_labels", "Default labels.", Counter::KIND, &names, Shape::default())?;
        let mut state = self.inner.write();
        for family in state.families() {
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
        self.inner.write().hooks.push(Arc::new(hook));
    }

    /// Sets who is told when a metric reaches its limit or an arena is full, once for each metric; the first one stays.
    pub fn on_warning(&self, hook: impl Fn(&Warning) + Send + Sync + 'static) {
        let _ = self.inner.warn.set(Box::new(hook));
    }

    /// Writes a page: families by name, series by labels. A family without series is left out.
    ///
    /// Cost: nobody waits who counts; who registers waits no longer than it takes to copy the list of families.
    pub fn encode(&self, format: Format) -> Vec<u8> {
        // About as long as the last one, so that it is not copied again and again while it grows.
        let room = self.inner.page_bytes.load(Ordering::Relaxed);
        let page = self.encode_into(Writer::with_buffer(format, Vec::with_capacity(room + room / 8)));
        self.inner.page_bytes.store(page.len(), Ordering::Relaxed);
        page
    }

    /// Writes a page in what was agreed with the scraper: format, and how names that are not classic are written.
    pub fn encode_negotiated(&self, negotiated: &Negotiated) -> Vec<u8> {
        self.encode_into(Writer::negotiated(negotiated))
    }

    /// Writes a page with a writer that was set up for what the scraper asked for.
    pub fn encode_into(&self, mut writer: Writer) -> Vec<u8> {
        let hooks = self.inner.read().hooks.clone();
        for hook in hooks {
            hook();
        }
        if let Some(shared) = self.inner.arena.shared() {
            // What stands before a damaged record is exposed all the same.
            let _ = shared.replay();
        }
        let (parts, labels) = {
            let state = self.inner.read();
            (state.parts.values().cloned().collect::<Vec<_>>(), state.default_labels.clone())
        };
        writer.constant_labels(LabelText::new(labels.iter().map(|(n, v)| (n.as_str(), v.as_str()))));
        for part in parts {
            match part {
                Part::Family(family) => {
                    if let Some(idle) = self.inner.options.idle_timeout {
                        family.expire_idle(idle);
                    }
                    family.write(&mut writer);
                }
                Part::Collector(collector) => collector.collect(&mut writer),
            }
        }
        writer.finish()
    }
}

impl Inner {
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds the family that is registered alike.
    ///
    /// Errors: the name or one of its samples is taken by something that differs.
    fn find<M: Metric>(&self, desc: &Desc) -> Result<Option<Family<M>>, RegisterError> {
        let state = self.read();
        let refuse = |kind| Err(RegisterError { metric: desc.name.clone(), kind });
        match state.parts.get(&desc.name) {
            Some(Part::Family(registered)) => {
                if let Some(kind) = registered.desc().conflict(desc) {
                    return refuse(kind);
                }
                let family = registered.as_any().downcast_ref::<Family<M>>();
                Ok(Some(family.expect("BUG: a family's type differs from its description").clone()))
            }
            _ => state.check(desc).map(|()| None),
        }
    }

    /// Adds a family, unless one was added meanwhile; `record` is its line in a shared arena.
    fn add<M: Metric>(&self, desc: Desc, record: u32) -> Result<Family<M>, RegisterError> {
        let setting = Setting {
            home: Home {
                arena: self.arena.clone(),
                family: record,
                removals: self.arena.shared().map(|shared| shared.header().clone()),
            },
            series_limit: self.options.series_limit,
            stripes: self.stripes,
            created: self.options.created_timestamps,
            warn: self.warn.clone(),
            overflowed: self.overflowed.get().filter(|family| family.name() != desc.name).cloned(),
        };
        let (name, samples) = (desc.name.clone(), desc.sample_names());
        let mut state = self.write();
        if !state.parts.contains_key(&name) {
            state.check(&desc)?;
            let family = Family::<M>::new(desc, setting);
            state.add(name, samples, Part::Family(Arc::new(family.clone())));
            return Ok(family);
        }
        drop(state);
        let found = self.find::<M>(&desc)?;
        Ok(found.expect("BUG: a family was removed while it was registered"))
    }

    fn adopt_family(&self, at: u32, desc: Desc) {
        if self.read().by_record.contains_key(&at) {
            return;
        }
        let name = desc.name.clone();
        let added = match desc.kind {
            MetricType::Counter => self.add::<Counter>(desc, at).map(drop),
            MetricType::Gauge => self.add::<Gauge>(desc, at).map(drop),
            MetricType::Histogram => self.add::<Histogram>(desc, at).map(drop),
            MetricType::Summary => self.add::<Summary>(desc, at).map(drop),
            MetricType::StateSet => self.add::<StateSet>(desc, at).map(drop),
            MetricType::Info => self.add::<Info>(desc, at).map(drop),
            MetricType::GaugeHistogram | MetricType::Unknown => return,
        };
        let mut state = self.write();
        // One that differs from a metric or a collector of this process alone stays unseen here.
        if added.is_ok()
            && let Some(Part::Family(family)) = state.parts.get(&name)
        {
            let family = family.clone();
            state.by_record.insert(at, family);
        }
    }

    fn by_record(&self, at: u32) -> Option<Arc<dyn AnyFamily>> {
        self.read().by_record.get(&at).cloned()
    }
}

impl Sink for Inner {
    fn adopt(&self, record: Record) {
        match record {
            Record::Family { at, desc } => self.adopt_family(at, desc),
            Record::Foreign { .. } => {}
            Record::Series { family, packed, block } => {
                if let Some(family) = self.by_record(family) {
                    family.adopt(&packed, block);
                }
            }
            Record::Extension { family, packed, index, block } => {
                if let Some(family) = self.by_record(family) {
                    family.adopt_extension(&packed, index, block);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
