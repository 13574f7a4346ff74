//! Cells for metrics whose types, labels and pages are made elsewhere, such as those of the Python package.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::memory::{Block, LINE_WORDS, Memory};
use crate::shared::{ArenaError, Record, Shared, SharedOptions, Sink};
use crate::sync::{AtomicU64, Ordering};

/// Lines of a piece of private memory: small, as each registry of a program's tests may have one.
const PRIVATE_LINES: usize = 64;

/// Some words that are read and written by several threads, and perhaps processes, at once.
#[derive(Clone, Debug)]
pub struct Cells(Block);

impl Cells {
    /// Returns the first eight words.
    ///
    /// Cost: nothing; there is no bound to check.
    #[inline]
    pub fn head(&self) -> &[AtomicU64; LINE_WORDS] {
        self.0.head()
    }

    /// Returns a word.
    ///
    /// Panics: when it is beyond the cells.
    #[inline]
    pub fn word(&self, i: usize) -> &AtomicU64 {
        self.0.word(i)
    }

    /// Counts the words: a multiple of eight.
    pub fn words(&self) -> usize {
        self.0.len()
    }
}

/// Adds to a float that is kept as its bits.
#[inline]
pub fn add_f64(bits: &AtomicU64, amount: f64) {
    let mut seen = bits.load(Ordering::Relaxed);
    loop {
        let sum = (f64::from_bits(seen) + amount).to_bits();
        match bits.compare_exchange_weak(seen, sum, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return,
            Err(changed) => seen = changed,
        }
    }
}

/// Cells that one process has for itself.
#[derive(Debug, Default)]
pub struct PrivateCells(Mutex<Option<(Block, usize)>>);

impl PrivateCells {
    /// Makes memory that is empty yet.
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Takes zeroed words; their memory is freed with the last cells of its piece.
    pub fn take(&self, words: usize) -> Cells {
        let lines = words.div_ceil(LINE_WORDS).max(1);
        let mut piece = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((block, used)) = piece.as_mut()
            && let Some(part) = block.part(*used, lines)
        {
            *used += lines;
            return Cells(part);
        }
        let memory = Arc::new(Memory::heap(lines.max(PRIVATE_LINES)));
        let block = Block::new(&memory, 0, memory.lines()).expect("BUG: memory is shorter than itself");
        let part = block.part(0, lines).expect("BUG: new memory is too short for its first cells");
        *piece = Some((block, lines));
        Cells(part)
    }
}

/// Who hears of what is in a shared arena.
pub trait CellSink: Send + Sync {
    /// Takes a family, by its number and what describes it; perhaps more than once.
    fn family(&self, number: u32, description: &[u8]);

    /// Takes cells of a family, by their key; perhaps more than once.
    fn cells(&self, family: u32, key: &[u8], cells: Cells);
}

/// An arena that processes share, in which families and keys are bytes that only its user understands.
///
/// A file may hold such families next to those of a [`crate::Registry`]; each side leaves the other's alone.
pub struct CellArena {
    shared: Shared,
    sink: Arc<Adapter>,
}

struct Adapter(Arc<dyn CellSink>);

impl Sink for Adapter {
    fn adopt(&self, record: Record) {
        match record {
            Record::Foreign { at, description } => self.0.family(at, &description),
            Record::Series { family, packed, block } => self.0.cells(family, &packed, Cells(block)),
            Record::Family { .. } | Record::Extension { .. } => {}
        }
    }
}

impl fmt::Debug for CellArena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CellArena").field("path", &self.shared.path()).finish_non_exhaustive()
    }
}

impl CellArena {
    /// Opens the file, and makes it when there is none; the sink hears of what is in it by [`CellArena::replay`].
    ///
    /// Errors: it cannot be opened, locked, filled or mapped, or is none of this library's.
    pub fn open(path: &Path, options: &SharedOptions, sink: Arc<dyn CellSink>) -> Result<Self, ArenaError> {
        let arena = Self { shared: Shared::open(path, options)?, sink: Arc::new(Adapter(sink)) };
        let sink: Weak<Adapter> = Arc::downgrade(&arena.sink);
        arena.shared.set_sink(sink);
        Ok(arena)
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        self.shared.path()
    }

