//! Packages, and which of them depend on which by path.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use crate::{Problem, Settings};

/// A package with a manifest of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Package {
    /// The package's name.
    pub name: String,
    /// Its directory, relative to the root, with `/`; `""` is the root itself.
    pub dir: String,
    /// The names of the packages of this tree that it depends on by path, sorted.
    pub dependencies: Vec<String>,
    /// The names of all packages it depends on, sorted.
    pub uses: Vec<String>,
    /// Whether it builds a program, not a library alone.
    pub is_program: bool,
    /// Where its settings say that its metrics are served; several when its code has several defaults.
    pub settings: Vec<Settings>,
}

impl Package {
    /// Says whether a file or directory lies in the package's directory.
    pub fn holds(&self, path: &str) -> bool {
        is_within(path, &self.dir)
    }
}

/// Says whether a path is a directory or lies in it.
pub(crate) fn is_within(path: &str, dir: &str) -> bool {
    dir.is_empty() || path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Reads manifests given as path and text into packages, sorted by directory.
pub(crate) fn read(manifests: &[(String, String)], problems: &mut Vec<Problem>) -> Vec<Package> {
    let mut tables = BTreeMap::new();
    for (path, text) in manifests {
        let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir).to_owned();
        match text.parse::<Table>() {
            Ok(table) => drop(tables.insert(dir, table)),
            Err(error) => problems.push(problem(path, text, &error)),
        }
    }
    let names: BTreeMap<&str, &str> =
        tables.iter().filter_map(|(dir, table)| Some((dir.as_str(), package_name(table)?))).collect();
    tables
        .iter()
        .filter_map(|(dir, table)| {
            let name = package_name(table)?.to_owned();
            let workspace = workspace_of(dir, &tables);
            let (mut dependencies, mut uses) = (BTreeSet::new(), BTreeSet::new());
            for (key, value) in dependency_entries(table) {
                let (base, value) = match (value.get("workspace"), workspace) {
                    (Some(Value::Boolean(true)), Some((root, shared))) => {
                        (root, shared.get(key).unwrap_or(value))
                    }
                    _ => (dir.as_str(), value),
                };
                uses.insert(value.get("package").and_then(Value::as_str).unwrap_or(key).to_owned());
                let path = value.get("path").and_then(Value::as_str).and_then(|path| join(base, path));
                if let Some(name) = path.and_then(|path| names.get(path.as_str())) {
                    dependencies.insert((*name).to_owned());
                }
            }
            Some(Package {
                name,
                dir: dir.clone(),
                dependencies: dependencies.into_iter().collect(),
                uses: uses.into_iter().collect(),
                is_program: table.contains_key("bin"),
                settings: Vec::new(),
            })
        })
        .collect()
}

/// What stands in the directory of a Python project.
const PYTHON_MANIFESTS: [&str; 4] = ["pyproject.toml", "setup.py", "setup.cfg", "requirements.txt"];

