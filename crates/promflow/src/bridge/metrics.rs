//! The crate `metrics`: a recorder whose metrics stand on the page.
//!
//! ```
//! use promflow::bridge::metrics::Recorder;
//! use promflow::{Format, page::Page};
//!
//! let recorder = Recorder::new();
//! let page = Page::new(&promflow::Registry::new());
//! page.add_bridge(recorder.clone());
//! # // A recorder that is set globally stays until the process ends.
//! metrics::with_local_recorder(&recorder, || {
//!     metrics::describe_counter!("jobs_total", "Jobs done.");
//!     metrics::counter!("jobs_total", "queue" => "mail").increment(2);
//! });
//! let page = String::from_utf8(page.encode(Format::Text))?;
//! assert!(page.contains("jobs_total{queue=\"mail\"} 2\n"));
//! # Ok::<(), std::string::FromUtf8Error>(())
//! ```
//!
//! Names stay as they are, but for characters that no name can have. Histograms count in buckets at once, rather than
//! keep all values until somebody asks: memory does not grow with use.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use ::metrics::{HistogramFn, Key, KeyName, Metadata, SharedString, Unit};
use promflow_registry::{DEFAULT_SERIES_LIMIT, OVERFLOW};

use crate::metrics::REQUEST_BUCKETS;
use crate::page::{Bridge, BridgedFamily, BridgedSeries, MetricType, Point, sanitize_name};

/// So many locks share the keys: the macros look their metric up at each use.
const SHARDS: usize = 16;

/// Records what the macros of the crate `metrics` count.
///
/// Cost: a clone is a reference count.
#[derive(Clone, Default)]
pub struct Recorder {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    shards: [RwLock<HashMap<Key, Cell>>; SHARDS],
    families: RwLock<BTreeMap<String, Family>>,
    buckets: Vec<(String, Arc<[f64]>)>,
}

/// What all series of a name share.
#[derive(Default)]
struct Family {
    kind: Option<MetricType>,
    help: String,
    series: BTreeMap<Vec<(String, String)>, Cell>,
}

#[derive(Clone)]
enum Cell {
    Counter(Arc<AtomicU64>),
    Gauge(Arc<AtomicU64>),
    Histogram(Arc<Buckets>),
}

impl Cell {
    fn new(kind: MetricType, bounds: impl FnOnce() -> Arc<[f64]>) -> Self {
        match kind {
            MetricType::Counter => Self::Counter(Arc::default()),
            MetricType::Histogram => Self::Histogram(Arc::new(Buckets::new(bounds()))),
            _ => Self::Gauge(Arc::default()),
        }
    }

    fn point(&self) -> Point {
        match self {
            Self::Counter(value) => Point::Value(value.load(Ordering::Relaxed) as f64),
            Self::Gauge(bits) => Point::Value(f64::from_bits(bits.load(Ordering::Relaxed))),
            Self::Histogram(buckets) => buckets.point(),
        }
    }
}

struct Buckets {
    bounds: Arc<[f64]>,
    counts: Box<[AtomicU64]>,
    sum_bits: AtomicU64,
}

impl Buckets {
    fn new(bounds: Arc<[f64]>) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum_bits: AtomicU64::new(0) }
    }

    fn point(&self) -> Point {
        Point::Histogram {
            bounds: self.bounds.to_vec(),
            counts: self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: f64::from_bits(self.sum_bits.load(Ordering::Relaxed)),
        }
    }
}

impl HistogramFn for Buckets {
    fn record(&self, value: f64) {
        self.record_many(value, 1);
    }

