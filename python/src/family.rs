//! A metric and its series.
//!
//! The locks here are held for a few instructions, by threads that run no Python code meanwhile: neither a callback of
//! the garbage collector nor a signal handler can come upon a lock that its own thread holds.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use promflow_registry::{ArenaError, CellArena, Cells, PrivateCells};

use crate::arena;
use crate::desc::Desc;
use crate::key::{self, Part};
use crate::series::Series;
use crate::text_cell::{self, Text};

/// Where the cells of metrics stand that no other process sees.
static PRIVATE: PrivateCells = PrivateCells::new();

/// Takes cells that no other process sees.
pub(crate) fn private_cells(words: usize) -> Cells {
    PRIVATE.take(words)
}

/// The word that says since when a series has been there, in seconds since the epoch; zero when it is not.
pub(crate) const CREATED: usize = 0;

/// Where the cells of a family stand.
pub(crate) enum Home {
    Private,
    Shared { arena: Arc<CellArena>, number: u32 },
}

/// A metric and its series.
pub(crate) struct Family {
    pub(crate) desc: Desc,
    home: Home,
    series: Mutex<Table>,
    /// Whether samples come from Python code.
    pub(crate) from_python: AtomicBool,
    /// What [`CellArena::removals`] was when the process last looked for removed series.
    removals_seen: AtomicU64,
}

/// The series of a family, in the order of their making.
#[derive(Default)]
struct Table {
    numbers: HashMap<Box<[u8]>, u64>,
    ordered: BTreeMap<u64, Arc<Series>>,
    next: u64,
}

impl Table {
    fn get(&self, key: &[u8]) -> Option<&Arc<Series>> {
        self.numbers.get(key).and_then(|number| self.ordered.get(number))
    }

    fn insert(&mut self, series: Arc<Series>) {
        self.numbers.insert(series.key.clone(), self.next);
        self.ordered.insert(self.next, series);
        self.next += 1;
    }

