//! The exported page in real Chromium: search, selection, lit paths and keys work in a file that is opened from disk.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::{command, root};

/// What is done with the page: a script that runs behind its own and leaves its findings in the document.
const STEPS: &str = include_str!("flow_html/steps.js");

fn chromium() -> Option<Command> {
    let is_there =
        |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|out| out.status.success());
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find(is_there).map(Command::new)
}

/// Opens a page in a browser and returns what the steps found.
fn opened(browser: &mut Command, page: &Path, hash: &str) -> Value {
    let profile = tempfile::tempdir().expect("a temporary directory");
    let output = browser
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--window-size=1400,900",
            "--virtual-time-budget=5000",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg("--dump-dom")
        .arg(format!("file://{}{hash}", page.display()))
        .output()
        .expect("the browser starts");
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = dom.split_once("<pre id=\"steps\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let (found, _) = found
        .unwrap_or_else(|| panic!("the steps left nothing: {}", String::from_utf8_lossy(&output.stderr)));
    serde_json::from_str(found).unwrap_or_else(|e| panic!("{e}: {found}"))
}

#[test]
fn an_exported_page_is_searched_selected_and_moved_by_hand_and_by_keys() {
    if chromium().is_none() {
        eprintln!("the exported page is not tested in a browser: Chromium is absent");
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let page = dir.path().join("flow.html");
    let output = command(&[
        "flow",
        "--select",
        "+HttpHighErrorRatio+",
        "--format",
        "html",
        "-o",
        &page.display().to_string(),
    ])
    .current_dir(root())
    .output()
    .expect("cannot start promflow");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(&page).expect("it was written");
    fs::write(&page, text.replace("</body>", &format!("<script>{STEPS}</script></body>"))).expect("written");
    let found = opened(&mut chromium().expect("it is there"), &page, "");
    assert_eq!(found["errors"], Value::Array(Vec::new()), "{found:#}");
    let steps = found["steps"].as_array().expect("a list");
    let failed: Vec<&Value> = steps.iter().filter(|step| step["ok"] != true).collect();
    assert!(failed.is_empty() && steps.len() >= 14, "{failed:#?}\n{found:#}");
    // The state is in the address: it opens as it was left.
    let left = found["address"].as_str().expect("an address");
    let again = opened(&mut chromium().expect("it is there"), &page, left);
    assert_eq!(again["opened"], "alert:HttpHighErrorRatio", "{again:#}");
}
