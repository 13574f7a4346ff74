//! Python packages as peers.

use std::path::PathBuf;
use std::process::Command;

use crate::conformance::workspace_root;
use crate::program;

/// Returns the interpreter of a virtual environment that has the packages, as pip names them (`NAME==VERSION`).
///
/// The environment is made once for each list of packages and kept under `target/`.
///
/// Panics: Python or pip cannot make it; the message has their output.
pub fn python_venv(packages: &[&str]) -> PathBuf {
    let folder = workspace_root().join("target/python");
    let name: String = packages
        .join("+")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "+.-_".contains(c) { c } else { '_' })
        .collect();
    let place = folder.join(&name);
    let python = place.join("bin/python");
    if python.is_file() {
        return python;
    }
    std::fs::create_dir_all(&folder).unwrap_or_else(|e| panic!("cannot create {}: {e}", folder.display()));
    // Made aside and then moved, so that tests that run at once never see half of it.
    let aside = folder.join(format!("{name}.{}", std::process::id()));
    run(Command::new(program("python3")).args(["-m", "venv"]).arg(&aside));
    run(Command::new(aside.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(packages));
    if let Err(e) = std::fs::rename(&aside, &place) {
        assert!(python.is_file(), "cannot move {} to {}: {e}", aside.display(), place.display());
        let _ = std::fs::remove_dir_all(&aside);
    }
    python
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|e| panic!("cannot run {command:?}: {e}"));
    assert!(
        output.status.success(),
        "{command:?} failed, {}:\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
