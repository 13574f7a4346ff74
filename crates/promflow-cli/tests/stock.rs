//! The shipped files under the stock tools.

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use promflow_testkit::{Peer, program};
use serde_json::Value;
use support::{query, root, run, succeed};

fn files(folder: &str) -> Vec<String> {
    let mut all: Vec<PathBuf> = fs::read_dir(root().join(folder))
        .expect("the folder is there")
        .map(|entry| entry.expect("the entry is there").path())
        .filter(|path| path.extension().is_some_and(|e| e == "yml"))
        .collect();
    all.sort();
    assert!(!all.is_empty(), "{folder} has no files");
    all.iter().map(|path| path.display().to_string()).collect()
}

fn with<'a>(command: &[&'a str], files: &'a [String]) -> Vec<&'a str> {
    command.iter().copied().chain(files.iter().map(String::as_str)).collect()
}

#[test]
fn promtool_accepts_configuration_rules_and_their_tests() {
    let promtool = program("promtool");
    let config = root().join("monitoring/prometheus.yml").display().to_string();
    succeed(&promtool, &["check", "config", &config]);
    let rules = files("monitoring/rules");
    succeed(&promtool, &with(&["check", "rules"], &rules));
    let tests = files("monitoring/rules/tests");
    succeed(&promtool, &with(&["test", "rules"], &tests));
}

#[test]
fn every_alert_has_a_test_that_fires_and_one_that_does_not() {
    let tests: String =
        files("monitoring/rules/tests").iter().map(|f| fs::read_to_string(f).expect("readable")).collect();
    let mut alerts = 0;
    let mut rules = 0;
    for file in files("monitoring/rules") {
        let text = fs::read_to_string(&file).expect("readable");
        rules += text.lines().filter(|l| l.trim_start().starts_with("- record:")).count();
        for name in text.lines().filter_map(|l| l.trim_start().strip_prefix("- alert:")).map(str::trim) {
            alerts += 1;
            rules += 1;
            let cases: Vec<&str> =
                tests.split("alertname:").skip(1).filter(|c| c.trim_start().starts_with(name)).collect();
            let fires = cases
                .iter()
                .any(|case| case.split("- eval_time").next().unwrap_or(case).contains("exp_labels"));
            // The watchdog's expression is `vector(1)`: that it fires always is what it is for.
            let rests = name == "Watchdog"
                || cases
                    .iter()
                    .any(|case| !case.split("- eval_time").next().unwrap_or(case).contains("exp_labels"));
            assert!(fires && rests, "{name}: fires in a test: {fires}, rests in a test: {rests}");
        }
    }
    assert!(alerts >= 20 && rules >= 25, "{alerts} alerts, {rules} rules");
}

#[test]
fn amtool_sends_each_severity_where_the_chart_says() {
    let amtool = program("amtool");
    let config = root().join("monitoring/alertmanager.yml").display().to_string();
    succeed(&amtool, &["check-config", &config]);

    let output = run(&["flow", "--format", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let chart: Value = serde_json::from_slice(&output.stdout).expect("no JSON");
    let nodes = chart["nodes"].as_array().expect("nodes");
    let edges = chart["edges"].as_array().expect("edges");
    let mut checked = 0;
    for alert in nodes.iter().filter(|n| n["kind"] == "alert") {
        let labels: Vec<String> = alert["labels"]
            .as_object()
            .expect("an alert has labels")
            .iter()
            .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
            .chain([format!("alertname={}", alert["name"].as_str().unwrap_or_default())])
            .collect();
        let mut arguments = vec!["config", "routes", "test", "--config.file", config.as_str()];
        arguments.extend(labels.iter().map(String::as_str));
        let told = Command::new(&amtool).args(&arguments).output().expect("cannot start amtool");
        assert!(told.status.success(), "{told:?}");
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        let mut expected: Vec<&str> = told.trim().split(',').collect();
        expected.sort_unstable();
        let mut drawn = receivers(edges, nodes, alert["id"].as_str().expect("id"));
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn, expected, "{}", alert["name"]);
        checked += 1;
    }
    assert!(checked >= 20, "{checked} alerts in the chart");
}

/// Follows an alert's edges to the receivers.
fn receivers<'a>(edges: &'a [Value], nodes: &'a [Value], from: &str) -> Vec<&'a str> {
    // Each alert's edges name it, so that a shared route does not mix the ways of two alerts.
    let mut found = Vec::new();
    let mut open: Vec<&str> = vec![from];
    let alert = nodes.iter().find(|n| n["id"] == from).and_then(|n| n["name"].as_str()).unwrap_or_default();
    let mut seen = Vec::new();
    while let Some(at) = open.pop() {
        if seen.contains(&at.to_owned()) {
            continue;
        }
        seen.push(at.to_owned());
        for edge in edges.iter().filter(|e| e["from"] == at) {
            let carries =
                edge["metrics"].as_array().is_none_or(|m| m.is_empty() || m.iter().any(|m| m == alert));
            let to = edge["to"].as_str().expect("to");
            let node = nodes.iter().find(|n| n["id"] == to).expect("an edge ends at a node");
            match node["kind"].as_str() {
                Some("receiver") if carries => found.push(node["name"].as_str().expect("name")),
                Some("route") if carries => open.push(to),
                _ => {}
            }
        }
    }
    found
}

#[test]
fn stock_prometheus_runs_on_the_shipped_files_unchanged() {
    let peer = Peer::prometheus(&root().join("monitoring/prometheus.yml"));
    let ready = query(&peer.url(""), "prometheus_config_last_reload_successful");
    // Its own page is scraped on port 9090, where it does not listen here, so it need not have the series yet.
    assert!(ready.len() <= 1);
    let (status, body) = promflow_testkit::http_get(&peer.url("/api/v1/rules")).expect("no answer");
    assert_eq!(status, 200);
    let answer: Value = serde_json::from_str(&body).expect("no JSON");
    let groups = answer["data"]["groups"].as_array().expect("groups");
    let rules: usize = groups.iter().map(|g| g["rules"].as_array().map_or(0, Vec::len)).sum();
    assert!(rules >= 25, "{rules} rules");
}
