//! Values of a series for each process, where processes are told apart.
//!
//! A slot belongs to a process by its id and start time, so that an id that is used again is another process. Slots of
//! processes that ended are given to new ones: at once where only running processes count, and else after their value
//! was put into another one's; so their number is bounded by that of the processes that run at the same time.

use std::sync::Mutex;
use std::sync::atomic::Ordering;

use promflow_registry::{Cells, GaugeMode, add_f64};

use crate::arena;
use crate::desc::Desc;
use crate::family::{Family, lock, private_cells};
use crate::key::Part;
use crate::process::Owner;
use crate::series::{Series, load};

/// How many ended processes [`GaugeMode::All`] remembers.
const ENDED_MAX: usize = 64;

/// The slots of a series.
#[derive(Default)]
pub(crate) struct Slots(Mutex<Held>);

#[derive(Default)]
struct Held {
    slots: Vec<Slot>,
    /// The process that last counted here, and the place of its slot.
    own: Option<(Owner, usize)>,
}

#[derive(Clone)]
struct Slot {
    number: u32,
    cells: Cells,
}

/// A process and its values, as they were read.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) owner: Owner,
    pub(crate) values: Vec<f64>,
    pub(crate) t_seconds: f64,
}

/// The words behind the values.
fn owner_word(desc: &Desc) -> usize {
    1 + desc.values()
}

fn time_word(desc: &Desc) -> usize {
    2 + desc.values()
}

fn words(desc: &Desc) -> usize {
    3 + desc.values()
}

impl Slots {
    /// Takes a slot that was found in the shared arena.
    pub(crate) fn adopt(&self, number: u32, cells: Cells) {
        let mut held = lock(&self.0);
        if !held.slots.iter().any(|slot| slot.number == number) {
            held.slots.push(Slot { number, cells });
        }
    }

    /// Sets all values to zero and gives the slots up.
    pub(crate) fn clear(&self) {
        let mut held = lock(&self.0);
        for slot in &held.slots {
            (0..slot.cells.words()).for_each(|i| slot.cells.word(i).store(0, Ordering::Relaxed));
        }
        held.own = None;
    }

    /// Counts the slots that processes have.
    pub(crate) fn taken(&self, desc: &Desc) -> usize {
        self.read(desc).len()
    }

    /// Gives up the slots of a process that ended.
    pub(crate) fn free(&self, desc: &Desc, pid: u32) {
        for slot in &lock(&self.0).slots {
            let word = slot.cells.word(owner_word(desc));
            if Owner(word.load(Ordering::Relaxed)).pid() == pid {
                word.store(0, Ordering::Relaxed);
            }
        }
    }

    fn read(&self, desc: &Desc) -> Vec<Seen> {
        let slots = lock(&self.0).slots.clone();
        let seen = |slot: &Slot| Seen {
            owner: Owner(slot.cells.word(owner_word(desc)).load(Ordering::Acquire)),
            values: (1..=desc.values()).map(|i| load(slot.cells.word(i))).collect(),
            t_seconds: load(slot.cells.word(time_word(desc))),
        };
        slots.iter().map(seen).filter(|seen| seen.owner.0 != 0).collect()
    }

    /// Lists the processes that count.
    pub(crate) fn counted(&self, desc: &Desc) -> Vec<Seen> {
        let live = desc.mode.is_live();
        self.read(desc).into_iter().filter(|seen| !live || seen.owner.is_running()).collect()
    }

    /// Puts the values of all processes that count together, as the mode says; `None` when there are none.
    pub(crate) fn combined(&self, desc: &Desc, word: usize) -> Option<f64> {
        let seen = self.counted(desc);
        let values = seen.iter().map(|seen| seen.values[word - 1]);
        match desc.mode {
            GaugeMode::Min | GaugeMode::LiveMin => values.reduce(f64::min),
            GaugeMode::Max | GaugeMode::LiveMax => values.reduce(f64::max),
            GaugeMode::MostRecent | GaugeMode::LiveMostRecent => {
                let last = seen.iter().max_by(|a, b| a.t_seconds.total_cmp(&b.t_seconds));
                last.map(|seen| seen.values[word - 1])
            }
            _ => values.reduce(|a, b| a + b),
        }
    }
}

