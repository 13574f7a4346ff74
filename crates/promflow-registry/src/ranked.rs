//! Metrics of which only the largest or the smallest series are shown, such as credits by user.
//!
//! Any number of accounts may be counted in bounded memory: of each group, which is all of the other labels, a few
//! times as many accounts are remembered as are shown. The sum of a ranked counter over the page is always exact: what
//! is not shown is in the series of [`OVERFLOW`]. These values stand in the process that counts them, not in a shared
//! arena.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use promflow_exposition::{LabelText, Number, Writer};
use promflow_model::MetricType;

use crate::collector::Collector;
use crate::desc::Desc;
use crate::family::OVERFLOW;
use crate::series::pack;

/// How many more accounts are remembered than are shown.
const REMEMBERED_FACTOR: usize = 8;
/// How many groups there may be; what belongs to further ones shares a group.
const GROUPS_MAX: usize = 256;

/// Which series are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Those with the largest values.
    Largest(usize),
    /// Those with the smallest values.
    Smallest(usize),
}

impl Keep {
    fn count(self) -> usize {
        match self {
            Self::Largest(k) | Self::Smallest(k) => k.max(1),
        }
    }
}

/// Groups by the values of all labels but the ranked one.
struct Groups<G> {
    desc: Desc,
    /// The place of the ranked label.
    place: usize,
    groups: Mutex<HashMap<Box<[u8]>, Group<G>>>,
}

struct Group<G> {
    /// Label values, the ranked one empty.
    values: Vec<String>,
    state: G,
}

impl<G> Groups<G> {
    fn lock(&self) -> MutexGuard<'_, HashMap<Box<[u8]>, Group<G>>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a function on the group of these values, and the ranked value.
    ///
    /// Panics: when the number of values is not that of the label names.
    fn with<R>(&self, values: &[&str], new: impl FnOnce() -> G, run: impl FnOnce(&mut G, &str) -> R) -> R {
        assert_eq!(
            values.len(),
            self.desc.labels.len(),
            "metric {:?}: number of label values",
            self.desc.name
        );
        let mut rest = values.to_vec();
        let ranked = std::mem::take(&mut rest[self.place]);
        let mut groups = self.lock();
        let mut key = pack(&rest);
        if groups.len() >= GROUPS_MAX && !groups.contains_key(&key) {
            rest.iter_mut().for_each(|value| *value = OVERFLOW);
            rest[self.place] = "";
            key = pack(&rest);
        }
        let owned = || rest.iter().map(|value| (*value).to_owned()).collect();
        let group = groups.entry(key).or_insert_with(|| Group { values: owned(), state: new() });
        run(&mut group.state, ranked)
    }

    /// Lists the samples of all groups, sorted by labels.
    fn samples(&self, list: impl Fn(&G) -> Vec<(String, f64)>) -> Vec<(LabelText, f64)> {
        let mut samples = Vec::new();
        for group in self.lock().values() {
            for (ranked, value) in list(&group.state) {
                let names = self.desc.labels.iter().map(String::as_str);
                let values = group.values.iter().map(String::as_str).enumerate();
                let values = values.map(|(i, value)| if i == self.place { ranked.as_str() } else { value });
                samples.push((LabelText::new(names.zip(values)), value));
            }
        }
        samples.sort_by(|a, b| a.0.as_str().cmp(b.0.as_str()));
        samples
    }

    fn write(&self, writer: &mut Writer, samples: &[(LabelText, f64)]) {
        if !samples.is_empty() {
            writer.family(&self.desc.name, self.desc.kind, &self.desc.unit, &self.desc.help);
        }
        for (labels, value) in samples {
            match self.desc.kind {
                MetricType::Counter => writer.counter(labels, Number::Float(*value), None, None),
                _ => writer.gauge(labels, *value),
            }
        }
    }
}

/// A counter of which the accounts that count most are shown, and all others together.
///
/// An account's series begins at zero when it becomes one of the largest: what it counted before is in the series of
/// [`OVERFLOW`], and what it counted since goes there when it is one no more. So no series ever goes down.
#[derive(Clone)]
pub struct RankedCounter(Arc<CounterState>);

struct CounterState {
    groups: Groups<Used>,
    shown_max: usize,
}

#[derive(Default)]
struct Used {
    accounts: HashMap<Box<str>, Account>,
    shown: usize,
    /// No account that is shown ranks lower; it may rank higher meanwhile.
    least_shown: f64,
    other: f64,
}

#[derive(Default)]
struct Account {
    /// All that was counted; of an account that took a forgotten one's place, at most all.
    rank: f64,
    /// What was counted since the account has been shown.
    shown: Option<f64>,
}

impl std::fmt::Debug for RankedCounter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RankedCounter").field(&self.0.groups.desc.name).finish()
    }
}

impl RankedCounter {
    pub(crate) fn new(desc: Desc, place: usize, shown_max: usize) -> Self {
        let groups = Groups { desc, place, groups: Mutex::default() };
        Self(Arc::new(CounterState { groups, shown_max: shown_max.max(1) }))
    }

    /// Adds an amount; a negative one, a NaN or an infinity is refused.
    ///
    /// Panics: when the number of values is not that of the label names.
    /// Errors: `false` when the amount was refused.
    /// Cost: a lock and a lookup; for an account that is not remembered, also a search among those that are.
    pub fn add(&self, values: &[&str], amount: f64) -> bool {
        if !(amount >= 0.0 && amount.is_finite()) {
            return false;
        }
        let shown_max = self.0.shown_max;
        self.0.groups.with(values, Used::default, |used, account| used.add(account, amount, shown_max));
        true
    }

