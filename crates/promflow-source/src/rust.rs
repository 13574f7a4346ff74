//! Reads Rust: files are parsed one by one, calls resolved once all constants are known.

mod collect;
mod forms;
mod guard;
mod helpers;
mod macros;
mod resolve;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use proc_macro2::{LineColumn, TokenStream};
use promflow_model::MetricType;
use syn::Expr;

use crate::package::is_within;
use crate::scan::{Found, Reader};
use crate::{Definition, Library, Package, Problem};
use collect::MacroCall;
use forms::Form;
use macros::Macro;
use resolve::{Resolver, below};
use settings::Hint;

/// Reads `.rs` files.
#[derive(Default)]
pub(crate) struct RustReader {
    files: Vec<FileFindings>,
}

/// What one file says, not resolved yet.
#[derive(Default)]
struct FileFindings {
    path: String,
    package: Option<usize>,
    sites: Vec<Site>,
    bindings: BTreeMap<String, Vec<Binding>>,
    /// For each name bound by `let` or declared as a field, the identifiers of its type and value.
    words: BTreeMap<String, BTreeSet<String>>,
    hints: Vec<Hint>,
    functions: Vec<Function>,
    /// Calls that may give a helper a name, or a registry.
    calls: Vec<Call>,
    /// The fields of structs that are sets of labels.
    label_sets: BTreeMap<String, Vec<String>>,
    /// Paths, without `.rs`, of modules that are compiled for tests alone.
    test_modules: Vec<String>,
    macros: BTreeMap<String, Macro>,
    /// Calls of macros, until the macros of all files are known.
    macro_calls: Vec<MacroCall>,
}

/// A constant, static or local variable.
struct Binding {
    expr: Expr,
    at: LineColumn,
    /// The type or module that it stands in.
    owner: Option<String>,
    is_local: bool,
}

/// A function, with its parameters without `self`.
struct Function {
    name: String,
    owner: Option<String>,
    parameters: Vec<String>,
}

/// A call of a function or method.
struct Call {
    name: String,
    /// The type or module before the name.
    qualifier: Option<String>,
    args: Vec<Expr>,
    at: LineColumn,
}

/// A call that may define a metric.
struct Site {
    form: Form,
    /// What it is called on, when it is a method.
    receiver: Option<Expr>,
    /// The function around it, by its place in the file.
    function: Option<usize>,
    args: Vec<Expr>,
    /// Label keys of a `metrics` macro.
    keys: Vec<Expr>,
    /// Methods called on the result that say more about the metric, with their first argument.
    modifiers: Vec<(String, Expr)>,
    at: LineColumn,
}

impl Reader for RustReader {
    fn extensions(&self) -> &'static [&'static str] {
        &["rs"]
    }

    fn read(&mut self, path: &str, package: Option<usize>, text: &str) -> Result<(), Problem> {
        let problem = |at: LineColumn, message: String| Problem {
            file: path.to_owned(),
            line: at.line as u32,
            column: at.column as u32 + 1,
            message,
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let tokens = TokenStream::from_str(text)
            .map_err(|e| problem(e.span().start(), "not Rust: bad token".to_owned()))?;
        guard::check(tokens.clone()).map_err(|at| problem(at, "nested too deeply".to_owned()))?;
        let file = syn::parse2::<syn::File>(tokens)
            .map_err(|e| problem(e.span().start(), format!("not Rust: {e}")))?;
        self.files.push(collect::collect(path, package, &file));
        Ok(())
    }

    fn finish(self: Box<Self>, packages: &[Package]) -> Found {
        let mut files = self.files;
        let tests: Vec<String> = files.iter().flat_map(|file| file.test_modules.clone()).collect();
        files.retain(|file| {
            let module = file.path.strip_suffix(".rs").unwrap_or(&file.path);
            !tests.iter().any(|test| is_within(module, test))
        });
        read_macro_calls(&mut files, packages);
        let resolver = Resolver::new(&files, packages);
        let mut definitions = Vec::new();
        for (index, file) in files.iter().enumerate() {
            let uses = file.package.map_or(&[][..], |package| &packages[package].uses);
            for site in &file.sites {
                for (at, mut definition) in resolver.definitions(index, site, uses) {
                    // What a helper makes belongs to who calls it.
                    let file = &files[at];
                    definition.package =
                        file.package.map_or_else(String::new, |package| packages[package].name.clone());
                    definition.file.clone_from(&file.path);
                    definitions.push(definition);
                }
            }
        }
        Found { definitions: merge_macro_uses(definitions), settings: settings::resolve(&resolver, &files) }
    }
}

/// Reads what macro calls make: by a macro of the same file, else of the same package, else of one below it.
fn read_macro_calls(files: &mut [FileFindings], packages: &[Package]) {
    let mut all: BTreeMap<String, Vec<(usize, Option<usize>, Macro)>> = BTreeMap::new();
    for (at, file) in files.iter_mut().enumerate() {
        for (name, found) in std::mem::take(&mut file.macros) {
            all.entry(name).or_default().push((at, file.package, found));
        }
    }
    let below: Vec<Vec<usize>> = (0..packages.len()).map(|package| below(package, packages)).collect();
    for (own, file) in files.iter_mut().enumerate() {
        let package = file.package;
        let distance = |(at, other, _): &(usize, Option<usize>, Macro)| match (package, other) {
            _ if *at == own => Some(0),
            (package, other) if package == *other => Some(1),
            (Some(package), Some(other)) if below[package].contains(other) => Some(2),
            _ => None,
        };
        let macro_of = |name: &str| {
            let near = all.get(name)?.iter().filter_map(|found| Some((distance(found)?, &found.2)));
            near.min_by_key(|(distance, _)| *distance).map(|(_, found)| found)
        };
        collect::read_macro_calls(file, &macro_of);
    }
}

/// Joins the many uses of a `metrics` macro, which defines a metric wherever it counts, into one definition.
fn merge_macro_uses(found: Vec<Definition>) -> Vec<Definition> {
    let mut definitions: Vec<Definition> = Vec::with_capacity(found.len());
    let mut first: BTreeMap<(String, String), usize> = BTreeMap::new();
    for definition in found {
        if definition.library != Library::Metrics {
            definitions.push(definition);
            continue;
        }
        let key = (definition.package.clone(), definition.name.clone());
        let Some(&at) = first.get(&key) else {
            first.insert(key, definitions.len());
            definitions.push(definition);
            continue;
        };
        let kept = &mut definitions[at];
        kept.help = kept.help.take().or(definition.help);
        kept.unit = kept.unit.take().or(definition.unit);
        if kept.kind == MetricType::Unknown {
            kept.kind = definition.kind;
        }
        kept.labels = match (kept.labels.take(), definition.labels) {
            (Some(mut labels), Some(more)) => {
                labels.extend(more);
                labels.sort();
                labels.dedup();
                Some(labels)
            }
            (labels, more) => labels.or(more),
        };
    }
    definitions
}
