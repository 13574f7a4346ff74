//! Planted faults over the API; `ui/tests/planted.test.ts` looks at the same ones in the page.

mod support;

use std::path::Path;

use serde_json::Value;
use support::{Promflow, copied, root};

fn faults() -> Vec<Value> {
    let text = std::fs::read_to_string(root().join("ui/tests/planted.json")).expect("the table is there");
    serde_json::from_str(&text).expect("the table is JSON")
}

/// Replaces the text from `from`, up to `until` where that is named.
fn plant(tree: &Path, fault: &Value) {
    let text = |field: &str| fault[field].as_str().unwrap_or_default();
    let path = tree.join(text("file"));
    let was = std::fs::read_to_string(&path).expect("the file is there");
    let start = was.find(text("from")).unwrap_or_else(|| panic!("{fault:#}: the text is not there"));
    let end = match text("until") {
        "" => start + text("from").len(),
        until => start + was[start..].find(until).expect("the end is there"),
    };
    std::fs::write(&path, format!("{}{}{}", &was[..start], text("to"), &was[end..])).expect("written");
}

fn serve(tree: &Path) -> Promflow {
    Promflow::serve(&tree.join("monitoring/prometheus.yml"), &["--source", &tree.display().to_string()])
}

fn broken(promflow: &Promflow) -> Vec<Value> {
    let answer = promflow.json("/api/promflow/v1/flow");
    assert_eq!(answer["status"], "success", "{answer:#}");
    let edges = answer["data"]["edges"].as_array().expect("edges").iter();
    edges
        .filter(|edge| matches!(edge["state"].as_str(), Some("never_seen" | "mismatch" | "dropped")))
        .cloned()
        .collect()
}

#[test]
fn nothing_is_broken_in_the_intact_setup() {
    let tree = copied();
    let promflow = serve(tree.path());
    assert_eq!(broken(&promflow), Vec::<Value>::new());
    let answer = promflow.json("/api/promflow/v1/flow/missing");
    assert_eq!(answer["data"]["missing"], Value::Array(Vec::new()));
}

#[test]
fn each_planted_fault_is_told_with_its_reason_and_the_nearest_name() {
    let faults = faults();
    assert_eq!(faults.len(), 5, "every fault of the list is planted");
    for fault in faults {
        let tree = copied();
        plant(tree.path(), &fault);
        let promflow = serve(tree.path());
        let reason = fault["reason"].as_str().expect("a reason");
        let edges = broken(&promflow);
        let found = edges.iter().find(|edge| {
            edge["to"] == fault["reader"] && edge["reason"].as_str().is_some_and(|text| text.contains(reason))
        });
        let found = found.unwrap_or_else(|| panic!("{fault:#} is not told: {edges:#?}"));
        assert_eq!(found["state"], fault["state"], "{found:#}");
        assert_eq!(found["nearest"].as_str().unwrap_or_default(), fault["nearest"], "{found:#}");
        let missing = promflow.json("/api/promflow/v1/flow/missing");
        let told = missing["data"]["missing"].as_array().expect("a list").iter();
        let reasons: Vec<&str> = told.filter_map(|gap| gap["reason"].as_str()).collect();
        assert!(reasons.iter().any(|text| text.contains(reason)), "{fault:#}: {reasons:#?}");
    }
}
