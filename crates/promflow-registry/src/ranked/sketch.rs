//! How much the accounts have counted that are not shown, more or less.
//!
//! A count-min sketch: an account adds to one word of each row, and the least of its words is what it has counted, and
//! perhaps more, as others add to the same words. It is never less.

use crate::cells::add_f64;
use crate::memory::{Block, LINE_WORDS};
use crate::sync::{AtomicU64, Ordering};

const ROWS: usize = 3;
/// A row has so many words for each account that is shown.
const WIDTH_FACTOR: usize = 32;
const WIDTH_MIN: usize = 256;
const WIDTH_MAX: usize = 8192;
/// Odd numbers without a pattern, one for each row.
const MULTIPLIERS: [u64; ROWS] = [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f, 0x1656_67b1_9e37_79f9];

pub(super) struct Sketch<'a> {
    block: &'a Block,
    first_word: usize,
    width: usize,
}

fn width(shown: usize) -> usize {
    (WIDTH_FACTOR * shown).next_power_of_two().clamp(WIDTH_MIN, WIDTH_MAX)
}

impl<'a> Sketch<'a> {
    pub(super) fn lines(shown: usize) -> usize {
        ROWS * width(shown) / LINE_WORDS
    }

    pub(super) fn new(block: &'a Block, first_line: usize, shown: usize) -> Self {
        Self { block, first_word: first_line * LINE_WORDS, width: width(shown) }
    }

    /// Adds what an account counted; returns all that it counted, at most.
    pub(super) fn add(&self, hash: u64, amount: f64) -> f64 {
        let mut estimate = f64::INFINITY;
        for word in self.words(hash) {
            add_f64(word, amount);
            estimate = estimate.min(f64::from_bits(word.load(Ordering::Relaxed)));
        }
        estimate
    }

    fn words(&self, hash: u64) -> impl Iterator<Item = &AtomicU64> {
        let bits = self.width.ilog2();
        MULTIPLIERS.iter().enumerate().map(move |(row, multiplier)| {
            let place = hash.wrapping_mul(*multiplier) >> (u64::BITS - bits);
            self.block.word(self.first_word + row * self.width + place as usize)
        })
    }
}
