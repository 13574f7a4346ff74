//! Gauges.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use promflow_exposition::{LabelSlice, Writer};
use promflow_model::MetricType;

use crate::cells::add_f64;
use crate::desc::Shape;
use crate::memory::Block;
use crate::metric::{Cell, Metric};
use crate::process_slots::{self, Slots};
use crate::series::Series;
use crate::sync::Ordering;

const VALUE: usize = 1;

/// How a gauge of several processes is put together, in prometheus_client's names.
///
/// In a registry that is not shared, there is one process and every mode is [`GaugeMode::Shared`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GaugeMode {
    /// All processes set and add to one value.
    #[default]
    Shared,
    /// A series for each process, told apart by the label `pid`, those that ended among them.
    All,
    /// A series for each process that runs.
    LiveAll,
    /// The least of all values.
    Min,
    /// The least of the values of processes that run.
    LiveMin,
    /// The greatest of all values.
    Max,
    /// The greatest of the values of processes that run.
    LiveMax,
    /// The sum of all values.
    Sum,
    /// The sum of the values of processes that run: what is in progress.
    LiveSum,
    /// The value that was set last.
    MostRecent,
    /// The value that a running process set last.
    LiveMostRecent,
}

impl GaugeMode {
    const ALL: [(Self, &str); 11] = [
        (Self::Shared, "shared"),
        (Self::All, "all"),
        (Self::LiveAll, "liveall"),
        (Self::Min, "min"),
        (Self::LiveMin, "livemin"),
        (Self::Max, "max"),
        (Self::LiveMax, "livemax"),
        (Self::Sum, "sum"),
        (Self::LiveSum, "livesum"),
        (Self::MostRecent, "mostrecent"),
        (Self::LiveMostRecent, "livemostrecent"),
    ];

    /// Finds a mode by prometheus_client's name, such as `livesum`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(mode, _)| *mode)
    }

    /// Returns prometheus_client's name.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// Returns the number that stands for the mode in a record.
    pub fn to_code(self) -> u8 {
        self as u8
    }

    /// Finds a mode by the number that stands for it in a record.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).map(|(mode, _)| *mode)
    }

    /// Tells whether only processes that run count.
    pub fn is_live(self) -> bool {
        matches!(self, Self::LiveAll | Self::LiveMin | Self::LiveMax | Self::LiveSum | Self::LiveMostRecent)
    }

    /// Tells whether each process has a series of its own.
    pub fn is_by_process(self) -> bool {
        matches!(self, Self::All | Self::LiveAll)
    }

    /// Tells whether the value that was set last counts.
    pub fn is_most_recent(self) -> bool {
        matches!(self, Self::MostRecent | Self::LiveMostRecent)
    }
}

/// A value that goes up and down.
#[derive(Clone, Debug)]
pub struct Gauge {
    cell: Cell,
    /// Absent where all processes share one value.
    slots: Option<Arc<Slots>>,
}

impl Gauge {
    /// Sets the value.
    ///
    /// Cost: one atomic store; in a mode that tells processes apart, also the asking for the process's id.
    #[inline]
    pub fn set(&self, value: f64) {
        match &self.slots {
            None => self.cell.head()[VALUE].store(value.to_bits(), Ordering::Relaxed),
            Some(slots) => slots.set(self.cell.series(), value),
        }
    }

    /// Adds an amount, which may be negative.
    pub fn add(&self, amount: f64) {
        match &self.slots {
            None => add_f64(&self.cell.head()[VALUE], amount),
            Some(slots) => slots.add(self.cell.series(), amount),
        }
    }

    /// Adds one.
    pub fn inc(&self) {
        self.add(1.0);
    }

    /// Takes one away.
    pub fn dec(&self) {
        self.add(-1.0);
    }

    /// Adds one, and takes it away when the guard is dropped.
    pub fn track(&self) -> InProgress {
        self.inc();
        InProgress(self.clone())
    }

    /// Sets the value to the time now.
    ///
    /// Units: seconds since the epoch.
    pub fn set_to_current_time(&self) {
        self.set(seconds_since_epoch());
    }

    /// Returns the value; in a mode that keeps processes apart on the page, that of this process.
    pub fn value(&self) -> f64 {
        let mode = self.cell.series().shape.mode;
        match &self.slots {
            None => f64::from_bits(self.cell.head()[VALUE].load(Ordering::Relaxed)),
            Some(slots) if matches!(mode, GaugeMode::All | GaugeMode::LiveAll) => {
                slots.own_value(self.cell.series())
            }
            Some(_) => process_slots::combined(self.cell.series()).unwrap_or(0.0),
        }
    }
}

/// Counts one in a gauge until it is dropped.
#[derive(Debug)]
#[must_use = "a guard that is dropped at once counts nothing"]
pub struct InProgress(Gauge);

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Returns the time now.
///
/// Units: seconds since the epoch.
pub(crate) fn seconds_since_epoch() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |elapsed| elapsed.as_secs_f64())
}

impl Metric for Gauge {
    const KIND: MetricType = MetricType::Gauge;

    fn lines(_: &Shape, _: usize) -> usize {
        1
    }

    fn new(block: Block, series: Arc<Series>) -> Self {
        let apart = series.shape.mode != GaugeMode::Shared && series.home.arena.shared().is_some();
        Self { cell: Cell::new(block, series), slots: apart.then(Arc::default) }
    }

    fn cell(&self) -> &Cell {
        &self.cell
    }

    fn write(&self, writer: &mut Writer, labels: LabelSlice<'_>, _: Option<f64>) {
        let series = self.cell.series();
        if self.slots.is_none() {
            writer.gauge(labels, self.value());
        } else if matches!(series.shape.mode, GaugeMode::All | GaugeMode::LiveAll) {
            for (pid, value) in process_slots::by_process(series) {
                let mut labels = labels.to_text();
                labels.push("pid", &pid.to_string());
                writer.gauge(&labels, value);
            }
        } else if let Some(value) = process_slots::combined(series) {
            writer.gauge(labels, value);
        }
    }
}
