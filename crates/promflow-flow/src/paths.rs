//! From files on disk to the graph.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use promflow_config::alertmanager::AlertmanagerFile;
use promflow_config::{
    ConfigError, FileSystem, LoadedConfig, OsFileSystem, RuleFile, TargetGroup, ValidationScheme, load,
    parse_target_groups,
};
use promflow_source::{DiskTree, Limits, Scan, SourceTree, scan};

use crate::{Dashboard, FlowInputs, Graph, LiveState, build};

/// Which files the graph is built from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowPaths {
    /// `prometheus.yml`.
    pub config: Option<PathBuf>,
    /// `alertmanager.yml`.
    pub alertmanager: Option<PathBuf>,
    /// The directory of the source code; dashboards are looked for there too.
    pub source: Option<PathBuf>,
    /// Captured pages, by job: what its endpoint showed.
    pub pages: Vec<(String, PathBuf)>,
}

/// How many JSON files are looked at, and how long each may be.
const DASHBOARDS_MAX: usize = 2_000;
const DASHBOARD_BYTES_MAX: u64 = 8 << 20;

/// The files of a [`FlowPaths`], read.
#[derive(Clone, Debug, Default)]
pub struct FlowFiles {
    config: Option<LoadedConfig>,
    rule_files: Vec<RuleFile>,
    alertmanager: Option<AlertmanagerFile>,
    scan: Option<Scan>,
    targets: BTreeMap<String, Vec<TargetGroup>>,
    root: Option<PathBuf>,
    base: Option<PathBuf>,
    problems: Vec<String>,
    dashboards: Vec<Dashboard>,
    pages: LiveState,
}

/// Builds the graph from files; a file of targets, rules or code that is broken is among the problems.
///
/// Errors: every mistake of `prometheus.yml` and `alertmanager.yml`; a source directory that is missing.
pub fn build_from_paths(paths: &FlowPaths, live: Option<&LiveState>) -> Result<Graph, Vec<ConfigError>> {
    Ok(FlowFiles::read(paths)?.graph(live))
}

impl FlowFiles {
    /// Reads the files.
    ///
    /// Errors: every mistake of `prometheus.yml` and `alertmanager.yml`; a source directory that is missing.
    pub fn read(paths: &FlowPaths) -> Result<Self, Vec<ConfigError>> {
        let fs = OsFileSystem;
        let mut files = Self { base: std::env::current_dir().ok(), ..Self::default() };
        let mut errors = Vec::new();
        if let Some(path) = &paths.config {
            match load(path, &fs, &|_| None) {
                Ok(config) => files.read_parts(config, &fs),
                Err(found) => errors.extend(found),
            }
        }
        if let Some(path) = &paths.alertmanager {
            match AlertmanagerFile::load(path, &fs) {
                Ok(file) => files.alertmanager = Some(file),
                Err(found) => errors.extend(found),
            }
        }
        if let Some(path) = &paths.source {
            errors.extend(files.scan(path).err());
        }
        errors.extend(files.read_pages(&paths.pages));
        files.read_dashboards(paths);
        if files.root.is_none() {
            files.root = files.base.clone();
        }
        if errors.is_empty() { Ok(files) } else { Err(errors) }
    }

    fn read_parts(&mut self, config: LoadedConfig, fs: &dyn FileSystem) {
        for path in &config.rule_files {
            match RuleFile::load(path, fs, ValidationScheme::default()) {
                Ok(file) => self.rule_files.push(file),
                Err(found) => self.problems.extend(found.iter().map(ToString::to_string)),
            }
        }
        for job in &config.scrape_configs {
            let mut seen = BTreeSet::new();
            let patterns = job.file_sd_configs.iter().flat_map(|sd| &sd.files);
            let found = patterns.flat_map(|pattern| fs.glob(pattern).unwrap_or_default());
            for path in found.filter(|path| seen.insert(path.clone())) {
                let name = path.display().to_string();
                let groups = match fs.read(&path) {
                    Ok(text) => parse_target_groups(&text, &name),
                    Err(error) => {
                        Err(vec![ConfigError::for_file(name, format!("cannot read file: {error}"))])
                    }
                };
                match groups {
                    Ok(groups) => self.targets.entry(job.job_name.clone()).or_default().extend(groups),
                    Err(found) => self.problems.extend(found.iter().map(ToString::to_string)),
                }
            }
        }
        self.config = Some(config);
    }