    fn remove(&mut self, key: &[u8]) -> Option<Arc<Series>> {
        self.numbers.remove(key).and_then(|number| self.ordered.remove(&number))
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Family {
    pub(crate) fn new(desc: Desc, home: Home) -> Self {
        let (series, from_python) = (Mutex::default(), AtomicBool::new(false));
        Self { desc, home, series, from_python, removals_seen: AtomicU64::new(0) }
    }

    /// Finds the series of label values, and makes it when it is missing.
    pub(crate) fn series(&self, key: &[u8], now: f64) -> Arc<Series> {
        self.catch_up();
        if let Some(known) = lock(&self.series).get(key) {
            if known.revive(now)
                && let Home::Shared { arena, .. } = &self.home
            {
                arena.note_removal();
            }
            return known.clone();
        }
        if let Home::Shared { arena, number } = &self.home {
            let exists = || lock(&self.series).get(key).is_some();
            let (record, words) = (key::encode(Part::Base, key), 1 + self.desc.values());
            match arena.add_cells(*number, &record, words, now.to_bits(), exists) {
                Ok(()) => {
                    if let Some(known) = lock(&self.series).get(key) {
                        return known.clone();
                    }
                }
                Err(error) => arena::warn(&error),
            }
        }
        let cells = PRIVATE.take(1 + self.desc.values());
        cells.head()[CREATED].store(now.to_bits(), Ordering::Relaxed);
        let made = Arc::new(Series::new(key, cells, matches!(self.home, Home::Private)));
        let mut table = lock(&self.series);
        if let Some(known) = table.get(key) {
            return known.clone();
        }
        table.insert(made.clone());
        made
    }

    /// Tells whether this is the series that a page shows under its labels.
    pub(crate) fn holds(&self, series: &Arc<Series>) -> bool {
        lock(&self.series).get(&series.key).is_some_and(|known| Arc::ptr_eq(known, series))
    }

    /// Takes what was found in the shared arena.
    pub(crate) fn adopt(&self, record: &[u8], cells: Cells) {
        let Some((part, key)) = key::decode(record) else { return };
        let mut table = lock(&self.series);
        match (part, table.get(key)) {
            (Part::Base, None) if cells.words() > self.desc.values() => {
                table.insert(Arc::new(Series::new(key, cells, false)));
            }
            (Part::Base, _) => {}
            (Part::Slot(number), Some(series)) => series.slots.adopt(number, cells),
            (Part::Text(which, generation), Some(series)) => series.adopt_text(which, generation, cells),
            (_, None) => {}
        }
    }

    /// Lists the series on the page, those that other processes made among them.
    pub(crate) fn all(&self) -> Vec<Arc<Series>> {
        self.catch_up();
        lock(&self.series).ordered.values().filter(|series| series.is_alive()).cloned().collect()
    }

    /// Takes a series off the page and sets it to zero; `false` when there is none of these label values.
    pub(crate) fn remove(&self, key: &[u8]) -> bool {
        self.catch_up();
        match &self.home {
            Home::Private => lock(&self.series).remove(key).is_some(),
            Home::Shared { arena, .. } => {
                let Some(series) = lock(&self.series).get(key).cloned() else { return false };
                let removed = series.clear();
                if removed {
                    arena.note_removal();
                }
                removed
            }
        }
    }

    /// Tells whether no process has removed or brought back a series since this one looked.
    #[inline]
    pub(crate) fn is_current(&self) -> bool {
        match &self.home {
            Home::Private => true,
            Home::Shared { arena, .. } => arena.removals() == self.removals_seen.load(Ordering::Relaxed),
        }
    }

    /// Notes that removed series were looked for, by this time.
    pub(crate) fn set_current(&self, removals: u64) {
        self.removals_seen.store(removals, Ordering::Relaxed);
    }

    /// Counts what was removed or brought back, by all processes.
    pub(crate) fn removals(&self) -> u64 {
        match &self.home {
            Home::Private => 0,
            Home::Shared { arena, .. } => arena.removals(),
        }
    }

    /// Tells whether other processes see the family.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.home, Home::Shared { .. })
    }

    fn catch_up(&self) {
        if let Home::Shared { arena, .. } = &self.home
            && let Err(error) = arena.replay()
        {
            arena::warn(&error);
        }
    }

    /// Adds a record of a series; it is the arena's to tell of it.
    ///
    /// Errors: there is no room.
    pub(crate) fn add_part(
        &self,
        series: &Series,
        part: Part,
        words: usize,
        exists: impl Fn() -> bool,
    ) -> Result<Option<Cells>, ArenaError> {
        match &self.home {
            Home::Shared { arena, number } if !series.is_private => {
                let record = key::encode(part, &series.key);
                arena.add_cells(*number, &record, words, 0, exists).map(|()| None)
            }
            _ => Ok(Some(PRIVATE.take(words))),
        }
    }

    /// Runs a function while no other process does.
    pub(crate) fn exclusively<T>(&self, run: impl FnOnce() -> T) -> Result<T, ArenaError> {
        match &self.home {
            Home::Private => Ok(run()),
            Home::Shared { arena, .. } => arena.exclusively(run),
        }
    }

    /// Keeps a text with a series; `which` tells several of them apart.
    pub(crate) fn keep_text(&self, series: &Series, which: u32, text: &Text) {
        let words = text_cell::words(&text.packed);
        let cells = loop {
            let (generation, cells) = series.text_cells(which);
            match cells {
                Some(cells) if cells.words() >= words => break cells,
                _ => {}
            }
            let next = generation + 1;
            let exists = || series.text_cells(which).0 >= next;
            match self.add_part(series, Part::Text(which, next), words.next_power_of_two(), exists) {
                Ok(None) => {}
                Ok(Some(cells)) => series.adopt_text(which, next, cells),
                Err(error) => {
                    arena::warn(&error);
                    series.adopt_text(which, next, private_cells(words));
                }
            }
        };
        text_cell::write(&cells, text);
    }
}
