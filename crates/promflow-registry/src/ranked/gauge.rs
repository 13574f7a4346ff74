//! Gauges of which the largest or the smallest values are shown.

use std::sync::Arc;

use promflow_exposition::{LabelSlice, Writer};
use promflow_model::MetricType;

use super::slots::{Account, Slots, VALUE};
use super::{EXTENSION, Keep, exclusively, group, samples};
use crate::desc::Shape;
use crate::family::Family;
use crate::memory::Block;
use crate::metric::{Cell, Metric};
use crate::series::Series;
use crate::sync::Mutex;

/// How many more accounts are remembered than are shown.
const REMEMBERED_FACTOR: usize = 8;

/// A gauge of which the largest or the smallest values are shown, such as the balances that run out.
///
/// Of each group, eight times as many accounts are remembered as are shown, so that the next ones are known when the value
/// of one that is shown changes. An account that is far from being shown is not remembered, and comes back when it is set
/// again. What all accounts come to, such as how many of them are low, belongs into a metric of its own, which counts them
/// one by one.
#[derive(Clone)]
pub struct RankedGauge(Family<GaugeGroup>);

impl std::fmt::Debug for RankedGauge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RankedGauge").field(&self.0.name()).finish()
    }
}

impl RankedGauge {
    pub(crate) fn new(family: Family<GaugeGroup>) -> Self {
        Self(family)
    }

    /// Sets a value.
    ///
    /// Panics: when the number of values is not that of the label names.
    /// Cost: two lookups and a lock of the account alone; for an account that is not remembered, a look at all that are,
    /// and a lock of them all when it has to be.
    pub fn set(&self, values: &[&str], value: f64) {
        let (group, account) = group(&self.0, values);
        group.set(account, value);
    }

    /// Forgets a value; `false` when it was not remembered.
    ///
    /// Panics: when the number of values is not that of the label names.
    pub fn remove(&self, values: &[&str]) -> bool {
        let (group, account) = group(&self.0, values);
        group.remove(account)
    }
}

/// The accounts of one group.
#[derive(Clone, Debug)]
pub(crate) struct GaugeGroup {
    cell: Cell,
    keep: Keep,
    /// Of a registry that is not shared.
    gate: Arc<Mutex<()>>,
}

impl GaugeGroup {
    fn remembered_max(&self) -> usize {
        self.keep.count() * REMEMBERED_FACTOR
    }

    /// Returns the table; nothing when the arena is full.
    fn slots(&self) -> Option<Slots<'_>> {
        let count = self.remembered_max();
        let block = self.cell.series().extend(EXTENSION, Slots::lines(count))?;
        Some(Slots::new(block, count))
    }

    fn set(&self, account: Account<'_>, value: f64) {
        let Some(slots) = self.slots() else { return };
        if slots.find(account).is_some_and(|slot| slots.set(slot, account, value)) {
            return;
        }
        if self.place_of(&slots, account, value).is_none() {
            return;
        }
        exclusively(self.cell.series(), &self.gate, || {
            if slots.find(account).is_some_and(|slot| slots.set(slot, account, value)) {
                return;
            }
            if let Some(slot) = self.place_of(&slots, account, value) {
                let set = || slots.word(slot, VALUE).store(value.to_bits(), crate::sync::Ordering::Release);
                slots.give(slot, account, set);
            }
        });
    }

    /// Finds a free slot, or the one of the account that comes last, if this one comes before it.
    fn place_of(&self, slots: &Slots<'_>, account: Account<'_>, value: f64) -> Option<usize> {
        slots.find_free(account.hash).or_else(|| {
            let by_rank =
                |a: &usize, b: &usize| self.keep.compare(slots.float(*a, VALUE), slots.float(*b, VALUE));
            let last = (0..self.remembered_max()).max_by(by_rank)?;
            self.keep.compare(value, slots.float(last, VALUE)).is_lt().then_some(last)
        })
    }

    fn remove(&self, account: Account<'_>) -> bool {
        let Some(slots) = self.slots() else { return false };
        let remove = || slots.find(account).map(|slot| slots.free(slot)).is_some();
        slots.find(account).is_some() && exclusively(self.cell.series(), &self.gate, remove).unwrap_or(false)
    }

    /// Lists the accounts that are shown.
    fn list(&self) -> Vec<(String, f64)> {
        if self.cell.series().extension(EXTENSION).is_none() {
            return Vec::new();
        }
        let Some(slots) = self.slots() else { return Vec::new() };
        let read = |slot| slots.read(slot, [VALUE, VALUE]).map(|(name, [value, _])| (name, value));
        let mut all: Vec<_> = (0..self.remembered_max()).filter_map(read).collect();
        all.sort_by(|a, b| self.keep.compare(a.1, b.1).then_with(|| a.0.cmp(&b.0)));
        all.truncate(self.keep.count());
        all
    }
}

impl Metric for GaugeGroup {
    const KIND: MetricType = MetricType::Gauge;

    fn lines(_: &Shape, _: usize) -> usize {
        1
    }

    fn new(block: Block, series: Arc<Series>) -> Self {
        let keep = series.shape.ranked.as_ref().map_or(Keep::Largest(1), |ranked| ranked.keep);
        Self { cell: Cell::new(block, series), keep, gate: Arc::new(Mutex::new(())) }
    }

    fn cell(&self) -> &Cell {
        &self.cell
    }

    fn write(&self, writer: &mut Writer, _: LabelSlice<'_>, _: Option<f64>) {
        for (labels, value) in samples(self.cell.series(), self.list()) {
            writer.gauge(&labels, value);
        }
    }
}