/// Adds the Python projects among the files; one that is a crate too, such as an extension module, counts as that.
pub(crate) fn add_python(
    packages: &mut Vec<Package>,
    files: &[String],
    read: &dyn Fn(&str) -> Option<String>,
) {
    let mut dirs: BTreeMap<String, &str> = BTreeMap::new();
    for path in files {
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
        if PYTHON_MANIFESTS.contains(&name) {
            let kept = dirs.entry(dir.to_owned()).or_insert(path);
            if name == "pyproject.toml" {
                *kept = path;
            }
        }
    }
    let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    // What a project is called elsewhere: an extension module has a name of its own beside that of its crate.
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for (dir, manifest) in dirs {
        let table = read(manifest)
            .filter(|_| manifest.ends_with(".toml"))
            .and_then(|text| text.parse::<Table>().ok());
        let named = table.as_ref().and_then(project_name);
        if let Some(package) = packages.iter().find(|package| package.dir == dir) {
            known.extend(named.map(|name| (python_name(&name), package.name.clone())));
            continue;
        }
        let requirements = read(&if dir.is_empty() {
            "requirements.txt".to_owned()
        } else {
            format!("{dir}/requirements.txt")
        });
        let uses: BTreeSet<String> = table
            .iter()
            .flat_map(project_dependencies)
            .chain(requirements.iter().flat_map(|text| text.lines()).map(str::to_owned))
            .filter_map(|entry| required(&entry))
            .collect();
        let name = named.unwrap_or_else(|| dir.rsplit('/').next().unwrap_or("").to_owned());
        let name = if name.is_empty() { "python".to_owned() } else { name };
        let is_taken = packages.iter().any(|package| package.name == name);
        let name = if is_taken { format!("{name} ({dir})") } else { name };
        known.insert(python_name(&name), name.clone());
        wanted.insert(name.clone(), uses.clone());
        packages.push(Package {
            name,
            dir,
            is_program: true,
            uses: uses.into_iter().collect(),
            ..Package::default()
        });
    }
    for package in packages.iter_mut() {
        let Some(uses) = wanted.get(&package.name) else { continue };
        let own: BTreeSet<String> = uses.iter().filter_map(|name| known.get(name)).cloned().collect();
        package.dependencies = own.into_iter().filter(|name| *name != package.name).collect();
    }
    packages.sort_by(|a, b| a.dir.cmp(&b.dir));
}

fn project_name(table: &Table) -> Option<String> {
    let project = table.get("project").or_else(|| table.get("tool")?.get("poetry"))?;
    project.get("name")?.as_str().map(str::to_owned)
}

/// Returns the entries of a project's dependencies, each starting with a name.
fn project_dependencies(table: &Table) -> Vec<String> {
    let listed = table.get("project").and_then(|project| project.get("dependencies"));
    let listed = listed.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let poetry = table.get("tool").and_then(|tool| tool.get("poetry"));
    let poetry = poetry.and_then(|poetry| poetry.get("dependencies")).and_then(Value::as_table);
    listed.map(str::to_owned).chain(poetry.into_iter().flat_map(|table| table.keys().cloned())).collect()
}

/// Returns the name that a requirement starts with: `Shop.Metrics[extra] ~= 1.0` is `shop-metrics`.
fn required(entry: &str) -> Option<String> {
    let name: String =
        entry.trim().chars().take_while(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.')).collect();
    (!name.is_empty() && !name.starts_with('-')).then(|| python_name(&name))
}

/// Returns a name as Python compares them.
///
/// Source: PEP 503.
fn python_name(name: &str) -> String {
    let parts: Vec<&str> = name.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect();
    parts.join("-").to_lowercase()
}

fn package_name(table: &Table) -> Option<&str> {
    table.get("package")?.get("name")?.as_str()
}

/// Returns the shared dependencies of the nearest workspace above a directory, with that workspace's directory.
fn workspace_of<'a>(dir: &str, tables: &'a BTreeMap<String, Table>) -> Option<(&'a str, &'a Table)> {
    let above = tables.iter().filter(|(root, table)| is_within(dir, root) && table.contains_key("workspace"));
    let (root, table) = above.max_by_key(|(root, _)| root.len())?;
    Some((root, table.get("workspace")?.get("dependencies")?.as_table()?))
}

/// Returns what a package links: its dependencies and those for one platform, but not those of tests and builds.
fn dependency_entries(table: &Table) -> impl Iterator<Item = (&String, &Value)> {
    let own = table.get("dependencies").and_then(Value::as_table);
    let targets = table.get("target").and_then(Value::as_table).into_iter().flat_map(|t| t.values());
    let per_target = targets.filter_map(|t| t.get("dependencies").and_then(Value::as_table));
    own.into_iter().chain(per_target).flatten()
}

/// Joins a relative path onto a directory and resolves `.` and `..`; `None` when it leaves the tree.
fn join(dir: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = dir.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn problem(path: &str, text: &str, error: &toml::de::Error) -> Problem {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() as u32 + 1;
    let line = before.matches('\n').count() as u32 + 1;
    Problem { file: path.to_owned(), line, column, message: error.message().to_owned() }
}
