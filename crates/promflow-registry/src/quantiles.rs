//! Quantiles of what was observed lately, in cells.
//!
//! Observations are counted in exponential buckets, sixteen to each power of two, so that a quantile is at most 2.2 %
//! off. Time is cut into slices of a fifth of the age that observations may have; each slice has counts of its own, and
//! the oldest one is cleared for the next. So everything is an atomic addition, in whichever process, and the quantiles
//! of processes that share an arena are those of all together. The buckets of eight powers of two come at once, when
//! one of them is first needed: that is the only memory an observation may ask for, and there are at most twenty such
//! pieces of 5 KiB.
//!
//! The rejected models: samples or centroids (CKMS, t-digest) need a lock and a buffer, and those of several processes
//! cannot be added up.
//!
//! Source: DDSketch (VLDB 2019) for the value that stands for a bucket.

use std::sync::Arc;

use crate::exemplar;
use crate::memory::{Block, LINE_WORDS};
use crate::native::index_of;
use crate::series::Series;
use crate::sync::{AtomicU64, Ordering};

/// Slices of time that are remembered.
const SLICES: u64 = 5;
/// Sixteen buckets to a power of two.
const SCHEMA: i8 = 4;
const PER_OCTAVE: i32 = 1 << SCHEMA;
/// Buckets of a piece of memory: eight powers of two.
const CHUNK_BUCKETS: usize = 8 * PER_OCTAVE as usize;
const CHUNK_LINES: usize = SLICES as usize * CHUNK_BUCKETS / LINE_WORDS;
/// Absolute values up to two to this power count as zero.
const EXPONENT_MIN: i32 = -32;
/// Absolute values beyond two to this power are known as infinite.
const EXPONENT_MAX: i32 = 48;
const CHUNKS: usize = ((EXPONENT_MAX - EXPONENT_MIN) * PER_OCTAVE) as usize / CHUNK_BUCKETS;
/// Positive values first, then as many pieces for negative ones.
const FIRST_EXTENSION: usize = exemplar::EXTENSION + 1;

/// Where the words of slices begin in a series' own block, and what they are.
const FIRST_WORD: usize = LINE_WORDS;
const SLICE_WORDS: usize = 4;
/// The slice's number and, in the lowest bit, whether it is being cleared.
const NUMBER: usize = 0;
const ZERO: usize = 1;
const ABOVE: usize = 2;
const BELOW: usize = 3;

/// Lines that the slices take in a series' own block.
pub(crate) const OWN_LINES: usize = (SLICES as usize * SLICE_WORDS).div_ceil(LINE_WORDS);

const MAX_AGE_MS: u64 = 600_000;

/// Which quantiles a summary has, and of how old observations.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct QuantileShape {
    /// Increasing.
    pub(crate) quantiles: Arc<[f64]>,
    pub(crate) max_age_ms: u64,
}

impl Default for QuantileShape {
    fn default() -> Self {
        Self { quantiles: Arc::default(), max_age_ms: MAX_AGE_MS }
    }
}

impl QuantileShape {
    pub(crate) fn is_usable(&self) -> bool {
        self.quantiles.iter().all(|q| (0.0..=1.0).contains(q)) && self.max_age_ms >= SLICES
    }

    /// Returns the number of the slice that a time is in; there is no zero.
    fn slice(&self, now_ms: u64) -> u64 {
        now_ms / (self.max_age_ms / SLICES).max(1) + 1
    }
}

/// Counts an observation, which is no NaN.
///
/// One that is made while its slice is being cleared, which takes about a microsecond in each fifth of the age, may be
/// missing from the quantiles.
pub(crate) fn observe(block: &Block, series: &Series, shape: &QuantileShape, value: f64, now_ms: u64) {
    let slice = shape.slice(now_ms);
    let place = (slice % SLICES) as usize;
    turn(block, series, slice);
    let own = |word| own_word(block, place, word);
    let word = match index(value.abs()) {
        Index::Zero => own(ZERO),
        Index::Beyond if value > 0.0 => own(ABOVE),
        Index::Beyond => own(BELOW),
        Index::Bucket(bucket) => {
            let side = if value > 0.0 { 0 } else { CHUNKS };
            let extension = FIRST_EXTENSION + side + bucket / CHUNK_BUCKETS;
            // A series that gets no memory for buckets still has its count and sum.
            let Some(chunk) = series.extend(extension, CHUNK_LINES) else { return };
            chunk.word(place * CHUNK_BUCKETS + bucket % CHUNK_BUCKETS)
        }
    };
    word.fetch_add(1, Ordering::Relaxed);
}

