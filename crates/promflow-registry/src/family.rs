//! A metric with its label names.

mod removal;
mod sorted;

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use promflow_exposition::Writer;

use crate::arena::{Arena, take};
use crate::counter::Counter;
use crate::desc::Desc;
use crate::error::{LabelCountError, RegisterError, RegisterErrorKind, Warning};
use crate::gauge::seconds_since_epoch;
use crate::guard::{Guards, LabelGuard};
use crate::label_set::LabelSet;
use crate::memory::Block;
use crate::metric::{Life, Metric};
use crate::series::{Home, Series, pack, unpack};
use crate::shared::ArenaError;
use crate::shared::REMOVALS;
use crate::sync::{AtomicU64, AtomicUsize, OnceLock, Ordering};
use crate::table::{Entry, Table};
use removal::Watched;
use sorted::Sorted;

/// The label value of the series that takes what is beyond a family's limit.
pub const OVERFLOW: &str = "__other__";

/// How many series are looked at before the first of them is written.
const AHEAD: usize = 64;

/// Where a family counts what went beyond its limit; absent in the family that counts it.
pub(crate) type Overflowed = Family<Counter>;

/// Who is told of what should be heard once.
pub(crate) type WarningHook = Arc<std::sync::OnceLock<Box<dyn Fn(&Warning) + Send + Sync>>>;

/// What families of one registry have in common.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) home: Home,
    pub(crate) series_limit: usize,
    /// How many stripes a series has: see [`crate::stripe`].
    pub(crate) stripes: usize,
    pub(crate) created: bool,
    pub(crate) warn: WarningHook,
    pub(crate) overflowed: Option<Overflowed>,
}

pub(crate) struct Inner<M> {
    pub(crate) desc: Desc,
    setting: Setting,
    table: Table<M>,
    limit: AtomicUsize,
    /// Series on the page, as far as this process knows.
    alive: AtomicUsize,
    /// What [`crate::shared::Shared::removals`] was when `alive` was last counted.
    removals_seen: AtomicU64,
    overflow_key: Box<[&'static str]>,
    guards: OnceLock<Guards>,
    warned: AtomicBool,
    /// All cells sorted by labels, as they were when somebody last wrote a page.
    sorted: Mutex<Arc<Sorted<M>>>,
    watched: Mutex<Watched>,
}

/// A metric with its label names: the cells of all its series.
///
/// Cost: a clone is a reference count.
pub struct Family<M>(pub(crate) Arc<Inner<M>>);

impl<M> Clone for Family<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M> fmt::Debug for Family<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Family").field(&self.0.desc.name).finish()
    }
}

impl<M: Metric> Family<M> {
    pub(crate) fn new(desc: Desc, setting: Setting) -> Self {
        let overflow_key = vec![OVERFLOW; desc.labels.len()].into();
        let limit = AtomicUsize::new(setting.series_limit);
        Self(Arc::new(Inner {
            desc,
            setting,
            table: Table::new(),
            limit,
            alive: AtomicUsize::new(0),
            removals_seen: AtomicU64::new(0),
            overflow_key,
            guards: OnceLock::new(),
            warned: AtomicBool::new(false),
            sorted: Mutex::default(),
            watched: Mutex::default(),
        }))
    }

    /// Makes the series that a family has from the start: its only one, or the one for overflow, which is not on the
    /// page before it is needed. So a full arena never leaves an observation without a place.
    ///
    /// Errors: the arena is full or cannot be written.
    pub(crate) fn prepare(&self) -> Result<(), ArenaError> {
        let inner = &*self.0;
        let values = &*inner.overflow_key;
        let born = if values.is_empty() { now_bits() } else { 0 };
        let hash = inner.table.hash(values);
        if inner.table.get(hash, values).is_some() {
            return Ok(());
        }
        let reserved = usize::from(born != 0);
        inner.alive.fetch_add(reserved, Ordering::Relaxed);
        let created = self.create(hash, values, born);
        if created.is_err() {
            inner.alive.fetch_sub(reserved, Ordering::Relaxed);
        }
        created.map(drop)
    }

    /// Returns the metric's name.
    pub fn name(&self) -> &str {
        &self.0.desc.name
    }

    /// Returns the help text.
    pub fn help(&self) -> &str {
        &self.0.desc.help
    }

    /// Returns the label names.
    pub fn label_names(&self) -> &[String] {
        &self.0.desc.labels
    }

