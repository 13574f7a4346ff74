//! The way out.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use promflow_model::{Labels, Matcher};
use promflow_storage::{
    Querier, Queryable, SampleBuffer, SelectError, SelectErrorKind, SelectHints, Series, SeriesSet,
};

use crate::chunk;
use crate::head::Head;
use crate::postings::Candidates;
use crate::rooms::Room;
use crate::series::SeriesRecord;
use crate::stripe::{STRIPE_IDS, read};

struct HeadQuerier<'h> {
    head: &'h Head,
    min_t_ms: i64,
    max_t_ms: i64,
}

impl Queryable for Head {
    fn querier(&self, min_t_ms: i64, max_t_ms: i64) -> Result<Box<dyn Querier + '_>, SelectError> {
        Ok(Box::new(HeadQuerier { head: self, min_t_ms, max_t_ms }))
    }
}

/// What a select took with it: the label sets, the full chunks by reference, and copies of the open chunks.
#[derive(Default)]
struct Snapshot {
    series: Vec<SnapshotSeries>,
    sealed: Vec<Arc<[u8]>>,
    open: Vec<u8>,
}

struct SnapshotSeries {
    labels: Labels,
    sealed: Range<usize>,
    open: Range<usize>,
}

impl Snapshot {
    fn push(&mut self, record: &SeriesRecord, min_t_ms: i64, max_t_ms: i64, with_samples: bool) {
        let sealed = record.sealed_within(min_t_ms, max_t_ms);
        let open = record.open_within(min_t_ms, max_t_ms);
        if sealed.is_empty() && open.is_none() {
            return;
        }
        let (sealed_from, open_from) = (self.sealed.len(), self.open.len());
        if with_samples {
            self.sealed.extend(sealed.iter().map(|c| Arc::clone(&c.bytes)));
            self.open.extend_from_slice(open.map_or(&[], |chunk| chunk.bytes()));
        }
        self.series.push(SnapshotSeries {
            labels: record.labels.clone(),
            sealed: sealed_from..self.sealed.len(),
            open: open_from..self.open.len(),
        });
    }
}

impl HeadQuerier<'_> {
    /// Calls a function with every series that satisfies the matchers, all of them as of one moment.
    fn visit(&self, matchers: &[Matcher], mut visit: impl FnMut(&SeriesRecord)) {
        let _room = self.head.rooms.enter(Room::Select);
        let Candidates { ids, residual } = read(&self.head.postings).candidates(matchers);
        for run in ids.chunk_by(|a, b| a / STRIPE_IDS == b / STRIPE_IDS) {
            let Some(stripe) = self.head.stripes.get(run[0]) else { continue };
            let stripe = read(&stripe);
            for record in run.iter().filter_map(|id| stripe.get(*id)) {
                if residual.iter().all(|m| m.matches(record.labels.get(&m.name))) {
                    visit(record);
                }
            }
        }
    }

    fn reads_head(&self) -> bool {
        self.min_t_ms <= self.head.max_t_ms.load(Ordering::Relaxed)
            && self.max_t_ms >= self.head.min_t_ms.load(Ordering::Relaxed)
    }
}

impl Querier for HeadQuerier<'_> {
    fn select<'q>(
        &'q self,
        sorted: bool,
        hints: &SelectHints,
        matchers: &[Matcher],
    ) -> Result<Box<dyn SeriesSet + 'q>, SelectError> {
        let mut snapshot = Snapshot::default();
        // The API's `series` wants label sets only.
        let with_samples = hints.func != "series";
        self.visit(matchers, |record| snapshot.push(record, self.min_t_ms, self.max_t_ms, with_samples));
        if sorted {
            snapshot.series.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
        }
        if hints.limit > 0 {
            snapshot.series.truncate(hints.limit);
        }
        Ok(Box::new(HeadSeriesSet { snapshot, next: 0, min_t_ms: self.min_t_ms, max_t_ms: self.max_t_ms }))
    }

    fn label_names(&self, matchers: &[Matcher]) -> Result<Vec<String>, SelectError> {
        let mut names = BTreeSet::new();
        if !self.reads_head() {
            return Ok(Vec::new());
        }
        if matchers.is_empty() {
            names.extend(read(&self.head.postings).names().map(str::to_owned));
        } else {
            self.visit(matchers, |record| {
                for (name, _) in &record.labels {
                    if !names.contains(name) {
                        names.insert(name.to_owned());
                    }
                }
            });
        }
        Ok(names.into_iter().collect())
    }

    fn label_values(&self, name: &str, matchers: &[Matcher]) -> Result<Vec<String>, SelectError> {
        let mut values = BTreeSet::new();
        if !self.reads_head() {
            return Ok(Vec::new());
        }
        if matchers.is_empty() {
            values.extend(read(&self.head.postings).values(name).map(|(value, _)| value.to_owned()));
        } else {
            self.visit(matchers, |record| {
                let value = record.labels.get(name);
                if !value.is_empty() && !values.contains(value) {
                    values.insert(value.to_owned());
                }
            });
        }
        Ok(values.into_iter().collect())
    }
}

struct HeadSeriesSet {
    snapshot: Snapshot,
    next: usize,
    min_t_ms: i64,
    max_t_ms: i64,
}

impl SeriesSet for HeadSeriesSet {
    fn next(&mut self) -> Option<Result<Box<dyn Series + '_>, SelectError>> {
        let series = self.snapshot.series.get(self.next)?;
        self.next += 1;
        Some(Ok(Box::new(HeadSeries { set: self, series })))
    }
}

struct HeadSeries<'s> {
    set: &'s HeadSeriesSet,
    series: &'s SnapshotSeries,
}

impl Series for HeadSeries<'_> {
    fn labels(&self) -> &Labels {
        &self.series.labels
    }

    fn samples(&self, into: &mut SampleBuffer) -> Result<(), SelectError> {
        into.clear();
        let snapshot = &self.set.snapshot;
        let sealed = snapshot.sealed[self.series.sealed.clone()].iter().map(AsRef::as_ref);
        let open = &snapshot.open[self.series.open.clone()];
        for bytes in sealed.chain((!open.is_empty()).then_some(open)) {
            chunk::decode(bytes, self.set.min_t_ms, self.set.max_t_ms, into).map_err(|e| {
                SelectError::new(SelectErrorKind::Corrupt, format!("{e} in series {}", self.series.labels))
            })?;
        }
        Ok(())
    }
}
