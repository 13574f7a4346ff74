//! The conformance data: Prometheus's own scripts, files and answers, kept beside the repository.

use std::path::{Path, PathBuf};

/// Returns the folder that holds all suites, whether it is there or not.
pub fn conformance_root() -> PathBuf {
    workspace_root().join("../shared/data")
}

/// Returns a suite's folder, or `None` in a clone without the conformance data.
///
/// An absent suite is noted under `target/conformance-absent`, so that the test command can say how many were left
/// out. The caller then runs the project's own cases alone.
pub fn conformance(suite: &str) -> Option<PathBuf> {
    let path = conformance_root().join(suite);
    if path.exists() {
        return Some(path);
    }
    let notes = workspace_root().join("target/conformance-absent");
    std::fs::create_dir_all(&notes)
        .and_then(|()| std::fs::write(notes.join(suite.replace('/', "_")), ""))
        .unwrap_or_else(|e| panic!("cannot note the absent suite {suite:?}: {e}"));
    println!("conformance data absent: suite {suite} left out");
    None
}

pub(crate) fn workspace_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("BUG: crate is two levels below the workspace")
}