    /// Finds the series of these label values, which come in the order of the label names; it begins at zero.
    ///
    /// Beyond the limit of series, the series of [`OVERFLOW`] is returned.
    ///
    /// Panics: when the number of values is not that of the label names.
    /// Cost: a hash of the values and, usually, one comparison; no lock and no allocation for a series that exists.
    #[inline]
    pub fn with(&self, values: &[&str]) -> &M {
        match self.find_known(values) {
            Some(metric) => metric,
            None => self.find_or_panic(values),
        }
    }

    #[cold]
    #[inline(never)]
    fn find_or_panic(&self, values: &[&str]) -> &M {
        self.find_or_overflow(values).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Finds the series of these label values, as [`Family::with`].
    ///
    /// Errors: the number of values is not that of the label names.
    #[inline]
    pub fn try_with(&self, values: &[&str]) -> Result<&M, LabelCountError> {
        match self.find_known(values) {
            Some(metric) => Ok(metric),
            None => self.find_or_overflow(values),
        }
    }

    /// Finds a series that is on the page, where no label has a guard: what nearly every lookup is. Whatever else there
    /// is to ask is asked when this finds nothing.
    #[inline]
    fn find_known(&self, values: &[&str]) -> Option<&M> {
        let inner = &*self.0;
        if values.len() != inner.desc.labels.len() || inner.guards.get().is_some() {
            return None;
        }
        let entry = inner.table.get(inner.table.hash(values), values)?;
        (entry.is_alive() && self.is_current()).then_some(&entry.metric)
    }

    #[cold]
    #[inline(never)]
    fn find_or_overflow(&self, values: &[&str]) -> Result<&M, LabelCountError> {
        Ok(match self.find(values, self.0.limit.load(Ordering::Relaxed))? {
            Some(metric) => metric,
            None => self.overflow(),
        })
    }

    /// Finds the series of typed labels, as [`Family::with`].
    ///
    /// Panics: when the label set has not as many labels as the family.
    #[inline]
    pub fn at<L: LabelSet>(&self, labels: &L) -> &M {
        labels.with_values(|values| self.with(values))
    }

    /// Finds the series of these label values; beyond the limit, which is counted, there is none.
    ///
    /// For values that mean nothing when several series share them, such as a user's balance.
    ///
    /// Panics: when the number of values is not that of the label names.
    pub fn with_limited(&self, values: &[&str]) -> Option<&M> {
        self.find(values, self.0.limit.load(Ordering::Relaxed)).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Finds the series of these label values, whatever the limit: for values that the program chooses itself. A
    /// shared arena that is full gives the overflow series.
    ///
    /// Panics: when the number of values is not that of the label names.
    pub fn with_unlimited(&self, values: &[&str]) -> &M {
        self.find(values, usize::MAX).unwrap_or_else(|e| panic!("{e}")).unwrap_or_else(|| self.overflow())
    }

    fn find(&self, values: &[&str], limit: usize) -> Result<Option<&M>, LabelCountError> {
        let inner = &*self.0;
        if values.len() != inner.desc.labels.len() {
            return Err(LabelCountError {
                metric: inner.desc.name.clone(),
                names: inner.desc.labels.len(),
                values: values.len(),
            });
        }
        match inner.guards.get() {
            None => Ok(self.find_guarded(values, limit)),
            Some(guards) => Ok(guards.apply(values, |values| self.find_guarded(values, limit))),
        }
    }

    fn find_guarded(&self, values: &[&str], limit: usize) -> Option<&M> {
        let hash = self.0.table.hash(values);
        match self.0.table.get(hash, values) {
            Some(entry) if entry.is_alive() && self.is_current() => Some(&entry.metric),
            _ => self.give_birth(hash, values, limit),
        }
    }

    /// Tells whether no other process has removed or brought back a series since this one looked.
    #[inline]
    fn is_current(&self) -> bool {
        match &self.0.setting.home.removals {
            None => true,
            Some(removals) => {
                removals.head()[REMOVALS].load(Ordering::Relaxed)
                    == self.0.removals_seen.load(Ordering::Relaxed)
            }
        }
    }

    /// Makes a series, or brings one back; nothing, and a warning, where there is no room.
    #[cold]
    fn give_birth(&self, hash: u64, values: &[&str], limit: usize) -> Option<&M> {
        let inner = &*self.0;
        self.catch_up();
        let known = inner.table.get(hash, values);
        if let Some(entry) = known
            && entry.is_alive()
        {
            return Some(&entry.metric);
        }
        if !self.reserve(limit) {
            self.warn(|metric| Warning::SeriesLimit { metric, limit });
            return None;
        }
        match known {
            Some(entry) => self.revive(entry),
            None => match self.create(hash, values, now_bits()) {
                Ok(found) => return found,
                Err(error) => {
                    inner.alive.fetch_sub(1, Ordering::Relaxed);
                    self.warn(|metric| Warning::Arena { metric, error });
                }
            },
        }
        known.map(|entry| &entry.metric)
    }

    /// Counts one more series on the page, unless the limit is reached.
    fn reserve(&self, limit: usize) -> bool {
        // The overflow series has a place of its own.
        let overflow = self.overflow_entry().is_some_and(Entry::is_alive);
        let limit = limit.saturating_add(usize::from(overflow));
        let alive = &self.0.alive;
        let reserved = alive.fetch_add(1, Ordering::Relaxed) < limit;
        if !reserved {
            alive.fetch_sub(1, Ordering::Relaxed);
        }
        reserved
    }

    /// Puts a removed or expired series back on the page; its place in `alive` is reserved.
    fn revive(&self, entry: &Entry<M>) {
        let cell = entry.metric.cell();
        let life = cell.life();
        let born = match life {
            Life::Expired(born) | Life::Born(born) => born,
            Life::Absent => seconds_since_epoch(),
        };
        if matches!(life, Life::Born(_)) || !cell.change_life(life, Life::Born(born)) {
            self.0.alive.fetch_sub(1, Ordering::Relaxed);
        } else {
            self.note_removal();
        }
        entry.set_alive(true);
    }

    /// Learns of the series that other processes made, removed or brought back; a damaged arena is told to whoever
    /// makes a series.
    fn catch_up(&self) {
        let inner = &*self.0;
        let Some(shared) = inner.setting.home.arena.shared() else { return };
        let _ = shared.replay();
        let removals = shared.removals();
        if inner.removals_seen.swap(removals, Ordering::Relaxed) != removals {
            let mut alive = 0;
            for entry in inner.table.iter() {
                entry.set_alive(entry.metric.cell().is_alive());
                alive += usize::from(entry.is_alive());
            }
            inner.alive.store(alive, Ordering::Relaxed);
        }
    }

    fn note_removal(&self) {
        if let Some(shared) = self.0.setting.home.arena.shared() {
            shared.note_removal();
        }
    }

    /// Makes a series, whose place in `alive` is reserved when it is born; it may be another's who was faster.
    fn create(&self, hash: u64, values: &[&str], born: u64) -> Result<Option<&M>, ArenaError> {
        let inner = &*self.0;
        let (home, lines) = (&inner.setting.home, M::lines(&inner.desc.shape, inner.setting.stripes));
        match &*home.arena {
            Arena::Heap(heap) => {
                let block = take(heap, lines);
                block.word(crate::series::BORN).store(born, Ordering::Relaxed);
                let inserted = inner.table.insert(hash, &pack(values), self.make(values, block), born != 0);
                if born != 0 && !inserted.is_some_and(|(_, new)| new) {
                    inner.alive.fetch_sub(1, Ordering::Relaxed);
                }
                Ok(inserted.map(|(entry, _)| &entry.metric))
            }
            Arena::Shared(shared) => {
                let packed = pack(values);
                let exists = || inner.table.get(hash, values).is_some();
                let created = shared.create_series(home.family, &packed, lines, born, exists);
                if created.is_ok() && born != 0 {
                    // The record was counted when it was read.
                    inner.alive.fetch_sub(1, Ordering::Relaxed);
                }
                created.map(|()| inner.table.get(hash, values).map(|entry| &entry.metric))
            }
        }
    }

    fn make(&self, values: &[&str], block: Block) -> M {
        let inner = &*self.0;
        let (shape, home) = (inner.desc.shape.clone(), inner.setting.home.clone());
        M::new(block, Arc::new(Series::new(&inner.desc.labels, values, shape, home)))
    }

    /// Takes a series that was found in the shared arena.
    pub(crate) fn adopt(&self, packed: &[u8], block: Block) {
        let inner = &*self.0;
        let Some(values) = unpack(packed).filter(|values| values.len() == inner.desc.labels.len()) else {
            return;
        };
        let hash = inner.table.hash(&values);
        if inner.table.get(hash, &values).is_some()
            || block.len() < M::lines(&inner.desc.shape, 1) * crate::memory::LINE_WORDS
        {
            return;
        }
        let metric = self.make(&values, block);
        let alive = metric.cell().is_alive();
        if let Some((_, true)) = inner.table.insert(hash, packed, metric, alive)
            && alive
        {
            inner.alive.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes a further piece of a series' memory that was found in the shared arena.
    pub(crate) fn adopt_extension(&self, packed: &[u8], index: usize, block: Block) {
        let Some(values) = unpack(packed) else { return };
        let table = &self.0.table;
        if let Some(entry) = table.get(table.hash(&values), &values) {
            entry.metric.cell().series().attach(index, block);
        }
    }

    fn overflow_entry(&self) -> Option<&Entry<M>> {
        let (table, key) = (&self.0.table, &*self.0.overflow_key);
        table.get(table.hash(key), key)
    }

    /// Returns the overflow series, which is on the page from now on.
    fn overflow(&self) -> &M {
        let entry = self.overflow_entry().expect("BUG: a family without overflow series");
        if !entry.metric.cell().is_alive() {
            self.0.alive.fetch_add(1, Ordering::Relaxed);
            self.revive(entry);
        }
        &entry.metric
    }

    #[cold]
    fn warn(&self, warning: impl FnOnce(String) -> Warning) {
        let inner = &*self.0;
        if let Some(overflowed) = &inner.setting.overflowed {
            overflowed.with(&[&inner.desc.name]).inc();
        }
        if !inner.warned.swap(true, Ordering::Relaxed)
            && let Some(hook) = inner.setting.warn.get()
        {
            hook(&warning(inner.desc.name.clone()));
        }
    }

    /// Makes sure that these combinations of label values exist, at zero.
    pub fn init<const N: usize>(&self, combinations: &[[&str; N]]) -> &Self {
        for values in combinations {
            self.with(values);
        }
        self
    }

    /// Bounds the values of a label; the guards set first stay.
    ///
    /// Errors: the family has no such label.
    pub fn guard(&self, guards: &[(&str, LabelGuard)]) -> Result<&Self, RegisterError> {
        let names = &self.0.desc.labels;
        let built = Guards::new(names, guards).map_err(|label| RegisterError {
            metric: self.0.desc.name.clone(),
            kind: RegisterErrorKind::MissingLabel(label),
        })?;
        let _ = self.0.guards.set(built);
        Ok(self)
    }

    /// Changes the limit of series, for those that come later.
    pub fn limit_series(&self, limit: usize) -> &Self {
        self.0.limit.store(limit, Ordering::Relaxed);
        self
    }

    /// Counts the series.
    pub fn series_count(&self) -> usize {
        self.catch_up();
        self.0.table.iter().filter(|entry| entry.metric.cell().is_alive()).count()
    }

    /// Calls a function with the label values and the handle of each series on the page, in the order of the page.
    pub fn for_each(&self, mut visit: impl FnMut(&[&str], &M)) {
        for metric in self.sorted().cells().iter().filter(|metric| metric.cell().is_alive()) {
            if let Some(values) = unpack(&metric.cell().series().packed) {
                visit(&values, metric);
            }
        }
    }

    /// Returns all cells, sorted by labels.
    ///
    /// Nobody who counts waits, nor does a second page: when one is sorting, the other sorts for itself.
    fn sorted(&self) -> Arc<Sorted<M>> {
        let inner = &*self.0;
        let sort = || Arc::new(Sorted::new(inner.table.iter().map(|entry| entry.metric.clone()).collect()));
        let Ok(mut cache) = inner.sorted.try_lock() else { return sort() };
        if cache.cells().len() != inner.table.len() {
            *cache = sort();
        }
        cache.clone()
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        let desc = &self.0.desc;
        let mut begun = false;
        let sorted = self.sorted();
        let mut series = sorted.series();
        for metrics in sorted.cells().chunks(AHEAD) {
            // The cells are in the order of their birth, so nearly each is a miss of the cache: asking for many at
            // once lets the processor fetch them at the same time.
            let mut lives = [Life::Absent; AHEAD];
            for (life, metric) in lives.iter_mut().zip(metrics) {
                *life = metric.cell().life();
            }
            for ((metric, labels), life) in series.by_ref().take(metrics.len()).zip(lives) {
                let Life::Born(born) = life else { continue };
                if !begun {
                    begun = true;
                    writer.family(&desc.name, M::KIND, &desc.unit, &desc.help);
                }
                metric.write(writer, labels, self.0.setting.created.then_some(born));
            }
        }
    }
}

fn now_bits() -> u64 {
    seconds_since_epoch().to_bits()
}

#[cfg(all(test, not(shuttle)))]
mod tests;
