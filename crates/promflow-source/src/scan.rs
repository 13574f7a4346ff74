//! The walk over a tree: manifests first, then every file by the reader for its language.

use std::io;

use crate::python::PythonReader;
use crate::rust::RustReader;
use crate::{Definition, Package, Problem, Scan, Settings, SourceTree, package};

/// How much of a tree is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many source files.
    pub files: usize,
    /// How long each may be.
    pub file_bytes: u64,
    /// How many definitions are kept.
    pub definitions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { files: 20_000, file_bytes: 2 << 20, definitions: 50_000 }
    }
}

/// What a reader found in all the files it was given.
#[derive(Default)]
pub(crate) struct Found {
    /// The definitions, in any order.
    pub(crate) definitions: Vec<Definition>,
    /// Settings by the package's place in the list of packages.
    pub(crate) settings: Vec<(usize, Settings)>,
}

/// Reads the files of one language. Definitions may need constants of other files, so they come at the end.
pub(crate) trait Reader {
    /// The file name extensions that it reads, without the dot.
    fn extensions(&self) -> &'static [&'static str];

    /// Reads one file; `package` is its place in the list of packages.
    fn read(&mut self, path: &str, package: Option<usize>, text: &str) -> Result<(), Problem>;

    /// Resolves what was read.
    fn finish(self: Box<Self>, packages: &[Package]) -> Found;
}

/// The stack of the thread that parses: a syntax tree is walked by recursion, and files come from anywhere.
const STACK_BYTES: usize = 256 << 20;

/// Finds the metric definitions of a tree.
///
/// Files that cannot be read or parsed are among the problems; the rest goes on.
/// Errors: the tree's root cannot be read.
pub fn scan(tree: &(dyn SourceTree + Sync), limits: Limits) -> io::Result<Scan> {
    std::thread::scope(|scope| {
        let worker = std::thread::Builder::new().name("scan".to_owned()).stack_size(STACK_BYTES);
        let worker = worker.spawn_scoped(scope, || scan_here(tree, limits))?;
        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn scan_here(tree: &dyn SourceTree, limits: Limits) -> io::Result<Scan> {
    let files = tree.files()?;
    let mut problems = Vec::new();
    let mut manifests = Vec::new();
    for path in files.iter().filter(|path| path.rsplit('/').next() == Some("Cargo.toml")) {
        match tree.read(path, limits.file_bytes) {
            Ok(text) => manifests.push((path.clone(), text)),
            Err(error) => problems.push(unread(path, &error)),
        }
    }
    let mut packages = package::read(&manifests, &mut problems);
    package::add_python(&mut packages, &files, &|path| tree.read(path, limits.file_bytes).ok());
    for package in &mut packages {
        let source = if package.dir.is_empty() { "src/".to_owned() } else { format!("{}/src/", package.dir) };
        let inside = files.iter().filter_map(|path| path.strip_prefix(&source));
        package.is_program |= inside.into_iter().any(|path| path == "main.rs" || path.starts_with("bin/"));
    }

    let mut readers: Vec<Box<dyn Reader>> =
        vec![Box::<RustReader>::default(), Box::<PythonReader>::default()];
    let mut read = 0;
    for path in &files {
        let Some((_, extension)) = path.rsplit_once('.') else { continue };
        let Some(reader) = readers.iter_mut().find(|r| r.extensions().contains(&extension)) else { continue };
        if read == limits.files {
            let message = format!("not read: more than {} source files", limits.files);
            problems.push(Problem { file: path.clone(), line: 0, column: 0, message });
            break;
        }
        read += 1;
        match tree.read(path, limits.file_bytes) {
            Ok(text) => problems.extend(reader.read(path, owner(&packages, path), &text).err()),
            Err(error) => problems.push(unread(path, &error)),
        }
    }

    let mut definitions = Vec::new();
    for reader in readers {
        let found = reader.finish(&packages);
        definitions.extend(found.definitions);
        for (package, settings) in found.settings {
            packages[package].settings.push(settings);
        }
    }
    definitions
        .sort_by(|a, b| (&a.file, a.line, a.column, &a.name).cmp(&(&b.file, b.line, b.column, &b.name)));
    if definitions.len() > limits.definitions {
        let file = definitions[limits.definitions].file.clone();
        let message = format!("not kept: more than {} definitions", limits.definitions);
        problems.push(Problem { file, line: 0, column: 0, message });
        definitions.truncate(limits.definitions);
    }
    problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    Ok(Scan { packages, definitions, problems, files: read })
}

/// Returns the innermost package that holds a file.
fn owner(packages: &[Package], path: &str) -> Option<usize> {
    let holding = packages.iter().enumerate().filter(|(_, package)| package.holds(path));
    holding.max_by_key(|(_, package)| package.dir.len()).map(|(index, _)| index)
}

fn unread(path: &str, error: &io::Error) -> Problem {
    Problem { file: path.to_owned(), line: 0, column: 0, message: format!("cannot be read: {error}") }
}
