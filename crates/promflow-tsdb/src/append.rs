//! The way in.

use std::sync::atomic::Ordering;
use std::sync::{Arc, RwLock};

use promflow_model::{Labels, Metadata};
use promflow_storage::{AppendError, Appendable, Appender, CommitStats, SeriesRef};

use crate::head::Head;
use crate::rooms::Room;
use crate::series::{Appended, Fit};
use crate::stripe::{STRIPE_IDS, Stripe, read, write};

struct HeadAppender<'h> {
    head: &'h Head,
    batch: Vec<BatchSample>,
    series_created: u64,
    min_t_ms: i64,
    /// The stripe used last: the series of one target are neighbours.
    stripe: Option<(u32, Arc<RwLock<Stripe>>)>,
}

#[derive(Clone, Copy)]
struct BatchSample {
    id: u32,
    t_ms: i64,
    value: f64,
}

impl Appendable for Head {
    fn appender(&self) -> Box<dyn Appender + '_> {
        Box::new(HeadAppender {
            head: self,
            batch: Vec::new(),
            series_created: 0,
            min_t_ms: self.min_appendable_t_ms(),
            stripe: None,
        })
    }
}

impl HeadAppender<'_> {
    /// Asks a series whether it takes a sample and announces it; `None` when there is no such series.
    fn announce(&mut self, id: u32, t_ms: i64, value: f64) -> Option<Fit> {
        let index = id / STRIPE_IDS;
        if self.stripe.as_ref().is_none_or(|(cached, _)| *cached != index) {
            self.stripe = Some((index, self.head.stripes.get(id)?));
        }
        let (_, stripe) = self.stripe.as_ref()?;
        let stripe = read(stripe);
        let record = stripe.get(id)?;
        let fit = record.fit(t_ms, value);
        if fit == Fit::Fits {
            record.announce();
        }
        Some(fit)
    }

    /// Takes back what was announced.
    fn settle(&mut self) {
        for sample in std::mem::take(&mut self.batch) {
            if let Some(stripe) = self.head.stripes.get(sample.id)
                && let Some(record) = write(&stripe).get_mut(sample.id)
            {
                record.settle();
            }
        }
    }

    /// Writes the part of the batch that lies in one stripe.
    fn write_run(&self, run: &[BatchSample], done: &mut Done) {
        let Some(stripe) = self.head.stripes.get(run[0].id) else { return };
        let mut stripe = write(&stripe);
        for sample in run {
            // An announced series is never removed.
            let Some(record) = stripe.get_mut(sample.id) else { continue };
            record.settle();
            let before = (record.open_bytes(), record.chunk_count());
            match record.append(sample.t_ms, sample.value, self.head.options.chunk_range_ms) {
                Appended::Written { sealed } => {
                    done.samples += 1;
                    done.min_t_ms = done.min_t_ms.min(sample.t_ms);
                    done.max_t_ms = done.max_t_ms.max(sample.t_ms);
                    done.bytes += record.open_bytes() as isize - before.0 as isize;
                    if sealed {
                        done.bytes += record.sealed.last().map_or(0, |c| c.size_bytes()) as isize;
                    }
                    done.chunks += (record.chunk_count() - before.1) as u64;
                }
                Appended::TooLate => done.too_late += 1,
            }
        }
    }
}

struct Done {
    samples: u64,
    too_late: u64,
    chunks: u64,
    bytes: isize,
    min_t_ms: i64,
    max_t_ms: i64,
}

impl Appender for HeadAppender<'_> {
    fn append(
        &mut self,
        series: Option<SeriesRef>,
        labels: &Labels,
        t_ms: i64,
        value: f64,
    ) -> Result<SeriesRef, AppendError> {
        let counters = &self.head.counters;
        if t_ms < self.min_t_ms {
            counters.out_of_bounds.fetch_add(1, Ordering::Relaxed);
            return Err(AppendError::OutOfBounds);
        }
        let known = series.and_then(|r| u32::try_from(r.0).ok());
        let mut found = known.and_then(|id| Some((id, self.announce(id, t_ms, value)?)));
        // A series may be removed between lookup and announcement; the next lookup then creates it.
        while found.is_none() {
            let (id, created) = self.head.get_or_create(labels)?;
            self.series_created += u64::from(created);
            found = self.announce(id, t_ms, value).map(|fit| (id, fit));
        }
        match found {
            Some((id, Fit::Fits)) => {
                self.batch.push(BatchSample { id, t_ms, value });
                Ok(SeriesRef(u64::from(id)))
            }
            Some((_, Fit::Duplicate)) => Err(AppendError::DuplicateForTimestamp),
            _ => {
                counters.out_of_order.fetch_add(1, Ordering::Relaxed);
                Err(AppendError::OutOfOrder)
            }
        }
    }

    fn update_metadata(&mut self, metric: &str, metadata: &Metadata) {
        self.head.metadata.update(metric, metadata);
    }

    fn commit(mut self: Box<Self>) -> Result<CommitStats, AppendError> {
        let batch = std::mem::take(&mut self.batch);
        let mut done =
            Done { samples: 0, too_late: 0, chunks: 0, bytes: 0, min_t_ms: i64::MAX, max_t_ms: i64::MIN };
        let room = self.head.rooms.enter(Room::Commit);
        for run in batch.chunk_by(|a, b| a.id / STRIPE_IDS == b.id / STRIPE_IDS) {
            self.write_run(run, &mut done);
        }
        let head = self.head;
        head.min_t_ms.fetch_min(done.min_t_ms, Ordering::Relaxed);
        head.max_t_ms.fetch_max(done.max_t_ms, Ordering::Relaxed);
        drop(room);
        head.counters.samples.fetch_add(done.samples, Ordering::Relaxed);
        head.counters.out_of_order.fetch_add(done.too_late, Ordering::Relaxed);
        head.counters.chunks_created.fetch_add(done.chunks, Ordering::Relaxed);
        head.counters.bytes.fetch_add(done.bytes as usize, Ordering::Relaxed);
        head.evict_if_over_budget();
        Ok(CommitStats { samples: done.samples, series_created: self.series_created })
    }

    fn rollback(self: Box<Self>) {}
}

impl Drop for HeadAppender<'_> {
    fn drop(&mut self) {
        self.settle();
    }
}
