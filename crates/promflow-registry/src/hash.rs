//! The hash of label values.
//!
//! As foldhash's, by multiplying and folding with a secret that differs from run to run, but inlined for the few short
//! texts that label values are, with the values hashed beside each other rather than one after the other, and without a
//! branch for each length: that is a third of the time of a lookup. Equal hashes cost a comparison, nothing else.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;

use crate::words::{MIDDLE, SHORT, WORD, cover, pairs};

/// Secrets of a table.
pub(crate) struct Seeds([u64; 2]);

impl Seeds {
    pub(crate) fn new() -> Self {
        let state = RandomState::default();
        Self([0u8, 1].map(|i| {
            let mut hasher = state.build_hasher();
            hasher.write_u8(i);
            // A zero would fold everything to zero.
            hasher.finish() | 1
        }))
    }

    #[inline]
    pub(crate) fn hash(&self, values: &[&str]) -> u64 {
        let Self([first, second]) = *self;
        let mut sum = first;
        for value in values {
            sum = sum.rotate_left(25) ^ hash_one(value.as_bytes(), first, second);
        }
        fold(sum, second)
    }
}

#[inline]
fn hash_one(bytes: &[u8], first: u64, second: u64) -> u64 {
    let seed = first ^ (bytes.len() as u64) << 56;
    if MIDDLE.contains(&bytes.len()) {
        let [a, b, c, d] = cover::<WORD>(bytes).map(u64::from_le_bytes);
        fold(a ^ seed, b ^ second).rotate_left(17) ^ fold(c ^ second, d ^ seed)
    } else if SHORT.contains(&bytes.len()) {
        fold(pairs(bytes) ^ seed, second)
    } else if bytes.len() > *MIDDLE.end() {
        hash_long(bytes, seed, second)
    } else {
        fold(bytes.first().map_or(0, |byte| u64::from(*byte)) ^ seed, second)
    }
}

#[inline]
fn hash_long(bytes: &[u8], seed: u64, second: u64) -> u64 {
    let word = |pair: &[u8; 2 * WORD], at: usize| {
        let mut word = [0; WORD];
        word.copy_from_slice(&pair[at..at + WORD]);
        u64::from_le_bytes(word)
    };
    let mut sum = seed;
    let (pairs, _) = bytes.as_chunks::<{ 2 * WORD }>();
    for pair in pairs {
        sum = fold(sum ^ word(pair, 0), second ^ word(pair, WORD));
    }
    // The last pair overlaps the one before it.
    let last = bytes.last_chunk().expect("BUG: a long text is shorter than two words");
    fold(sum ^ word(last, 0), second ^ word(last, WORD))
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_anywhere_and_the_borders_of_values_change_the_hash() {
        let seeds = Seeds::new();
        for len in 1..70 {
            let text = "x".repeat(len);
            let hash = seeds.hash(&[&text]);
            for i in 0..len {
                let mut other = text.clone();
                other.replace_range(i..=i, "y");
                assert_ne!(seeds.hash(&[&other]), hash, "byte {i} of {len}");
            }
        }
        assert_ne!(seeds.hash(&["ab", "c"]), seeds.hash(&["a", "bc"]));
        assert_ne!(seeds.hash(&["a", ""]), seeds.hash(&["", "a"]));
    }

    #[test]
    fn hashes_of_numbered_labels_spread_over_the_slots() {
        let seeds = Seeds::new();
        let mut slots = vec![0u32; 4096];
        for i in 0..4096 {
            slots[seeds.hash(&["GET", &format!("/users/{i}")]) as usize % 4096] += 1;
        }
        assert!(slots.iter().all(|n| *n < 12), "{:?}", slots.iter().max());
    }
}
