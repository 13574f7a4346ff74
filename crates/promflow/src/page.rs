//! The page of metrics: a registry, and what bridges bring along from elsewhere.
//!
//! What writes metrics of its own under names that it knows beforehand is a collector of the registry
//! ([`Registry::register_collector`]), which refuses names that are taken. A [`Bridge`] learns its names only while it is
//! asked, and so the page decides then what it shows of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use promflow_exposition::{Escaping, HistogramPoint, LabelText, Negotiated, Number, SummaryPoint, Writer};
use promflow_registry::{Format, RegisterError, Registry};

#[cfg(feature = "page")]
mod answer;
mod bridged;

#[cfg(feature = "page")]
pub use answer::Answer;
pub use bridged::{BridgedFamily, BridgedSeries, Point};
pub use promflow_model::MetricType;

#[cfg(any(feature = "metrics", feature = "opentelemetry"))]
pub(crate) use bridged::sanitize_name;

/// Brings metrics onto the page that another library counts: see [`crate::bridge`].
pub trait Bridge: Send + Sync {
    /// Reads the metrics as they are now.
    fn collect(&self) -> Vec<BridgedFamily>;
}

impl<B: Bridge + ?Sized> Bridge for Arc<B> {
    fn collect(&self) -> Vec<BridgedFamily> {
        (**self).collect()
    }
}

/// What is shown to a scraper.
///
/// ```
/// use promflow::{Format, page::Page};
///
/// let registry = promflow::Registry::new();
/// registry.counter("jobs_total", "Jobs done.", &[]).with(&[]).inc();
/// let page = String::from_utf8(Page::new(&registry).encode(Format::Text))?;
/// assert!(page.contains("jobs_total 1\n"));
/// # Ok::<(), std::string::FromUtf8Error>(())
/// ```
///
/// Cost: a clone is a reference count.
#[derive(Clone)]
pub struct Page {
    inner: Arc<Inner>,
}

struct Inner {
    registry: Registry,
    default_labels: Vec<(String, String)>,
    bridges: RwLock<Vec<Arc<dyn Bridge>>>,
    /// How large the page was the last time: the best guess for the next.
    size_bytes: AtomicUsize,
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("registry", &self.inner.registry).finish_non_exhaustive()
    }
}

impl Page {
    /// Makes the page of a registry.
    pub fn new(registry: &Registry) -> Self {
        Self::make(registry, Vec::new())
    }

    /// Makes the page of a registry, with labels on every series.
    ///
    /// Errors: a metric of the registry has a label that is also a default label.
    pub fn with_default_labels(
        registry: &Registry,
        labels: &[(String, String)],
    ) -> Result<Self, RegisterError> {
        registry.set_default_labels(labels)?;
        Ok(Self::make(registry, labels.to_vec()))
    }

    fn make(registry: &Registry, default_labels: Vec<(String, String)>) -> Self {
        let inner = Inner {
            registry: registry.clone(),
            default_labels,
            bridges: RwLock::default(),
            size_bytes: AtomicUsize::new(PAGE_BYTES_MIN),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Returns the registry.
    pub fn registry(&self) -> &Registry {
        &self.inner.registry
    }

    /// Adds metrics that another library counts. A family is left out when its name, or that of one of its samples, is
    /// another metric's.
    pub fn add_bridge(&self, bridge: impl Bridge + 'static) -> &Self {
        let mut bridges = self.inner.bridges.write().unwrap_or_else(PoisonError::into_inner);
        bridges.push(Arc::new(bridge));
        self
    }

    /// Writes the page; names that are not classic are quoted, or escaped in a format that cannot quote them.
    pub fn encode(&self, format: Format) -> Vec<u8> {
        self.inner.encode(format, Escaping::AllowUtf8)
    }

    /// Writes the page in what was agreed with the scraper: format, and how names that are not classic are written.
    pub fn encode_negotiated(&self, negotiated: &Negotiated) -> Vec<u8> {
        self.inner.encode(negotiated.format, negotiated.escaping)
    }
}

/// How long a page is taken to be before the first was written.
const PAGE_BYTES_MIN: usize = 4096;
/// With which a page of OpenMetrics ends; more families may only stand before it.
const END_OF_PAGE: &[u8] = b"# EOF\n";
/// What a family's samples may be named, behind its name.
const SAMPLE_SUFFIXES: [&str; 6] = ["", "_total", "_bucket", "_sum", "_count", "_created"];

impl Inner {
    fn encode(&self, format: Format, escaping: Escaping) -> Vec<u8> {
        // A little more than the last one, so that it is not copied again and again while it grows.
        let room = self.size_bytes.load(Ordering::Relaxed);
        let writer = |page| {
            let mut writer = Writer::with_buffer(format, page);
            writer.escape_names(escaping);
            writer
        };
        let mut page = self.registry.encode_into(writer(Vec::with_capacity(room + room / 8)));
        let families = self.bridged();
        if !families.is_empty() {
            if page.ends_with(END_OF_PAGE) {
                page.truncate(page.len() - END_OF_PAGE.len());
            }
            // A page of any format may be followed by families of the same format.
            let mut writer = writer(page);
            families.iter().for_each(|family| self.write(&mut writer, family));
            page = writer.finish();
        }
        self.size_bytes.store(page.len(), Ordering::Relaxed);
        page
    }

    /// Lists what bridges bring, by name, but for what is the registry's or an earlier bridge's.
    fn bridged(&self) -> Vec<BridgedFamily> {
        let bridges = self.bridges.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut families = BTreeMap::new();
        for family in bridges.iter().flat_map(|bridge| bridge.collect()) {
            let base = family.name.strip_suffix("_total").unwrap_or(&family.name).to_owned();
            let taken = |suffix| self.registry.has_sample(&format!("{base}{suffix}"));
            if !family.series.is_empty() && !SAMPLE_SUFFIXES.into_iter().any(taken) {
                families.entry(base).or_insert(family);
            }
        }
        families.into_values().collect()
    }

    fn write(&self, writer: &mut Writer, family: &BridgedFamily) {
        writer.family(&family.name, family.kind, &family.unit, &family.help);
        let mut series: Vec<_> = family.series.iter().map(|series| (self.labels(series), series)).collect();
        series.sort_by(|a, b| a.0.as_str().cmp(b.0.as_str()));
        series.dedup_by(|later, kept| later.0 == kept.0);
        for (labels, series) in series {
            match &series.point {
                Point::Value(value) if family.kind == MetricType::Counter => {
                    writer.counter(&labels, Number::Float(*value), None, None);
                }
                Point::Value(_) if family.kind == MetricType::Info => writer.info(&labels),
                Point::Value(value) => writer.gauge(&labels, *value),
                Point::Histogram { bounds, counts, sum } => {
                    let point = HistogramPoint { bounds, counts, sum: *sum, exemplars: &[] };
                    writer.histogram(&labels, point, None);
                }
                Point::Summary { quantiles, sum, count } => {
                    writer.summary(&labels, SummaryPoint { quantiles, sum: *sum, count: *count }, None);
                }
            }
        }
    }

    /// Writes the labels of a series behind the default labels that it does not have itself.
    fn labels(&self, series: &BridgedSeries) -> LabelText {
        let own = |name: &str| series.labels.iter().any(|(n, _)| n == name);
        let defaults = self.default_labels.iter().filter(|(name, _)| !own(name));
        LabelText::new(defaults.chain(&series.labels).map(|(n, v)| (n.as_str(), v.as_str())))
    }
}

#[cfg(test)]
mod tests;
