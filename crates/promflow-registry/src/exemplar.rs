//! Exemplars: one for a counter, one for each bucket of a histogram, in cells of their own.
//!
//! A writer that meets another one leaves, so that counting never waits. The lock is the time at which it was taken:
//! one that a killed process left behind is taken over after a second. A reader tells a mixture of two exemplars by
//! its checksum.

use std::time::{SystemTime, UNIX_EPOCH};

use promflow_exposition::{Exemplar, LabelText};

use crate::memory::{Block, LINE_WORDS};
use crate::series::{Series, pack, unpack};
use crate::shared::checksum;
use crate::sync::{Ordering, fence};

/// Which extension of a series holds its exemplars.
pub(crate) const EXTENSION: usize = 0;
/// Lines of one exemplar.
const SLOT_LINES: usize = 4;
const SLOT_WORDS: usize = SLOT_LINES * LINE_WORDS;
const LOCK: usize = 0;
const VALUE: usize = 1;
const TIME: usize = 2;
const LENGTH: usize = 3;
const CHECKSUM: usize = 4;
const LABELS: usize = 5;
const LABEL_BYTES_MAX: usize = (SLOT_WORDS - LABELS) * 8;
/// What OpenMetrics allows for names and values together.
const LABEL_CHARS_MAX: usize = 128;
const LOCK_TIMEOUT_MS: u64 = 1000;

/// Keeps an exemplar in the slot of a bucket; `false` when it was not kept.
pub(crate) fn keep(series: &Series, slot: usize, slots: usize, value: f64, labels: &[(&str, &str)]) -> bool {
    let texts: Vec<&str> = labels.iter().flat_map(|(name, value)| [*name, *value]).collect();
    let packed = pack(&texts);
    let chars: usize = texts.iter().map(|text| text.chars().count()).sum();
    if chars > LABEL_CHARS_MAX || packed.len() > LABEL_BYTES_MAX {
        return false;
    }
    let Some(block) = series.extend(EXTENSION, slots * SLOT_LINES) else { return false };
    let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) else { return false };
    let now_ms = now.as_millis() as u64;
    let word = |i| block.word(slot * SLOT_WORDS + i);
    let lock = word(LOCK);
    let seen = lock.load(Ordering::Relaxed);
    let held = seen & 1 == 1 && now_ms.saturating_sub(seen >> 1) < LOCK_TIMEOUT_MS;
    let locked = now_ms << 1 | 1;
    if held || lock.compare_exchange(seen, locked, Ordering::Acquire, Ordering::Relaxed).is_err() {
        return false;
    }
    fence(Ordering::Release);
    let words = [value.to_bits(), now.as_secs_f64().to_bits(), packed.len() as u64];
    word(VALUE).store(words[0], Ordering::Relaxed);
    word(TIME).store(words[1], Ordering::Relaxed);
    word(LENGTH).store(words[2], Ordering::Relaxed);
    word(CHECKSUM).store(checksum(&words, &packed), Ordering::Relaxed);
    for (i, bytes) in packed.chunks(8).enumerate() {
        let mut padded = [0; 8];
        padded[..bytes.len()].copy_from_slice(bytes);
        word(LABELS + i).store(u64::from_ne_bytes(padded), Ordering::Relaxed);
    }
    lock.store(now_ms << 1, Ordering::Release);
    true
}

/// Reads the exemplar of a bucket, unless it is being written.
pub(crate) fn read(series: &Series, slot: usize) -> Option<Exemplar> {
    series.extension(EXTENSION).and_then(|block| read_slot(block, slot))
}

fn read_slot(block: &Block, slot: usize) -> Option<Exemplar> {
    if (slot + 1) * SLOT_WORDS > block.len() {
        return None;
    }
    let load = |i, ordering| block.word(slot * SLOT_WORDS + i).load(ordering);
    let lock = load(LOCK, Ordering::Acquire);
    if lock == 0 || lock & 1 == 1 {
        return None;
    }
    let words = [VALUE, TIME, LENGTH].map(|i| load(i, Ordering::Relaxed));
    let sum = load(CHECKSUM, Ordering::Relaxed);
    let length = (words[2] as usize).min(LABEL_BYTES_MAX);
    let bytes = (0..length.div_ceil(8)).flat_map(|i| load(LABELS + i, Ordering::Relaxed).to_ne_bytes());
    let packed: Vec<u8> = bytes.take(length).collect();
    fence(Ordering::Acquire);
    if load(LOCK, Ordering::Relaxed) != lock || checksum(&words, &packed) != sum {
        return None;
    }
    let texts = unpack(&packed)?;
    let labels = LabelText::new(texts.chunks_exact(2).map(|pair| (pair[0], pair[1])));
    Some(Exemplar { labels, value: f64::from_bits(words[0]), t_seconds: Some(f64::from_bits(words[1])) })
}
