//! From calls to definitions: constants of the file, then of the tree, and helpers with what they are given.

use std::collections::{BTreeMap, BTreeSet};

use promflow_model::{MetricType, is_legacy_metric_name};

use super::evaluate::DEFAULT_BUCKETS;
use super::value::Value;
use super::{Call, FileFindings, Scope, ScopeKind, Site, Target};
use crate::{Definition, Package};

/// How many helpers may stand in each other.
const DEPTH_MAX: usize = 16;

/// How many metrics one call in a helper may define.
const USES_MAX: usize = 500;

/// How many helpers and loops are followed for one call.
const STEPS_MAX: usize = 20_000;

/// What parameters are given, the innermost function last.
pub(super) type Given = [(String, Value)];

/// Looks names up.
pub(super) struct Resolver<'f> {
    pub(super) files: &'f [FileFindings],
    /// The files in which a name is bound.
    pub(super) bound_in: BTreeMap<&'f str, Vec<usize>>,
    /// The calls of functions, by name.
    calls: BTreeMap<&'f str, Vec<(usize, &'f Call)>>,
    /// The classes that are made from a class, and have no `__init__` of their own.
    heirs: BTreeMap<&'f str, Vec<&'f str>>,
    /// For each package, those it depends on in the tree, and itself.
    below: Vec<BTreeSet<usize>>,
}

/// A site that is followed through loops and helpers, outwards.
struct Search<'s> {
    file: usize,
    site: &'s Site,
    found: Vec<Definition>,
    steps: usize,
}

/// How far a search has come.
#[derive(Clone)]
struct At<'s> {
    file: usize,
    scope: Option<usize>,
    /// What is known of names inside, in words of this place.
    known: Vec<(String, Value)>,
    /// Whether the names of this place are seen where the site is.
    is_around: bool,
    /// Loops on the way whose list is not known yet, the outermost first.
    loops: Vec<&'s Scope>,
    /// The file and place of the outermost call.
    place: Option<(usize, u32, u32)>,
    depth: usize,
}

impl<'f> Resolver<'f> {
    pub(super) fn new(files: &'f [FileFindings], packages: &[Package]) -> Self {
        let mut bound_in: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let mut calls: BTreeMap<&str, Vec<(usize, &Call)>> = BTreeMap::new();
        let mut heirs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (index, file) in files.iter().enumerate() {
            for name in file.bindings.keys() {
                bound_in.entry(name).or_default().push(index);
            }
            for call in &file.calls {
                calls.entry(&call.name).or_default().push((index, call));
            }
            for (class, bases) in &file.bases {
                let has_init = file.scopes.iter().any(|scope| {
                    matches!(&scope.kind, ScopeKind::Function { name, class: Some(own), .. } if name == "__init__" && own == class)
                });
                if let Some(base) = bases.first().filter(|_| !has_init) {
                    heirs.entry(base).or_default().push(class);
                }
            }
        }
        let named = |name: &String| packages.iter().position(|package| &package.name == name);
        let below = (0..packages.len()).map(|at| {
            let (mut seen, mut open) = (BTreeSet::from([at]), vec![at]);
            while let Some(at) = open.pop() {
                open.extend(
                    packages[at].dependencies.iter().filter_map(named).filter(|next| seen.insert(*next)),
                );
            }
            seen
        });
        Self { files, bound_in, calls, heirs, below: below.collect() }
    }

    /// Resolves a call into the metrics that it defines: one, or one for each use of the helper or loop it stands in.
    pub(super) fn definitions(&self, file: usize, site: &Site) -> Vec<Definition> {
        if let Some(definition) = self.definition(file, site, &[]) {
            return vec![definition];
        }
        let mut search = Search { file, site, found: Vec::new(), steps: 0 };
        self.outwards(
            &mut search,
            At {
                file,
                scope: site.call.scope,
                known: Vec::new(),
                is_around: true,
                loops: Vec::new(),
                place: None,
                depth: 0,
            },
        );
        if search.found.is_empty() {
            search.found.extend(self.by_defaults(file, site));
        }
        search.found
    }

