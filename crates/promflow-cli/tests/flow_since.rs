//! What changed since a revision, over the API: in a repository, and where there is none.

mod support;

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::{Promflow, change, command, copied};

const ALERTS: &str = "monitoring/rules/alerts.yml";
const FLOOR: &str = "            and job:http_requests:rate5m > 0.1\n        for: 5m";
const MISSPELT: &str = "            and job:http_request:rate5m > 0.1\n        for: 5m";

fn git(tree: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=Test", "-c", "user.email=test@localhost"];
    let output = Command::new("git").args(identity).args(arguments).current_dir(tree).output().expect("git");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A repository in which an alert was broken by the last commit.
fn repository() -> tempfile::TempDir {
    let tree = copied();
    git(tree.path(), &["init", "-q"]);
    git(tree.path(), &["add", "-A"]);
    git(tree.path(), &["commit", "-qm", "All of it"]);
    git(tree.path(), &["tag", "before"]);
    change(tree.path(), ALERTS, FLOOR, MISSPELT);
    git(tree.path(), &["commit", "-qam", "Another name"]);
    tree
}

fn serve(tree: &Path, arguments: &[&str]) -> Promflow {
    Promflow::serve(&tree.join("monitoring/prometheus.yml"), arguments)
}

#[test]
fn the_api_compares_revisions_as_the_command_does() {
    let tree = repository();
    let promflow = serve(tree.path(), &["--source", &tree.path().display().to_string()]);
    let answer = promflow.json("/api/promflow/v1/flow/diff?since=before&to=HEAD");
    assert_eq!(answer["status"], "success", "{answer:#}");
    assert_eq!(answer["data"]["nodes"]["changed"][0]["name"], "HttpHighErrorRatio");
    assert_eq!(answer["data"]["edges"]["broken"][0]["nearest"], "job:http_requests:rate5m");
    let arguments = ["flow", "diff", "before..HEAD", "--json"];
    let output = command(&arguments).current_dir(tree.path()).output().expect("cannot start promflow");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["data"], told);
}

#[test]
fn without_a_second_revision_the_files_as_they_are_count() {
    let tree = repository();
    let source = tree.path().display().to_string();
    for arguments in [&["--source", source.as_str()][..], &[]] {
        let promflow = serve(tree.path(), arguments);
        let since = |revision: &str| promflow.json(&format!("/api/promflow/v1/flow/diff?since={revision}"));
        let nothing = since("HEAD");
        assert_eq!(nothing["status"], "success", "{nothing:#}");
        assert_eq!(nothing["data"]["nodes"]["changed"], Value::Array(Vec::new()), "{nothing:#}");
        assert_eq!(nothing["data"]["nodes"]["added"], Value::Array(Vec::new()), "{nothing:#}");
        let changed = since("before");
        assert_eq!(changed["data"]["to"], "now");
        let nodes = changed["data"]["nodes"]["changed"].as_array().expect("a list");
        assert_eq!(nodes.iter().map(|node| &node["name"]).collect::<Vec<_>>(), ["HttpHighErrorRatio"]);
    }
}

#[test]
fn revisions_are_offered_and_wrong_ones_refused_in_words() {
    let tree = repository();
    let promflow = serve(tree.path(), &[]);
    let offered = promflow.json("/api/promflow/v1/flow/revisions");
    let commits = offered["data"]["commits"].as_array().expect("a list");
    assert_eq!(
        commits.iter().map(|commit| &commit["subject"]).collect::<Vec<_>>(),
        ["Another name", "All of it"]
    );
    assert!(commits[0]["committedMs"].as_i64().is_some_and(|ms| ms > 0), "{offered:#}");
    assert!(offered["data"]["names"].as_array().is_some_and(|names| names.contains(&"before".into())));
    for (query, told) in [
        ("since=nowhere", "git knows no revision \"nowhere\""),
        ("since=--help", "git knows no revision \"--help\""),
        ("since=before&to=nowhere", "git knows no revision \"nowhere\""),
        ("", "a revision is missing"),
    ] {
        let answer = promflow.json(&format!("/api/promflow/v1/flow/diff?{query}"));
        assert_eq!(answer["errorType"], "bad_data", "{answer:#}");
        assert!(answer["error"].as_str().is_some_and(|text| text.contains(told)), "{answer:#}");
    }
}

#[test]
fn outside_a_repository_the_answer_says_so() {
    let tree = copied();
    let promflow = serve(tree.path(), &[]);
    for path in ["/api/promflow/v1/flow/diff?since=HEAD", "/api/promflow/v1/flow/revisions"] {
        let answer = promflow.json(path);
        assert_eq!(answer["errorType"], "not_found", "{answer:#}");
        let told = answer["error"].as_str().expect("an error");
        assert!(told.contains("no git repository holds the configuration in "), "{told}");
    }
}
