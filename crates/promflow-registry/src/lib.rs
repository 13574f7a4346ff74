//! Metric cells, label lookup and the registry that exposes them: small and slow-moving, under the library
//! `promflow` and under everything in the server that counts itself.
//!
//! A [`Family`] is a metric with its label names; [`Family::with`] finds the cell of one combination of label values
//! from borrowed `&[&str]`, without owned keys and without a lock: the cells stand in tables that only grow, and a
//! slot is written once. The handle found is a reference that may be cloned and kept, and then an increment is one
//! atomic addition. The rejected model, a map under a read-write lock, makes all threads write to the lock's own
//! cache line at each lookup, which costs more than everything else together once there are many of them.
//!
//! Every family has a limit of series, on by default: beyond it, one series whose label values are [`OVERFLOW`]
//! takes all, and `promflow_series_overflowed_total` says for which metric.
//!
//! ```
//! use promflow_registry::{Format, Registry};
//!
//! let registry = Registry::new();
//! let jobs = registry.counter("jobs_total", "Jobs done.", &["queue"]);
//! jobs.with(&["mail"]).inc();
//! let mail = jobs.with(&["mail"]).clone();
//! mail.inc_by(2);
//! let page = String::from_utf8(registry.encode(Format::Text))?;
//! assert!(page.contains("jobs_total{queue=\"mail\"} 3\n"));
//! # Ok::<(), std::string::FromUtf8Error>(())
//! ```

mod counter;
mod desc;
mod family;
mod gauge;
mod histogram;
mod registry;
mod summary;
mod table;

pub use counter::Counter;
pub use desc::{RegisterError, RegisterErrorKind};
pub use family::{Family, LabelCountError, Metric, OVERFLOW};
pub use gauge::Gauge;
pub use histogram::{Histogram, Timer};
pub use promflow_exposition::Format;
pub use registry::{DEFAULT_SERIES_LIMIT, Options, Registry};
pub use summary::Summary;

/// A counter with its label names.
pub type CounterFamily = Family<Counter>;
/// A gauge with its label names.
pub type GaugeFamily = Family<Gauge>;
/// A histogram with its label names.
pub type HistogramFamily = Family<Histogram>;
/// A summary with its label names.
pub type SummaryFamily = Family<Summary>;
