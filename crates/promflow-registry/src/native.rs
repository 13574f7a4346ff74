//! Native histograms: exponential buckets that appear as they are needed.
//!
//! A generation is a table of buckets at one resolution, open-addressed: a bucket is a key that is written once and a
//! count. When a table has as many buckets as the histogram may have, the next generation begins at half the
//! resolution, and observations go there; what is in the older ones stays and is brought to the new resolution by
//! whoever reads, which loses nothing, as two buckets of one resolution are exactly one of the next. So neither
//! observing nor reducing needs a lock or moves a count, and a process may be killed anywhere in between. The rejected
//! model, one table that is rewritten, needs all who observe to stop meanwhile.

use std::collections::BTreeMap;

use promflow_model::histogram::{Histogram, Span};

use crate::exemplar;
use crate::memory::{Block, LINE_WORDS};
use crate::series::{EXTENSIONS_MAX, Series};
use crate::sync::{AtomicU64, Ordering};

/// The finest and the coarsest resolution there is: a bucket's bounds differ by `2^(2^-schema)`.
pub const SCHEMA_MAX: i8 = 8;
/// The coarsest resolution, at which all floats fall into 264 buckets.
pub const SCHEMA_MIN: i8 = -4;
/// The schema of a native histogram whose bounds were chosen by hand.
pub const SCHEMA_CUSTOM: i8 = -53;

/// Words that native buckets take in the series' own block: the zero bucket and the generation.
pub(crate) const OWN_WORDS: usize = 2;
const FIRST_EXTENSION: usize = exemplar::EXTENSION + 1;
/// More slots than there are buckets at the coarsest resolution.
const LAST_SLOTS: usize = 512;
const SLOTS_MIN: usize = 32;
const BUCKETS_MAX: u32 = 2048;

/// The resolution and the limit of native buckets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct NativeShape {
    pub(crate) schema: i8,
    pub(crate) buckets_max: u32,
    pub(crate) zero_threshold: f64,
}

impl Default for NativeShape {
    fn default() -> Self {
        let Native { factor, buckets_max, zero_threshold } = Native::default();
        Self { schema: schema_of(factor), buckets_max, zero_threshold }
    }
}

/// How a native histogram counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Native {
    /// By how much one bound differs from the next at most: the finest resolution that is no finer is used.
    pub factor: f64,
    /// How many buckets there may be; beyond that, the resolution is halved.
    pub buckets_max: u32,
    /// Up to which absolute value an observation counts as zero.
    pub zero_threshold: f64,
}

impl Default for Native {
    fn default() -> Self {
        // Prometheus's own choices: 1.1, 160, 2^-128.
        Self { factor: 1.1, buckets_max: 160, zero_threshold: 2f64.powi(-128) }
    }
}

impl Native {
    pub(crate) fn shape(self) -> NativeShape {
        NativeShape {
            schema: schema_of(self.factor),
            buckets_max: self.buckets_max.clamp(1, BUCKETS_MAX),
            zero_threshold: if self.zero_threshold >= 0.0 { self.zero_threshold } else { 0.0 },
        }
    }
}

/// A native histogram at one time; both lists are sorted by index.
#[derive(Clone, Debug, PartialEq)]
pub struct NativeSnapshot {
    /// The resolution, or [`SCHEMA_CUSTOM`].
    pub schema: i8,
    /// The width of the zero bucket.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: u64,
    /// All observations: those of all buckets.
    pub count: u64,
    /// The sum of the observations.
    pub sum: f64,
    /// Buckets of positive observations: index and count, not cumulative.
    pub positive: Vec<(i32, u64)>,
    /// Buckets of negative observations, by the index of the absolute value.
    pub negative: Vec<(i32, u64)>,
    /// The upper bounds, where they were chosen by hand.
    pub custom_bounds: Vec<f64>,
}

impl NativeSnapshot {
    /// Returns the histogram as the formats and the storage know it.
    pub fn to_model(&self) -> Histogram {
        let (positive_spans, positive_buckets) = spans(&self.positive);
        let (negative_spans, negative_buckets) = spans(&self.negative);
        Histogram {
            schema: i32::from(self.schema),
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count,
            count: self.count,
            sum: self.sum,
            positive_spans,
            negative_spans,
            positive_buckets,
            negative_buckets,
            custom_values: self.custom_bounds.clone(),
            ..Histogram::default()
        }
    }
}

