//! A value for each process, for the gauges that tell processes apart.
//!
//! Slots are lines in extensions of the series, each of which is twice as long as the one before. A slot belongs to a
//! process by its id and start time, so that an id that is used again is another process. Slots of processes that
//! ended are given to new ones: at once where only running processes count, and else after their value was put into
//! another one's, so that their number is bounded by that of the processes that run at the same time.

use crate::cells::add_f64;
use crate::exemplar;
use crate::gauge::{GaugeMode, seconds_since_epoch};
use crate::memory::LINE_WORDS;
use crate::process::process_start_ticks;
use crate::series::{EXTENSIONS_MAX, Series};
use crate::sync::{AtomicU64, Ordering};

const OWNER: usize = 0;
const VALUE: usize = 1;
const TIME: usize = 2;

/// Exemplars have the first extension; gauges have none, but keep the numbering.
const FIRST_EXTENSION: usize = exemplar::EXTENSION + 1;
const FIRST_EXTENSION_SLOTS: usize = 8;
/// How many ended processes [`GaugeMode::All`] remembers.
const ENDED_MAX: usize = 64;

/// Which slot of a series is this process's.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    /// The id of the process for which the slot was found, and the slot's number; a forked child has another id.
    own: AtomicU64,
}

/// A slot as it was read.
#[derive(Clone, Copy)]
struct Seen {
    number: usize,
    owner: u64,
    value: f64,
    t_seconds: f64,
}

impl Slots {
    pub(crate) fn set(&self, series: &Series, value: f64) {
        if let Some(number) = self.own(series) {
            store(series, number, value);
        }
    }

    pub(crate) fn add(&self, series: &Series, amount: f64) {
        if let Some(number) = self.own(series)
            && let Some(word) = word(series, number, VALUE)
        {
            add_f64(word, amount);
            touch(series, number);
        }
    }

    pub(crate) fn own_value(&self, series: &Series) -> f64 {
        let slot = self.own(series).and_then(|number| word(series, number, VALUE));
        slot.map_or(0.0, |value| f64::from_bits(value.load(Ordering::Relaxed)))
    }

    /// Finds the slot of this process and takes one when it has none; nothing when the arena is full.
    fn own(&self, series: &Series) -> Option<usize> {
        let pid = std::process::id();
        let known = self.own.load(Ordering::Relaxed);
        if known >> 32 == u64::from(pid) {
            return Some(known as u32 as usize);
        }
        let me = owner(pid)?;
        let shared = series.home.arena.shared()?;
        for extension in FIRST_EXTENSION..EXTENSIONS_MAX {
            if let Some(number) = shared.exclusively(|| claim(series, me)).ok()? {
                self.own.store(u64::from(pid) << 32 | number as u64, Ordering::Relaxed);
                return Some(number);
            }
            series.extend(extension, FIRST_EXTENSION_SLOTS << (extension - FIRST_EXTENSION))?;
        }
        None
    }
}

/// Puts the values of all processes that count together, as the mode says; nothing when there are none.
pub(crate) fn combined(series: &Series) -> Option<f64> {
    let mode = series.shape.mode;
    let all = counted(series);
    let values = all.iter().map(|slot| slot.value);
    match mode {
        GaugeMode::Min | GaugeMode::LiveMin => values.reduce(f64::min),
        GaugeMode::Max | GaugeMode::LiveMax => values.reduce(f64::max),
        GaugeMode::MostRecent | GaugeMode::LiveMostRecent => {
            all.iter().max_by(|a, b| a.t_seconds.total_cmp(&b.t_seconds)).map(|slot| slot.value)
        }
        _ => values.reduce(|a, b| a + b),
    }
}

/// Lists the values of all processes that count, by their ids.
pub(crate) fn by_process(series: &Series) -> Vec<(u32, f64)> {
    let mut all: Vec<_> =
        counted(series).iter().map(|slot| ((slot.owner >> 32) as u32, slot.value)).collect();
    all.sort_by_key(|(pid, _)| *pid);
    all
}

fn counted(series: &Series) -> Vec<Seen> {
    let live = series.shape.mode.is_live();
    taken(series).into_iter().filter(|slot| !live || is_running(slot.owner)).collect()
}

fn taken(series: &Series) -> Vec<Seen> {
    let read = |number| {
        let load = |i| word(series, number, i).map(|w| w.load(Ordering::Acquire));
        let (owner, value, time) = (load(OWNER)?, load(VALUE)?, load(TIME)?);
        Some(Seen { number, owner, value: f64::from_bits(value), t_seconds: f64::from_bits(time) })
    };
    (0..).map_while(read).filter(|slot| slot.owner != 0).collect()
}

/// Takes a slot, while nobody else does; nothing when all are taken.
fn claim(series: &Series, me: u64) -> Option<usize> {
    let taken = taken(series);
    if let Some(slot) = taken.iter().find(|slot| slot.owner == me) {
        return Some(slot.number);
    }
    let mut ended: Vec<&Seen> = taken.iter().filter(|slot| !is_running(slot.owner)).collect();
    ended.sort_by(|a, b| a.t_seconds.total_cmp(&b.t_seconds));
    let mode = series.shape.mode;
    let free = match &ended[..] {
        [slot, ..] if mode.is_live() => Some(slot.number),
        [oldest, ..] if mode == GaugeMode::All => (ended.len() >= ENDED_MAX).then_some(oldest.number),
        [older, newer, ..] => {
            let merged = match mode {
                GaugeMode::Min => older.value.min(newer.value),
                GaugeMode::Max => older.value.max(newer.value),
                GaugeMode::MostRecent => newer.value,
                _ => older.value + newer.value,
            };
            word(series, newer.number, VALUE)?.store(merged.to_bits(), Ordering::Relaxed);
            Some(older.number)
        }
        _ => None,
    };
    let number = free.or_else(|| {
        (0..)
            .map_while(|n| Some((n, word(series, n, OWNER)?)))
            .find_map(|(n, owner)| (owner.load(Ordering::Relaxed) == 0).then_some(n))
    })?;
    word(series, number, OWNER)?.store(0, Ordering::Release);
    store(series, number, 0.0);
    word(series, number, OWNER)?.store(me, Ordering::Release);
    Some(number)
}

fn store(series: &Series, number: usize, value: f64) {
    if let Some(word) = word(series, number, VALUE) {
        word.store(value.to_bits(), Ordering::Relaxed);
        touch(series, number);
    }
}

/// Notes the time, where the mode asks for it.
fn touch(series: &Series, number: usize) {
    let asks = series.shape.mode.is_most_recent() || series.shape.mode == GaugeMode::All;
    if asks && let Some(word) = word(series, number, TIME) {
        word.store(seconds_since_epoch().to_bits(), Ordering::Relaxed);
    }
}

fn word(series: &Series, number: usize, word: usize) -> Option<&AtomicU64> {
    let mut rest = number;
    for extension in FIRST_EXTENSION..EXTENSIONS_MAX {
        let block = series.extension(extension)?;
        let slots = block.len() / LINE_WORDS;
        if rest < slots {
            return Some(block.word(rest * LINE_WORDS + word));
        }
        rest -= slots;
    }
    None
}

/// Returns what tells this process from every other one: its id and its start time.
fn owner(pid: u32) -> Option<u64> {
    Some(u64::from(pid) << 32 | u64::from(process_start_ticks(pid).unwrap_or(0) as u32))
}

fn is_running(owner: u64) -> bool {
    let pid = (owner >> 32) as u32;
    process_start_ticks(pid).is_some_and(|ticks| ticks as u32 == owner as u32)
}
