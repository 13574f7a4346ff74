//! From calls to definitions: constants of the file, then of the tree, and helpers with what they are given.

use std::collections::{BTreeMap, BTreeSet};

use promflow_model::{MetricType, is_legacy_metric_name};
use ruff_python_ast::Operator;

use super::value::Value;
use super::{Call, FileFindings, Site};
use crate::Definition;

/// How many constants one value may go through, and how many helpers may stand in each other.
const DEPTH_MAX: usize = 16;

/// How many metrics one call in a helper may define.
const USES_MAX: usize = 500;

/// The buckets of a histogram that sets none.
///
/// Source: prometheus_client/metrics.py, `Histogram.DEFAULT_BUCKETS`.
const DEFAULT_BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// What parameters are given, the innermost function last.
pub(super) type Given = [(String, Value)];

/// Looks names up.
pub(super) struct Resolver<'f> {
    files: &'f [FileFindings],
    /// The files in which a name is bound.
    bound_in: BTreeMap<&'f str, Vec<usize>>,
    /// The calls of functions, by name.
    calls: BTreeMap<&'f str, Vec<(usize, &'f Call)>>,
}

impl<'f> Resolver<'f> {
    pub(super) fn new(files: &'f [FileFindings]) -> Self {
        let mut bound_in: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let mut calls: BTreeMap<&str, Vec<(usize, &Call)>> = BTreeMap::new();
        for (index, file) in files.iter().enumerate() {
            for name in file.bindings.keys() {
                bound_in.entry(name).or_default().push(index);
            }
            for call in &file.calls {
                calls.entry(&call.name).or_default().push((index, call));
            }
        }
        Self { files, bound_in, calls }
    }

    /// Resolves a call into the metrics that it defines: one, or one for each use of the helper it stands in.
    pub(super) fn definitions(&self, file: usize, site: &Site) -> Vec<Definition> {
        if let Some(definition) = self.definition(file, site, &[], (site.call.line, site.call.column)) {
            return vec![definition];
        }
        let mut found = Vec::new();
        self.through_helpers((file, site), (file, site.call.function), None, 0, &mut found);
        found
    }

    /// Follows the calls of the function that a site stands in, `at` a file, and of those that these stand in.
    ///
    /// `pending` is what the innermost function is given, in words of the one followed now.
    fn through_helpers(
        &self,
        site: (usize, &Site),
        at: (usize, Option<usize>),
        pending: Option<&Given>,
        depth: usize,
        found: &mut Vec<Definition>,
    ) {
        let function = at.1.map(|function| &self.files[at.0].functions[function]);
        let Some(function) = function.filter(|_| depth < DEPTH_MAX) else { return };
        for (caller, call) in self.calls.get(function.name.as_str()).into_iter().flatten().take(USES_MAX) {
            // In another package a function of that name is another one.
            if self.files[*caller].package != self.files[at.0].package || found.len() >= USES_MAX {
                continue;
            }
            let mut given: Vec<(String, Value)> = Vec::new();
            for (place, (name, default)) in function.parameters.iter().enumerate() {
                let keyword = call.keywords.iter().find(|(own, _)| own == name).map(|(_, value)| value);
                let value = keyword.or_else(|| call.args.get(place)).or(default.as_ref());
                let value = value.map(|value| self.settled(*caller, value, &[]));
                given.extend(value.map(|value| (name.clone(), value)));
            }
            let inner: Vec<(String, Value)> = match pending {
                Some(pending) => {
                    let settled =
                        pending.iter().map(|(name, value)| (name.clone(), self.settled(at.0, value, &given)));
                    settled.collect()
                }
                None => given,
            };
            match self.definition(site.0, site.1, &inner, (call.line, call.column)) {
                Some(mut definition) => {
                    definition.file.clone_from(&self.files[*caller].path);
                    found.push(definition);
                }
                None => self.through_helpers(site, (*caller, call.function), Some(&inner), depth + 1, found),
            }
        }
    }

    /// Replaces what can be told of an argument, so that it means the same in the function.
    fn settled(&self, file: usize, value: &Value, given: &Given) -> Value {
        if let Some(text) = self.text(file, value, given) {
            return Value::Text(text);
        }
        if let Some(number) = self.number(file, value, given) {
            return Value::Number(number);
        }
        match self.list(file, value, given, 0) {
            Some(values) => {
                Value::List(values.iter().map(|value| self.settled(file, value, given)).collect())
            }
            None => value.clone(),
        }
    }

