//! Finds metric definitions in source code: which metrics a program exposes, and on which line each is defined.
//!
//! Source files are parsed with the language's own grammar (`syn` for Rust, ruff's parser for Python) and calls are recognised on the syntax
//! tree, through constants, builder chains, helpers and `macro_rules!`. The rejected model, regular expressions over lines,
//! takes comments and test code for definitions and loses a call as soon as it is wrapped over two lines.
//! Nothing is compiled and no procedural macro is run, so a name that is computed at run time is not found.
//!
//! A definition belongs to the package that holds it and to every package that depends on that one by path: a
//! library's metrics are exposed by the programs that link it.

mod package;
mod python;
mod rust;
mod scan;
mod tree;

pub use package::Package;
pub use scan::{Limits, scan};
pub use tree::{DiskTree, MemoryTree, SourceTree};

use std::collections::{BTreeMap, BTreeSet};

use promflow_model::MetricType;

/// The library whose API a definition is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Library {
    /// The crate `promflow`.
    Promflow,
    /// The crate `prometheus`.
    Prometheus,
    /// The crate `prometheus-client`.
    PrometheusClient,
    /// The crate `metrics`.
    Metrics,
    /// The Python package `prometheus_client`.
    PythonPrometheusClient,
    /// The Python package `promflow`.
    PythonPromflow,
}

impl Library {
    /// Returns the name of the crate or package.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Promflow | Self::PythonPromflow => "promflow",
            Self::PythonPrometheusClient => "prometheus_client",
            Self::Prometheus => "prometheus",
            Self::PrometheusClient => "prometheus-client",
            Self::Metrics => "metrics",
        }
    }
}

/// A metric family as the code defines it.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// The family's name as it is exposed: a counter with its `_total`, a histogram without `_bucket`.
    pub name: String,
    /// The type.
    pub kind: MetricType,
    /// The help text, when it stands there as a literal.
    pub help: Option<String>,
    /// The label names, or `None` when they cannot be read off the code.
    pub labels: Option<Vec<String>>,
    /// The upper bounds of a histogram's buckets without `+Inf`, or `None` when they cannot be told.
    pub buckets: Option<Vec<f64>>,
    /// The unit, when one is given.
    pub unit: Option<String>,
    /// The values that labels can have, sorted, of those labels that the code gives none but literal values.
    pub label_values: BTreeMap<String, Vec<String>>,
    /// Whose API it is written in.
    pub library: Library,
    /// The package that holds it, or `""` outside of all packages.
    pub package: String,
    /// The file, relative to the root, with `/`.
    pub file: String,
    /// The line, counted from 1.
    pub line: u32,
    /// The column, counted from 1 in characters.
    pub column: u32,
}

/// Something that could not be read; the rest goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, relative to the root.
    pub file: String,
    /// The line, counted from 1, or 0 when the whole file is meant.
    pub line: u32,
    /// The column, counted from 1, or 0.
    pub column: u32,
    /// What is wrong.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message),
            line => write!(f, "{}:{line}:{}: {}", self.file, self.column, self.message),
        }
    }
}

/// Where a package's settings say that its metrics are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The default port.
    pub port: u16,
    /// The default path, when the code has one.
    pub metrics_path: Option<String>,
    /// The file that holds the port.
    pub file: String,
    /// The line of the port, counted from 1.
    pub line: u32,
}

/// What a scan found.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// The packages, sorted by directory.
    pub packages: Vec<Package>,
    /// The definitions, sorted by file, line, column and name.
    pub definitions: Vec<Definition>,
    /// What could not be read, sorted by file and line.
    pub problems: Vec<Problem>,
    /// How many source files were read.
    pub files: usize,
}

impl Scan {
    /// Returns the package of that name.
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    /// Returns a package's own name and the names of all it depends on by path, transitively.
    pub fn closure(&self, package: &str) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut open = vec![package.to_owned()];
        while let Some(name) = open.pop() {
            if let Some(package) = self.package(&name) {
                open.extend(package.dependencies.iter().filter(|d| !seen.contains(*d)).cloned());
            }
            seen.insert(name);
        }
        seen
    }

    /// Returns the definitions that a package exposes: its own and those of the packages it depends on.
    pub fn exposed_by(&self, package: &str) -> Vec<&Definition> {
        let closure = self.closure(package);
        self.definitions.iter().filter(|definition| closure.contains(&definition.package)).collect()
    }
}
