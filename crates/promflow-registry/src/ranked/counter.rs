//! Counters of which the accounts that count most are shown.

use std::sync::Arc;

use promflow_exposition::{LabelSlice, Number, Writer};
use promflow_model::MetricType;

use super::sketch::Sketch;
use super::slots::{Account, BASE, RANK, Slots, VALUE};
use super::{EXTENSION, exclusively, group, samples};
use crate::cells::add_f64;
use crate::desc::Shape;
use crate::family::{Family, OVERFLOW};
use crate::memory::Block;
use crate::metric::{Cell, Metric};
use crate::series::Series;
use crate::sync::{Mutex, Ordering};

/// What accounts counted that were not shown while they did.
const OTHER: usize = 1;
/// No account that is shown ranks lower; it may rank higher meanwhile. Zero while there is room.
const LEAST: usize = 2;
/// An account takes another one's place when it counted more than that by a sixteenth: of many that count alike, the
/// same ones stay.
const ADVANTAGE: f64 = 1.0 + 1.0 / 16.0;

/// A counter of which the accounts that count most are shown, and all others together.
///
/// An account's series begins at zero when it becomes one of the largest: what it counted before is in the series of
/// [`OVERFLOW`], and what it counted since goes there when it is one no more. So no series ever goes down while it is
/// shown, and the sum of all is exact. What an account that is not shown has counted is known approximately and never too
/// low, so that a large one is always found.
#[derive(Clone)]
pub struct RankedCounter(Family<CounterGroup>);

impl std::fmt::Debug for RankedCounter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RankedCounter").field(&self.0.name()).finish()
    }
}

impl RankedCounter {
    pub(crate) fn new(family: Family<CounterGroup>) -> Self {
        Self(family)
    }

    /// Adds an amount; a negative one, a NaN or an infinity is refused.
    ///
    /// An amount that is added in the very moment in which its account loses its place may be counted for the one that
    /// takes it.
    ///
    /// Panics: when the number of values is not that of the label names.
    /// Errors: `false` when the amount was refused.
    /// Cost: two lookups and an atomic addition; for an account that is not shown, three more, and rarely a lock, which
    /// is not waited for.
    pub fn add(&self, values: &[&str], amount: f64) -> bool {
        if !(amount >= 0.0 && amount.is_finite()) {
            return false;
        }
        let (group, account) = group(&self.0, values);
        group.add(account, amount);
        true
    }

    /// Returns the sum of a group, whoever is shown: the ranked label's value does not matter.
    ///
    /// Panics: when the number of values is not that of the label names.
    pub fn total(&self, values: &[&str]) -> f64 {
        group(&self.0, values).0.total()
    }
}

/// The accounts of one group.
#[derive(Clone, Debug)]
pub(crate) struct CounterGroup {
    cell: Cell,
    shown_max: usize,
    /// Of a registry that is not shared.
    gate: Arc<Mutex<()>>,
}

impl CounterGroup {
    /// Returns the table; nothing when the arena is full.
    fn table(&self) -> Option<(Slots<'_>, Sketch<'_>)> {
        let lines = Slots::lines(self.shown_max);
        let all = lines + Sketch::lines(self.shown_max);
        let block = self.cell.series().extend(EXTENSION, all)?;
        Some((Slots::new(block, self.shown_max), Sketch::new(block, lines, self.shown_max)))
    }

    fn add(&self, account: Account<'_>, amount: f64) {
        let other = &self.cell.head()[OTHER];
        let Some((slots, sketch)) = self.table().filter(|_| account.name() != OVERFLOW) else {
            return add_f64(other, amount);
        };
        let slot = slots.find(account).or_else(|| {
            let counted = sketch.add(account.hash, amount);
            let least = f64::from_bits(self.cell.head()[LEAST].load(Ordering::Relaxed));
            let may_show = least == 0.0 || counted > least * ADVANTAGE;
            let show = || self.show(&slots, &sketch, account, counted, amount);
            may_show.then(|| exclusively(self.cell.series(), &self.gate, show).flatten()).flatten()
        });
        // One addition to one word: a process that is killed has done it or not.
        match slot {
            Some(slot) => add_f64(slots.word(slot, VALUE), amount),
            None => add_f64(other, amount),
        }
    }