/// Clears the place of a slice when its time has come.
fn turn(block: &Block, series: &Series, slice: u64) {
    let place = (slice % SLICES) as usize;
    let number = own_word(block, place, NUMBER);
    let seen = number.load(Ordering::Acquire);
    if is_recent(seen >> 1, slice) {
        return;
    }
    if number.compare_exchange(seen, slice << 1 | 1, Ordering::AcqRel, Ordering::Relaxed).is_err() {
        return;
    }
    for word in [ZERO, ABOVE, BELOW] {
        own_word(block, place, word).store(0, Ordering::Relaxed);
    }
    for extension in FIRST_EXTENSION..FIRST_EXTENSION + 2 * CHUNKS {
        if let Some(chunk) = series.extension(extension) {
            for bucket in 0..CHUNK_BUCKETS {
                chunk.word(place * CHUNK_BUCKETS + bucket).store(0, Ordering::Relaxed);
            }
        }
    }
    number.store(slice << 1, Ordering::Release);
}

/// Tells whether a slice belongs to the present: of a clock that was set back, those that are a little ahead do.
fn is_recent(number: u64, now: u64) -> bool {
    number.abs_diff(now) < SLICES
}

/// Returns the quantiles of the observations of late; they are NaN when there are none.
pub(crate) fn read(block: &Block, series: &Series, shape: &QuantileShape, now_ms: u64) -> Vec<(f64, f64)> {
    let now = shape.slice(now_ms);
    let places: Vec<usize> = (0..SLICES as usize)
        .filter(|place| {
            let number = own_word(block, *place, NUMBER).load(Ordering::Acquire);
            number & 1 == 0 && is_recent(number >> 1, now)
        })
        .collect();
    let sum = |word: &dyn Fn(usize) -> u64| places.iter().map(|place| word(*place)).sum::<u64>();
    let own = |kind| sum(&|place| own_word(block, place, kind).load(Ordering::Relaxed));
    let side = |first: usize, sign: f64| {
        (0..CHUNKS * CHUNK_BUCKETS).filter_map(move |bucket| {
            let chunk = series.extension(first + bucket / CHUNK_BUCKETS)?;
            Some((sign * middle(bucket), chunk, bucket % CHUNK_BUCKETS))
        })
    };
    let count = |chunk: &Block, bucket: usize| {
        sum(&|place| chunk.word(place * CHUNK_BUCKETS + bucket).load(Ordering::Relaxed))
    };
    let counted = |(value, chunk, bucket): (f64, &Block, usize)| (value, count(chunk, bucket));

    let mut buckets = vec![(f64::NEG_INFINITY, own(BELOW))];
    buckets.extend(side(FIRST_EXTENSION + CHUNKS, -1.0).map(counted));
    buckets[1..].reverse();
    buckets.push((0.0, own(ZERO)));
    buckets.extend(side(FIRST_EXTENSION, 1.0).map(counted));
    buckets.push((f64::INFINITY, own(ABOVE)));
    let total: u64 = buckets.iter().map(|(_, count)| count).sum();
    shape.quantiles.iter().map(|quantile| (*quantile, value_at(&buckets, total, *quantile))).collect()
}

fn value_at(buckets: &[(f64, u64)], total: u64, quantile: f64) -> f64 {
    let rank = ((quantile * total as f64).ceil() as u64).max(1);
    let mut before = 0;
    let found = buckets.iter().find(|(_, count)| {
        before += count;
        before >= rank
    });
    found.map_or(f64::NAN, |(value, _)| *value)
}

enum Index {
    Zero,
    Bucket(usize),
    Beyond,
}

/// Finds the bucket of an absolute value.
fn index(value: f64) -> Index {
    let bucket = if value == 0.0 { i32::MIN } else { index_of(value, SCHEMA) };
    if bucket <= EXPONENT_MIN * PER_OCTAVE {
        Index::Zero
    } else if bucket > EXPONENT_MAX * PER_OCTAVE {
        Index::Beyond
    } else {
        Index::Bucket((bucket - EXPONENT_MIN * PER_OCTAVE - 1) as usize)
    }
}

/// Returns the value that is off by the same part of itself from either bound of a bucket.
fn middle(bucket: usize) -> f64 {
    let bound = |bucket: i32| 2f64.powf(f64::from(bucket) / f64::from(PER_OCTAVE));
    let growth = bound(1);
    2.0 * bound(bucket as i32 + 1 + EXPONENT_MIN * PER_OCTAVE) / (growth + 1.0)
}

fn own_word(block: &Block, place: usize, word: usize) -> &AtomicU64 {
    block.word(FIRST_WORD + place * SLICE_WORDS + word)
}

#[cfg(test)]
mod tests;