    fn definition(&self, file: usize, site: &Site, given: &Given, place: (u32, u32)) -> Option<Definition> {
        let call = &site.call;
        let argument = |name: &str, at: usize| {
            let keyword = call.keywords.iter().find(|(own, _)| own == name).map(|(_, value)| value);
            keyword.or_else(|| call.args.get(at))
        };
        let text = |name: &str, at: usize| argument(name, at).and_then(|value| self.text(file, value, given));
        let unit = text("unit", 5).filter(|unit| !unit.is_empty());
        // A prefix that cannot be told makes the name one that cannot be told.
        let mut parts = Vec::new();
        for (name, at) in [("namespace", 3), ("subsystem", 4), ("name", 0)] {
            match argument(name, at) {
                Some(value) => parts.push(self.text(file, value, given)?),
                None if name == "name" => return None,
                None => {}
            }
        }
        parts.retain(|part| !part.is_empty());
        let mut full = parts.join("_");
        if site.kind == MetricType::Counter {
            full = full.strip_suffix("_total").unwrap_or(&full).to_owned();
        }
        if let Some(unit) = unit.as_ref().filter(|unit| !full.ends_with(&format!("_{unit}"))) {
            full = format!("{full}_{unit}");
        }
        match site.kind {
            MetricType::Counter => full.push_str("_total"),
            MetricType::Info => full.push_str("_info"),
            _ => {}
        }
        let labels = match argument("labelnames", 2) {
            None => Some(Vec::new()),
            Some(value) => self.texts(file, value, given),
        };
        let buckets = (site.kind == MetricType::Histogram).then(|| {
            match call.keywords.iter().find(|(k, _)| k == "buckets") {
                None => Some(DEFAULT_BUCKETS.to_vec()),
                Some((_, value)) => self.numbers(file, value, given),
            }
        });
        let mut label_values = BTreeMap::new();
        if let Some((_, states)) = call.keywords.iter().find(|(name, _)| name == "states")
            && let Some(states) = self.texts(file, states, given)
        {
            label_values.insert(full.clone(), states);
        }
        is_legacy_metric_name(&full).then(|| Definition {
            name: full,
            kind: site.kind,
            help: text("documentation", 1),
            // What an info metric says is given later, label names and all.
            labels: labels.filter(|_| site.kind != MetricType::Info),
            buckets: buckets.flatten(),
            unit,
            label_values,
            library: site.library,
            package: String::new(),
            file: String::new(),
            line: place.0,
            column: place.1,
        })
    }

    /// Returns what a name is bound to: what the function was given, else in the file, else in the one other file that
    /// binds it.
    fn bound(&self, file: usize, name: &str, given: &Given) -> Option<(usize, Value)> {
        if let Some((_, value)) = given.iter().rev().find(|(own, _)| own == name) {
            return Some((file, value.clone()));
        }
        let once = |file: usize| match self.files[file].bindings.get(name).map(Vec::as_slice) {
            Some([value]) => Some((file, value.clone())),
            _ => None,
        };
        if self.files[file].bindings.contains_key(name) {
            return once(file);
        }
        let package = self.files[file].package;
        let files = self.bound_in.get(name)?;
        let near: BTreeSet<usize> =
            files.iter().copied().filter(|at| self.files[*at].package == package).collect();
        let values: Vec<(usize, Value)> = near.into_iter().filter_map(once).collect();
        let (first, rest) = values.split_first()?;
        rest.iter().all(|(_, value)| *value == first.1).then(|| first.clone())
    }

    /// Returns the text that a value is.
    pub(super) fn text(&self, file: usize, value: &Value, given: &Given) -> Option<String> {
        self.text_in(file, value, given, 0)
    }

    fn text_in(&self, file: usize, value: &Value, given: &Given, depth: usize) -> Option<String> {
        if depth > DEPTH_MAX {
            return None;
        }
        match value {
            Value::Text(text) => Some(text.clone()),
            Value::Joined(parts) => {
                parts.iter().map(|part| self.text_in(file, part, given, depth + 1)).collect()
            }
            Value::Default(inner) => self.text_in(file, inner, given, depth + 1),
            Value::Name(name) => {
                let (file, value) = self.bound(file, name, given)?;
                self.text_in(file, &value, given, depth + 1)
            }
            _ => None,
        }
    }

    /// Returns the number that a value is.
    pub(super) fn number(&self, file: usize, value: &Value, given: &Given) -> Option<f64> {
        self.number_in(file, value, given, 0)
    }

    fn number_in(&self, file: usize, value: &Value, given: &Given, depth: usize) -> Option<f64> {
        if depth > DEPTH_MAX {
            return None;
        }
        let number = |value: &Value| self.number_in(file, value, given, depth + 1);
        match value {
            Value::Number(number) => Some(*number),
            Value::Default(inner) => number(inner),
            Value::Joined(parts) if parts.len() == 2 => Some(number(&parts[0])? + number(&parts[1])?),
            Value::Arithmetic(op, left, right) => {
                let (left, right) = (number(left)?, number(right)?);
                match op {
                    Operator::Mult => Some(left * right),
                    Operator::Div => Some(left / right),
                    Operator::Sub => Some(left - right),
                    Operator::Pow => Some(left.powf(right)),
                    _ => None,
                }
            }
            Value::Name(name) => {
                let (file, value) = self.bound(file, name, given)?;
                self.number_in(file, &value, given, depth + 1)
            }
            _ => None,
        }
    }

    fn list(&self, file: usize, value: &Value, given: &Given, depth: usize) -> Option<Vec<Value>> {
        if depth > DEPTH_MAX {
            return None;
        }
        match value {
            Value::List(values) => {
                let mut all = Vec::new();
                for value in values {
                    match value {
                        Value::Unpacked(inner) => all.extend(self.list(file, inner, given, depth + 1)?),
                        value => all.push(value.clone()),
                    }
                }
                Some(all)
            }
            Value::Joined(parts) => {
                let lists = parts.iter().map(|part| self.list(file, part, given, depth + 1));
                Some(lists.collect::<Option<Vec<_>>>()?.concat())
            }
            Value::Name(name) => {
                let (file, value) = self.bound(file, name, given)?;
                self.list(file, &value, given, depth + 1)
            }
            _ => None,
        }
    }

    fn texts(&self, file: usize, value: &Value, given: &Given) -> Option<Vec<String>> {
        self.list(file, value, given, 0)?.iter().map(|value| self.text(file, value, given)).collect()
    }

    fn numbers(&self, file: usize, value: &Value, given: &Given) -> Option<Vec<f64>> {
        let values = self.list(file, value, given, 0)?;
        let numbers: Option<Vec<f64>> = values.iter().map(|value| self.number(file, value, given)).collect();
        Some(numbers?.into_iter().filter(|bound| bound.is_finite()).collect())
    }
}
