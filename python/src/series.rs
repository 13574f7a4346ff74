//! One series: its cells, and what goes with them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use promflow_registry::Cells;

use crate::family::{CREATED, lock};
use crate::slots::Slots;
use crate::text_cell::{self, Text};

/// One series.
pub(crate) struct Series {
    /// Its label values: see [`crate::key::pack`].
    pub(crate) key: Box<[u8]>,
    pub(crate) cells: Cells,
    pub(crate) slots: Slots,
    /// Whether only this process sees it.
    pub(crate) is_private: bool,
    /// By which one it is and how often it needed more room; the last of each counts.
    texts: Mutex<Vec<(u32, u32, Cells)>>,
}

impl Series {
    pub(crate) fn new(key: &[u8], cells: Cells, is_private: bool) -> Self {
        let (slots, texts) = (Slots::default(), Mutex::default());
        Self { key: key.into(), cells, slots, is_private, texts }
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.created_bits().load(Ordering::Relaxed) != 0
    }

    /// Returns since when the series has been there.
    ///
    /// Units: seconds since the epoch.
    pub(crate) fn created(&self) -> f64 {
        f64::from_bits(self.created_bits().load(Ordering::Relaxed))
    }

    pub(crate) fn set_created(&self, t_seconds: f64) {
        self.created_bits().store(t_seconds.to_bits(), Ordering::Relaxed);
    }

    fn created_bits(&self) -> &AtomicU64 {
        &self.cells.head()[CREATED]
    }

    /// Brings a removed series back; `false` when it is there.
    pub(crate) fn revive(&self, now: f64) -> bool {
        self.created_bits().compare_exchange(0, now.to_bits(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Takes the series off the page and sets it to zero; `false` when it was not there.
    pub(crate) fn clear(&self) -> bool {
        if self.created_bits().swap(0, Ordering::Relaxed) == 0 {
            return false;
        }
        for i in CREATED + 1..self.cells.words() {
            self.cells.word(i).store(0, Ordering::Relaxed);
        }
        self.slots.clear();
        lock(&self.texts).iter().for_each(|(_, _, cells)| text_cell::clear(cells));
        true
    }

    pub(crate) fn adopt_text(&self, which: u32, generation: u32, cells: Cells) {
        let mut texts = lock(&self.texts);
        if !texts.iter().any(|(w, g, _)| (*w, *g) == (which, generation)) {
            texts.push((which, generation, cells));
        }
    }

    /// Finds the cells of a text, and how often it needed more room.
    pub(crate) fn text_cells(&self, which: u32) -> (u32, Option<Cells>) {
        let texts = lock(&self.texts);
        let last = texts.iter().filter(|(w, ..)| *w == which).max_by_key(|(_, generation, _)| *generation);
        last.map_or((0, None), |(_, generation, cells)| (*generation, Some(cells.clone())))
    }

    /// Reads a text.
    pub(crate) fn text(&self, which: u32) -> Option<Text> {
        if lock(&self.texts).is_empty() {
            return None;
        }
        self.text_cells(which).1.and_then(|cells| text_cell::read(&cells))
    }

    /// Tells whether any text was ever kept.
    pub(crate) fn has_texts(&self) -> bool {
        !lock(&self.texts).is_empty()
    }
}

/// Reads a float that is kept as its bits.
#[inline]
pub(crate) fn load(bits: &AtomicU64) -> f64 {
    f64::from_bits(bits.load(Ordering::Relaxed))
}
