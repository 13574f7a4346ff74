//! `cargo xtask test`.

use std::fs;

use anyhow::Result;

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
    wheel::test(&[])?;
    if let Ok(absent) = fs::read_dir(&notes) {
        println!("conformance data absent: {} suites left out", absent.count());
    }
    Ok(())
}
