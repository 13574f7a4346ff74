//! Developer tasks: `cargo xtask test` is what every landing runs.

mod peers;
mod sha256;
mod test;
mod tidy;
mod ui;

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

const USAGE: &str = "\
Usage: cargo xtask TASK

  test      install the peers, then check format, lints and tidiness, and run all tests
  peers     install the peers only (Debian packages, without starting their services; npm packages of ui/)
  tidy      check what the team agreed on: no machine paths, no leftovers, files of a readable size
  ui        build the page in ui/ again; needs Node.js 20.19 or later
  docs      draw the pictures of the README and of docs/ again
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["test", rest @ ..] => test::run_tests(rest),
        ["peers"] => peers::install().and_then(|()| ui::install()),
        ["ui"] => ui::build(),
        ["tidy"] => tidy::run(),
        ["docs"] => draw_docs(),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("xtask: {e:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a command in the workspace's root with its output shown.
fn run(program: &str, arguments: &[&str]) -> Result<()> {
    run_in(root(), program, arguments)
}

/// Runs a command in a directory with its output shown.
fn run_in(dir: &std::path::Path, program: &str, arguments: &[&str]) -> Result<()> {
    eprintln!("xtask: {program} {}", arguments.join(" "));
    let status = Command::new(program)
        .args(arguments)
        .current_dir(dir)
        .status()
        .with_context(|| format!("cannot start {program}"))?;
    if !status.success() {
        bail!("{program} {} failed: {status}", arguments.join(" "));
    }
    Ok(())
}

/// Returns the workspace's root.
fn root() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("BUG: xtask is below the root")
}

fn draw_docs() -> Result<()> {
    for (format, file) in [("svg", "docs/flow.svg"), ("mermaid", "docs/flow.mmd")] {
        run(
            "cargo",
            &["run", "--quiet", "--package", "promflow-cli", "--", "flow", "--format", format, "-o", file],
        )?;
    }
    Ok(())
}