    /// Tells the sink of what was added since the last time.
    ///
    /// Errors: the file is damaged; what stands before the damage was told.
    /// Cost: one load when there is nothing.
    pub fn replay(&self) -> Result<(), ArenaError> {
        self.shared.replay()
    }

    /// Adds a family, unless it exists by the time that no other process adds anything. The sink hears of it.
    ///
    /// Errors: the file is full or cannot be written or locked.
    pub fn add_family(&self, description: &[u8], exists: impl Fn() -> bool) -> Result<(), ArenaError> {
        self.shared.create_foreign(description, exists)
    }

    /// Adds zeroed cells, the first word of which is `first`, unless they exist by the time that no other process adds
    /// anything. The sink hears of them.
    ///
    /// Errors: the file is full or cannot be written or locked.
    pub fn add_cells(
        &self,
        family: u32,
        key: &[u8],
        words: usize,
        first: u64,
        exists: impl Fn() -> bool,
    ) -> Result<(), ArenaError> {
        self.shared.create_series(family, key, words.div_ceil(LINE_WORDS).max(1), first, exists)
    }

    /// Runs a function while no other thread or process adds anything.
    ///
    /// Errors: the file cannot be locked.
    pub fn exclusively<T>(&self, run: impl FnOnce() -> T) -> Result<T, ArenaError> {
        self.shared.exclusively(run)
    }

    /// Counts what was removed or brought back, by all processes.
    ///
    /// Cost: one load.
    #[inline]
    pub fn removals(&self) -> u64 {
        self.shared.removals()
    }

    /// Tells all processes that cells were removed or brought back.
    pub fn note_removal(&self) {
        self.shared.note_removal();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<(String, Option<Cells>)>>);

    impl CellSink for Heard {
        fn family(&self, number: u32, description: &[u8]) {
            let text = format!("{number}={}", String::from_utf8_lossy(description));
            self.0.lock().expect("unpoisoned").push((text, None));
        }

        fn cells(&self, family: u32, key: &[u8], cells: Cells) {
            let text = format!("{family}/{}", String::from_utf8_lossy(key));
            self.0.lock().expect("unpoisoned").push((text, Some(cells)));
        }
    }

    #[test]
    fn a_second_arena_on_the_file_hears_of_the_same_cells() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("arena");
        let (one, two) = (Arc::new(Heard::default()), Arc::new(Heard::default()));
        let first = CellArena::open(&path, &SharedOptions::default(), one.clone()).expect("an arena");
        first.add_family(b"f", || false).expect("room");
        let number: u32 = {
            let heard = one.0.lock().expect("unpoisoned");
            heard[0].0.split('=').next().and_then(|n| n.parse().ok()).expect("a number")
        };
        first.add_cells(number, b"k", 9, 7, || false).expect("room");
        let second = CellArena::open(&path, &SharedOptions::default(), two.clone()).expect("the arena");
        second.replay().expect("sound records");
        let (one, two) = (one.0.lock().expect("unpoisoned"), two.0.lock().expect("unpoisoned"));
        let names = |heard: &[(String, Option<Cells>)]| {
            heard.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(&one), names(&two));
        let (ours, theirs) = (one[1].1.as_ref().expect("cells"), two[1].1.as_ref().expect("cells"));
        assert_eq!((ours.words(), ours.head()[0].load(Ordering::Relaxed)), (16, 7));
        ours.word(8).store(5, Ordering::Relaxed);
        assert_eq!(theirs.word(8).load(Ordering::Relaxed), 5);
    }

    #[test]
    fn private_cells_do_not_overlap() {
        let arena = PrivateCells::default();
        let all: Vec<Cells> = (1..200).map(|i| arena.take(i)).collect();
        for (i, cells) in all.iter().enumerate() {
            assert!(cells.words() > i);
            (0..cells.words()).for_each(|w| assert_eq!(cells.word(w).swap(1, Ordering::Relaxed), 0));
        }
    }
}