    /// Follows the loop around a place, or the calls of the function around it.
    fn outwards<'s>(&'s self, search: &mut Search<'s>, at: At<'s>) {
        search.steps += 1;
        let Some(scope) = at.scope.map(|scope| &self.files[at.file].scopes[scope]) else { return };
        if at.depth > DEPTH_MAX || search.found.len() >= USES_MAX || search.steps > STEPS_MAX {
            return;
        }
        match &scope.kind {
            ScopeKind::Loop { target, over } => {
                let outer = At { scope: scope.parent, depth: at.depth + 1, ..at.clone() };
                let Some(elements) = self.list(at.file, over, &[]) else {
                    let loops = std::iter::once(scope).chain(at.loops).collect();
                    return self.outwards(search, At { loops, ..outer });
                };
                for element in elements.iter().take(USES_MAX) {
                    let mut given = Vec::new();
                    self.take_apart(at.file, target, element, &[], &mut given);
                    self.attempt(search, &at, &given, outer.clone());
                }
            }
            ScopeKind::Function { .. } => self.through_calls(search, scope, at),
        }
    }

    /// Follows the calls of a function: of a class for its `__init__`, and of that too for what its methods know.
    fn through_calls<'s>(&'s self, search: &mut Search<'s>, scope: &'s Scope, at: At<'s>) {
        let ScopeKind::Function { name, class, .. } = &scope.kind else { return };
        let own = match (name.as_str(), class) {
            ("__init__", Some(class)) => self.constructions(at.file, class),
            _ => self.calls_of(at.file, name),
        };
        let makers = class.as_deref().filter(|_| name != "__init__").and_then(|class| {
            let init = self.files[at.file].scopes.iter().find(|scope| {
                matches!(&scope.kind, ScopeKind::Function { name, class: Some(own), .. } if name == "__init__" && own == class)
            })?;
            Some((init, self.constructions(at.file, class)))
        });
        let before = search.found.len();
        for &(file, call) in &own {
            let next = At {
                file,
                scope: call.scope,
                is_around: call.scope.is_some() && call.scope == scope.parent && file == at.file,
                loops: Vec::new(),
                place: Some((file, call.line, call.column)),
                known: Vec::new(),
                depth: at.depth + 1,
            };
            for given in self.with_loops(&at, self.given(file, scope, call)) {
                self.attempt(search, &at, &given, next.clone());
            }
        }
        let Some((init, makers)) = makers.filter(|_| search.found.len() == before) else { return };
        let no_call = [None];
        let own = own.iter().map(|call| Some(*call));
        let calls: Vec<_> = if own.len() == 0 { no_call.to_vec() } else { own.collect() };
        for (file, made) in makers {
            for call in &calls {
                let mut given = self.given(file, init, made);
                given.extend(call.iter().flat_map(|(file, call)| self.given(*file, scope, call)));
                let place = call.map_or((file, made), |call| call);
                let next = At {
                    file,
                    scope: made.scope,
                    is_around: false,
                    loops: Vec::new(),
                    place: Some((place.0, place.1.line, place.1.column)),
                    known: Vec::new(),
                    depth: at.depth + 1,
                };
                for given in self.with_loops(&at, given) {
                    self.attempt(search, &at, &given, next.clone());
                }
            }
        }
    }

    /// Tries a site with what a place gives, and goes on outwards from `next` when that is not enough.
    fn attempt<'s>(&'s self, search: &mut Search<'s>, at: &At<'s>, given: &Given, next: At<'s>) {
        let settle = |(name, value): &(String, Value)| (name.clone(), self.settled(at.file, value, given));
        let mut known: Vec<(String, Value)> = if at.is_around { given.to_vec() } else { Vec::new() };
        known.extend(at.known.iter().map(settle));
        let found = self.definition(search.file, search.site, &known);
        match found {
            Some(mut definition) => {
                if let Some((file, line, column)) = next.place {
                    definition.file.clone_from(&self.files[file].path);
                    (definition.line, definition.column) = (line, column);
                }
                if !search.found.contains(&definition) {
                    search.found.push(definition);
                }
            }
            None => self.outwards(search, At { known, ..next }),
        }
    }

    /// Returns what a call gives the parameters of a function, in words that mean the same everywhere.
    fn given(&self, file: usize, scope: &Scope, call: &Call) -> Vec<(String, Value)> {
        let ScopeKind::Function { parameters, .. } = &scope.kind else { return Vec::new() };
        let values = parameters.iter().enumerate().filter_map(|(place, (name, default))| {
            let keyword = call.keywords.iter().find(|(own, _)| own == name).map(|(_, value)| value);
            let value = keyword.or_else(|| call.args.get(place)).or(default.as_ref())?;
            Some((name.clone(), self.settled(file, value, &[])))
        });
        values.collect()
    }

    /// Goes through the loops between a site and its function, now that it is known what the function is given.
    fn with_loops(&self, at: &At<'_>, given: Vec<(String, Value)>) -> Vec<Vec<(String, Value)>> {
        let mut all = vec![given];
        for scope in &at.loops {
            let ScopeKind::Loop { target, over } = &scope.kind else { continue };
            let each = all.into_iter().flat_map(|given| {
                let Some(elements) = self.list(at.file, over, &given) else { return vec![given] };
                let bound = elements.iter().take(USES_MAX).map(|element| {
                    let mut bound = given.clone();
                    self.take_apart(at.file, target, element, &given, &mut bound);
                    bound
                });
                bound.collect()
            });
            all = each.take(USES_MAX).collect();
        }
        all
    }

    /// Binds what a loop binds to an element.
    fn take_apart(
        &self,
        file: usize,
        target: &Target,
        value: &Value,
        given: &Given,
        out: &mut Vec<(String, Value)>,
    ) {
        match target {
            Target::Name(name) => out.push((name.clone(), self.settled(file, value, given))),
            Target::Tuple(targets) => {
                let parts = self.list(file, value, given).unwrap_or_default();
                for (target, part) in targets.iter().zip(&parts) {
                    self.take_apart(file, target, part, given, out);
                }
            }
            Target::Other => {}
        }
    }

    /// Returns the calls of a name from where it can be the function of a file: its package, and those that use it.
    fn calls_of(&self, file: usize, name: &str) -> Vec<(usize, &'f Call)> {
        let package = self.files[file].package;
        let may_call = |caller: &usize| match (self.files[*caller].package, package) {
            (Some(caller), Some(package)) => self.below[caller].contains(&package),
            (caller, package) => caller == package,
        };
        let calls = self.calls.get(name).into_iter().flatten().copied();
        calls.filter(|(caller, _)| may_call(caller)).take(USES_MAX).collect()
    }

    /// Returns the calls that make an object of a class, or of one that is made from it.
    fn constructions(&self, file: usize, class: &str) -> Vec<(usize, &'f Call)> {
        let heirs = self.heirs.get(class).into_iter().flatten().copied();
        std::iter::once(class).chain(heirs).flat_map(|name| self.calls_of(file, name)).collect()
    }

    /// Resolves a site in a function that is called without anything, or from nowhere, by the parameters' defaults.
    fn by_defaults(&self, file: usize, site: &Site) -> Option<Definition> {
        let scope = &self.files[file].scopes[site.call.scope?];
        let ScopeKind::Function { parameters, .. } = &scope.kind else { return None };
        let defaults = parameters.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
        self.definition(file, site, &defaults.collect::<Vec<_>>())
    }

    fn definition(&self, file: usize, site: &Site, given: &Given) -> Option<Definition> {
        let (call, class) = (&site.call, &site.class);
        let argument = |name: &str, at: Option<usize>| {
            let keyword = call.keywords.iter().find(|(own, _)| own == name).map(|(_, value)| value);
            let value = keyword.or_else(|| call.args.get(at?));
            value.filter(|value| !self.is_nothing(file, value, given, 0))
        };
        let place = |own: usize, family: Option<usize>| if class.is_family { family } else { Some(own) };
        let text = |name: &str, at: Option<usize>| {
            argument(name, at).and_then(|value| self.text(file, value, given))
        };
        let unit = text("unit", place(5, None)).filter(|unit| !unit.is_empty());
        // A prefix that cannot be told makes the name one that cannot be told.
        let mut parts = Vec::new();
        for (name, at) in [("namespace", place(3, None)), ("subsystem", place(4, None)), ("name", Some(0))] {
            match argument(name, at) {
                Some(value) => parts.push(self.text(file, value, given)?),
                None if name == "name" => return None,
                None => {}
            }
        }
        parts.retain(|part| !part.is_empty());
        let full = exposed(&parts.join("_"), class.kind, unit.as_deref());
        let (label_key, label_place) = match (class.is_family, class.kind) {
            (false, _) => ("labelnames", 2),
            (true, MetricType::Histogram | MetricType::Summary | MetricType::GaugeHistogram) => ("labels", 4),
            (true, _) => ("labels", 3),
        };
        let labels = match argument(label_key, Some(label_place)) {
            None => Some(Vec::new()),
            Some(value) => self.texts(file, value, given),
        };
        let buckets = (class.kind == MetricType::Histogram && !class.is_family).then(|| {
            match argument("buckets", None) {
                None => Some(DEFAULT_BUCKETS.to_vec()),
                Some(value) => self.numbers(file, value, given),
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
            kind: class.kind,
            help: text("documentation", Some(1)),
            // What an info metric says is given later, label names and all.
            labels: labels.filter(|_| class.kind != MetricType::Info),
            buckets: buckets.flatten(),
            unit,
            label_values,
            library: class.library,
            package: String::new(),
            file: String::new(),
            line: call.line,
            column: call.column,
        })
    }
}

/// Returns a name as it is exposed: with its unit, and with the suffix of its type.
fn exposed(name: &str, kind: MetricType, unit: Option<&str>) -> String {
    let mut full = name.to_owned();
    if kind == MetricType::Counter {
        full = full.strip_suffix("_total").unwrap_or(&full).to_owned();
    }
    if let Some(unit) = unit.filter(|unit| !full.ends_with(&format!("_{unit}"))) {
        full = format!("{full}_{unit}");
    }
    match kind {
        MetricType::Counter => full.push_str("_total"),
        MetricType::Info => full.push_str("_info"),
        _ => {}
    }
    full
}