impl Family {
    /// Runs a function with the cells of a process; not when there is no room for them.
    fn with_slot<T>(&self, series: &Series, owner: Owner, run: impl FnOnce(&Cells) -> T) -> Option<T> {
        let known = {
            let held = lock(&series.slots.0);
            match held.own {
                Some((own, place)) if own == owner => held.slots.get(place).map(|slot| slot.cells.clone()),
                _ => None,
            }
        };
        let cells = match known {
            Some(cells) if cells.word(owner_word(&self.desc)).load(Ordering::Relaxed) == owner.0 => cells,
            _ => self.claim(series, owner)?,
        };
        Some(run(&cells))
    }

    /// Finds the slot of a process, and takes one when it has none.
    pub(crate) fn claim(&self, series: &Series, owner: Owner) -> Option<Cells> {
        loop {
            let claimed = self.exclusively(|| {
                let held = &mut *lock(&series.slots.0);
                let place = claim(&self.desc, &held.slots, owner)?;
                held.own = Some((owner, place));
                held.slots.get(place).map(|slot| slot.cells.clone())
            });
            match claimed {
                Ok(Some(cells)) => return Some(cells),
                Ok(None) => {}
                Err(error) => {
                    arena::warn(&error);
                    return None;
                }
            }
            let last = || lock(&series.slots.0).slots.iter().map(|slot| slot.number).max();
            let number = last().map_or(0, |last| last + 1);
            let exists = || last().is_some_and(|last| last >= number);
            match self.add_part(series, Part::Slot(number), words(&self.desc), exists) {
                Ok(None) => {}
                Ok(Some(cells)) => series.slots.adopt(number, cells),
                Err(error) => {
                    arena::warn(&error);
                    series.slots.adopt(number, private_cells(words(&self.desc)));
                }
            }
        }
    }

    pub(crate) fn add_in_slot(&self, series: &Series, owner: Owner, word: usize, amount: f64) {
        self.with_slot(series, owner, |cells| add_f64(cells.word(word), amount));
    }

    pub(crate) fn set_in_slot(&self, series: &Series, owner: Owner, word: usize, value: f64, t_seconds: f64) {
        self.with_slot(series, owner, |cells| {
            cells.word(word).store(value.to_bits(), Ordering::Relaxed);
            cells.word(time_word(&self.desc)).store(t_seconds.to_bits(), Ordering::Relaxed);
        });
    }

    /// Returns what a process itself counted.
    pub(crate) fn own_value(&self, series: &Series, owner: Owner, word: usize) -> f64 {
        let seen = series.slots.read(&self.desc).into_iter().find(|seen| seen.owner == owner);
        seen.map_or(0.0, |seen| seen.values[word - 1])
    }
}

/// Takes a slot, while no other process does; nothing when all are taken.
fn claim(desc: &Desc, slots: &[Slot], owner: Owner) -> Option<usize> {
    let owner_of = |slot: &Slot| Owner(slot.cells.word(owner_word(desc)).load(Ordering::Relaxed));
    if let Some(place) = slots.iter().position(|slot| owner_of(slot) == owner) {
        return Some(place);
    }
    let place = free_place(desc, slots).or_else(|| slots.iter().position(|slot| owner_of(slot).0 == 0))?;
    let cells = &slots[place].cells;
    (0..cells.words()).for_each(|i| cells.word(i).store(0, Ordering::Relaxed));
    cells.word(owner_word(desc)).store(owner.0, Ordering::Release);
    Some(place)
}

/// Finds a slot whose process ended and whose value is needed no more, or was put into another one's.
fn free_place(desc: &Desc, slots: &[Slot]) -> Option<usize> {
    let time = |place: &usize| load(slots[*place].cells.word(time_word(desc)));
    let ended = |slot: &Slot| {
        let owner = Owner(slot.cells.word(owner_word(desc)).load(Ordering::Relaxed));
        owner.0 != 0 && !owner.is_running()
    };
    let mut places: Vec<usize> = (0..slots.len()).filter(|place| ended(&slots[*place])).collect();
    places.sort_by(|a, b| time(a).total_cmp(&time(b)));
    match places[..] {
        [first, ..] if desc.mode.is_live() => Some(first),
        [oldest, ..] if desc.mode == GaugeMode::All => (places.len() >= ENDED_MAX).then_some(oldest),
        [older, newer, ..] => {
            for i in 1..=desc.values() {
                let (into, from) = (slots[newer].cells.word(i), load(slots[older].cells.word(i)));
                let merged = match desc.mode {
                    GaugeMode::Min => load(into).min(from),
                    GaugeMode::Max => load(into).max(from),
                    GaugeMode::MostRecent => load(into),
                    _ => load(into) + from,
                };
                into.store(merged.to_bits(), Ordering::Relaxed);
            }
            Some(older)
        }
        _ => None,
    }
}
