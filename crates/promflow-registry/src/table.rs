//! A table of cells that only grows, read and written without a lock.
//!
//! A level is a row of slots that are written once; the next level is eight times as long. A key may stand in a
//! window of slots on each level, in the first that was free when it came. As a slot never becomes free again,
//! whoever looks for the key walks the same slots in the same order: to its slot, or to the first free one, where it
//! is missing. Two threads that bring the same key meet at that slot, and one of them finds the other's cell.

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::fast::RandomState;

use crate::series::is_packed;
use crate::sync::{AtomicUsize, OnceLock, Ordering};

const FIRST_LEVEL_SLOTS: usize = 64;
const LEVEL_GROWTH: usize = 8;
/// More levels than any series limit needs: with random seeds, only a full table gets there.
const LEVELS_MAX: u32 = 7;
const WINDOW: usize = 8;

/// A key and its cell.
pub(crate) struct Entry<M> {
    hash: u64,
    packed: Box<[u8]>,
    pub(crate) metric: M,
}

struct Level<M> {
    slots: Box<[OnceLock<Entry<M>>]>,
    next: OnceLock<Box<Level<M>>>,
}

impl<M> Level<M> {
    fn new(depth: u32) -> Box<Self> {
        let len = FIRST_LEVEL_SLOTS * LEVEL_GROWTH.pow(depth);
        Box::new(Self { slots: (0..len).map(|_| OnceLock::new()).collect(), next: OnceLock::new() })
    }

    #[inline]
    fn window(&self, hash: u64) -> impl Iterator<Item = &OnceLock<Entry<M>>> {
        let mask = self.slots.len() - 1;
        (0..WINDOW).map(move |i| &self.slots[(hash as usize).wrapping_add(i) & mask])
    }
}

/// The cells of one family by their label values.
pub(crate) struct Table<M> {
    first: OnceLock<Box<Level<M>>>,
    hasher: RandomState,
    len: AtomicUsize,
}

impl<M> Table<M> {
    pub(crate) fn new() -> Self {
        Self { first: OnceLock::new(), hasher: RandomState::default(), len: AtomicUsize::new(0) }
    }

    #[inline]
    pub(crate) fn hash(&self, values: &[&str]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        for value in values {
            value.hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Finds a cell.
    ///
    /// Cost: usually one slot is read and one key compared.
    #[inline]
    pub(crate) fn get(&self, hash: u64, values: &[&str]) -> Option<&M> {
        let mut level = self.first.get()?;
        loop {
            for slot in level.window(hash) {
                let entry = slot.get()?;
                if entry.hash == hash && is_packed(&entry.packed, values) {
                    return Some(&entry.metric);
                }
            }
            level = level.next.get()?;
        }
    }

    /// Inserts a cell; the one returned is another's when that came first, and the flag then is false. There is none
    /// when the table is full.
    pub(crate) fn insert(&self, hash: u64, packed: &[u8], metric: M) -> Option<(&M, bool)> {
        let mut level = self.first.get_or_init(|| Level::new(0));
        let mut new = Entry { hash, packed: packed.into(), metric };
        for depth in 1..=LEVELS_MAX {
            for slot in level.window(hash) {
                match slot.set(new) {
                    Ok(()) => {
                        self.len.fetch_add(1, Ordering::Release);
                        return slot.get().map(|entry| (&entry.metric, true));
                    }
                    Err(refused) => new = refused,
                }
                let entry = slot.get()?;
                if entry.hash == hash && *entry.packed == *packed {
                    return Some((&entry.metric, false));
                }
            }
            if depth < LEVELS_MAX {
                level = level.next.get_or_init(|| Level::new(depth));
            }
        }
        None
    }

    /// Walks over all cells, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &M> {
        let levels = std::iter::successors(self.first.get(), |level| level.next.get());
        levels.flat_map(|level| &level.slots).filter_map(|slot| Some(&slot.get()?.metric))
    }

    /// Counts the cells, those of removed series among them.
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }
}
