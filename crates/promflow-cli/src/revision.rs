//! Revisions of the repository that the files of the flow chart stand in: what they were, and which there are.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use promflow_flow::paths::FlowPaths;
use serde::Serialize;
use tempfile::TempDir;

/// How long a revision's name may be, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// Parts the fields of a line of `git log`: no subject has it.
const FIELD: char = '\u{1f}';

/// A repository of git; the work tree is never touched.
pub(crate) struct Repository {
    root: PathBuf,
}

/// A revision's files, in a directory of their own for as long as this lives.
pub(crate) struct Checkout {
    /// The files that the revision has, of those asked for.
    pub(crate) paths: FlowPaths,
    /// The root of the copy.
    pub(crate) root: PathBuf,
    _copy: TempDir,
}

/// A commit, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Commit {
    /// The abbreviated hash.
    pub(crate) revision: String,
    /// The first line of the message.
    pub(crate) subject: String,
    /// When it was committed, in milliseconds since the epoch.
    pub(crate) committed_ms: i64,
}

impl Repository {
    /// Finds the repository around a directory.
    ///
    /// Errors: git is missing, or no repository is there.
    pub(crate) fn around(dir: &Path) -> Result<Self> {
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        let root = git(dir, &["rev-parse", "--show-toplevel"])?;
        let root = root.trim_end_matches('\n');
        // A bare repository has no files beside which anything could stand.
        if root.is_empty() {
            bail!("git: {} is in no work tree", dir.display());
        }
        let root = Path::new(root).canonicalize().with_context(|| format!("cannot find {root}"))?;
        Ok(Self { root })
    }

    /// Returns the root of the work tree, links followed.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the full hash of the commit that a revision names.
    ///
    /// Errors: the revision is unknown.
    pub(crate) fn commit(&self, revision: &str) -> Result<String> {
        let unknown = || anyhow::anyhow!("git knows no revision {revision:?}");
        if revision.len() > NAME_BYTES_MAX || revision.contains('\0') {
            return Err(unknown());
        }
        let name = format!("{revision}^{{commit}}");
        let hash = git(&self.root, &["rev-parse", "--verify", "--quiet", "--end-of-options", &name])
            .map_err(|_| unknown())?;
        Ok(hash.trim().to_owned())
    }

    /// Copies the files of a commit.
    ///
    /// Errors: git or tar is missing; a path is not in the repository.
    pub(crate) fn check_out(&self, commit: &str, paths: &FlowPaths) -> Result<Checkout> {
        let copy = tempfile::tempdir().context("cannot make a directory for the revision")?;
        unpack(&self.root, commit, copy.path())?;
        let root = copy.path().canonicalize().context("cannot find the copy of the revision")?;
        // Files are named from the root of a repository, which the copy is too.
        std::fs::create_dir_all(root.join(".git")).context("cannot mark the copy of the revision")?;
        let inside = |path: &Option<PathBuf>| match path {
            Some(path) => self.relative(path).map(|relative| Some(root.join(relative))),
            None => Ok(None),
        };
        let paths = FlowPaths {
            config: inside(&paths.config)?.filter(|path| path.is_file()),
            alertmanager: inside(&paths.alertmanager)?.filter(|path| path.is_file()),
            source: inside(&paths.source)?.filter(|path| path.is_dir()),
            pages: Vec::new(),
        };
        Ok(Checkout { paths, root, _copy: copy })
    }

    /// Returns the newest commits, the newest first.
    ///
    /// Errors: git is missing; nothing was committed yet.
    pub(crate) fn newest(&self, commits_max: usize) -> Result<Vec<Commit>> {
        let count = format!("--max-count={commits_max}");
        let log = git(&self.root, &["log", &count, &format!("--format=%h{FIELD}%ct{FIELD}%s")])?;
        Ok(log.lines().filter_map(parse_commit).collect())
    }

    /// Returns the names of branches and tags, those that changed last first.
    ///
    /// Errors: git is missing.
    pub(crate) fn names(&self, names_max: usize) -> Result<Vec<String>> {
        let count = format!("--count={names_max}");
        let order = ["for-each-ref", &count, "--sort=-creatordate", "--format=%(refname:short)"];
        let names = git(&self.root, &[&order[..], &["refs/heads", "refs/tags"]].concat())?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    fn relative(&self, path: &Path) -> Result<PathBuf> {
        let whole = std::path::absolute(path).with_context(|| format!("cannot find {}", path.display()))?;
        // The file may be gone today, and the directory may be reached over a link.
        let whole = match (whole.canonicalize(), whole.parent().map(Path::canonicalize), whole.file_name()) {
            (Ok(whole), ..) => whole,
            (_, Some(Ok(parent)), Some(name)) => parent.join(name),
            _ => whole,
        };
        let relative = whole.strip_prefix(&self.root).map(Path::to_owned);
        relative.map_err(|_| {
            anyhow::anyhow!("{} is not in the repository {}", path.display(), self.root.display())
        })
    }
}

fn git(dir: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("git");
    // What git says is read, so it has to say it in one language.
    command.arg("-C").arg(dir).args(arguments).env("LC_ALL", "C");
    let output = command.output().context("cannot run git")?;
    if !output.status.success() {
        bail!("git: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn parse_commit(line: &str) -> Option<Commit> {
    let mut fields = line.splitn(3, FIELD);
    let (revision, seconds, subject) = (fields.next()?, fields.next()?, fields.next()?);
    let committed_ms = seconds.parse::<i64>().ok()?.saturating_mul(1000);
    Some(Commit { revision: revision.to_owned(), subject: subject.to_owned(), committed_ms })
}

/// Unpacks a commit into a directory.
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
