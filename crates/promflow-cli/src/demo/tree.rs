//! The files that the demo runs on: the repository's own where there is one, else a copy out of the binary.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// A folder with `monitoring/` and the sources of the example.
pub(crate) struct Tree {
    root: PathBuf,
    /// Keeps an unpacked copy until the demo ends.
    copy: Option<TempDir>,
}

impl Tree {
    /// Finds the repository at or above a folder, or unpacks the copy that the binary carries.
    ///
    /// Errors: the copy cannot be written.
    pub(crate) fn find_or_unpack(from: &Path) -> Result<Self> {
        if let Some(root) = from.ancestors().find(|dir| is_repository(dir)) {
            return Ok(Self { root: root.to_owned(), copy: None });
        }
        let copy = tempfile::Builder::new()
            .prefix("promflow-")
            .tempdir()
            .context("cannot create a temporary directory")?;
        for (path, text) in EMBEDDED {
            let target = copy.path().join(path);
            let folder = target.parent().expect("BUG: an embedded file has a folder");
            fs::create_dir_all(folder)
                .and_then(|()| fs::write(&target, text))
                .with_context(|| format!("cannot write {}", target.display()))?;
        }
        Ok(Self { root: copy.path().to_owned(), copy: Some(copy) })
    }

    /// Returns the folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the folder, `.` where it is the current one.
    pub(crate) fn root_from_here(&self) -> PathBuf {
        let is_here = std::env::current_dir().is_ok_and(|here| here == self.root);
        if is_here { PathBuf::from(".") } else { self.root.clone() }
    }

    /// Says whether the files are the user's own, so that editing them changes the demo.
    pub(crate) fn is_repository(&self) -> bool {
        self.copy.is_none()
    }
}

fn is_repository(dir: &Path) -> bool {
    dir.join("monitoring/prometheus.yml").is_file() && dir.join("examples/backend/src").is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_the_repository_the_binary_brings_its_own_files() {
        let elsewhere = tempfile::tempdir().expect("no temporary directory");
        let tree = Tree::find_or_unpack(elsewhere.path()).expect("cannot unpack");
        assert!(!tree.is_repository());
        for file in
            ["monitoring/prometheus.yml", "monitoring/rules/alerts.yml", "examples/backend/src/lib.rs"]
        {
            assert!(tree.root().join(file).is_file(), "{file}");
        }
    }

    #[test]
    fn inside_the_repository_its_own_files_are_used() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let tree = Tree::find_or_unpack(here).expect("nothing to unpack");
        assert!(tree.is_repository());
        assert!(here.starts_with(tree.root()));
    }
}
