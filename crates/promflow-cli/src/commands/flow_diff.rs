//! `promflow flow diff`: the graphs of two revisions, each read from a copy of the repository as it was.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use promflow_flow::Graph;
use promflow_flow::paths::FlowPaths;
use promflow_flow::questions::{self, Diff};

use super::flow_files;
use crate::args::FlowFilesArguments;

/// Compares two revisions; the work tree is not touched.
///
/// Errors: a revision is unknown, git or tar is missing, or a file of a revision is refused.
pub(super) fn diff(arguments: &FlowFilesArguments, revisions: &str) -> Result<Diff> {
    let Some((from, to)) = revisions.split_once("..") else {
        bail!("{revisions:?} is no range of revisions\n\nhint: write it as main..HEAD");
    };
    let (from, to) = (or_head(from), or_head(to.trim_start_matches('.')));
    let root = PathBuf::from(git(&arguments.source, &["rev-parse", "--show-toplevel"])?.trim());
    let before = graph_at(arguments, &root, from)?;
    let after = graph_at(arguments, &root, to)?;
    Ok(questions::diff(&before, &after, from, to))
}

fn or_head(revision: &str) -> &str {
    if revision.is_empty() { "HEAD" } else { revision }
}

fn git(dir: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new("git").arg("-C").arg(dir).args(arguments).output().context("cannot run git")?;
    if !output.status.success() {
        bail!("git: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn graph_at(arguments: &FlowFilesArguments, root: &Path, revision: &str) -> Result<Graph> {
    let commit = git(
        root,
        &["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{revision}^{{commit}}")],
    )
    .map_err(|_| anyhow::anyhow!("git knows no revision {revision:?}"))?;
    let copy = tempfile::tempdir().context("cannot make a directory for the revision")?;
    unpack(root, commit.trim(), copy.path())?;
    let copied = copy.path().canonicalize().context("cannot find the copy of the revision")?;
    let inside = |path: &Path| -> Result<PathBuf> {
        let whole = std::path::absolute(path).with_context(|| format!("cannot find {}", path.display()))?;
        // The file may be gone today, and the directory may be reached over a link.
        let whole = match (whole.canonicalize(), whole.parent().map(Path::canonicalize), whole.file_name()) {
            (Ok(whole), ..) => whole,
            (_, Some(Ok(parent)), Some(name)) => parent.join(name),
            _ => whole,
        };
        let root = root.canonicalize().with_context(|| format!("cannot find {}", root.display()))?;
        let relative = whole
            .strip_prefix(&root)
            .map_err(|_| anyhow::anyhow!("{} is not in the repository {}", path.display(), root.display()))?;
        Ok(copied.join(relative))
    };
    let alertmanager =
        arguments.alertmanager_config.as_deref().unwrap_or(Path::new(flow_files::ALERTMANAGER));
    let (config, alertmanager) = (inside(&arguments.config_file)?, inside(alertmanager)?);
    let source = inside(&arguments.source)?;
    let paths = FlowPaths {
        config: Some(config).filter(|path| path.is_file()),
        alertmanager: Some(alertmanager).filter(|path| path.is_file()),
        source: Some(source).filter(|path| path.is_dir()),
        pages: Vec::new(),
    };
    if paths.config.is_none() {
        eprintln!("warning: {revision} has no {}", arguments.config_file.display());
    }
    let files = flow_files::read(&paths).with_context(|| format!("cannot read {revision}"))?;
    Ok(files.graph(None))
}

/// Unpacks a revision into a directory.
fn unpack(root: &Path, commit: &str, into: &Path) -> Result<()> {
    let mut archive = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(["archive", "--format=tar", commit])
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run git")?;
    let packed = archive.stdout.take().context("git gives no archive")?;
    let unpacked =
        Command::new("tar").arg("-x").arg("-C").arg(into).stdin(packed).status().context("cannot run tar")?;
    let archived = archive.wait().context("git does not end")?;
    if !archived.success() || !unpacked.success() {
        bail!("cannot unpack {commit}");
    }
    Ok(())
}
