use std::collections::BTreeMap;

use super::*;

/// Files in memory.
#[derive(Default)]
struct Memory(BTreeMap<PathBuf, String>);

impl Memory {
    fn of(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect())
    }
}

impl FileSystem for Memory {
    fn read(&self, path: &Path) -> io::Result<String> {
        self.0.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn glob(&self, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let (dir, name) = pattern.rsplit_once('/').unwrap_or(("", pattern));
        let in_dir = |path: &&PathBuf| path.parent() == Some(Path::new(dir));
        let matches = |path: &&PathBuf| {
            path.file_name().is_some_and(|file| crate::fs::matches_name(name, &file.to_string_lossy()))
        };
        Ok(self.0.keys().filter(in_dir).filter(matches).cloned().collect())
    }
}

fn load_from(files: &[(&str, &str)]) -> Result<LoadedConfig, Vec<ConfigError>> {
    load(Path::new("etc/prometheus.yml"), &Memory::of(files), &|name| {
        (name == "ZONE").then(|| "eu-1".to_owned())
    })
}

#[test]
fn the_files_named_are_found_and_paths_are_joined() {
    let main = "
global: {scrape_interval: 15s}
rule_files: ['rules/*.yml', 'rules/a.yml', missing.yml]
scrape_config_files: ['jobs/*.yml']
scrape_configs:
- job_name: a
  authorization: {credentials_file: token}
  file_sd_configs: [{files: ['../targets/*.yml']}]
";
    let more = "scrape_configs: [{job_name: b, tls_config: {ca_file: ca.pem}}]";
    let loaded = load_from(&[
        ("etc/prometheus.yml", main),
        ("etc/rules/b.yml", ""),
        ("etc/rules/a.yml", ""),
        ("etc/jobs/b.yml", more),
    ])
    .unwrap_or_else(|errors| panic!("{}", errors[0]));
    let paths = |paths: &[PathBuf]| paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>();
    assert_eq!(paths(&loaded.rule_files), ["etc/rules/a.yml", "etc/rules/b.yml"]);
    assert_eq!(
        paths(&loaded.files()),
        ["etc/prometheus.yml", "etc/jobs/b.yml", "etc/rules/a.yml", "etc/rules/b.yml"]
    );
    assert_eq!(loaded.warnings, ["etc/prometheus.yml: rule_files: no file matches \"etc/missing.yml\""]);
    assert_eq!(loaded.config.scrape_configs.len(), 1);
    let [a, b] = &loaded.scrape_configs[..] else { panic!("two jobs") };
    assert_eq!(a.file_sd_configs[0].files, ["targets/*.yml"]);
    assert_eq!(
        a.http.authorization.as_ref().and_then(|auth| auth.credentials_file.clone()),
        Some(PathBuf::from("etc/token"))
    );
    assert_eq!(b.http.tls.ca_file, Some(PathBuf::from("etc/jobs/ca.pem")));
    assert_eq!(b.scrape_interval_ms, 15_000);
    assert_eq!(b.position.to_string(), "etc/jobs/b.yml:1:18");
}

#[test]
fn mistakes_in_further_files_have_their_own_place() {
    let main = "scrape_configs: [{job_name: a}]\nscrape_config_files: ['*.jobs.yml']\n";
    let errors = load_from(&[
        ("etc/prometheus.yml", main),
        ("etc/x.jobs.yml", "scrape_configs:\n- job_name: a\n- job_name: c\n  scrape_timeout: 2h\n"),
        ("etc/y.jobs.yml", "rule_files: []\n"),
    ])
    .expect_err("three mistakes");
    let shown: Vec<String> = errors.iter().map(|e| format!("{}: {}", e.position(), e.message)).collect();
    assert_eq!(
        shown,
        [
            "etc/x.jobs.yml:2:3: found multiple scrape configs with job name \"a\"",
            "etc/x.jobs.yml:4:19: scrape timeout greater than scrape interval for scrape config with job name \"c\"",
            "etc/y.jobs.yml:1:1: field rule_files not found in type config.ScrapeConfigs",
        ]
    );
}

#[test]
fn a_missing_file_says_so() {
    let errors = load_from(&[]).expect_err("no file");
    assert_eq!(errors[0].to_string(), "etc/prometheus.yml: cannot read file: no such file or directory");
}

#[test]
fn environment_variables_stand_in_external_labels() {
    let main =
        "global:\n  external_labels: {zone: 'x-${ZONE}', price: '$$5', empty: '${NOPE}', plain: $ZONE}\n";
    let loaded = load_from(&[("etc/prometheus.yml", main)]).unwrap_or_else(|errors| panic!("{}", errors[0]));
    assert_eq!(
        loaded.config.global.external_labels.to_string(),
        r#"{plain="eu-1", price="$5", zone="x-eu-1"}"#
    );
    assert_eq!(loaded.warnings, ["etc/prometheus.yml:2:54: environment variable \"NOPE\" is empty"]);
}

#[test]
fn files_of_the_operating_system_are_read_and_listed() {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, bytes) in [("b.yml", &b"b"[..]), ("a.yml", b"a"), ("c.json", b"\xff")] {
        std::fs::write(dir.path().join(name), bytes).expect("written");
    }
    let fs = crate::OsFileSystem;
    let pattern = |name: &str| format!("{}/{name}", dir.path().display());
    let found = fs.glob(&pattern("*.yml")).expect("listed");
    assert_eq!(found, [dir.path().join("a.yml"), dir.path().join("b.yml")]);
    assert_eq!(fs.glob(&pattern("a.yml")).expect("listed").len(), 1);
    assert!(fs.glob(&pattern("none.yml")).expect("listed").is_empty());
    assert!(fs.glob(&pattern("none/*.yml")).expect("listed").is_empty());
    assert_eq!(fs.read(&found[0]).expect("read"), "a");
    assert_eq!(
        fs.read(&dir.path().join("c.json")).expect_err("not text").to_string(),
        "file is not valid UTF-8"
    );
}
