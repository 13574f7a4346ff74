//! Texts in cells: exemplars, and the facts of an info metric.
//!
//! The first word is the lock: the time at which it was taken, so that one that a killed process left behind is taken
//! over. A reader tells a mixture of two texts by its checksum.

use std::sync::atomic::{Ordering, fence};
use std::thread::yield_now;
use std::time::{SystemTime, UNIX_EPOCH};

use promflow_registry::Cells;

const LOCK: usize = 0;
const VALUE: usize = 1;
const TIME: usize = 2;
const LENGTH: usize = 3;
const CHECKSUM: usize = 4;
const BYTES: usize = 5;
const LOCK_TIMEOUT_MS: u64 = 200;
/// How often a reader tries again while somebody writes.
const READS_MAX: usize = 64;

/// A text with a value and a time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Text {
    pub(crate) packed: Vec<u8>,
    pub(crate) value: f64,
    pub(crate) t_seconds: f64,
}

/// Counts the words that a text takes.
pub(crate) fn words(packed: &[u8]) -> usize {
    BYTES + packed.len().div_ceil(8)
}

/// Writes a text, for which there is room.
pub(crate) fn write(cells: &Cells, text: &Text) {
    let lock = &cells.head()[LOCK];
    let begun = now_ms();
    loop {
        let seen = lock.load(Ordering::Relaxed);
        let now = now_ms();
        let held = seen & 1 == 1 && now.saturating_sub(begun) < LOCK_TIMEOUT_MS;
        // One millisecond more than the last text, so that no two have the same lock.
        let mine = now.max((seen >> 1) + 1);
        if !held && lock.compare_exchange(seen, mine << 1 | 1, Ordering::Acquire, Ordering::Relaxed).is_ok() {
            fill(cells, text);
            lock.store(mine << 1, Ordering::Release);
            return;
        }
        yield_now();
    }
}

fn fill(cells: &Cells, text: &Text) {
    fence(Ordering::Release);
    let words = [text.value.to_bits(), text.t_seconds.to_bits(), text.packed.len() as u64];
    for (i, word) in [VALUE, TIME, LENGTH].into_iter().zip(words) {
        cells.word(i).store(word, Ordering::Relaxed);
    }
    cells.word(CHECKSUM).store(checksum(&words, &text.packed), Ordering::Relaxed);
    for (i, bytes) in text.packed.chunks(8).enumerate() {
        let mut padded = [0; 8];
        padded[..bytes.len()].copy_from_slice(bytes);
        cells.word(BYTES + i).store(u64::from_ne_bytes(padded), Ordering::Relaxed);
    }
}

/// Reads the text; nothing when there is none, or when it is being written all the time.
pub(crate) fn read(cells: &Cells) -> Option<Text> {
    if cells.head()[LOCK].load(Ordering::Relaxed) == 0 {
        return None;
    }
    (0..READS_MAX).find_map(|_| {
        read_once(cells).or_else(|| {
            yield_now();
            None
        })
    })
}

fn read_once(cells: &Cells) -> Option<Text> {
    let load = |i| cells.word(i).load(Ordering::Relaxed);
    let lock = cells.head()[LOCK].load(Ordering::Acquire);
    let words = [VALUE, TIME, LENGTH].map(load);
    let sum = load(CHECKSUM);
    let length = (words[2] as usize).min((cells.words() - BYTES) * 8);
    let bytes = (0..length.div_ceil(8)).flat_map(|i| load(BYTES + i).to_ne_bytes());
    let packed: Vec<u8> = bytes.take(length).collect();
    fence(Ordering::Acquire);
    let whole = lock & 1 == 0
        && cells.head()[LOCK].load(Ordering::Relaxed) == lock
        && checksum(&words, &packed) == sum;
    whole.then(|| Text { packed, value: f64::from_bits(words[0]), t_seconds: f64::from_bits(words[1]) })
}

/// Takes the text away.
pub(crate) fn clear(cells: &Cells) {
    cells.head()[LOCK].store(0, Ordering::Release);
}

/// FNV-1a, in words and then in bytes.
fn checksum(words: &[u64], bytes: &[u8]) -> u64 {
    let values = words.iter().copied().chain(bytes.iter().map(|b| u64::from(*b)));
    values.fold(0xcbf2_9ce4_8422_2325, |sum, value| (sum ^ value).wrapping_mul(0x0000_0100_0000_01b3))
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as u64)
}
