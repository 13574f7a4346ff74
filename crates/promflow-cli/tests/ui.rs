//! The page in real Chromium, on servers that this binary runs: see `ui/tests`.

mod support;

use std::process::Command;

use support::root;

/// The oldest Node.js that the driver of the browser and its test runner take.
const NODE_MIN: (u32, u32) = (20, 19);

fn node_version() -> Option<(u32, u32)> {
    let output = Command::new("node").arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut parts = text.trim().trim_start_matches('v').split('.').map(|part| part.parse().unwrap_or(0));
    Some((parts.next()?, parts.next()?))
}

#[test]
fn the_page_works_in_chromium() {
    if node_version().is_none_or(|version| version < NODE_MIN) {
        eprintln!(
            "the page is not tested in Chromium: Node.js {}.{} or later is absent",
            NODE_MIN.0, NODE_MIN.1
        );
        return;
    }
    let ui = root().join("ui");
    let runner = ui.join("node_modules/vitest/vitest.mjs");
    assert!(runner.is_file(), "the npm packages of ui/ are missing; `cargo xtask peers` installs them");
    let output = Command::new("node")
        .arg(runner)
        .args(["run", "--config", "vitest.page.config.ts"])
        .current_dir(&ui)
        .env("PROMFLOW_BIN", env!("CARGO_BIN_EXE_promflow"))
        .env("NO_COLOR", "1")
        .output()
        .expect("cannot start node");
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    println!("{text}");
    assert!(output.status.success(), "the page's tests failed:\n{text}");
}
