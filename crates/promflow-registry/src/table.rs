//! A table of cells that only grows, read without a lock.
//!
//! Slots are written once, in rows that are open-addressed and at most half full. A reader takes the last row, walks
//! from the slot that the hash says to the first free one, and compares keys. Whoever brings a new key takes a lock,
//! looks again, and writes a free slot; when the row is half full, it first fills a row of twice the length and then
//! makes it the last one. Rows and cells stay until the family goes, so that a reader may hold on to either: the
//! rows that were outgrown take as much memory as half of the last one. A reader that sees an old row finds all that
//! was in it, and asks again under the lock for what it misses.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError};

use crate::hash::Seeds;
use crate::series::is_packed;
use crate::sync::{AtomicUsize, Mutex, OnceLock, Ordering};

const FIRST_ROW_SLOTS: usize = 4;
/// Rows double, and the longest has as many slots as there are lines in an arena.
const ROWS_MAX: usize = 32;

/// Bytes of a key that stand in the entry itself; longer ones have memory of their own, which is one more step.
const INLINE_BYTES: usize = 47;

/// A key and its cell.
pub(crate) struct Entry<M> {
    pub(crate) metric: M,
    /// Whether the series is on the page, as far as this process knows. It stands here and not in the cell, so that a
    /// lookup reads no line that others write.
    alive: AtomicBool,
    key: Key,
}

impl<M> Entry<M> {
    #[inline]
    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }

    pub(crate) fn set_alive(&self, alive: bool) {
        self.alive.store(alive, Ordering::Relaxed);
    }
}

enum Key {
    Inline(u8, [u8; INLINE_BYTES]),
    Long(Box<[u8]>),
}

impl Key {
    fn new(packed: &[u8]) -> Self {
        let mut inline = [0; INLINE_BYTES];
        match inline.get_mut(..packed.len()) {
            Some(start) => {
                start.copy_from_slice(packed);
                Self::Inline(packed.len() as u8, inline)
            }
            None => Self::Long(packed.into()),
        }
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Inline(len, bytes) => bytes.get(..usize::from(*len)).unwrap_or(bytes),
            Self::Long(bytes) => bytes,
        }
    }
}

/// The hash stands beside the pointer, so that a slot of another key is told by the slot alone.
type Slot<M> = OnceLock<(u64, Arc<Entry<M>>)>;

/// The cells of one family by their label values.
pub(crate) struct Table<M> {
    rows: [OnceLock<Box<[Slot<M>]>>; ROWS_MAX],
    last: AtomicUsize,
    seeds: Seeds,
    len: AtomicUsize,
    births: Mutex<()>,
}

impl<M> Table<M> {
    pub(crate) fn new() -> Self {
        let rows = std::array::from_fn(|_| OnceLock::new());
        let (last, len) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { rows, last, seeds: Seeds::new(), len, births: Mutex::new(()) }
    }

    #[inline]
    pub(crate) fn hash(&self, values: &[&str]) -> u64 {
        self.seeds.hash(values)
    }

    /// Finds a cell. What it does not find may be there all the same, if it has just come.
    ///
    /// Cost: usually one or two slots are read and one key compared.
    #[inline]
    pub(crate) fn get(&self, hash: u64, values: &[&str]) -> Option<&Entry<M>> {
        self.find(hash, |packed| is_packed(packed, values))
    }

    #[inline(always)]
    fn find(&self, hash: u64, is_key: impl Fn(&[u8]) -> bool) -> Option<&Entry<M>> {
        let row = self.rows[self.last.load(Ordering::Acquire)].get()?;
        for slot in walk(row, hash) {
            let (found, entry) = slot.get()?;
            if *found == hash && is_key(entry.key.bytes()) {
                return Some(entry);
            }
        }
        None
    }

    /// Inserts a cell; the one returned is another's when that came first, and the flag then is false. There is none
    /// when the table is full.
    pub(crate) fn insert(
        &self,
        hash: u64,
        packed: &[u8],
        metric: M,
        alive: bool,
    ) -> Option<(&Entry<M>, bool)> {
        let _births = self.births.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = self.find(hash, |key| key == packed) {
            return Some((known, false));
        }
        let row = self.room()?;
        let slot = walk(row, hash).find(|slot| slot.get().is_none())?;
        let _ = slot
            .set((hash, Arc::new(Entry { metric, alive: AtomicBool::new(alive), key: Key::new(packed) })));
        self.len.fetch_add(1, Ordering::Release);
        slot.get().map(|(_, entry)| (&**entry, true))
    }

    /// Returns a row with a free slot, which is the last one.
    fn room(&self) -> Option<&[Slot<M>]> {
        let last = self.last.load(Ordering::Acquire);
        let row = self.rows[last].get_or_init(|| new_row(FIRST_ROW_SLOTS));
        if 2 * self.len.load(Ordering::Acquire) < row.len() {
            return Some(row);
        }
        let longer = self.rows.get(last + 1)?.get_or_init(|| new_row(2 * row.len()));
        for (hash, entry) in row.iter().filter_map(Slot::get) {
            if let Some(slot) = walk(longer, *hash).find(|slot| slot.get().is_none()) {
                let _ = slot.set((*hash, entry.clone()));
            }
        }
        self.last.store(last + 1, Ordering::Release);
        Some(longer)
    }

    /// Holds up whoever brings a new key.
    #[cfg(all(test, not(shuttle)))]
    pub(crate) fn hold_births(&self) -> std::sync::MutexGuard<'_, ()> {
        self.births.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Walks over all cells, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry<M>> {
        let row = self.rows[self.last.load(Ordering::Acquire)].get();
        row.into_iter().flatten().filter_map(|slot| Some(&*slot.get()?.1))
    }

    /// Counts the cells, those of removed series among them.
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }
}

fn new_row<M>(slots: usize) -> Box<[Slot<M>]> {
    (0..slots).map(|_| OnceLock::new()).collect()
}

/// Walks once over a row, from the slot that the hash says.
#[inline]
fn walk<M>(row: &[Slot<M>], hash: u64) -> impl Iterator<Item = &Slot<M>> {
    let mask = row.len() - 1;
    (0..row.len()).map(move |i| &row[(hash as usize).wrapping_add(i) & mask])
}