    fn record_many(&self, value: f64, count: usize) {
        if value.is_nan() {
            return;
        }
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.counts[bucket].fetch_add(count as u64, Ordering::Relaxed);
        let add = |bits| Some((f64::from_bits(bits) + value * count as f64).to_bits());
        let _ = self.sum_bits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

impl Recorder {
    /// Makes a recorder whose histograms have the bounds of [`REQUEST_BUCKETS`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a recorder with other bounds for the histograms whose names begin so; the longest beginning counts.
    ///
    /// Panics: when bounds are not finite and increasing.
    pub fn with_buckets(buckets: &[(&str, &[f64])]) -> Self {
        for (name, bounds) in buckets {
            let usable =
                bounds.iter().all(|b| b.is_finite()) && bounds.windows(2).all(|pair| pair[0] < pair[1]);
            assert!(usable, "bucket bounds of {name:?} must be finite and increasing");
        }
        let buckets = buckets.iter().map(|(name, bounds)| (sanitize_name(name, true), Arc::from(*bounds)));
        let buckets = buckets.collect();
        Self { inner: Arc::new(Inner { buckets, ..Inner::default() }) }
    }

    /// Makes this the recorder of the process.
    ///
    /// Errors: the process has one already.
    pub fn install(&self) -> Result<(), ::metrics::SetRecorderError<Self>> {
        ::metrics::set_global_recorder(self.clone())
    }

    /// Finds the cell of a key; none when the name is another type's.
    fn find(&self, key: &Key, kind: MetricType) -> Option<Cell> {
        let shard = &self.inner.shards[key.get_hash() as usize % SHARDS];
        let found = shard.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        let cell = match found {
            Some(cell) => cell,
            None => {
                let (cell, own) = self.make(key, kind)?;
                if own {
                    let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
                    shard.insert(key.to_retained(), cell.clone());
                }
                cell
            }
        };
        let fits = match &cell {
            Cell::Counter(_) => kind == MetricType::Counter,
            Cell::Gauge(_) => kind == MetricType::Gauge,
            Cell::Histogram(_) => kind == MetricType::Histogram,
        };
        fits.then_some(cell)
    }

    /// Makes the cell of a key, and tells whether it is its own or that of all beyond the limit.
    fn make(&self, key: &Key, kind: MetricType) -> Option<(Cell, bool)> {
        let name = sanitize_name(key.name(), true);
        let mut labels: Vec<(String, String)> =
            key.labels().map(|label| (label.key().to_owned(), label.value().to_owned())).collect();
        labels.sort();
        let mut families = self.inner.families.write().unwrap_or_else(PoisonError::into_inner);
        let family = families.entry(name.clone()).or_default();
        if *family.kind.get_or_insert(kind) != kind {
            return None;
        }
        let own = family.series.contains_key(&labels) || family.series.len() < DEFAULT_SERIES_LIMIT;
        if !own {
            labels.iter_mut().for_each(|(_, value)| OVERFLOW.clone_into(value));
        }
        let make = || Cell::new(kind, || self.bounds(&name));
        Some((family.series.entry(labels).or_insert_with(make).clone(), own))
    }

    fn bounds(&self, name: &str) -> Arc<[f64]> {
        let fitting = self.inner.buckets.iter().filter(|(prefix, _)| name.starts_with(prefix.as_str()));
        let longest = fitting.max_by_key(|(prefix, _)| prefix.len());
        longest.map_or_else(|| Arc::from(REQUEST_BUCKETS), |(_, bounds)| bounds.clone())
    }

    fn describe(&self, name: &KeyName, help: &SharedString) {
        let mut families = self.inner.families.write().unwrap_or_else(PoisonError::into_inner);
        let family = families.entry(sanitize_name(name.as_str(), true)).or_default();
        family.help = help.to_string();
    }
}

impl ::metrics::Recorder for Recorder {
    fn describe_counter(&self, key: KeyName, _: Option<Unit>, description: SharedString) {
        self.describe(&key, &description);
    }

    fn describe_gauge(&self, key: KeyName, _: Option<Unit>, description: SharedString) {
        self.describe(&key, &description);
    }

    fn describe_histogram(&self, key: KeyName, _: Option<Unit>, description: SharedString) {
        self.describe(&key, &description);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> ::metrics::Counter {
        match self.find(key, MetricType::Counter) {
            Some(Cell::Counter(counter)) => ::metrics::Counter::from_arc(counter),
            _ => ::metrics::Counter::noop(),
        }
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> ::metrics::Gauge {
        match self.find(key, MetricType::Gauge) {
            Some(Cell::Gauge(gauge)) => ::metrics::Gauge::from_arc(gauge),
            _ => ::metrics::Gauge::noop(),
        }
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> ::metrics::Histogram {
        match self.find(key, MetricType::Histogram) {
            Some(Cell::Histogram(buckets)) => ::metrics::Histogram::from_arc(buckets),
            _ => ::metrics::Histogram::noop(),
        }
    }
}

impl Bridge for Recorder {
    fn collect(&self) -> Vec<BridgedFamily> {
        let families = self.inner.families.read().unwrap_or_else(PoisonError::into_inner);
        let used = families.iter().filter_map(|(name, family)| Some((name, family, family.kind?)));
        used.map(|(name, family, kind)| BridgedFamily {
            name: name.clone(),
            kind,
            unit: String::new(),
            help: family.help.clone(),
            series: family.series.iter().map(|(labels, cell)| series(labels, cell)).collect(),
        })
        .collect()
    }
}

fn series(labels: &[(String, String)], cell: &Cell) -> BridgedSeries {
    let labels = labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    BridgedSeries::new(labels, cell.point())
}

#[cfg(test)]
mod tests {
    use ::metrics::{counter, describe_gauge, gauge, histogram, with_local_recorder};
    use promflow_registry::{Format, Registry};

    use super::*;
    use crate::page::Page;

    fn page(recorder: &Recorder) -> String {
        let page = Page::new(&Registry::new());
        page.add_bridge(recorder.clone());
        String::from_utf8(page.encode(Format::Text)).unwrap()
    }

    #[test]
    fn macros_count_onto_the_page() {
        let recorder = Recorder::with_buckets(&[("size", &[10.0, 100.0]), ("size.of", &[1.0])]);
        with_local_recorder(&recorder, || {
            describe_gauge!("room.temperature", "How warm it is.");
            for _ in 0..3 {
                counter!("jobs_total", "queue" => "mail", "a" => "b").increment(2);
            }
            counter!("jobs_total").increment(1);
            counter!("seen_total").absolute(9);
            gauge!("room.temperature").set(21.5);
            gauge!("room.temperature").decrement(1.0);
            histogram!("size").record(11.0);
            histogram!("size.of").record(f64::NAN);
            histogram!("size.of").record(0.5);
            histogram!("took").record(0.3);
            // The name is a counter's already.
            gauge!("jobs_total").set(7.0);
        });
        let page = page(&recorder);
        for line in [
            r#"jobs_total{a="b",queue="mail"} 6"#,
            "jobs_total 1",
            "seen_total 9",
            "# HELP room_temperature How warm it is.",
            "room_temperature 20.5",
            r#"size_bucket{le="100"} 1"#,
            r#"size_of_bucket{le="1"} 1"#,
            "size_of_count 1",
            r#"took_bucket{le="0.5"} 1"#,
        ] {
            assert!(page.lines().any(|l| l == line), "{line} is not in\n{page}");
        }
        assert!(!page.contains(" 7\n"), "{page}");
    }

    #[test]
    fn series_beyond_the_limit_share_one() {
        let recorder = Recorder::new();
        with_local_recorder(&recorder, || {
            for user in 0..5000 {
                counter!("used_total", "user" => user.to_string()).increment(1);
            }
        });
        let page = page(&recorder);
        assert!(page.contains("used_total{user=\"__other__\"} 3000\n"));
        assert_eq!(page.lines().filter(|line| line.starts_with("used_total{")).count(), 2001);
    }
}