    /// Gives an account a slot, if it has counted enough.
    fn show(
        &self,
        slots: &Slots<'_>,
        sketch: &Sketch<'_>,
        account: Account<'_>,
        counted: f64,
        amount: f64,
    ) -> Option<usize> {
        let rank = |slot| slots.float(slot, RANK) + slots.float(slot, VALUE) - slots.float(slot, BASE);
        let least = || (0..self.shown_max).min_by(|a, b| rank(*a).total_cmp(&rank(*b)));
        let note_least = || {
            let is_full = slots.find_free(0).is_none();
            let rank = least().filter(|_| is_full).map_or(0.0, |slot| rank(slot).max(f64::MIN_POSITIVE));
            self.cell.head()[LEAST].store(rank.to_bits(), Ordering::Relaxed);
        };
        if let Some(slot) = slots.find(account) {
            return Some(slot);
        }
        let slot = match slots.find_free(account.hash) {
            Some(slot) => slot,
            None => {
                let slot = least()?;
                if counted <= rank(slot) * ADVANTAGE {
                    note_least();
                    return None;
                }
                let shown = slots.float(slot, VALUE) - slots.float(slot, BASE);
                sketch.add(slots.owner(slot), shown);
                slot
            }
        };
        // First what moves the amounts of the one that goes to the others: it is one store.
        let value = slots.word(slot, VALUE).load(Ordering::Acquire);
        slots.word(slot, BASE).store(value, Ordering::Release);
        slots.give(slot, account, || {
            slots.word(slot, RANK).store((counted - amount).to_bits(), Ordering::Release);
        });
        note_least();
        Some(slot)
    }

    fn total(&self) -> f64 {
        let other = f64::from_bits(self.cell.head()[OTHER].load(Ordering::Relaxed));
        let slots = self.table().map(|(slots, _)| slots);
        other + slots.map_or(0.0, |slots| (0..self.shown_max).map(|slot| slots.float(slot, VALUE)).sum())
    }

    /// Lists the accounts that are shown, and all others together.
    fn list(&self) -> Vec<(String, f64)> {
        let mut other = f64::from_bits(self.cell.head()[OTHER].load(Ordering::Relaxed));
        let mut accounts = Vec::new();
        // Whoever only reads makes no table.
        if self.cell.series().extension(EXTENSION).is_some()
            && let Some((slots, _)) = self.table()
        {
            for slot in 0..self.shown_max {
                match slots.read(slot, [BASE, VALUE]) {
                    Some((name, [base, value])) => {
                        other += base;
                        accounts.push((name, value - base));
                    }
                    None => other += slots.float(slot, BASE),
                }
            }
        }
        accounts.extend((other > 0.0).then(|| (OVERFLOW.to_owned(), other)));
        accounts
    }
}

impl Metric for CounterGroup {
    const KIND: MetricType = MetricType::Counter;

    fn lines(_: &Shape, _: usize) -> usize {
        1
    }

    fn new(block: Block, series: Arc<Series>) -> Self {
        let shown_max = series.shape.ranked.as_ref().map_or(1, |ranked| ranked.keep.count());
        Self { cell: Cell::new(block, series), shown_max, gate: Arc::new(Mutex::new(())) }
    }

    fn cell(&self) -> &Cell {
        &self.cell
    }

    fn write(&self, writer: &mut Writer, _: LabelSlice<'_>, _: Option<f64>) {
        for (labels, value) in samples(self.cell.series(), self.list()) {
            writer.counter(&labels, Number::Float(value), None, None);
        }
    }
}
