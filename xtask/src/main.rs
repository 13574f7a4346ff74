//! Developer tasks: `cargo xtask test` is what every landing runs.

mod bench;
mod peers;
mod sha256;
mod test;
mod tidy;
mod ui;
mod wheel;

use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

const USAGE: &str = "\
Usage: cargo xtask TASK

  test      install the peers, then check format, lints and tidiness, and run all tests
  peers     install the peers only (Debian packages, without starting their services; npm packages of ui/)
  tidy      check what the team agreed on: no machine paths, no leftovers, files of a readable size
  wheel     build the Python wheel into target/wheels/
  bench     measure beside peers: `bench instrument [--json] [--rounds N]`, `bench python`
  ui        build the page in ui/ again; needs Node.js 20.19 or later
  docs      run the demo and draw the pictures of the README again
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["test", rest @ ..] => test::run_tests(rest),
        ["peers"] => peers::install().and_then(|()| ui::install()),
        ["ui"] => ui::build(),
        ["wheel"] => wheel::build().map(drop),
        ["tidy"] => tidy::run(),
        ["bench", rest @ ..] => bench::run(rest),
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

/// Draws the demo as it runs: starts it, waits until it is alive, and asks it.
fn draw_docs() -> Result<()> {
    run("cargo", &["build", "--package", "promflow-cli"])?;
    let promflow = root().join("target/debug/promflow");
    let address = "127.0.0.1:19090";
    let mut demo = Command::new(&promflow)
        .args(["up", "--web.listen-address", address])
        .current_dir(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("cannot start the demo")?;
    std::thread::sleep(Duration::from_secs(40));
    let url = format!("http://{address}");
    let drawn = [("svg", "docs/flow.svg"), ("mermaid", "docs/flow.mmd")].into_iter().try_for_each(
        |(format, file)| {
            run(&promflow.to_string_lossy(), &["flow", "--url", &url, "--format", format, "-o", file])
        },
    );
    demo.kill().context("cannot end the demo")?;
    demo.wait().context("cannot end the demo")?;
    drawn
}
