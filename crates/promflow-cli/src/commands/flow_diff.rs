//! `promflow flow diff`: the graphs of two revisions, each read from a copy of the repository as it was.

use std::path::Path;

use anyhow::{Context, Result, bail};
use promflow_flow::Graph;
use promflow_flow::paths::FlowPaths;
use promflow_flow::questions::{self, Diff};

use super::flow;
use crate::args::FlowFilesArguments;
use crate::revision::Repository;

/// Compares two revisions; the work tree is not touched.
///
/// Errors: a revision is unknown, git or tar is missing, or a file of a revision is refused.
pub(super) fn diff(arguments: &FlowFilesArguments, revisions: &str) -> Result<Diff> {
    let Some((from, to)) = revisions.split_once("..") else {
        bail!("{revisions:?} is no range of revisions\n\nhint: write it as main..HEAD");
    };
    let (from, to) = (or_head(from), or_head(to.trim_start_matches('.')));
    let repository = Repository::around(&arguments.source)?;
    let alertmanager = arguments.alertmanager_config.as_deref().unwrap_or(Path::new(flow::ALERTMANAGER));
    let paths = FlowPaths {
        config: Some(arguments.config_file.clone()),
        alertmanager: Some(alertmanager.to_owned()),
        source: Some(arguments.source.clone()),
        pages: Vec::new(),
    };
    let before = graph_at(&repository, &paths, from)?;
    let after = graph_at(&repository, &paths, to)?;
    Ok(questions::diff(&before, &after, from, to))
}

fn or_head(revision: &str) -> &str {
    if revision.is_empty() { "HEAD" } else { revision }
}

fn graph_at(repository: &Repository, paths: &FlowPaths, revision: &str) -> Result<Graph> {
    let commit = repository.commit(revision)?;
    let checkout = repository.check_out(&commit, paths)?;
    if let (None, Some(config)) = (&checkout.paths.config, &paths.config) {
        eprintln!("warning: {revision} has no {}", config.display());
    }
    let files = flow::read(&checkout.paths).with_context(|| format!("cannot read {revision}"))?;
    Ok(files.graph(None))
}
