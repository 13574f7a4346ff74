//! A metric with its label names.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use promflow_exposition::{LabelText, Writer};
use promflow_model::MetricType;

use crate::counter::Counter;
use crate::desc::Desc;
use crate::table::Table;

/// The label value of the series that takes what is beyond a family's limit.
pub const OVERFLOW: &str = "__other__";

/// What a series is, next to its cell.
#[derive(Debug)]
pub struct Key {
    pub(crate) values: Box<[Box<str>]>,
    pub(crate) labels: LabelText,
    pub(crate) created: Option<f64>,
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::Counter {}
    impl Sealed for crate::Gauge {}
    impl Sealed for crate::Histogram {}
    impl Sealed for crate::Summary {}
}

/// A handle on one series' cell: [`Counter`], [`crate::Gauge`], [`crate::Histogram`] or [`crate::Summary`].
pub trait Metric: sealed::Sealed + Clone + Send + Sync + 'static {
    #[doc(hidden)]
    const KIND: MetricType;
    #[doc(hidden)]
    fn new(key: Key, bounds: &Arc<[f64]>) -> Self;
    #[doc(hidden)]
    fn key(&self) -> &Key;
    #[doc(hidden)]
    fn write(&self, writer: &mut Writer);
}

/// The number of label values differs from the number of label names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelCountError {
    metric: String,
    names: usize,
    values: usize,
}

impl fmt::Display for LabelCountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { metric, names, values } = self;
        write!(f, "metric {metric:?} has {names} labels, but {values} values were given")
    }
}

impl std::error::Error for LabelCountError {}

pub(crate) struct Inner<M> {
    pub(crate) desc: Desc,
    table: Table<M>,
    limit: AtomicUsize,
    overflow_key: Box<[&'static str]>,
    overflowed: Option<Overflowed>,
    created: bool,
}

/// Where a family counts what went beyond its limit; absent in the family that counts it.
pub(crate) type Overflowed = Family<Counter>;

/// A metric with its label names: the cells of all its series.
///
/// Cost: a clone is a reference count.
pub struct Family<M>(pub(crate) Arc<Inner<M>>);

impl<M> Clone for Family<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M> fmt::Debug for Family<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Family").field(&self.0.desc.name).finish()
    }
}

impl<M: Metric> Family<M> {
    pub(crate) fn new(desc: Desc, limit: usize, created: bool, overflowed: Option<Overflowed>) -> Self {
        let overflow_key = vec![OVERFLOW; desc.labels.len()].into();
        let limit = AtomicUsize::new(limit);
        let family =
            Self(Arc::new(Inner { desc, table: Table::new(), limit, overflow_key, overflowed, created }));
        if family.0.desc.labels.is_empty() {
            family.with(&[]);
        }
        family
    }

    /// Returns the metric's name.
    pub fn name(&self) -> &str {
        &self.0.desc.name
    }

    /// Finds the series of these label values, which come in the order of the label names; it begins at zero.
    ///
    /// Beyond the limit of series, the series of [`OVERFLOW`] is returned.
    ///
    /// Panics: when the number of values is not that of the label names.
    /// Cost: a hash of the values and, usually, one comparison; no lock and no allocation for a series that exists.
    pub fn with(&self, values: &[&str]) -> &M {
        self.try_with(values).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Finds the series of these label values, as [`Family::with`].
    ///
    /// Errors: the number of values is not that of the label names.
    pub fn try_with(&self, values: &[&str]) -> Result<&M, LabelCountError> {
        Ok(match self.find(values, self.0.limit.load(Ordering::Relaxed))? {
            Some(metric) => metric,
            None => self.with_unlimited(&self.0.overflow_key),
        })
    }

    /// Finds the series of these label values; beyond the limit, which is counted, there is none.
    ///
    /// For values that mean nothing when several series share them, such as a user's balance.
    ///
    /// Panics: when the number of values is not that of the label names.
    pub fn with_limited(&self, values: &[&str]) -> Option<&M> {
        self.find(values, self.0.limit.load(Ordering::Relaxed)).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Finds the series of these label values, whatever the limit: for values that the program chooses itself.
    ///
    /// Panics: when the number of values is not that of the label names.
    pub fn with_unlimited(&self, values: &[&str]) -> &M {
        self.find(values, usize::MAX)
            .unwrap_or_else(|e| panic!("{e}"))
            .expect("BUG: no slot in a table without a limit")
    }

    fn find(&self, values: &[&str], limit: usize) -> Result<Option<&M>, LabelCountError> {
        let inner = &*self.0;
        if values.len() != inner.desc.labels.len() {
            return Err(LabelCountError {
                metric: inner.desc.name.clone(),
                names: inner.desc.labels.len(),
                values: values.len(),
            });
        }
        let found = inner.table.get_or_insert(values, limit, || self.make(values));
        if let (None, Some(overflowed)) = (found, &inner.overflowed) {
            overflowed.with(&[&inner.desc.name]).inc();
        }
        Ok(found)
    }

    /// Makes sure that these combinations of label values exist, at zero.
    pub fn init<const N: usize>(&self, combinations: &[[&str; N]]) -> &Self {
        for values in combinations {
            self.with(values);
        }
        self
    }

    /// Changes the limit of series, for those that come later.
    pub fn limit_series(&self, limit: usize) -> &Self {
        self.0.limit.store(limit, Ordering::Relaxed);
        self
    }

    /// Counts the series.
    pub fn series_count(&self) -> usize {
        self.0.table.len()
    }

    fn make(&self, values: &[&str]) -> M {
        let inner = &*self.0;
        let names = inner.desc.labels.iter().map(String::as_str);
        let key = Key {
            values: values.iter().map(|v| Box::from(*v)).collect(),
            labels: LabelText::new(names.zip(values.iter().copied())),
            created: inner.created.then(seconds_since_epoch),
        };
        M::new(key, &inner.desc.bounds)
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        let cells = self.0.table.cells();
        if cells.is_empty() {
            return;
        }
        writer.family(&self.0.desc.name, M::KIND, "", &self.0.desc.help);
        for cell in cells {
            cell.write(writer);
        }
    }
}

/// Returns the time now.
///
/// Units: seconds since the epoch.
pub(crate) fn seconds_since_epoch() -> f64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0.0, |elapsed| elapsed.as_secs_f64())
}
