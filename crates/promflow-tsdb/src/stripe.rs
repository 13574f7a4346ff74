//! Series by id, 1,024 neighbours under one lock.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::series::SeriesRecord;

/// How many consecutive ids share a stripe.
pub(crate) const STRIPE_IDS: u32 = 1024;
const DEAD: u16 = u16::MAX;

/// All stripes, in the order of their ids.
#[derive(Debug, Default)]
pub(crate) struct Stripes {
    stripes: RwLock<Vec<Arc<RwLock<Stripe>>>>,
}

/// The series of a stripe that are alive, without gaps.
#[derive(Debug, Default)]
pub(crate) struct Stripe {
    /// The place of each id in `records`.
    places: Vec<u16>,
    records: Vec<SeriesRecord>,
}

/// Locks a lock whose holders leave it whole even when they panic.
pub(crate) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// See [`read`].
pub(crate) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

impl Stripes {
    /// Returns the stripe that holds an id.
    pub(crate) fn get(&self, id: u32) -> Option<Arc<RwLock<Stripe>>> {
        read(&self.stripes).get((id / STRIPE_IDS) as usize).cloned()
    }

    /// Returns every stripe.
    pub(crate) fn all(&self) -> Vec<Arc<RwLock<Stripe>>> {
        read(&self.stripes).clone()
    }

    /// Adds a series; ids come one after the other.
    pub(crate) fn push(&self, record: SeriesRecord) {
        let mut stripes = write(&self.stripes);
        let index = (record.id / STRIPE_IDS) as usize;
        if index == stripes.len() {
            stripes.push(Arc::default());
        }
        let stripe = Arc::clone(&stripes[index]);
        drop(stripes);
        write(&stripe).push(record);
    }
}

impl Stripe {
    fn push(&mut self, record: SeriesRecord) {
        self.places.push(self.records.len() as u16);
        self.records.push(record);
    }

    fn place(&self, id: u32) -> Option<usize> {
        let place = *self.places.get((id % STRIPE_IDS) as usize)?;
        (place != DEAD).then_some(place as usize)
    }

    pub(crate) fn get(&self, id: u32) -> Option<&SeriesRecord> {
        Some(&self.records[self.place(id)?])
    }

    pub(crate) fn get_mut(&mut self, id: u32) -> Option<&mut SeriesRecord> {
        let place = self.place(id)?;
        Some(&mut self.records[place])
    }

    pub(crate) fn records(&self) -> &[SeriesRecord] {
        &self.records
    }

    pub(crate) fn records_mut(&mut self) -> &mut [SeriesRecord] {
        &mut self.records
    }

    pub(crate) fn remove(&mut self, id: u32) -> Option<SeriesRecord> {
        let place = self.place(id)?;
        let record = self.records.swap_remove(place);
        self.places[(id % STRIPE_IDS) as usize] = DEAD;
        if let Some(moved) = self.records.get(place) {
            self.places[(moved.id % STRIPE_IDS) as usize] = place as u16;
        }
        if self.places.len() == STRIPE_IDS as usize && self.records.len() * 2 < self.records.capacity() {
            self.records.shrink_to_fit();
            if self.records.is_empty() {
                // Nobody will ever be pushed here again, and an id without a place is dead.
                self.places = Vec::new();
            }
        }
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use promflow_model::Labels;

    use super::*;

    #[test]
    fn removed_series_leave_the_others_in_place() {
        let stripes = Stripes::default();
        for id in 0..STRIPE_IDS + 3 {
            stripes.push(SeriesRecord::new(id, Labels::from_pairs([("id", id.to_string())])));
        }
        let stripe = stripes.get(0).expect("the first stripe");
        for id in (0..STRIPE_IDS).filter(|id| id % 7 != 0) {
            assert!(write(&stripe).remove(id).is_some());
            assert!(write(&stripe).remove(id).is_none());
        }
        for id in (0..STRIPE_IDS).filter(|id| id % 7 == 0) {
            assert_eq!(read(&stripe).get(id).expect("alive").labels.get("id"), id.to_string());
            write(&stripe).remove(id);
        }
        assert!(read(&stripe).get(0).is_none());
        let second = stripes.get(STRIPE_IDS + 1).expect("the second stripe");
        assert_eq!(read(&second).records().len(), 3);
    }
}
