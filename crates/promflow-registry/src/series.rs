//! What a series is, next to its cell.

use std::sync::Arc;

use promflow_exposition::LabelText;

use crate::arena::{Arena, take};
use crate::desc::Shape;
use crate::memory::Block;
use crate::sync::{OnceLock, Ordering};
use crate::words::is_equal;

/// Stands behind each label value of a packed key; no text holds this byte.
const SEPARATOR: u8 = 0xff;

/// The word of every block that says since when the series has been there: seconds since the epoch, as a float's bits;
/// zero before its birth and after its removal, negative once it expired.
pub(crate) const BORN: usize = 0;

/// Extensions that a series may have.
pub(crate) const EXTENSIONS_MAX: usize = 24;

/// The names, labels and further memory of one series.
#[derive(Debug)]
pub struct Series {
    pub(crate) labels: LabelText,
    pub(crate) packed: Box<[u8]>,
    pub(crate) shape: Arc<Shape>,
    pub(crate) home: Home,
    extensions: OnceLock<Box<[OnceLock<Block>; EXTENSIONS_MAX]>>,
}

/// Where a series' memory comes from.
#[derive(Clone)]
pub(crate) struct Home {
    pub(crate) arena: Arc<Arena>,
    /// The line of the family's record in a shared arena.
    pub(crate) family: u32,
    /// In a shared arena, where all processes count the series that were removed and brought back.
    pub(crate) removals: Option<Block>,
}

impl std::fmt::Debug for Home {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Home").field("family", &self.family).finish_non_exhaustive()
    }
}

impl Series {
    pub(crate) fn new(names: &[String], values: &[&str], shape: Arc<Shape>, home: Home) -> Self {
        let labels = LabelText::new(names.iter().map(String::as_str).zip(values.iter().copied()));
        Self { labels, packed: pack(values), shape, home, extensions: OnceLock::new() }
    }

    /// Returns a piece of further memory if it was made.
    pub(crate) fn extension(&self, index: usize) -> Option<&Block> {
        self.extensions.get()?.get(index)?.get()
    }

    /// Returns a piece of further memory, and makes it when it is missing; nothing when the arena is full.
    pub(crate) fn extend(&self, index: usize, lines: usize) -> Option<&Block> {
        if let Some(block) = self.extension(index) {
            return Some(block);
        }
        match &*self.home.arena {
            Arena::Heap(heap) => self.attach(index, take(heap, lines)),
            Arena::Shared(shared) => {
                shared.create_extension(self, index, lines).ok()?;
                self.extension(index)
            }
        }
    }

    /// Adds a piece of memory; the one returned may be that of a thread that was faster.
    pub(crate) fn attach(&self, index: usize, block: Block) -> Option<&Block> {
        let cells = self.extensions.get_or_init(|| Box::new(std::array::from_fn(|_| OnceLock::new())));
        let cell = cells.get(index)?;
        let _ = cell.set(block);
        cell.get()
    }

    /// Sets everything that was counted outside the series' own block to zero.
    pub(crate) fn clear_extensions(&self) {
        for index in 0..EXTENSIONS_MAX {
            if let Some(block) = self.extension(index) {
                for i in 0..block.len() {
                    block.word(i).store(0, Ordering::Relaxed);
                }
            }
        }
    }
}

/// Joins label values to a key.
pub(crate) fn pack(values: &[&str]) -> Box<[u8]> {
    let mut packed = Vec::with_capacity(values.iter().map(|v| v.len() + 1).sum());
    for value in values {
        packed.extend_from_slice(value.as_bytes());
        packed.push(SEPARATOR);
    }
    packed.into()
}

/// Takes a key apart; nothing when it is none.
pub(crate) fn unpack(packed: &[u8]) -> Option<Vec<&str>> {
    let Some((&SEPARATOR, packed)) = packed.split_last() else {
        return packed.is_empty().then(Vec::new);
    };
    packed.split(|b| *b == SEPARATOR).map(|v| std::str::from_utf8(v).ok()).collect()
}

/// Tells whether a key is that of these values.
#[inline]
pub(crate) fn is_packed(mut packed: &[u8], values: &[&str]) -> bool {
    for value in values {
        let Some((head, rest)) = packed.split_at_checked(value.len()) else { return false };
        let Some((&SEPARATOR, rest)) = rest.split_first() else { return false };
        if !is_equal(head, value.as_bytes()) {
            return false;
        }
        packed = rest;
    }
    packed.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_anywhere_and_the_borders_of_values_make_another_key() {
        for length in 0..70 {
            let text = "x".repeat(length);
            let packed = pack(&["a", &text]);
            assert!(is_packed(&packed, &["a", &text]), "{length}");
            assert!(!is_packed(&packed, &["a", &[&text, "x"].concat()]));
            assert!(!is_packed(&packed, &["a"]) && !is_packed(&packed, &["a", &text, ""]));
            assert_eq!(is_packed(&packed, &[&["a", &text].concat(), ""]), length == 0);
            for i in 0..length {
                let mut other = text.clone();
                other.replace_range(i..=i, "y");
                assert!(!is_packed(&packed, &["a", &other]), "byte {i} of {length}");
            }
        }
    }
}
