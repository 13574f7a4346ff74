//! The page of metrics: a registry, and what collectors bring along from elsewhere.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use promflow_exposition::{HistogramPoint, LabelText, Number, SummaryPoint, Writer};
use promflow_registry::{Format, RegisterError, Registry};

#[cfg(feature = "page")]
mod answer;
mod collected;

#[cfg(feature = "page")]
pub use answer::Answer;
pub use collected::{CollectedFamily, CollectedSeries, Point};
pub use promflow_model::MetricType;

#[cfg(any(feature = "metrics", feature = "opentelemetry"))]
pub(crate) use collected::sanitize_name;

/// Brings metrics onto the page that another library counts: see [`crate::bridge`].
pub trait Collector: Send + Sync {
    /// Reads the metrics as they are now.
    fn collect(&self) -> Vec<CollectedFamily>;
}

impl<C: Collector + ?Sized> Collector for Arc<C> {
    fn collect(&self) -> Vec<CollectedFamily> {
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
    collectors: RwLock<Vec<Arc<dyn Collector>>>,
    #[cfg(feature = "page")]
    size: answer::SizeSeen,
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
            collectors: RwLock::default(),
            #[cfg(feature = "page")]
            size: answer::SizeSeen::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Returns the registry.
    pub fn registry(&self) -> &Registry {
        &self.inner.registry
    }

    /// Adds metrics that another library counts. A family whose name is on the page already is left out.
    pub fn add_collector(&self, collector: impl Collector + 'static) -> &Self {
        let mut collectors = self.inner.collectors.write().unwrap_or_else(PoisonError::into_inner);
        collectors.push(Arc::new(collector));
        self
    }

    /// Writes the page.
    pub fn encode(&self, format: Format) -> Vec<u8> {
        let inner = &*self.inner;
        let mut page = inner.registry.encode(format);
        let collectors = inner.collectors.read().unwrap_or_else(PoisonError::into_inner).clone();
        if collectors.is_empty() {
            return page;
        }
        let mut families = BTreeMap::new();
        for family in collectors.iter().flat_map(|collector| collector.collect()) {
            families.entry(family.name.clone()).or_insert(family);
        }
        let taken = family_names(&page);
        families.retain(|name, _| {
            !taken.contains(name) && !taken.contains(name.strip_suffix("_total").unwrap_or(name))
        });
        if page.ends_with(END_OF_PAGE) {
            page.truncate(page.len() - END_OF_PAGE.len());
        }
        let mut writer = Writer::with_buffer(format, page);
        for family in families.values().filter(|family| !family.series.is_empty()) {
            inner.write(&mut writer, family);
        }
        writer.finish()
    }
}

/// With which a page of OpenMetrics ends; more families may only stand before it.
const END_OF_PAGE: &[u8] = b"# EOF\n";

/// Lists the families of a page, as it names them.
fn family_names(page: &[u8]) -> HashSet<String> {
    let lines = page.split(|b| *b == b'\n').filter_map(|line| line.strip_prefix(b"# TYPE "));
    let names = lines.filter_map(|line| line.split(|b| *b == b' ').next());
    names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

impl Inner {
    fn write(&self, writer: &mut Writer, family: &CollectedFamily) {
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
    fn labels(&self, series: &CollectedSeries) -> LabelText {
        let own = |name: &str| series.labels.iter().any(|(n, _)| n == name);
        let defaults = self.default_labels.iter().filter(|(name, _)| !own(name));
        LabelText::new(defaults.chain(&series.labels).map(|(n, v)| (n.as_str(), v.as_str())))
    }
}

#[cfg(test)]
mod tests;
