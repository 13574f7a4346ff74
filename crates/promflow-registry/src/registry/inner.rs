//! How families come into a registry: registered here, or found in a shared arena.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use promflow_model::MetricType;

use super::Options;
use super::parts::{AnyFamily, Part, State};
use crate::arena::Arena;
use crate::counter::Counter;
use crate::desc::Desc;
use crate::error::RegisterError;
use crate::family::{Family, Setting, WarningHook};
use crate::gauge::Gauge;
use crate::histogram::Histogram;
use crate::metric::Metric;
use crate::ranked::{CounterGroup, GaugeGroup};
use crate::series::Home;
use crate::shared::{Record, Sink};
use crate::state::{Info, StateSet};
use crate::summary::Summary;

/// What the clones of a registry share.
pub(super) struct Inner {
    pub(super) options: Options,
    pub(super) arena: Arc<Arena>,
    pub(super) stripes: usize,
    pub(super) state: RwLock<State>,
    pub(super) warn: WarningHook,
    pub(super) overflowed: OnceLock<Family<Counter>>,
    /// The length of the last page.
    pub(super) page_bytes: AtomicUsize,
}

impl Inner {
    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds the family that is registered alike.
    ///
    /// Errors: the name or one of its samples is taken by something that differs.
    pub(super) fn find<M: Metric>(&self, desc: &Desc) -> Result<Option<Family<M>>, RegisterError> {
        let state = self.read();
        let refuse = |kind| Err(RegisterError { metric: desc.name.clone(), kind });
        match state.parts.get(&desc.name) {
            Some(Part::Family(registered)) => {
                if let Some(kind) = registered.desc().conflict(desc) {
                    return refuse(kind);
                }
                let family = registered.as_any().downcast_ref::<Family<M>>();
                Ok(Some(family.expect("BUG: a family's type differs from its description").clone()))
            }
            _ => state.check(desc).map(|()| None),
        }
    }

    /// Adds a family, unless one was added meanwhile; `record` is its line in a shared arena.
    pub(super) fn add<M: Metric>(&self, desc: Desc, record: u32) -> Result<Family<M>, RegisterError> {
        let setting = Setting {
            home: Home {
                arena: self.arena.clone(),
                family: record,
                removals: self.arena.shared().map(|shared| shared.header().clone()),
            },
            series_limit: self.options.series_limit,
            stripes: self.stripes,
            created: self.options.created_timestamps,
            warn: self.warn.clone(),
            overflowed: self.overflowed.get().filter(|family| family.name() != desc.name).cloned(),
        };
        let (name, samples) = (desc.name.clone(), desc.sample_names());
        let mut state = self.write();
        if !state.parts.contains_key(&name) {
            state.check(&desc)?;
            let family = Family::<M>::new(desc, setting);
            state.add(name, samples, Part::Family(Arc::new(family.clone())));
            return Ok(family);
        }
        drop(state);
        let found = self.find::<M>(&desc)?;
        Ok(found.expect("BUG: a family was removed while it was registered"))
    }

    fn adopt_family(&self, at: u32, desc: Desc) {
        if self.read().by_record.contains_key(&at) {
            return;
        }
        let name = desc.name.clone();
        let is_ranked = desc.shape.ranked.is_some();
        let added = match desc.kind {
            MetricType::Counter if is_ranked => self.add::<CounterGroup>(desc, at).map(drop),
            MetricType::Gauge if is_ranked => self.add::<GaugeGroup>(desc, at).map(drop),
            MetricType::Counter => self.add::<Counter>(desc, at).map(drop),
            MetricType::Gauge => self.add::<Gauge>(desc, at).map(drop),
            MetricType::Histogram => self.add::<Histogram>(desc, at).map(drop),
            MetricType::Summary => self.add::<Summary>(desc, at).map(drop),
            MetricType::StateSet => self.add::<StateSet>(desc, at).map(drop),
            MetricType::Info => self.add::<Info>(desc, at).map(drop),
            MetricType::GaugeHistogram | MetricType::Unknown => return,
        };
        let mut state = self.write();
        // One that differs from a metric or a collector of this process alone stays unseen here.
        if added.is_ok()
            && let Some(Part::Family(family)) = state.parts.get(&name)
        {
            let family = family.clone();
            state.by_record.insert(at, family);
        }
    }

    fn by_record(&self, at: u32) -> Option<Arc<dyn AnyFamily>> {
        self.read().by_record.get(&at).cloned()
    }
}

impl Sink for Inner {
    fn adopt(&self, record: Record) {
        match record {
            Record::Family { at, desc } => self.adopt_family(at, desc),
            Record::Foreign { .. } => {}
            Record::Series { family, packed, block } => {
                if let Some(family) = self.by_record(family) {
                    family.adopt(&packed, block);
                }
            }
            Record::Extension { family, packed, index, block } => {
                if let Some(family) = self.by_record(family) {
                    family.adopt_extension(&packed, index, block);
                }
            }
        }
    }
}