/// Puts buckets that follow each other into spans, and counts into differences.
fn spans(buckets: &[(i32, u64)]) -> (Vec<Span>, Vec<i64>) {
    let (mut spans, mut deltas) = (Vec::<Span>::new(), Vec::new());
    let (mut next, mut before) = (0, 0);
    for (index, count) in buckets {
        match spans.last_mut() {
            Some(span) if *index == next => span.length += 1,
            _ => spans.push(Span { offset: index - next, length: 1 }),
        }
        deltas.push(*count as i64 - before);
        (next, before) = (index + 1, *count as i64);
    }
    (spans, deltas)
}

/// Chooses the finest schema whose bounds differ by no more than a factor.
fn schema_of(factor: f64) -> i8 {
    if factor.is_nan() || factor <= 1.0 {
        return SCHEMA_MAX;
    }
    let schema = -(factor.log2().log2()).floor();
    schema.clamp(f64::from(SCHEMA_MIN), f64::from(SCHEMA_MAX)) as i8
}

/// Counts an observation; `first` is the first of the two words in the series' own block.
pub(crate) fn observe(block: &Block, first: usize, series: &Series, value: f64) {
    let Some(shape) = series.shape.native else { return };
    if value.abs() <= shape.zero_threshold {
        block.word(first).fetch_add(1, Ordering::Relaxed);
        return;
    }
    let index = index_of(value.abs(), shape.schema);
    let generation_word = block.word(first + 1);
    loop {
        let generation = generation_word.load(Ordering::Acquire);
        // A series that gets no memory for buckets still has its count and sum.
        let Some(table) = series.extend(FIRST_EXTENSION + generation as usize, lines(&shape, generation))
        else {
            return;
        };
        let key = key_of(coarser(index, generation as u32), value < 0.0);
        let limit = if is_last(&shape, generation) { usize::MAX } else { shape.buckets_max as usize };
        if let Some(count) = find_or_add(table, key, limit) {
            count.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if is_last(&shape, generation) {
            return;
        }
        let next = generation + 1;
        let _ = generation_word.compare_exchange(generation, next, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// Reads the histogram at the resolution of its last generation, or a coarser one if the limit asks for it.
pub(crate) fn snapshot(block: &Block, first: usize, series: &Series, sum: f64) -> NativeSnapshot {
    let shape = series.shape.native.unwrap_or_default();
    let last = block.word(first + 1).load(Ordering::Acquire);
    let mut sides = [BTreeMap::new(), BTreeMap::new()];
    for generation in 0..=last {
        let Some(table) = series.extension(FIRST_EXTENSION + generation as usize) else { continue };
        for slot in 0..table.len() / 2 {
            let key = table.word(2 * slot).load(Ordering::Acquire);
            let count = table.word(2 * slot + 1).load(Ordering::Relaxed);
            if key != 0 && count != 0 {
                let index = coarser(key as u32 as i32, (last - generation) as u32);
                *sides[(key >> 33 & 1) as usize].entry(index).or_insert(0) += count;
            }
        }
    }
    let mut schema = shape.schema - last as i8;
    while sides[0].len() + sides[1].len() > shape.buckets_max as usize && schema > SCHEMA_MIN {
        schema -= 1;
        for side in &mut sides {
            let mut halved = BTreeMap::new();
            for (index, count) in std::mem::take(side) {
                *halved.entry(coarser(index, 1)).or_insert(0) += count;
            }
            *side = halved;
        }
    }
    let zero_count = block.word(first).load(Ordering::Relaxed);
    let count = zero_count + sides.iter().flat_map(BTreeMap::values).sum::<u64>();
    let [positive, negative] = sides.map(|side| side.into_iter().collect());
    let zero_threshold = shape.zero_threshold;
    NativeSnapshot {
        schema,
        zero_threshold,
        zero_count,
        count,
        sum,
        positive,
        negative,
        custom_bounds: Vec::new(),
    }
}

/// Makes a native histogram with custom buckets of a classic one.
pub(crate) fn custom(bounds: &[f64], counts: &[u64], sum: f64) -> NativeSnapshot {
    let positive = counts.iter().enumerate().filter(|(_, c)| **c != 0).map(|(i, c)| (i as i32, *c));
    NativeSnapshot {
        schema: SCHEMA_CUSTOM,
        zero_threshold: 0.0,
        zero_count: 0,
        count: counts.iter().sum(),
        sum,
        positive: positive.collect(),
        negative: Vec::new(),
        custom_bounds: bounds.to_vec(),
    }
}

/// Finds the bucket of a positive value: the least index whose bound `2^(index * 2^-schema)` is not below it.
pub(crate) fn index_of(value: f64, schema: i8) -> i32 {
    if value.is_infinite() {
        return index_of(f64::MAX, schema) + 1;
    }
    let (fraction, exponent) = split(value);
    if schema <= 0 {
        let exponent = if fraction == 0.5 { exponent - 1 } else { exponent };
        return coarser(exponent, u32::from(schema.unsigned_abs()));
    }
    let steps = 1i32 << schema;
    // The estimate may be one off where the logarithm was rounded; the comparison with the bounds is exact.
    let estimate = (fraction.log2() * f64::from(steps)).ceil() as i32;
    let bound = |i: i32| (f64::from(i) / f64::from(steps)).exp2();
    let within = if bound(estimate - 1) >= fraction {
        estimate - 1
    } else if bound(estimate) < fraction {
        estimate + 1
    } else {
        estimate
    };
    within + exponent * steps
}

/// Splits a positive float into a fraction in [0.5, 1) and an exponent of two.
fn split(value: f64) -> (f64, i32) {
    const EXPONENT_BITS: u64 = 0x7ff << 52;
    const SUBNORMAL_SHIFT: i32 = 54;
    let (value, shift) = if value < f64::MIN_POSITIVE {
        (value * 2f64.powi(SUBNORMAL_SHIFT), SUBNORMAL_SHIFT)
    } else {
        (value, 0)
    };
    let bits = value.to_bits();
    let exponent = ((bits & EXPONENT_BITS) >> 52) as i32 - 1022;
    (f64::from_bits(bits & !EXPONENT_BITS | 1022 << 52), exponent - shift)
}

/// Brings the index of a bucket to a resolution that was halved `times`.
fn coarser(index: i32, times: u32) -> i32 {
    ((index - 1) >> times) + 1
}

fn is_last(shape: &NativeShape, generation: u64) -> bool {
    let schema = i64::from(shape.schema) - generation as i64;
    schema <= i64::from(SCHEMA_MIN) || FIRST_EXTENSION + generation as usize == EXTENSIONS_MAX - 1
}

fn lines(shape: &NativeShape, generation: u64) -> usize {
    // Half full at the limit, so that a key is found within a few steps.
    let slots = (2 * shape.buckets_max as usize).next_power_of_two().max(SLOTS_MIN);
    let slots = if is_last(shape, generation) { slots.max(LAST_SLOTS) } else { slots };
    (2 * slots).div_ceil(LINE_WORDS)
}

/// Index, sign, and a bit that tells a key from a free slot.
fn key_of(index: i32, negative: bool) -> u64 {
    1 << 32 | u64::from(negative) << 33 | u64::from(index as u32)
}

/// Finds the count of a bucket, adding the bucket when there are fewer than `limit`.
fn find_or_add(table: &Block, key: u64, limit: usize) -> Option<&AtomicU64> {
    let slots = table.len() / 2;
    let start = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize;
    for step in 0..slots {
        let slot = start.wrapping_add(step) % slots;
        let word = table.word(2 * slot);
        let mut found = word.load(Ordering::Acquire);
        if found == 0 {
            let used = (0..slots).filter(|i| table.word(2 * i).load(Ordering::Relaxed) != 0).count();
            if used >= limit {
                return None;
            }
            found = match word.compare_exchange(0, key, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => key,
                Err(other) => other,
            };
        }
        if found == key {
            return Some(table.word(2 * slot + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests;
