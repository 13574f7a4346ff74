//! Where source files come from.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

/// Directories that hold no code of the running program, at whatever depth.
const SKIPPED_DIRS: [&str; 12] = [
    "target",
    "tests",
    "test",
    "bench",
    "benches",
    "fixtures",
    "testdata",
    "node_modules",
    "fuzz",
    "__pycache__",
    "venv",
    "site-packages",
];

/// A tree of source files.
///
/// Paths are relative to the tree's root, with `/` between their parts.
pub trait SourceTree {
    /// Returns the paths of all files that may hold code of the running program, sorted.
    ///
    /// Errors: the root cannot be read.
    fn files(&self) -> io::Result<Vec<String>>;

    /// Returns a file's text, at most `limit_bytes` of it.
    ///
    /// Errors: `InvalidData` when the file is longer or not UTF-8; what reading it gives.
    fn read(&self, path: &str, limit_bytes: u64) -> io::Result<String>;
}

/// A directory; what git ignores, hidden files, build output, tests, benches and fixtures are left out.
#[derive(Clone, Debug)]
pub struct DiskTree {
    root: PathBuf,
    dir: PathBuf,
}

impl DiskTree {
    /// Names a directory; nothing is read yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self { dir: root.clone(), root }
    }

    /// Leaves out all but one directory of the tree, relative to the root; paths stay relative to the root.
    pub fn within(self, dir: impl AsRef<Path>) -> Self {
        Self { dir: self.root.join(dir), root: self.root }
    }
}

impl SourceTree for DiskTree {
    fn files(&self) -> io::Result<Vec<String>> {
        std::fs::metadata(&self.dir)?;
        // `.gitignore` counts without a repository too: an unpacked copy of the sources is scanned like a checkout.
        let walk = WalkBuilder::new(&self.dir)
            .require_git(false)
            .git_global(false)
            .follow_links(false)
            .filter_entry(|entry| {
                entry.depth() == 0
                    || !entry.file_type().is_some_and(|kind| kind.is_dir())
                    || !entry.file_name().to_str().is_some_and(is_skipped_dir)
            })
            .build();
        let mut files = Vec::new();
        for entry in walk {
            // An unreadable corner of the tree must not hide the rest of it.
            let Ok(entry) = entry else { continue };
            if !entry.file_type().is_some_and(|kind| kind.is_file()) {
                continue;
            }
            if let Ok(relative) = entry.path().strip_prefix(&self.root)
                && let Some(path) = relative.iter().map(|part| part.to_str()).collect::<Option<Vec<_>>>()
            {
                files.push(path.join("/"));
            }
        }
        files.sort();
        Ok(files)
    }

    fn read(&self, path: &str, limit_bytes: u64) -> io::Result<String> {
        let file = std::fs::File::open(self.root.join(path))?;
        let mut text = String::new();
        file.take(limit_bytes + 1).read_to_string(&mut text)?;
        within(text, limit_bytes)
    }
}

/// Files held in memory, by path.
#[derive(Clone, Debug, Default)]
pub struct MemoryTree {
    files: BTreeMap<String, String>,
}

impl MemoryTree {
    /// Holds files given as path and text.
    pub fn new<P: Into<String>, T: Into<String>>(files: impl IntoIterator<Item = (P, T)>) -> Self {
        Self { files: files.into_iter().map(|(path, text)| (path.into(), text.into())).collect() }
    }
}

impl SourceTree for MemoryTree {
    fn files(&self) -> io::Result<Vec<String>> {
        let in_program = |path: &&String| !path.rsplit('/').skip(1).any(is_skipped_dir);
        Ok(self.files.keys().filter(in_program).cloned().collect())
    }

    fn read(&self, path: &str, limit_bytes: u64) -> io::Result<String> {
        let text = self.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        within(text.clone(), limit_bytes)
    }
}

fn is_skipped_dir(name: &str) -> bool {
    SKIPPED_DIRS.contains(&name)
}

fn within(text: String, limit_bytes: u64) -> io::Result<String> {
    if text.len() as u64 > limit_bytes {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("longer than {limit_bytes} bytes")));
    }
    Ok(text)
}
