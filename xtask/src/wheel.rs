//! The Python wheel: built by maturin, and tested and measured as it is installed.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{root, sha256};

/// The build tool of the wheel, as `python/pyproject.toml` asks for it.
const MATURIN: &str = "maturin==1.16.0";

/// Builds the wheel into `target/wheels/` and returns its path.
///
/// Errors: Python or maturin is missing and cannot be installed, or the build fails.
pub(crate) fn build() -> Result<PathBuf> {
    let tools = environment("tools", &[MATURIN.to_owned()])?;
    let out = root().join("target/wheels");
    // The name of a wheel holds its version, so that an old one would stand beside the new one.
    if out.exists() {
        fs::remove_dir_all(&out).context("cannot clear target/wheels")?;
    }
    let maturin = tools.join("bin/maturin");
    run(
        &maturin,
        ["build", "--profile", "wheel", "--quiet", "--out"]
            .map(OsStr::new)
            .into_iter()
            .chain([out.as_os_str()]),
        &[],
    )?;
    let built = fs::read_dir(&out).context("cannot read target/wheels")?;
    let mut wheels = built
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|p| p.extension() == Some(OsStr::new("whl")));
    let wheel = wheels.next().context("maturin left no wheel in target/wheels")?;
    eprintln!("xtask: {}", wheel.display());
    Ok(wheel)
}

/// Builds the wheel, installs it in a virtual environment with its peers, checks its types, and runs its tests and then
/// prometheus_client's own suite there.
///
/// Errors: a test fails, or something that they need is missing.
pub(crate) fn test(arguments: &[&str]) -> Result<()> {
    let python = installed("tests")?;
    let promflow = root().join("target/debug/promflow");
    let cases = promflow_testkit::conformance("openmetrics");
    let mut environment = vec![
        ("PROMFLOW_BINARY", promflow.as_os_str()),
        // Or the sources would be imported, which have no native half, and not what is installed.
        ("PYTHONSAFEPATH", OsStr::new("1")),
    ];
    environment.extend(cases.as_ref().map(|cases| ("PROMFLOW_OPENMETRICS_CASES", cases.as_os_str())));
    run(&python, ["-m", "mypy", "--strict", "promflow"].map(OsStr::new), &[])?;
    let pytest = ["-m", "pytest", "--quiet", "tests"].into_iter().chain(arguments.iter().copied());
    run(&python, pytest.map(OsStr::new), &environment)?;
    run(&python, ["tests/suite/run.py"].map(OsStr::new), &[])
}

/// Measures the wheel beside its peers.
///
/// Errors: a benchmark fails, or something that it needs is missing.
pub(crate) fn bench(arguments: &[&str]) -> Result<()> {
    let python = installed("benches")?;
    run(&python, ["benches"].into_iter().chain(arguments.iter().copied()).map(OsStr::new), &[])
}

/// Builds the wheel and returns the interpreter of an environment that has it, and what a folder's requirements name.
fn installed(folder: &str) -> Result<PathBuf> {
    let wheel = build()?;
    let requirements = root().join("python").join(folder).join("requirements.txt");
    let text = fs::read_to_string(&requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let packages: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
        .map(str::to_owned)
        .collect();
    let python = environment(folder, &packages)?.join("bin/python");
    pip(&python, &["--force-reinstall", "--no-deps", &wheel.display().to_string()])?;
    Ok(python)
}

/// Returns a virtual environment that has the packages, as pip names them; it is made anew when they change.
fn environment(name: &str, packages: &[String]) -> Result<PathBuf> {
    let place = root().join("target/python").join(name);
    let marker = place.join("installed");
    let wanted = sha256::hex(packages.join("\n").as_bytes());
    if fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
        return Ok(place);
    }
    if place.exists() {
        fs::remove_dir_all(&place).with_context(|| format!("cannot clear {}", place.display()))?;
    }
    eprintln!("xtask: a virtual environment with {}", packages.join(", "));
    let venv = ["-m", "venv"].map(OsStr::new).into_iter().chain([place.as_os_str()]);
    run(Path::new("python3"), venv, &[])
        .context("the wheel needs Python 3.10 or later with its module venv")?;
    let names: Vec<&str> = packages.iter().map(String::as_str).collect();
    pip(&place.join("bin/python"), &names)?;
    fs::write(marker, wanted)?;
    Ok(place)
}

fn pip(python: &Path, arguments: &[&str]) -> Result<()> {
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run(python, install.into_iter().chain(arguments.iter().copied()).map(OsStr::new), &[])
        .with_context(|| format!("cannot install {}", arguments.join(", ")))
}

/// Runs a command in the wheel's folder with its output shown.
fn run<'a>(
    program: &Path,
    arguments: impl IntoIterator<Item = &'a OsStr>,
    environment: &[(&str, &OsStr)],
) -> Result<()> {
    let status = Command::new(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(root().join("python"))
        .status()
        .with_context(|| format!("cannot start {}", program.display()))?;
    if !status.success() {
        bail!("{} failed: {status}", program.display());
    }
    Ok(())
}
