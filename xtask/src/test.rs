//! `cargo xtask test`.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{peers, root, run, tidy, ui, wheel};

/// Installs the peers and runs every check and test; further arguments go to `cargo test`.
pub(crate) fn run_tests(arguments: &[&str]) -> Result<()> {
    let notes = root().join("target/conformance-absent");
    if notes.exists() {
        fs::remove_dir_all(&notes)?;
    }
    peers::install()?;
    tidy::run()?;
    ui::check()?;
    run("cargo", &["fmt", "--all", "--check"])?;
    run("cargo", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"])?;
    let mut test = vec!["test", "--workspace"];
    test.extend(arguments);
    run("cargo", &test)?;
    check_schedules()?;
    wheel::test(&[])?;
    if let Ok(absent) = fs::read_dir(&notes) {
        println!("conformance data absent: {} suites left out", absent.count());
    }
    Ok(())
}

/// Runs the parts that take no lock through many schedules of their threads, in a build of its own.
fn check_schedules() -> Result<()> {
    let target = root().join("target/shuttle");
    let status = Command::new("cargo")
        .args(["test", "--package", "promflow-registry", "--lib", "schedules"])
        .env("RUSTFLAGS", "--cfg shuttle")
        .env("CARGO_TARGET_DIR", target)
        .current_dir(root())
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        bail!("the schedules failed: {status}");
    }
    Ok(())
}
