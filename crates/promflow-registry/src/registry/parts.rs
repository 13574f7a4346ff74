//! What a registry is made of.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use promflow_exposition::Writer;

use crate::collector::Collector;
use crate::desc::{Desc, classic};
use crate::error::{RegisterError, RegisterErrorKind};
use crate::family::Family;
use crate::memory::Block;
use crate::metric::Metric;

/// A family, whatever its type.
pub(super) trait AnyFamily: Send + Sync {
    fn desc(&self) -> &Desc;
    fn write(&self, writer: &mut Writer);
    fn expire_idle(&self, idle: Duration);
    fn adopt(&self, packed: &[u8], block: Block);
    fn adopt_extension(&self, packed: &[u8], index: usize, block: Block);
    fn as_any(&self) -> &dyn Any;
}

impl<M: Metric> AnyFamily for Family<M> {
    fn desc(&self) -> &Desc {
        &self.0.desc
    }

    fn write(&self, writer: &mut Writer) {
        Family::write(self, writer);
    }

    fn expire_idle(&self, idle: Duration) {
        Family::expire_idle(self, idle);
    }

    fn adopt(&self, packed: &[u8], block: Block) {
        Family::adopt(self, packed, block);
    }

    fn adopt_extension(&self, packed: &[u8], index: usize, block: Block) {
        Family::adopt_extension(self, packed, index, block);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What writes a part of the page.
#[derive(Clone)]
pub(super) enum Part {
    Family(Arc<dyn AnyFamily>),
    Collector(Arc<dyn Collector>),
}

pub(super) type Hook = Arc<dyn Fn() + Send + Sync>;

/// All metrics and what else is on a page.
#[derive(Default)]
pub(super) struct State {
    /// By name; a collector by the first of its names.
    pub(super) parts: BTreeMap<String, Part>,
    /// Families by the lines of their records in a shared arena.
    pub(super) by_record: HashMap<u32, Arc<dyn AnyFamily>>,
    /// Sample names as classic readers see them, and the metrics that have them.
    pub(super) sample_names: HashMap<String, String>,
    pub(super) default_labels: Vec<(String, String)>,
    pub(super) hooks: Vec<Hook>,
}

impl State {
    pub(super) fn families(&self) -> impl Iterator<Item = &Arc<dyn AnyFamily>> {
        self.parts.values().filter_map(|part| match part {
            Part::Family(family) => Some(family),
            Part::Collector(_) => None,
        })
    }

    pub(super) fn check(&self, desc: &Desc) -> Result<(), RegisterError> {
        if let Some((label, _)) =
            self.default_labels.iter().find(|(name, _)| desc.all_labels().contains(name))
        {
            let kind = RegisterErrorKind::DefaultLabel(label.clone());
            return Err(RegisterError { metric: desc.name.clone(), kind });
        }
        self.check_samples(&desc.name, &desc.sample_names())
    }

    pub(super) fn check_samples(&self, metric: &str, samples: &[String]) -> Result<(), RegisterError> {
        for sample in samples {
            if let Some(owner) = self.sample_names.get(&classic(sample)) {
                let kind = RegisterErrorKind::TakenName { sample: sample.clone(), owner: owner.clone() };
                return Err(RegisterError { metric: metric.to_owned(), kind });
            }
        }
        Ok(())
    }

    pub(super) fn add(&mut self, name: String, samples: Vec<String>, part: Part) {
        for sample in samples {
            self.sample_names.insert(classic(&sample), name.clone());
        }
        self.parts.insert(name, part);
    }
}
