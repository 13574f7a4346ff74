//! The record of one series.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use promflow_model::Labels;

use crate::chunk::XorEncoder;

/// How many samples a chunk gets when they come regularly.
///
/// Source: Prometheus tsdb/head.go DefaultSamplesPerChunk.
const SAMPLES_PER_CHUNK: usize = 120;
/// A chunk is cut before its bytes could pass 1 KiB with one more sample.
///
/// Source: Prometheus tsdb/head_append.go maxBytesPerXORChunk.
const CHUNK_BYTES_MAX: usize = 1024 - 19;

/// A full chunk: never changed again.
#[derive(Clone, Debug)]
pub(crate) struct SealedChunk {
    pub(crate) min_t_ms: i64,
    pub(crate) max_t_ms: i64,
    pub(crate) bytes: Arc<[u8]>,
}

impl SealedChunk {
    pub(crate) fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.bytes.len() + 2 * size_of::<usize>()
    }
}

/// A series: its label set, its full chunks in rising time, and the open chunk.
#[derive(Debug)]
pub(crate) struct SeriesRecord {
    pub(crate) labels: Labels,
    pub(crate) sealed: Vec<SealedChunk>,
    open: XorEncoder,
    open_min_t_ms: i64,
    /// A sample from this time on begins a new chunk.
    next_cut_ms: i64,
    pub(crate) id: u32,
    /// How many samples in open batches are meant for this series; it must not go away meanwhile.
    pending: AtomicU16,
}

/// What became of a sample at commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Appended {
    Written {
        sealed: bool,
    },
    /// The series has this time already, or a later one: another batch was faster.
    TooLate,
}

/// Whether a series would take a sample now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    Fits,
    OutOfOrder,
    Duplicate,
}

impl SeriesRecord {
    pub(crate) fn new(id: u32, labels: Labels) -> Self {
        Self {
            labels,
            sealed: Vec::new(),
            open: XorEncoder::new(),
            open_min_t_ms: 0,
            next_cut_ms: 0,
            id,
            pending: AtomicU16::new(0),
        }
    }

    pub(crate) fn fit(&self, t_ms: i64, value: f64) -> Fit {
        if self.open.is_empty() || t_ms > self.open.last_t_ms() {
            Fit::Fits
        } else if t_ms < self.open.last_t_ms() {
            Fit::OutOfOrder
        } else if value.to_bits() == self.open.last_value().to_bits() {
            Fit::Fits
        } else {
            Fit::Duplicate
        }
    }

