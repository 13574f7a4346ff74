//! Runs Prometheus's own test scripts, and the project's.

mod runner;
mod script;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use runner::{Outcome, Runner};
use script::Unsupported;

/// How many evals of which script are left out: they expect what is not supported yet, or select series of it.
const LEFT_OUT: [(&str, Unsupported, usize); 11] = [
    ("aggregators.test", Unsupported::NativeHistograms, 15),
    ("extended_vectors.test", Unsupported::NativeHistograms, 28),
    ("functions.test", Unsupported::NativeHistograms, 51),
    ("histograms.test", Unsupported::NativeHistograms, 44),
    ("info.test", Unsupported::NativeHistograms, 1),
    ("limit.test", Unsupported::NativeHistograms, 19),
    ("native_histograms.test", Unsupported::NativeHistograms, 251),
    ("operators.test", Unsupported::NativeHistograms, 39),
    ("range_queries.test", Unsupported::NativeHistograms, 2),
    ("start_timestamps.test", Unsupported::NativeHistograms, 4),
    ("start_timestamps.test", Unsupported::StartTimestamps, 11),
];

fn scripts(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("cannot read {folder:?}: {e}"));
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "test"))
        .collect();
    files.sort();
    files
}

fn run(path: &Path) -> Outcome {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("cannot read {path:?}: {e}"));
    match script::parse(&text) {
        Ok(commands) => Runner::new().run(&commands),
        Err(why) => Outcome { failures: vec![why], ..Outcome::default() },
    }
}

/// Runs all scripts of a folder; returns what was left out and what failed.
fn run_all(folder: &Path) -> (BTreeMap<(String, Unsupported), usize>, Vec<String>) {
    let (mut evals, mut queries) = (0, 0);
    let mut left_out = BTreeMap::new();
    let mut failures = Vec::new();
    for path in scripts(folder) {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let outcome = run(&path);
        evals += outcome.evals;
        queries += outcome.queries;
        failures.extend(outcome.failures.into_iter().map(|why| format!("{name} {why}")));
        for (why, count) in outcome.left_out {
            println!("{name}: {count} evals left out: not supported yet: {why:?}");
            left_out.insert((name.clone(), why), count);
        }
    }
    let omitted: usize = left_out.values().sum();
    println!(
        "{evals} evals, {omitted} left out, {} run as {queries} queries, {} failed",
        evals - omitted,
        failures.len()
    );
    assert!(evals > 0, "no evals in {folder:?}");
    (left_out, failures)
}

#[test]
fn scripts_of_prometheus_pass() {
    let Some(folder) = promflow_testkit::conformance("promqltest") else { return };
    let (left_out, failures) = run_all(&folder);
    assert!(failures.is_empty(), "{} evals failed:\n{}", failures.len(), failures.join("\n"));
    let listed: BTreeMap<_, _> =
        LEFT_OUT.iter().map(|(file, why, count)| (((*file).to_owned(), *why), *count)).collect();
    assert_eq!(left_out, listed, "what is left out is not what the list says");
}

#[test]
fn own_scripts_pass() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let (left_out, failures) = run_all(&folder);
    assert!(failures.is_empty(), "{} evals failed:\n{}", failures.len(), failures.join("\n"));
    assert!(left_out.is_empty());
}
