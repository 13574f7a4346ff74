//! A target and what is known of its scrapes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use promflow_discovery::Target;
use promflow_model::Labels;

/// How a target is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TargetHealth {
    /// Not scraped yet.
    #[default]
    Unknown,
    /// The last scrape succeeded.
    Up,
    /// The last scrape failed.
    Down,
}

impl TargetHealth {
    /// Returns the health as the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// What the last scrape said.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastScrape {
    pub(crate) health: TargetHealth,
    pub(crate) error: String,
    pub(crate) start_ms: Option<i64>,
    pub(crate) duration_seconds: f64,
    pub(crate) samples: usize,
    /// The families with metadata.
    pub(crate) families: usize,
}

/// A target that is scraped, seen by its loop and by whoever asks.
#[derive(Debug)]
pub(crate) struct TargetState {
    pub(crate) target: Target,
    discovered_labels: Mutex<Labels>,
    last: Mutex<LastScrape>,
}

impl TargetState {
    pub(crate) fn new(target: Target) -> Self {
        let discovered_labels = Mutex::new(target.discovered_labels.clone());
        Self { target, discovered_labels, last: Mutex::default() }
    }

    pub(crate) fn last(&self) -> LastScrape {
        lock(&self.last).clone()
    }

    pub(crate) fn report(&self, last: LastScrape) {
        *lock(&self.last) = last;
    }

    pub(crate) fn discovered_labels(&self) -> Labels {
        lock(&self.discovered_labels).clone()
    }

    /// Takes the labels of a new discovery that led to the same target.
    pub(crate) fn rediscovered(&self, labels: Labels) {
        *lock(&self.discovered_labels) = labels;
    }
}

/// Locks a lock whose holders leave it whole even when they panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
