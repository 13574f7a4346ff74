//! Memory of cells: lines of eight atomic words, on the heap or in a file that processes share.
//!
//! This is the one module with `unsafe`. Its argument: a [`Block`] points into a [`Memory`] that it keeps alive, and
//! that never moves, shrinks or is reached through `&mut`; its bounds are checked when it is made; and all that is
//! ever read or written there are atomics, which are valid for every bit pattern, so that other threads and processes
//! may write at any time. A mapping reaches beyond the end of its file: the file grows into it, and blocks are made
//! only below the length up to which the file was filled.
#![expect(unsafe_code, reason = "handles point straight at their cells, and the mapping is seen as atomics")]

use std::fs::File;
use std::io;
use std::ptr::NonNull;
use std::sync::Arc;

use memmap2::{MmapOptions, MmapRaw};

use crate::sync::AtomicU64;

/// Words in a line.
pub(crate) const LINE_WORDS: usize = 8;
/// Bytes in a line: as many as in a cache line, so that no two series share one.
pub(crate) const LINE_BYTES: usize = LINE_WORDS * size_of::<u64>();

/// The unit of allocation.
#[repr(C, align(64))]
pub(crate) struct Line([AtomicU64; LINE_WORDS]);

/// A piece of memory that holds cells.
pub(crate) enum Memory {
    /// Private to the process.
    Heap(Box<[Line]>),
    /// Shared with all who map the file.
    #[cfg(not(shuttle))]
    Map {
        /// The mapping.
        map: MmapRaw,
        /// How many lines it may come to hold.
        lines: usize,
    },
}

impl Memory {
    /// Makes zeroed memory on the heap.
    pub(crate) fn heap(lines: usize) -> Self {
        Self::Heap((0..lines).map(|_| Line(std::array::from_fn(|_| AtomicU64::new(0)))).collect())
    }

    /// Maps a file, which may still be shorter than `lines`.
    #[cfg(not(shuttle))]
    pub(crate) fn map(file: &File, lines: usize) -> io::Result<Self> {
        let map = MmapOptions::new().len(lines * LINE_BYTES).map_raw(file)?;
        if map.as_ptr().addr() % align_of::<Line>() != 0 {
            return Err(io::Error::other("the mapping is not aligned"));
        }
        Ok(Self::Map { map, lines })
    }

    /// Schedules are checked on the heap alone.
    #[cfg(shuttle)]
    pub(crate) fn map(_: &File, _: usize) -> io::Result<Self> {
        let _: Option<(MmapOptions, MmapRaw)> = None;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Counts the lines; in a mapping only those below the file's length may be touched.
    pub(crate) fn lines(&self) -> usize {
        match self {
            Self::Heap(lines) => lines.len(),
            #[cfg(not(shuttle))]
            Self::Map { lines, .. } => *lines,
        }
    }

    fn start(&self) -> *const Line {
        match self {
            Self::Heap(lines) => lines.as_ptr(),
            #[cfg(not(shuttle))]
            Self::Map { map, .. } => map.as_ptr().cast(),
        }
    }
}

/// Some lines of a memory.
pub struct Block {
    first: NonNull<Line>,
    lines: usize,
    memory: Arc<Memory>,
}

// SAFETY: a block is a shared reference to atomics with an `Arc` to what they stand in.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

impl Clone for Block {
    fn clone(&self) -> Self {
        Self { first: self.first, lines: self.lines, memory: self.memory.clone() }
    }
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Block").field("lines", &self.lines).finish_non_exhaustive()
    }
}

impl Block {
    /// Takes lines of a memory, or nothing when they are not all inside it.
    pub(crate) fn new(memory: &Arc<Memory>, at: usize, lines: usize) -> Option<Self> {
        if lines == 0 || at.checked_add(lines)? > memory.lines() {
            return None;
        }
        // SAFETY: `at` is inside the allocation, as was checked, and so the result is in bounds and not null.
        let first = unsafe { NonNull::new_unchecked(memory.start().add(at).cast_mut()) };
        Some(Self { first, lines, memory: memory.clone() })
    }

    /// Returns the words of the first line.
    ///
    /// Cost: nothing; there is no bound to check.
    #[inline]
    pub(crate) fn head(&self) -> &[AtomicU64; LINE_WORDS] {
        // SAFETY: the line is inside the memory that `self` keeps alive, and is aligned as every line is.
        unsafe { &self.first.as_ref().0 }
    }

    /// Returns the words of a line.
    ///
    /// Panics: when it is beyond the block.
    #[inline]
    pub(crate) fn line(&self, i: usize) -> &[AtomicU64; LINE_WORDS] {
        &self.lines()[i].0
    }

    /// Returns a word, counted from the first of the block.
    ///
    /// Panics: when it is beyond the block.
    #[inline]
    pub(crate) fn word(&self, i: usize) -> &AtomicU64 {
        &self.lines()[i / LINE_WORDS].0[i % LINE_WORDS]
    }

    /// Counts the words.
    pub(crate) fn len(&self) -> usize {
        self.lines * LINE_WORDS
    }

    #[inline]
    fn lines(&self) -> &[Line] {
        // SAFETY: all lines were checked to be inside the memory that `self` keeps alive.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.lines) }
    }

    /// Returns a part, in lines.
    pub(crate) fn part(&self, at: usize, lines: usize) -> Option<Self> {
        if lines == 0 || at.checked_add(lines)? > self.lines {
            return None;
        }
        // SAFETY: `at` is below the number of this block's lines, as was checked.
        let first = unsafe { self.first.add(at) };
        Some(Self { first, lines, memory: self.memory.clone() })
    }
}
