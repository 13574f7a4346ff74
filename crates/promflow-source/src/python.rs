//! Reads Python: files are parsed one by one, calls resolved once all constants and helpers are known.

mod collect;
mod evaluate;
mod guard;
mod labels;
mod resolve;
mod settings;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;

use promflow_model::MetricType;
use ruff_text_size::Ranged;

use crate::scan::{Found, Reader};
use crate::{Definition, Library, Package, Problem};
use resolve::Resolver;
use settings::Hint;
use value::Value;

/// Reads `.py` files.
#[derive(Default)]
pub(crate) struct PythonReader {
    files: Vec<FileFindings>,
}

/// What one file says, not resolved yet.
#[derive(Default)]
struct FileFindings {
    path: String,
    package: Option<usize>,
    sites: Vec<Site>,
    /// What names are bound to, in modules and classes.
    bindings: BTreeMap<String, Vec<Value>>,
    scopes: Vec<Scope>,
    /// What each class is made from.
    bases: BTreeMap<String, Vec<String>>,
    calls: Vec<Call>,
    label_uses: Vec<Call>,
    /// How often each name is read, but for the calls of `labels` on it.
    other_uses: BTreeMap<String, usize>,
    hints: Vec<Hint>,
}

/// A call that defines a metric.
struct Site {
    class: Class,
    call: Call,
    /// The variable that it is bound to.
    variable: Option<String>,
}

/// A call, with what it is given.
#[derive(Clone)]
struct Call {
    /// What is called, without what stands before the last dot; of `labels`, on what.
    name: String,
    args: Vec<Value>,
    keywords: Vec<(String, Value)>,
    line: u32,
    column: u32,
    /// The function or loop around it, by its place in the file.
    scope: Option<usize>,
}

/// A class of metric, or of what a collector yields.
#[derive(Clone, Debug)]
struct Class {
    kind: MetricType,
    library: Library,
    /// Whether it is a `...MetricFamily`, which has a value where a class of metric has labels.
    is_family: bool,
    /// What it is given in any case: by `functools.partial`.
    given: Vec<(String, Value)>,
}

/// What names are bound in: a function with its parameters, or a loop with what it goes over.
struct Scope {
    /// The function or loop around it.
    parent: Option<usize>,
    kind: ScopeKind,
}

enum ScopeKind {
    Function {
        name: String,
        /// The class it is a method of.
        class: Option<String>,
        /// The parameters with their defaults, without `self`.
        parameters: Vec<(String, Option<Value>)>,
    },
    Loop {
        target: Target,
        over: Value,
    },
}

/// What a loop binds.
enum Target {
    Name(String),
    Tuple(Vec<Target>),
    Other,
}

impl FileFindings {
    /// Says whether a name is bound by a function or loop around a place.
    fn is_local(&self, scope: Option<usize>, name: &str) -> bool {
        let mut at = scope;
        while let Some(scope) = at.map(|at| &self.scopes[at]) {
            let has = match &scope.kind {
                ScopeKind::Function { parameters, .. } => parameters.iter().any(|(own, _)| own == name),
                ScopeKind::Loop { target, .. } => target.has(name),
            };
            if has {
                return true;
            }
            at = scope.parent;
        }
        false
    }
}

impl Target {
    fn has(&self, name: &str) -> bool {
        match self {
            Self::Name(own) => own == name,
            Self::Tuple(all) => all.iter().any(|target| target.has(name)),
            Self::Other => false,
        }
    }
}

impl Reader for PythonReader {
    fn extensions(&self) -> &'static [&'static str] {
        &["py"]
    }

    fn read(&mut self, path: &str, package: Option<usize>, text: &str) -> Result<(), Problem> {
        if is_test(path) {
            return Ok(());
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // Most files of a backend have nothing to do with metrics, but any may hold a constant or call a helper.
        let lines = Lines::of(text);
        let problem = |offset: usize, message: String| {
            let (line, column) = lines.place(offset);
            Problem { file: path.to_owned(), line, column, message }
        };
        guard::check(text).map_err(|offset| problem(offset, "nested too deeply".to_owned()))?;
        let parsed = ruff_python_parser::parse_module(text).map_err(|error| {
            problem(error.range().start().to_usize(), format!("not Python: {}", error.error))
        })?;
        self.files.push(collect::collect(path, package, &parsed.syntax().body, &lines));
        Ok(())
    }

    fn finish(self: Box<Self>, packages: &[Package]) -> Found {
        let files = self.files;
        let resolver = Resolver::new(&files, packages);
        let mut definitions: Vec<(Definition, Option<String>)> = Vec::new();
        let package_of: BTreeMap<&str, Option<usize>> =
            files.iter().map(|file| (file.path.as_str(), file.package)).collect();
        for (index, file) in files.iter().enumerate() {
            for site in &file.sites {
                for mut definition in resolver.definitions(index, site) {
                    // What a helper of a library makes belongs to who calls it.
                    if definition.file.is_empty() {
                        definition.file.clone_from(&file.path);
                    }
                    let package = package_of.get(definition.file.as_str()).copied().flatten();
                    definition.package =
                        package.map_or_else(String::new, |package| packages[package].name.clone());
                    definitions.push((definition, site.variable.clone()));
                }
            }
        }
        labels::note_values(&resolver, &files, &mut definitions);
        let definitions = definitions.into_iter().map(|(definition, _)| definition).collect();
        Found { definitions, settings: settings::resolve(&resolver, &files) }
    }
}

fn is_test(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.starts_with("test_") || name.ends_with("_test.py") || name == "conftest.py"
}

/// Where the lines of a text start.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// Returns the line and column of an offset, both counted from 1.
    fn place(&self, offset: usize) -> (u32, u32) {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line.saturating_sub(1)];
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count());
        (line as u32, column as u32 + 1)
    }
}
