//! How series leave the page, and come back.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Family;
use crate::metric::{Life, Metric};
use crate::series::unpack;
use crate::sync::Ordering;
use crate::table::Entry;

/// By key, what a series' words came to when they last changed, and when that was seen.
pub(super) type Watched = HashMap<Box<[u8]>, (u64, Instant)>;

impl<M: Metric> Family<M> {
    /// Takes a series off the page and sets it to zero; `false` when there is none of these values.
    ///
    /// A handle that somebody kept counts on unseen, until the series is looked up again. The memory is kept for that.
    pub fn remove(&self, values: &[&str]) -> bool {
        self.catch_up();
        let table = &self.0.table;
        table.get(table.hash(values), values).is_some_and(|entry| self.take_off(entry))
    }

    /// Takes all series off the page whose labels are these among others; returns how many there were.
    ///
    /// A label that the family does not have matches nothing.
    pub fn remove_where(&self, labels: &[(&str, &str)]) -> usize {
        self.catch_up();
        let names = &self.0.desc.labels;
        let places: Option<Vec<_>> = labels
            .iter()
            .map(|(name, value)| Some((names.iter().position(|n| n == name)?, *value)))
            .collect();
        let Some(places) = places else { return 0 };
        let matches = |entry: &&Entry<M>| {
            unpack(&entry.metric.cell().series().packed)
                .is_some_and(|values| places.iter().all(|(i, value)| values.get(*i) == Some(value)))
        };
        self.0.table.iter().filter(matches).filter(|entry| self.take_off(entry)).count()
    }

    /// Takes all series off the page and sets them to zero.
    pub fn clear(&self) {
        self.catch_up();
        for entry in self.0.table.iter() {
            self.take_off(entry);
        }
        if self.0.desc.labels.is_empty() {
            self.with(&[]);
        }
    }

    fn take_off(&self, entry: &Entry<M>) -> bool {
        let cell = entry.metric.cell();
        let life = cell.life();
        if life == Life::Absent || !cell.change_life(life, Life::Absent) {
            return false;
        }
        entry.set_alive(false);
        cell.clear();
        if matches!(life, Life::Born(_)) {
            self.0.alive.fetch_sub(1, Ordering::Relaxed);
            self.note_removal();
        }
        true
    }

    /// Leaves series off the page in which nothing was counted for so long, and brings those back in which something
    /// was counted since; returns how many were left off. Values are kept, so that a counter that comes back goes on.
    ///
    /// A series is watched from the first call on. One without labels never expires.
    pub fn expire_idle(&self, idle: Duration) -> usize {
        let inner = &*self.0;
        // Another thread that is at it does the work for this one, too.
        let (Ok(mut seen), false) = (inner.watched.try_lock(), inner.desc.labels.is_empty()) else {
            return 0;
        };
        let now = Instant::now();
        let mut expired = 0;
        for item in inner.table.iter() {
            let cell = item.metric.cell();
            let print = cell.fingerprint();
            let entry = seen.entry(cell.series().packed.clone()).or_insert((print, now));
            let changed = entry.0 != print;
            if changed {
                *entry = (print, now);
            }
            match cell.life() {
                Life::Born(t)
                    if now.duration_since(entry.1) >= idle
                        && cell.change_life(Life::Born(t), Life::Expired(t)) =>
                {
                    item.set_alive(false);
                    inner.alive.fetch_sub(1, Ordering::Relaxed);
                    self.note_removal();
                    expired += 1;
                }
                Life::Expired(_) if changed && self.reserve(usize::MAX) => self.revive(item),
                _ => {}
            }
        }
        expired
    }
}
