//! Where the cells of a registry stand.

use std::sync::{Arc, Mutex, PoisonError};

use crate::memory::{Block, Memory};
use crate::shared::Shared;

/// Lines of the first piece of heap memory; each further piece is twice as long.
const HEAP_LINES_MIN: usize = 64;
/// Lines of a piece of heap memory at most: a megabyte.
const HEAP_LINES_MAX: usize = 1 << 14;

/// Memory that is handed out and never taken back while a handle points at it.
pub(crate) enum Arena {
    /// Private to the process.
    Heap(Mutex<Heap>),
    /// A file that processes share.
    Shared(Arc<Shared>),
}

/// Pieces of memory, the last of which is being handed out.
pub(crate) struct Heap {
    memory: Arc<Memory>,
    used: usize,
}

impl Arena {
    /// Makes an arena on the heap.
    pub(crate) fn heap() -> Self {
        Self::Heap(Mutex::new(Heap { memory: Arc::new(Memory::heap(0)), used: 0 }))
    }

    /// Returns the shared file, when there is one.
    pub(crate) fn shared(&self) -> Option<&Arc<Shared>> {
        match self {
            Self::Heap(_) => None,
            Self::Shared(shared) => Some(shared),
        }
    }
}

impl Heap {
    fn take(&mut self, lines: usize) -> Block {
        if let Some(block) = Block::new(&self.memory, self.used, lines) {
            self.used += lines;
            return block;
        }
        let next = (2 * self.memory.lines()).clamp(HEAP_LINES_MIN, HEAP_LINES_MAX).max(lines);
        self.memory = Arc::new(Memory::heap(next));
        self.used = lines;
        Block::new(&self.memory, 0, lines).expect("BUG: new memory is too short for its first block")
    }
}

/// Takes zeroed lines from the heap.
pub(crate) fn take(heap: &Mutex<Heap>, lines: usize) -> Block {
    heap.lock().unwrap_or_else(PoisonError::into_inner).take(lines.max(1))
}
