//! What targets say about metric families, the latest of each.

use std::sync::Mutex;
use std::sync::PoisonError;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use promflow_model::Metadata;

#[derive(Debug)]
pub(crate) struct MetadataStore {
    families: Mutex<HashMap<Box<str>, Metadata, RandomState>>,
    families_max: usize,
}

impl MetadataStore {
    pub(crate) fn new(families_max: usize) -> Self {
        Self { families: Mutex::default(), families_max }
    }

    /// Keeps the metadata of a family; of a new family only while there is room.
    pub(crate) fn update(&self, metric: &str, metadata: &Metadata) {
        let mut families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = families.get_mut(metric) {
            if known != metadata {
                known.clone_from(metadata);
            }
        } else if families.len() < self.families_max {
            families.insert(metric.into(), metadata.clone());
        }
    }

    pub(crate) fn get(&self, metric: &str) -> Option<Metadata> {
        self.families.lock().unwrap_or_else(PoisonError::into_inner).get(metric).cloned()
    }

    /// Returns all families, sorted by name.
    pub(crate) fn all(&self) -> Vec<(String, Metadata)> {
        let families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = families.iter().map(|(name, m)| (name.to_string(), m.clone())).collect();
        drop(families);
        all.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        all
    }

    pub(crate) fn len(&self) -> usize {
        self.families.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
