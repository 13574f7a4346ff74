//! What changed since a revision of the repository that the configuration stands in.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use promflow_api::FlowError;
use promflow_config::ConfigError;
use promflow_flow::Graph;
use promflow_flow::paths::{FlowFiles, FlowPaths};
use promflow_flow::questions::{self, Diff};
use serde::Serialize;

use crate::revision::{Commit, Repository};

/// How many commits, and how many branches and tags, are offered.
const OFFERED_MAX: usize = 20;

/// How many graphs of revisions are remembered: each is as large as the chart.
const REMEMBERED_MAX: usize = 4;

/// What the files are called as they are now.
const NOW: &str = "now";

/// Compares the files with what they were.
pub(super) struct Since {
    paths: FlowPaths,
    /// By commit, the one asked about last at the end. Held while a revision is read: one at a time is enough.
    remembered: Mutex<Vec<(String, Arc<Graph>)>>,
}

/// The revisions that can be compared with.
#[derive(Serialize)]
pub(super) struct Revisions {
    /// The newest commits, the newest first.
    commits: Vec<Commit>,
    /// Branches and tags, those that changed last first.
    names: Vec<String>,
}

impl Since {
    pub(super) fn new(paths: FlowPaths) -> Self {
        Self { paths, remembered: Mutex::default() }
    }

    /// Lists the revisions that can be compared with.
    ///
    /// Errors: the configuration stands in no repository.
    pub(super) fn revisions(&self) -> Result<Revisions, FlowError> {
        let repository = self.repository()?;
        // A repository without commits has nothing to offer.
        let commits = repository.newest(OFFERED_MAX).unwrap_or_default();
        let names = repository.names(OFFERED_MAX).map_err(server)?;
        Ok(Revisions { commits, names })
    }

    /// Tells what differs between a revision and another, or the files as they are now where none is named.
    ///
    /// Errors: the configuration stands in no repository; a revision is unknown or its files are refused.
    pub(super) fn diff(&self, since: &str, to: &str, now: &FlowFiles) -> Result<Diff, FlowError> {
        let repository = self.repository()?;
        let before = self.graph_at(&repository, since)?;
        if to.is_empty() {
            let after = named_from(now.clone(), &self.paths, repository.root()).graph(None);
            return Ok(questions::diff(&before, &after, since, NOW));
        }
        let after = self.graph_at(&repository, to)?;
        Ok(questions::diff(&before, &after, since, to))
    }

    fn repository(&self) -> Result<Repository, FlowError> {
        let config = self.paths.config.clone().unwrap_or_default();
        // A configuration that is a link stands where it is linked from.
        let dir = config.parent().map(Path::to_owned).unwrap_or_default();
        Repository::around(&dir).map_err(|e| {
            let shown = if dir.as_os_str().is_empty() { PathBuf::from(".") } else { dir };
            let told = format!("no git repository holds the configuration in {}", shown.display());
            // What git says beside that is worth a look: that it is missing, or does not trust the directory's owner.
            let reason = format!("{e:#}");
            let is_plain = reason.contains("not a git repository");
            FlowError::Absent(if is_plain { told } else { format!("{told}: {reason}") })
        })
    }

    fn graph_at(&self, repository: &Repository, revision: &str) -> Result<Arc<Graph>, FlowError> {
        let commit = repository.commit(revision).map_err(|e| FlowError::Request(format!("{e:#}")))?;
        // A reading that panicked has remembered nothing.
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let place = remembered.iter().position(|(known, _)| *known == commit);
        let graph = match place {
            Some(place) => remembered.remove(place).1,
            None => Arc::new(self.read(repository, &commit, revision)?),
        };
        remembered.push((commit, graph.clone()));
        if remembered.len() > REMEMBERED_MAX {
            remembered.remove(0);
        }
        Ok(graph)
    }

    fn read(&self, repository: &Repository, commit: &str, revision: &str) -> Result<Graph, FlowError> {
        let checkout = repository.check_out(commit, &self.paths).map_err(server)?;
        let files = FlowFiles::read(&checkout.paths).map_err(|errors| {
            FlowError::Request(format!("cannot read {revision}: {}", ConfigError::join(&errors)))
        })?;
        Ok(named_from(files, &self.paths, &checkout.root).graph(None))
    }
}

/// Without sources the files are named from where the server was started, which no copy of a revision lies below.
fn named_from(files: FlowFiles, paths: &FlowPaths, root: &Path) -> FlowFiles {
    if paths.source.is_some() { files } else { files.named_from(root) }
}

fn server(error: anyhow::Error) -> FlowError {
    FlowError::Server(format!("{error:#}"))
}
