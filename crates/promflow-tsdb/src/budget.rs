//! Retention and the byte budget: what goes, and when.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use promflow_model::Labels;
use promflow_storage::AppendError;

use crate::head::Head;
use crate::series::SeriesRecord;
use crate::stripe::{read, write};

/// An eviction frees this much more than it must, in hundredths of the budget, so that the next one is not due at
/// once.
const SPARE_PERCENT: usize = 5;
/// A series whose last sample is younger than this is never evicted.
///
/// Units: milliseconds; twice Prometheus's lookback delta.
const LIVELY_MS: i64 = 10 * 60_000;
/// How fine an eviction chooses its cut, in parts of the chunk range.
const CUTS_PER_RANGE: i64 = 16;

impl Head {
    /// Drops the chunks that end before the retention time, and the series that have none left; evicts when the
    /// byte budget is passed.
    ///
    /// Units: the present time, in milliseconds since the epoch.
    pub fn truncate(&self, now_ms: i64) {
        let guard = self.maintenance.lock().unwrap_or_else(PoisonError::into_inner);
        self.drop_before(now_ms.saturating_sub(self.options.retention_ms));
        drop(guard);
        // What could not go before may be old enough now.
        self.counters.samples_at_eviction.store(0, Ordering::Relaxed);
        self.evict_if_over_budget();
    }

    /// Makes a place for a new series.
    ///
    /// Errors: `LimitReached` when nothing can be evicted for it.
    pub(crate) fn make_room_for(&self, labels: &Labels) -> Result<(), AppendError> {
        let wanted = SeriesRecord::base_bytes(labels);
        let fits = || self.counters.bytes.load(Ordering::Relaxed) + wanted <= self.options.max_bytes;
        if fits() {
            return Ok(());
        }
        self.evict(wanted);
        if fits() {
            return Ok(());
        }
        self.counters.series_refused.fetch_add(1, Ordering::Relaxed);
        Err(AppendError::LimitReached(format!(
            "head limit of {} bytes reached: new series are refused, samples of existing series are still taken",
            self.options.max_bytes
        )))
    }

    pub(crate) fn evict_if_over_budget(&self) {
        if self.counters.bytes.load(Ordering::Relaxed) > self.options.max_bytes {
            self.evict(0);
        }
    }

    /// Drops the oldest chunks of all series until the budget is kept with some to spare.
    ///
    /// Cost: walks all series, so between two truncations it runs again only after as many samples as there are
    /// series.
    fn evict(&self, wanted_bytes: usize) {
        let Ok(_guard) = self.maintenance.try_lock() else { return };
        let counters = &self.counters;
        let samples = counters.samples.load(Ordering::Relaxed);
        let series =
            counters.series_created.load(Ordering::Relaxed) - counters.series_removed.load(Ordering::Relaxed);
        let due = match counters.samples_at_eviction.load(Ordering::Relaxed) {
            0 => true,
            last => samples + 1 - last >= series,
        };
        if !due {
            return;
        }
        let spare = self.options.max_bytes / 100 * SPARE_PERCENT;
        let target = self.options.max_bytes.saturating_sub(spare + wanted_bytes);
        let over = counters.bytes.load(Ordering::Relaxed).saturating_sub(target);
        if let Some(cut_t_ms) = self.eviction_cut(over) {
            self.drop_before(cut_t_ms);
            counters.evictions.fetch_add(1, Ordering::Relaxed);
        }
        counters.samples_at_eviction.store(samples + 1, Ordering::Relaxed);
    }

    /// Finds the earliest time before which enough bytes lie; `None` when nothing can go.
    fn eviction_cut(&self, over_bytes: usize) -> Option<i64> {
        let grain_ms = (self.options.chunk_range_ms / CUTS_PER_RANGE).max(1);
        let lively_ms = self.max_t_ms.load(Ordering::Relaxed).saturating_sub(LIVELY_MS);
        let mut bytes_by_end: BTreeMap<i64, usize> = BTreeMap::new();
        let mut count = |max_t_ms: i64, bytes: usize| {
            if max_t_ms < lively_ms {
                *bytes_by_end.entry(max_t_ms.div_euclid(grain_ms)).or_default() += bytes;
            }
        };
        for stripe in self.stripes.all() {
            for record in read(&stripe).records() {
                for chunk in &record.sealed {
                    count(chunk.max_t_ms, chunk.size_bytes());
                }
                if let Some(max_t_ms) = record.max_t_ms() {
                    count(max_t_ms, record.open_bytes() + SeriesRecord::base_bytes(&record.labels));
                }
            }
        }
        let mut freed = 0;
        for (grain, bytes) in bytes_by_end {
            freed += bytes;
            let cut_t_ms = (grain + 1) * grain_ms;
            if freed >= over_bytes || cut_t_ms >= lively_ms {
                return Some(cut_t_ms.min(lively_ms));
            }
        }
        (freed > 0).then_some(lively_ms)
    }

    /// Drops what ends before a time.
    fn drop_before(&self, cut_t_ms: i64) {
        self.min_valid_t_ms.fetch_max(cut_t_ms, Ordering::Relaxed);
        let (mut bytes, mut chunks) = (0, 0);
        let mut min_t_ms = i64::MAX;
        for stripe in self.stripes.all() {
            let mut suspects = Vec::new();
            for record in write(&stripe).records_mut() {
                let gone = record.sealed.partition_point(|c| c.max_t_ms < cut_t_ms);
                bytes += record.sealed.drain(..gone).map(|c| c.size_bytes()).sum::<usize>();
                chunks += gone as u64;
                if record.sealed.is_empty() {
                    record.sealed = Vec::new();
                }
                if record.is_dead(cut_t_ms) {
                    suspects.push((record.id, record.labels.clone()));
                } else if let Some(t_ms) = record.min_t_ms() {
                    min_t_ms = min_t_ms.min(t_ms);
                }
            }
            if !suspects.is_empty() {
                self.remove_dead(&suspects, cut_t_ms);
            }
        }
        self.counters.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.counters.chunks_removed.fetch_add(chunks, Ordering::Relaxed);
        if min_t_ms != i64::MAX {
            self.min_t_ms.store(min_t_ms, Ordering::Relaxed);
        } else if self.counters.series_created.load(Ordering::Relaxed)
            == self.counters.series_removed.load(Ordering::Relaxed)
        {
            self.min_t_ms.store(i64::MAX, Ordering::Relaxed);
        }
    }
}