    /// Returns the sum of a group, whoever is shown: the ranked label's value does not matter.
    ///
    /// Panics: when the number of values is not that of the label names.
    pub fn total(&self, values: &[&str]) -> f64 {
        self.0.groups.with(values, Used::default, |used, _| {
            used.other + used.accounts.values().filter_map(|account| account.shown).sum::<f64>()
        })
    }
}

impl Used {
    fn add(&mut self, name: &str, amount: f64, shown_max: usize) {
        if !self.accounts.contains_key(name) {
            let rank = self.make_room(shown_max * REMEMBERED_FACTOR);
            self.accounts.insert(name.into(), Account { rank, shown: None });
        }
        let Some(account) = self.accounts.get_mut(name) else { return };
        account.rank += amount;
        if let Some(shown) = &mut account.shown {
            *shown += amount;
            return;
        }
        let rank = account.rank;
        if self.shown >= shown_max && (rank <= self.least_shown || !self.hide_least(rank)) {
            self.other += amount;
            return;
        }
        self.shown += 1;
        self.least_shown = if self.shown == 1 { rank } else { self.least_shown.min(rank) };
        if let Some(account) = self.accounts.get_mut(name) {
            account.shown = Some(amount);
        }
    }

    /// Forgets the account that is not shown and ranks lowest, when there are too many; returns its rank, from which
    /// the next one goes on, so that one who counts steadily is not forgotten again and again.
    fn make_room(&mut self, remembered_max: usize) -> f64 {
        if self.accounts.len() < remembered_max {
            return 0.0;
        }
        let hidden = self.accounts.iter().filter(|(_, account)| account.shown.is_none());
        let least = hidden.min_by(|a, b| a.1.rank.total_cmp(&b.1.rank)).map(|(name, _)| name.clone());
        least.and_then(|name| self.accounts.remove(&name)).map_or(0.0, |account| account.rank)
    }

    /// Hides the account that is shown and ranks lowest, if lower than `rank`.
    fn hide_least(&mut self, rank: f64) -> bool {
        let shown = self.accounts.iter_mut().filter(|(_, account)| account.shown.is_some());
        let Some((_, least)) = shown.min_by(|a, b| a.1.rank.total_cmp(&b.1.rank)) else { return false };
        self.least_shown = least.rank;
        if rank <= least.rank {
            return false;
        }
        self.other += least.shown.take().unwrap_or(0.0);
        self.shown -= 1;
        true
    }

    fn list(&self) -> Vec<(String, f64)> {
        let shown = self.accounts.iter().filter_map(|(name, a)| Some((name.to_string(), a.shown?)));
        shown.chain((self.other > 0.0).then(|| (OVERFLOW.to_owned(), self.other))).collect()
    }
}

impl Collector for RankedCounter {
    fn sample_names(&self) -> Vec<String> {
        self.0.groups.desc.sample_names()
    }

    fn collect(&self, writer: &mut Writer) {
        self.0.groups.write(writer, &self.0.groups.samples(Used::list));
    }
}

/// A gauge of which the largest or the smallest values are shown, such as the balances that run out.
#[derive(Clone)]
pub struct RankedGauge(Arc<GaugeState>);

struct GaugeState {
    groups: Groups<HashMap<Box<str>, f64>>,
    keep: Keep,
}

impl std::fmt::Debug for RankedGauge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RankedGauge").field(&self.0.groups.desc.name).finish()
    }
}

impl RankedGauge {
    pub(crate) fn new(desc: Desc, place: usize, keep: Keep) -> Self {
        let groups = Groups { desc, place, groups: Mutex::default() };
        Self(Arc::new(GaugeState { groups, keep }))
    }

    /// Sets a value. One that is far from being shown is not remembered, and comes back when it is set again.
    ///
    /// Panics: when the number of values is not that of the label names.
    pub fn set(&self, values: &[&str], value: f64) {
        let keep = self.0.keep;
        self.0.groups.with(values, HashMap::new, |balances, account| {
            if let Some(known) = balances.get_mut(account) {
                *known = value;
                return;
            }
            if balances.len() >= keep.count() * REMEMBERED_FACTOR {
                let worst = balances.iter().max_by(|a, b| keep.compare(*a.1, *b.1));
                let Some((name, worst)) = worst.map(|(name, value)| (name.clone(), *value)) else { return };
                if keep.compare(value, worst).is_ge() {
                    return;
                }
                balances.remove(&name);
            }
            balances.insert(account.into(), value);
        });
    }

    /// Forgets a value; `false` when it was not remembered.
    ///
    /// Panics: when the number of values is not that of the label names.
    pub fn remove(&self, values: &[&str]) -> bool {
        self.0.groups.with(values, HashMap::new, |balances, account| balances.remove(account).is_some())
    }
}

impl Keep {
    /// Orders what is shown first before the rest.
    fn compare(self, a: f64, b: f64) -> std::cmp::Ordering {
        match self {
            Self::Largest(_) => b.total_cmp(&a),
            Self::Smallest(_) => a.total_cmp(&b),
        }
    }

    fn list(self, balances: &HashMap<Box<str>, f64>) -> Vec<(String, f64)> {
        let mut all: Vec<_> = balances.iter().map(|(name, value)| (name.to_string(), *value)).collect();
        all.sort_by(|a, b| self.compare(a.1, b.1).then_with(|| a.0.cmp(&b.0)));
        all.truncate(self.count());
        all
    }
}

impl Collector for RankedGauge {
    fn sample_names(&self) -> Vec<String> {
        self.0.groups.desc.sample_names()
    }

    fn collect(&self, writer: &mut Writer) {
        let samples = self.0.groups.samples(|balances| self.0.keep.list(balances));
        self.0.groups.write(writer, &samples);
    }
}