    fn read_pages(&mut self, pages: &[(String, PathBuf)]) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        for (job, path) in pages {
            let read =
                std::fs::read_to_string(path).map_err(|error| format!("cannot read the page: {error}"));
            if let Err(message) = read.and_then(|page| self.pages.capture(job, &page)) {
                errors.push(ConfigError::for_file(path.display().to_string(), message));
            }
        }
        errors
    }

    /// Reads the dashboards beside the configuration and among the sources.
    fn read_dashboards(&mut self, paths: &FlowPaths) {
        let mut found: BTreeSet<PathBuf> = BTreeSet::new();
        if let (Some(root), Some(source)) = (&self.root, &paths.source) {
            let within = source.canonicalize().unwrap_or_else(|_| source.clone());
            let inside = within.strip_prefix(root).unwrap_or(Path::new("")).to_owned();
            let files = DiskTree::new(root).within(inside).files().unwrap_or_default();
            found.extend(files.iter().filter(|file| file.ends_with(".json")).map(|file| root.join(file)));
        }
        let beside = paths.config.as_ref().and_then(|config| config.parent());
        let entries =
            beside.and_then(|dir| std::fs::read_dir(dir.join("dashboards")).ok()).into_iter().flatten();
        let base = self.base.clone().unwrap_or_default();
        let own = entries.flatten().map(|entry| base.join(entry.path()));
        found.extend(own.filter(|path| path.extension().is_some_and(|extension| extension == "json")));
        let found: BTreeSet<PathBuf> =
            found.into_iter().map(|path| path.canonicalize().unwrap_or(path)).collect();
        for path in found.into_iter().take(DASHBOARDS_MAX) {
            if std::fs::metadata(&path).is_ok_and(|metadata| metadata.len() > DASHBOARD_BYTES_MAX) {
                continue;
            }
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            // Most JSON in a repository is something else, and need not even be well formed.
            if !text.contains("\"panels\"") && !text.contains("\"rows\"") {
                continue;
            }
            match Dashboard::parse(&path.display().to_string(), &text) {
                Ok(dashboard) => self.dashboards.extend(dashboard),
                Err(problem) => self.problems.push(problem),
            }
        }
    }

    fn scan(&mut self, dir: &Path) -> Result<(), ConfigError> {
        let failed = |error: std::io::Error| {
            ConfigError::for_file(
                dir.display().to_string(),
                format!("cannot read the source directory: {error}"),
            )
        };
        let dir = dir.canonicalize().map_err(failed)?;
        let root = repository_root(&dir).to_owned();
        let inside = dir.strip_prefix(&root).unwrap_or(Path::new("")).to_owned();
        self.scan = Some(scan(&DiskTree::new(&root).within(inside), Limits::default()).map_err(failed)?);
        self.root = Some(root);
        Ok(())
    }

    /// Names the files from a directory, where no directory of sources says from which.
    pub fn named_from(mut self, dir: &Path) -> Self {
        self.root = Some(dir.to_owned());
        self.base = Some(dir.to_owned());
        self
    }

    /// Says whether a job of that name is configured.
    pub fn has_job(&self, name: &str) -> bool {
        self.job_names().any(|job| job == name)
    }

    /// Returns the name of the configured job that is nearest to a name.
    pub fn nearest_job(&self, name: &str) -> Option<String> {
        crate::questions::near(name, self.job_names())
    }

    fn job_names(&self) -> impl Iterator<Item = &str> {
        self.config.iter().flat_map(|config| &config.scrape_configs).map(|job| job.job_name.as_str())
    }

    /// Returns what the graph is built from, with what a server said.
    pub fn inputs<'a>(&'a self, live: Option<&'a LiveState>) -> FlowInputs<'a> {
        // A server knows more than a page in a file.
        let live = live.or(Some(&self.pages).filter(|pages| !pages.captured.is_empty()));
        FlowInputs {
            dashboards: &self.dashboards,
            config: self.config.as_ref().map(|loaded| &loaded.config),
            jobs: self.config.as_ref().map_or(&[], |loaded| &loaded.scrape_configs),
            targets: self.targets.clone(),
            rule_files: &self.rule_files,
            alertmanager: self.alertmanager.as_ref(),
            source: self.scan.as_ref(),
            live,
            root: self.root.as_deref(),
            base: self.base.as_deref(),
            problems: self.problems.clone(),
        }
    }

    /// Builds the graph.
    pub fn graph(&self, live: Option<&LiveState>) -> Graph {
        build(&self.inputs(live))
    }
}

/// Returns the nearest directory above that holds a repository, or the directory itself.
fn repository_root(dir: &Path) -> &Path {
    dir.ancestors().find(|above| above.join(".git").exists()).unwrap_or(dir)
}