    pub(crate) fn announce(&self) {
        // Saturates: a count that is stuck at the top only keeps the series longer.
        let _ = self.pending.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_add(1));
    }

    pub(crate) fn settle(&mut self) {
        let pending = self.pending.get_mut();
        if *pending < u16::MAX {
            *pending = pending.saturating_sub(1);
        }
    }

    pub(crate) fn append(&mut self, t_ms: i64, value: f64, chunk_range_ms: i64) -> Appended {
        if self.open.is_empty() {
            self.begin(t_ms, value, chunk_range_ms);
            return Appended::Written { sealed: false };
        }
        if t_ms <= self.open.last_t_ms() {
            return Appended::TooLate;
        }
        let samples = self.open.len();
        if samples == SAMPLES_PER_CHUNK / 4 {
            self.next_cut_ms = even_cut(self.open_min_t_ms, self.open.last_t_ms(), self.next_cut_ms);
        }
        let full = t_ms >= self.next_cut_ms
            || samples >= 2 * SAMPLES_PER_CHUNK
            || self.open.bytes().len() > CHUNK_BYTES_MAX;
        if full {
            self.seal();
            self.begin(t_ms, value, chunk_range_ms);
        } else {
            self.open.append(t_ms, value);
        }
        Appended::Written { sealed: full }
    }

    fn begin(&mut self, t_ms: i64, value: f64, chunk_range_ms: i64) {
        self.open_min_t_ms = t_ms;
        self.next_cut_ms = t_ms.div_euclid(chunk_range_ms).saturating_add(1).saturating_mul(chunk_range_ms);
        self.open.append(t_ms, value);
    }

    fn seal(&mut self) {
        let open = std::mem::take(&mut self.open);
        // One place at a time: doubling would waste as much as the chunks' own records need.
        self.sealed.reserve_exact(1);
        self.sealed.push(SealedChunk {
            min_t_ms: self.open_min_t_ms,
            max_t_ms: open.last_t_ms(),
            bytes: open.bytes().into(),
        });
    }

    /// Returns the open chunk, unless nothing was ever written or all of it lies outside the range.
    pub(crate) fn open_within(&self, min_t_ms: i64, max_t_ms: i64) -> Option<&XorEncoder> {
        let outside =
            self.open.is_empty() || self.open.last_t_ms() < min_t_ms || self.open_min_t_ms > max_t_ms;
        (!outside).then_some(&self.open)
    }

    /// Returns the full chunks that reach into the range.
    pub(crate) fn sealed_within(&self, min_t_ms: i64, max_t_ms: i64) -> &[SealedChunk] {
        let from = self.sealed.partition_point(|c| c.max_t_ms < min_t_ms);
        let to = self.sealed.partition_point(|c| c.min_t_ms <= max_t_ms);
        &self.sealed[from..to.max(from)]
    }

    /// Returns the time of the first sample.
    pub(crate) fn min_t_ms(&self) -> Option<i64> {
        match self.sealed.first() {
            Some(chunk) => Some(chunk.min_t_ms),
            None => (!self.open.is_empty()).then_some(self.open_min_t_ms),
        }
    }

    /// Returns the time of the last sample.
    pub(crate) fn max_t_ms(&self) -> Option<i64> {
        (!self.open.is_empty()).then(|| self.open.last_t_ms())
    }

    /// Says whether nobody would miss the series: its samples, if any, end before the time given, and no batch
    /// holds samples for it.
    pub(crate) fn is_dead(&self, cut_t_ms: i64) -> bool {
        self.pending.load(Ordering::Relaxed) == 0 && self.max_t_ms().is_none_or(|t| t < cut_t_ms)
    }

    pub(crate) fn chunk_count(&self) -> usize {
        self.sealed.len() + usize::from(!self.open.is_empty())
    }

    /// Counts the bytes of the chunks.
    pub(crate) fn chunk_bytes(&self) -> usize {
        self.open.capacity_bytes() + self.sealed.iter().map(SealedChunk::size_bytes).sum::<usize>()
    }

    /// Counts the bytes of the open chunk alone.
    pub(crate) fn open_bytes(&self) -> usize {
        self.open.capacity_bytes()
    }

    /// Counts the bytes of the series without its chunks and postings: the record, its place in stripe and lookup
    /// table, the label set with its counters.
    pub(crate) fn base_bytes(labels: &Labels) -> usize {
        const LOOKUP_BYTES: usize = 12;
        const STRIPE_BYTES: usize = 2;
        const COUNTER_BYTES: usize = 16;
        size_of::<Self>() + LOOKUP_BYTES + STRIPE_BYTES + COUNTER_BYTES + labels.size_bytes()
    }
}

/// Says where to cut so that the samples up to the range's end fill their chunks evenly, judged by the first quarter
/// of a chunk.
///
/// Source: Prometheus tsdb/head_append.go computeChunkEndTime.
fn even_cut(start_ms: i64, last_ms: i64, end_ms: i64) -> i64 {
    const QUARTERS: i64 = 4;
    let chunks = (end_ms - start_ms) / ((last_ms - start_ms + 1) * QUARTERS);
    if chunks <= 1 { end_ms } else { start_ms + (end_ms - start_ms) / chunks }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_is_small() {
        assert!(size_of::<SeriesRecord>() <= 136, "{}", size_of::<SeriesRecord>());
    }

    #[test]
    fn chunks_have_120_samples_or_so_and_never_cross_the_range() {
        let range_ms = 7_200_000;
        let mut series = SeriesRecord::new(1, Labels::empty());
        for i in 0..1_000i64 {
            series.append(i * 15_000, i as f64, range_ms);
        }
        assert!(series.sealed.len() >= 7);
        for chunk in &series.sealed {
            assert_eq!(chunk.min_t_ms.div_euclid(range_ms), chunk.max_t_ms.div_euclid(range_ms));
            let samples = u16::from_be_bytes([chunk.bytes[0], chunk.bytes[1]]);
            assert!((60..=130).contains(&samples), "{samples}");
        }
    }

    #[test]
    fn chunk_of_incompressible_values_is_cut_at_a_kilobyte() {
        let mut series = SeriesRecord::new(1, Labels::empty());
        let mut x = 1u64;
        for i in 0..1_000i64 {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            series.append(i, f64::from_bits(x), 7_200_000);
        }
        assert!(series.sealed.iter().all(|c| c.bytes.len() <= 1024));
    }
}
