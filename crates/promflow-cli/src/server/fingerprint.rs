//! Whether files changed since they were read.

use std::hash::{BuildHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use promflow_config::{OsFileSystem, load};
use promflow_flow::paths::FlowPaths;
use promflow_source::{DiskTree, SourceTree};

/// Hashes the contents of the configuration and of every file that belongs to it.
pub(crate) fn configuration(config_file: &Path) -> u64 {
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    hash_configuration(config_file, &mut hasher);
    hasher.finish()
}

/// Hashes what the flow chart is drawn from: configuration by content, source code by size and time of change.
pub(crate) fn flow(paths: &FlowPaths) -> u64 {
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    if let Some(config) = &paths.config {
        hash_configuration(config, &mut hasher);
    }
    if let Some(alertmanager) = &paths.alertmanager {
        std::fs::read(alertmanager).ok().hash(&mut hasher);
    }
    for (job, page) in &paths.pages {
        job.hash(&mut hasher);
        std::fs::read(page).ok().hash(&mut hasher);
    }
    if let Some(source) = &paths.source {
        for file in DiskTree::new(source).files().unwrap_or_default() {
            hash_stamp(&source.join(file), &mut hasher);
        }
    }
    hasher.finish()
}

fn hash_configuration(config_file: &Path, hasher: &mut impl Hasher) {
    std::fs::read(config_file).ok().hash(hasher);
    for file in files_of(config_file) {
        file.hash(hasher);
        std::fs::read(&file).ok().hash(hasher);
    }
}

/// Lists the files of a configuration; of one that is refused, none.
fn files_of(config_file: &Path) -> Vec<PathBuf> {
    load(config_file, &OsFileSystem, &|_| None).map(|config| config.files()).unwrap_or_default()
}

fn hash_stamp(file: &Path, hasher: &mut impl Hasher) {
    file.hash(hasher);
    if let Ok(metadata) = std::fs::metadata(file) {
        metadata.len().hash(hasher);
        let changed = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
        changed.map(|t| t.as_nanos()).hash(hasher);
    }
}
