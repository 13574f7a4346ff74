//! Metrics of which only the largest or the smallest series are shown, such as credits by user.
//!
//! Any number of accounts may be counted in bounded memory, in whatever process: an account is what the ranked label
//! names, and a group, which is a series of the family as any other, is all of the other labels. A group's accounts stand
//! in a table in its cells. An account that is in the table is counted by one atomic addition; which accounts are in it
//! is changed by one thread of one process at a time, and whoever finds that another one is at it goes on without.
//!
//! The sum of a ranked counter over the page is always exact, also when a process is killed: nothing is ever moved from
//! one word to another. What is not shown is in the series of [`crate::OVERFLOW`].
//!
//! The rejected model, a series for each account, is what the limit of series is there to prevent; a map under a lock,
//! which the first version had, cannot stand in memory that processes share.

mod counter;
mod gauge;
mod sketch;
mod slots;

use std::time::Duration;

pub(crate) use counter::CounterGroup;
pub use counter::RankedCounter;
pub(crate) use gauge::GaugeGroup;
pub use gauge::RankedGauge;
use slots::Account;

use promflow_exposition::LabelText;

use crate::arena::Arena;
use crate::exemplar;
use crate::family::Family;
use crate::metric::Metric;
use crate::series::{Series, unpack};
use crate::sync::Mutex;

/// How many groups there may be unless told otherwise; what belongs to further ones shares a group.
pub(crate) const GROUPS_MAX: usize = 256;
/// How many accounts may be shown of a group.
const SHOWN_MAX: usize = 1024;
/// Which extension of a group's series is its table.
const EXTENSION: usize = exemplar::EXTENSION + 1;
/// How long to wait for another process before going on without.
const GATE_TIMEOUT: Duration = Duration::from_millis(2);
/// How often to ask for a lock of this process.
const GATE_ATTEMPTS: usize = 1000;

/// Which series are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Those with the largest values; at most 1,024.
    Largest(usize),
    /// Those with the smallest values; at most 1,024.
    Smallest(usize),
}

impl Keep {
    fn count(self) -> usize {
        match self {
            Self::Largest(k) | Self::Smallest(k) => k.clamp(1, SHOWN_MAX),
        }
    }

    /// Orders what is shown first before the rest.
    fn compare(self, a: f64, b: f64) -> std::cmp::Ordering {
        match self {
            Self::Largest(_) => b.total_cmp(&a),
            Self::Smallest(_) => a.total_cmp(&b),
        }
    }

    /// Returns a code that is not zero, and how many are shown.
    pub(crate) fn to_code(self) -> (u32, u32) {
        match self {
            Self::Largest(_) => (1, self.count() as u32),
            Self::Smallest(_) => (2, self.count() as u32),
        }
    }

    pub(crate) fn from_code(code: u32, shown: u32) -> Option<Self> {
        match code {
            1 => Some(Self::Largest(shown as usize)),
            2 => Some(Self::Smallest(shown as usize)),
            _ => None,
        }
    }
}

/// What is ranked, and how.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RankedShape {
    /// The place of the ranked label.
    pub(crate) place: usize,
    /// All label names, the ranked one among them.
    pub(crate) names: Vec<String>,
    pub(crate) keep: Keep,
}

impl RankedShape {
    pub(crate) fn new(place: usize, keep: Keep) -> Self {
        // So that what was registered is equal to what is read from a shared arena.
        let keep = match keep {
            Keep::Largest(_) => Keep::Largest(keep.count()),
            Keep::Smallest(_) => Keep::Smallest(keep.count()),
        };
        Self { place, names: Vec::new(), keep }
    }
}

/// Finds the group of label values, and the account.
///
/// Panics: when the number of values is not that of the label names.
fn group<'f, 'v, M: Metric>(family: &'f Family<M>, values: &[&'v str]) -> (&'f M, Account<'v>) {
    let desc = &family.0.desc;
    let names = desc.all_labels();
    assert_eq!(values.len(), names.len(), "metric {:?}: number of label values", desc.name);
    let place = desc.shape.ranked.as_ref().map_or(0, |ranked| ranked.place);
    let account = Account::new(values[place]);
    // Few metrics have more labels than that.
    let mut rest = [""; 8];
    match rest.get_mut(..values.len() - 1) {
        Some(rest) => {
            rest[..place].copy_from_slice(&values[..place]);
            rest[place..].copy_from_slice(&values[place + 1..]);
            (family.with(rest), account)
        }
        None => (family.with(&[&values[..place], &values[place + 1..]].concat()), account),
    }
}

/// Runs a function that changes which accounts a table has; nothing when another thread or process is at it for long.
fn exclusively<T>(series: &Series, gate: &Mutex<()>, run: impl FnOnce() -> T) -> Option<T> {
    if let Arena::Shared(shared) = &*series.home.arena {
        return shared.exclusively_within(GATE_TIMEOUT, run).ok();
    }
    for _ in 0..GATE_ATTEMPTS {
        if let Ok(_held) = gate.try_lock() {
            return Some(run());
        }
        std::thread::yield_now();
    }
    None
}

/// Puts the values of accounts on the page, as the labels of a group's series say, sorted by account.
fn samples(series: &Series, mut accounts: Vec<(String, f64)>) -> Vec<(LabelText, f64)> {
    let Some(ranked) = &series.shape.ranked else { return Vec::new() };
    let group = unpack(&series.packed).unwrap_or_default();
    accounts.sort_by(|a, b| a.0.cmp(&b.0));
    let labels = |account: &str| {
        let mut values = group.clone();
        values.insert(ranked.place.min(values.len()), account);
        LabelText::new(ranked.names.iter().map(String::as_str).zip(values.iter().copied()))
    };
    accounts.iter().map(|(account, value)| (labels(account), *value)).collect()
}
