//! Loads `prometheus.yml` with the files that it names.

use std::collections::BTreeSet;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::config::read::{self, EnvLookup};
use crate::{Config, ConfigError, FileSystem, HttpClientConfig, ScrapeConfig};

/// A configuration and the files that belong to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadedConfig {
    /// The file itself; relative paths in it are joined to its directory.
    pub config: Config,
    /// All jobs: those of the file and those of `scrape_config_files`.
    pub scrape_configs: Vec<ScrapeConfig>,
    /// The path of the file.
    pub path: PathBuf,
    /// The rule files that exist now, in the order of `rule_files`, each once.
    pub rule_files: Vec<PathBuf>,
    /// The files of `scrape_config_files` that exist now.
    pub scrape_config_files: Vec<PathBuf>,
    /// What is odd and no error.
    pub warnings: Vec<String>,
}

impl LoadedConfig {
    /// Lists every file whose change changes the configuration: the file itself, files with jobs, rule files.
    pub fn files(&self) -> Vec<PathBuf> {
        let further = self.scrape_config_files.iter().chain(&self.rule_files);
        std::iter::once(&self.path).chain(further).cloned().collect()
    }
}

/// Loads a configuration; environment variables stand in external labels only.
///
/// Errors: every mistake of every file, at its place.
pub fn load(path: &Path, fs: &dyn FileSystem, env: EnvLookup<'_>) -> Result<LoadedConfig, Vec<ConfigError>> {
    let text = read_file(fs, path).map_err(|err| vec![err])?;
    let jobs = read::parse(&path.display().to_string(), &text, env)?;
    let dir = path.parent().unwrap_or(Path::new(""));
    let mut config = jobs.value;
    join_paths(&mut config, dir);
    let mut loaded = LoadedConfig {
        scrape_configs: config.scrape_configs.clone(),
        path: path.to_owned(),
        warnings: jobs.warnings,
        ..LoadedConfig::default()
    };
    let mut errors = Vec::new();
    let mut glob = |patterns: &[String], key: &str| {
        let mut seen = BTreeSet::new();
        let mut files = Vec::new();
        for pattern in patterns {
            match fs.glob(pattern) {
                Ok(found) if found.is_empty() => {
                    loaded.warnings.push(format!("{}: {key}: no file matches \"{pattern}\"", path.display()));
                }
                Ok(found) => files.extend(found.into_iter().filter(|file| seen.insert(file.clone()))),
                Err(err) => {
                    let message = format!("{key}: cannot list \"{pattern}\": {}", describe(&err));
                    errors.push(ConfigError::for_file(path.display().to_string(), message));
                }
            }
        }
        files
    };
    loaded.rule_files = glob(&config.rule_files, "rule_files");
    loaded.scrape_config_files = glob(&config.scrape_config_files, "scrape_config_files");
    let mut names = jobs.names;
    for file in &loaded.scrape_config_files {
        let parsed = read_file(fs, file).map_err(|err| vec![err]).and_then(|text| {
            read::parse_jobs(&file.display().to_string(), &text, &config.global, names.clone())
        });
        match parsed {
            Ok(jobs) => {
                names = jobs.names;
                let dir = file.parent().unwrap_or(Path::new(""));
                loaded.scrape_configs.extend(jobs.value.into_iter().map(|mut job| {
                    join_job_paths(&mut job, dir);
                    job
                }));
            }
            Err(more) => errors.extend(more),
        }
    }
    loaded.config = config;
    if errors.is_empty() { Ok(loaded) } else { Err(errors) }
}

/// Reads a file.
///
/// Errors: names the file and the reason.
pub(crate) fn read_file(fs: &dyn FileSystem, path: &Path) -> Result<String, ConfigError> {
    fs.read(path).map_err(|err| {
        ConfigError::for_file(path.display().to_string(), format!("cannot read file: {}", describe(&err)))
    })
}

fn describe(err: &io::Error) -> String {
    match err.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => err.to_string(),
    }
}

/// Joins relative paths to the directory of the file they stand in.
///
/// Source: Prometheus config.Config.SetDirectory.
fn join_paths(config: &mut Config, dir: &Path) {
    for pattern in config.rule_files.iter_mut().chain(&mut config.scrape_config_files) {
        *pattern = join_str(dir, pattern);
    }
    for job in &mut config.scrape_configs {
        join_job_paths(job, dir);
    }
    for alertmanager in &mut config.alerting.alertmanagers {
        join_http_paths(&mut alertmanager.http, dir);
        for sd in &mut alertmanager.file_sd_configs {
            sd.files.iter_mut().for_each(|file| *file = join_str(dir, file));
        }
    }
}

fn join_job_paths(job: &mut ScrapeConfig, dir: &Path) {
    join_http_paths(&mut job.http, dir);
    for sd in &mut job.file_sd_configs {
        sd.files.iter_mut().for_each(|file| *file = join_str(dir, file));
    }
}

fn join_http_paths(http: &mut HttpClientConfig, dir: &Path) {
    let basic =
        http.basic_auth.iter_mut().flat_map(|auth| [&mut auth.username_file, &mut auth.password_file]);
    let authorization = http.authorization.iter_mut().map(|auth| &mut auth.credentials_file);
    let tls = [&mut http.tls.ca_file, &mut http.tls.cert_file, &mut http.tls.key_file];
    let headers = http.http_headers.values_mut().flat_map(|header| header.files.iter_mut());
    for path in basic.chain(authorization).chain(tls).flatten().chain(headers) {
        *path = join(dir, path);
    }
}

fn join_str(dir: &Path, path: &str) -> String {
    if path.is_empty() { String::new() } else { join(dir, Path::new(path)).display().to_string() }
}

/// Joins and cleans a path, so that `./a/../b` is `b`.
fn join(dir: &Path, path: &Path) -> PathBuf {
    if path.is_absolute() || path.as_os_str().is_empty() {
        return path.to_owned();
    }
    let mut joined = PathBuf::new();
    for part in dir.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(joined.components().next_back(), Some(Component::Normal(_))) => {
                joined.pop();
            }
            part => joined.push(part),
        }
    }
    joined
}

#[cfg(test)]
mod tests;
