//! A store for tests: every series a sorted vector in memory, nothing encoded, no limits.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use promflow_model::{Labels, Matcher, Metadata};

use crate::{
    AppendError, Appendable, Appender, CommitStats, Querier, Queryable, SampleBuffer, SelectError,
    SelectHints, Series, SeriesRef, SeriesSet,
};

/// The store.
#[derive(Debug, Default)]
pub struct FakeStorage {
    series: Mutex<BTreeMap<Labels, SampleBuffer>>,
}

impl FakeStorage {
    /// Creates an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds samples to a series, which must come after those it has.
    pub fn add(&self, labels: &Labels, samples: impl IntoIterator<Item = (i64, f64)>) {
        let mut all = self.lock();
        let buffer = all.entry(labels.clone()).or_default();
        for (t_ms, value) in samples {
            assert!(buffer.t_ms.last().is_none_or(|last| *last < t_ms), "samples must rise in time");
            buffer.push(t_ms, value);
        }
    }

    /// Returns every series with its samples, sorted by label set.
    pub fn dump(&self) -> Vec<(Labels, Vec<(i64, f64)>)> {
        self.lock()
            .iter()
            .map(|(l, b)| (l.clone(), b.t_ms.iter().copied().zip(b.values.iter().copied()).collect()))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Labels, SampleBuffer>> {
        self.series.lock().expect("BUG: a test panicked while it held the fake store")
    }
}

struct FakeAppender<'s> {
    storage: &'s FakeStorage,
    batch: Vec<(Labels, i64, f64)>,
}

impl Appendable for FakeStorage {
    fn appender(&self) -> Box<dyn Appender + '_> {
        Box::new(FakeAppender { storage: self, batch: Vec::new() })
    }
}

impl Appender for FakeAppender<'_> {
    fn append(
        &mut self,
        _series: Option<SeriesRef>,
        labels: &Labels,
        t_ms: i64,
        value: f64,
    ) -> Result<SeriesRef, AppendError> {
        let all = self.storage.lock();
        if let Some(buffer) = all.get(labels)
            && let (Some(last), Some(last_value)) = (buffer.t_ms.last(), buffer.values.last())
        {
            if t_ms < *last {
                return Err(AppendError::OutOfOrder);
            }
            if t_ms == *last && value.to_bits() != last_value.to_bits() {
                return Err(AppendError::DuplicateForTimestamp);
            }
        }
        self.batch.push((labels.clone(), t_ms, value));
        Ok(SeriesRef(labels.hash64()))
    }

    fn update_metadata(&mut self, _metric: &str, _metadata: &Metadata) {}

    fn commit(self: Box<Self>) -> Result<CommitStats, AppendError> {
        let mut all = self.storage.lock();
        let mut stats = CommitStats::default();
        for (labels, t_ms, value) in self.batch {
            let buffer = all.entry(labels).or_insert_with(|| {
                stats.series_created += 1;
                SampleBuffer::default()
            });
            if buffer.t_ms.last().is_none_or(|last| *last < t_ms) {
                buffer.push(t_ms, value);
                stats.samples += 1;
            }
        }
        Ok(stats)
    }

    fn rollback(self: Box<Self>) {}
}

struct FakeQuerier<'s> {
    storage: &'s FakeStorage,
    min_t_ms: i64,
    max_t_ms: i64,
}

impl Queryable for FakeStorage {
    fn querier(&self, min_t_ms: i64, max_t_ms: i64) -> Result<Box<dyn Querier + '_>, SelectError> {
        Ok(Box::new(FakeQuerier { storage: self, min_t_ms, max_t_ms }))
    }
}

impl FakeQuerier<'_> {
    fn matching(&self, matchers: &[Matcher]) -> Vec<(Labels, SampleBuffer)> {
        let all = self.storage.lock();
        all.iter()
            .filter(|(labels, _)| matchers.iter().all(|m| m.matches(labels.get(&m.name))))
            .filter_map(|(labels, buffer)| {
                let mut within = SampleBuffer::default();
                for (t_ms, value) in buffer.t_ms.iter().zip(&buffer.values) {
                    if (self.min_t_ms..=self.max_t_ms).contains(t_ms) {
                        within.push(*t_ms, *value);
                    }
                }
                (!within.is_empty()).then(|| (labels.clone(), within))
            })
            .collect()
    }
}

impl Querier for FakeQuerier<'_> {
    fn select<'q>(
        &'q self,
        _sorted: bool,
        _hints: &SelectHints,
        matchers: &[Matcher],
    ) -> Result<Box<dyn SeriesSet + 'q>, SelectError> {
        Ok(Box::new(FakeSeriesSet { series: self.matching(matchers).into_iter() }))
    }

    fn label_names(&self, matchers: &[Matcher]) -> Result<Vec<String>, SelectError> {
        let names: std::collections::BTreeSet<String> = self
            .matching(matchers)
            .iter()
            .flat_map(|(labels, _)| labels.iter().map(|(n, _)| n.to_owned()).collect::<Vec<_>>())
            .collect();
        Ok(names.into_iter().collect())
    }

    fn label_values(&self, name: &str, matchers: &[Matcher]) -> Result<Vec<String>, SelectError> {
        let values: std::collections::BTreeSet<String> = self
            .matching(matchers)
            .iter()
            .filter(|(labels, _)| labels.has(name))
            .map(|(labels, _)| labels.get(name).to_owned())
            .collect();
        Ok(values.into_iter().collect())
    }
}

struct FakeSeriesSet {
    series: std::vec::IntoIter<(Labels, SampleBuffer)>,
}

impl SeriesSet for FakeSeriesSet {
    fn next(&mut self) -> Option<Result<Box<dyn Series + '_>, SelectError>> {
        let (labels, buffer) = self.series.next()?;
        Some(Ok(Box::new(FakeSeries { labels, buffer })))
    }
}

struct FakeSeries {
    labels: Labels,
    buffer: SampleBuffer,
}

impl Series for FakeSeries {
    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn samples(&self, into: &mut SampleBuffer) -> Result<(), SelectError> {
        into.clone_from(&self.buffer);
        Ok(())
    }
}
