//! Benchmarks beside peers, which live in a workspace of their own.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{root, wheel};

/// Runs a benchmark in release; what follows its name goes to it.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let rest = match arguments {
        ["instrument", rest @ ..] => rest,
        ["python", rest @ ..] => return wheel::bench(rest),
        _ => bail!(
            "which benchmark? `cargo xtask bench instrument [--json] [--rounds N]` or `cargo xtask bench python`"
        ),
    };
    let status = Command::new("cargo")
        .args(["run", "--release", "--quiet", "--"])
        .args(rest)
        .current_dir(root().join("bench"))
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        bail!("the benchmark failed: {status}");
    }
    Ok(())
}
