//! What a shared arena holds, as a part of a page and as values for Python code.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::arena::Arena;
use crate::desc::Kind;
use crate::family::Family;
use crate::key;
use crate::page::type_name;
use crate::samples::{Choice, Extra, each};
use crate::value::{exemplar, pairs};

/// All metrics of a shared arena, but for those of some names.
#[pyclass(frozen, module = "promflow._core")]
pub(crate) struct SharedPart {
    arena: Arc<Arena>,
    without: HashSet<String>,
}

#[pymethods]
impl SharedPart {
    #[new]
    #[pyo3(signature = (path, without = HashSet::new()))]
    fn new(path: PathBuf, without: HashSet<String>) -> PyResult<Self> {
        let arena = Arena::open(&path).map_err(|e| PyOSError::new_err(e.to_string()))?;
        Ok(Self { arena, without })
    }

    /// Lists name, help, type, unit, and samples of each metric: name, labels, value and exemplar.
    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let all = PyList::empty(py);
        for group in self.groups() {
            let Some(first) = group.first() else { continue };
            let samples = PyList::empty(py);
            for family in &group {
                add_samples(&samples, family)?;
            }
            let desc = &first.desc;
            all.append((&desc.name, &desc.help, type_name(desc), &desc.unit, samples))?;
        }
        Ok(all)
    }

    /// Gives up the values of a process that ended, where only running processes count.
    fn mark_process_dead(&self, pid: u32) {
        for family in self.arena.families() {
            if family.desc.by_process && family.desc.mode.is_live() {
                for series in family.all() {
                    series.slots.free(&family.desc, pid);
                }
            }
        }
    }
}

impl SharedPart {
    /// Lists families by name. Of those that have the same labels and differ in something else, the first counts.
    pub(crate) fn groups(&self) -> Vec<Vec<Arc<Family>>> {
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut groups: Vec<Vec<Arc<Family>>> = Vec::new();
        for family in self.arena.families() {
            let desc = &family.desc;
            if self.without.contains(&desc.name) {
                continue;
            }
            let place = *places.entry(desc.name.clone()).or_insert(groups.len());
            match groups.get_mut(place) {
                None => groups.push(vec![family]),
                Some(group) => {
                    let is_new = |known: &Arc<Family>| {
                        let known = &known.desc;
                        let same_sample = known.kind != Kind::Value || known.states == desc.states;
                        known.kind == desc.kind && !(known.labels == desc.labels && same_sample)
                    };
                    if group.iter().all(is_new) {
                        group.push(family);
                    }
                }
            }
        }
        groups
    }
}

fn add_samples(samples: &Bound<'_, PyList>, family: &Family) -> PyResult<()> {
    let (py, desc) = (samples.py(), &family.desc);
    let choice = Choice { created: false, multiprocess: true };
    for series in family.all() {
        let mut seen = Vec::new();
        each(family, &series, choice, &mut |suffix, extra, value, text| {
            seen.push((suffix, extra, value, text))
        });
        for (suffix, extra, value, text) in seen {
            let labels = PyDict::new(py);
            let mut named: Vec<(&String, &str)> = desc.labels.iter().zip(key::unpack(&series.key)).collect();
            named.sort_unstable();
            for (name, value) in named {
                labels.set_item(name, value)?;
            }
            match extra {
                Extra::Nothing => {}
                Extra::Bucket(i) => labels.set_item("le", crate::text::float_to_go_string(desc.bounds[i]))?,
                Extra::State(i) => labels.set_item(&desc.name, &desc.states[i])?,
                Extra::Pid(pid) => labels.set_item("pid", pid.to_string())?,
                Extra::Facts(text) => labels.update(pairs(py, &text.packed)?.as_mapping())?,
            }
            let name = match desc.kind {
                Kind::Value => desc.states.get(1).cloned().unwrap_or_default(),
                _ => [&desc.name, suffix.text()].concat(),
            };
            let exemplar = text.map(|text| exemplar(py, &text)).transpose()?;
            samples.append((name, labels, value, exemplar))?;
        }
    }
    Ok(())
}
