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
//! Cells stand in an arena, which is memory of the process or a file that processes share
//! ([`Registry::open_shared`]): forked and sibling processes then count into the same cells with the same atomic
//! additions, each of them can write the page of all, and a process that ends loses nothing and leaves nothing to
//! clean up. The rejected model, a file for each process, grows with every restart and is added up at every scrape.
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

mod arena;
mod builder;
mod cells;
mod collector;
mod counter;
mod desc;
mod error;
mod exemplar;
mod family;
mod gauge;
mod guard;
mod hash;
mod histogram;
mod label_set;
mod memory;
mod metric;
mod native;
pub mod payload;
mod process;
mod process_slots;
mod quantiles;
mod ranked;
mod registry;
#[cfg(all(test, shuttle))]
mod schedules;
mod series;
mod shared;
mod state;
mod stripe;
mod summary;
mod sync;
mod table;
mod words;

pub use builder::MetricBuilder;
pub use cells::{CellArena, CellSink, Cells, PrivateCells, add_f64};
pub use collector::Collector;
pub use counter::Counter;
pub use error::{LabelCountError, RegisterError, RegisterErrorKind, Warning};
pub use family::{Family, OVERFLOW};
pub use gauge::{Gauge, GaugeMode, InProgress};
pub use guard::LabelGuard;
pub use histogram::{Histogram, Timer};
pub use label_set::LabelSet;
pub use metric::Metric;
pub use native::{Native, NativeSnapshot, SCHEMA_CUSTOM, SCHEMA_MAX, SCHEMA_MIN};
pub use process::process_start_ticks;
pub use promflow_exposition::{Escaping, Format, LabelText, Number, Writer};
pub use ranked::{Keep, RankedCounter, RankedGauge};
pub use registry::{DEFAULT_SERIES_LIMIT, Options, Registry};
pub use shared::{ArenaError, ArenaErrorKind, SharedOptions};
pub use state::{Info, StateSet};
pub use summary::Summary;

/// A counter with its label names.
pub type CounterFamily = Family<Counter>;
/// A gauge with its label names.
pub type GaugeFamily = Family<Gauge>;
/// A histogram with its label names.
pub type HistogramFamily = Family<Histogram>;
/// A summary with its label names.
pub type SummaryFamily = Family<Summary>;
/// A state set with its label names.
pub type StateSetFamily = Family<StateSet>;
