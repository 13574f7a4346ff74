//! A table of cells that only grows, read and written without a lock.
//!
//! A level is a row of slots that are written once; the next level is eight times as long. A key may stand in a
//! window of slots on each level, in the first that was free when it came. As a slot never becomes free again,
//! whoever looks for the key walks the same slots in the same order: to its slot, or to the first free one, where it
//! is missing. Two threads that bring the same key meet at that slot, and one of them finds the other's cell.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use foldhash::fast::RandomState;

use crate::family::Metric;

const FIRST_LEVEL_SLOTS: usize = 64;
const LEVEL_GROWTH: usize = 8;
/// More levels than any series limit needs: with random seeds, only a full table gets there.
const LEVELS_MAX: u32 = 7;
const WINDOW: usize = 8;

struct Level<M> {
    slots: Box<[OnceLock<(u64, M)>]>,
    next: OnceLock<Box<Level<M>>>,
}

impl<M> Level<M> {
    fn new(depth: u32) -> Box<Self> {
        let len = FIRST_LEVEL_SLOTS * LEVEL_GROWTH.pow(depth);
        Box::new(Self { slots: (0..len).map(|_| OnceLock::new()).collect(), next: OnceLock::new() })
    }

    fn window(&self, hash: u64) -> impl Iterator<Item = &OnceLock<(u64, M)>> {
        let mask = self.slots.len() - 1;
        (0..WINDOW).map(move |i| &self.slots[(hash as usize).wrapping_add(i) & mask])
    }
}

/// The cells of one family by their label values.
pub(crate) struct Table<M> {
    first: OnceLock<Box<Level<M>>>,
    hasher: RandomState,
    len: AtomicUsize,
    /// Every cell, sorted by labels, for whoever writes the page; touched when a series is born, never on lookup.
    sorted: Mutex<Vec<M>>,
}

impl<M: Metric> Table<M> {
    pub(crate) fn new() -> Self {
        Self {
            first: OnceLock::new(),
            hasher: RandomState::default(),
            len: AtomicUsize::new(0),
            sorted: Mutex::new(Vec::new()),
        }
    }

    /// Finds a cell, or makes it; `None` when there are `limit` cells already.
    pub(crate) fn get_or_insert(&self, values: &[&str], limit: usize, make: impl Fn() -> M) -> Option<&M> {
        let mut hasher = self.hasher.build_hasher();
        for value in values {
            value.hash(&mut hasher);
        }
        let hash = hasher.finish();
        let mut level = self.first.get_or_init(|| Level::new(0));
        for depth in 1..=LEVELS_MAX {
            for slot in level.window(hash) {
                let (found, metric) = match slot.get() {
                    Some(entry) => entry,
                    None => self.insert(slot, hash, limit, &make)?,
                };
                if *found == hash && is_key(metric, values) {
                    return Some(metric);
                }
            }
            if depth < LEVELS_MAX {
                level = level.next.get_or_init(|| Level::new(depth));
            }
        }
        None
    }

    /// Writes a free slot; the entry returned may be that of a thread that was faster.
    fn insert<'t>(
        &self,
        slot: &'t OnceLock<(u64, M)>,
        hash: u64,
        limit: usize,
        make: impl Fn() -> M,
    ) -> Option<&'t (u64, M)> {
        if self.len.fetch_add(1, Ordering::Relaxed) >= limit {
            self.len.fetch_sub(1, Ordering::Relaxed);
            return slot.get();
        }
        let mut made = false;
        let entry = slot.get_or_init(|| {
            made = true;
            (hash, make())
        });
        if made {
            self.remember(&entry.1);
        } else {
            self.len.fetch_sub(1, Ordering::Relaxed);
        }
        Some(entry)
    }

    fn remember(&self, metric: &M) {
        let mut sorted = self.sorted.lock().unwrap_or_else(PoisonError::into_inner);
        let text = metric.key().labels.as_str();
        let place = sorted.partition_point(|m| m.key().labels.as_str() < text);
        sorted.insert(place, metric.clone());
    }

    /// Returns all cells, sorted by labels.
    pub(crate) fn cells(&self) -> Vec<M> {
        self.sorted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }
}

fn is_key<M: Metric>(metric: &M, values: &[&str]) -> bool {
    metric.key().values.iter().map(|v| &**v).eq(values.iter().copied())
}
