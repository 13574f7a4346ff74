//! Compares the engine with the answers of Prometheus 3.14 to some 5,000 queries over awkward series.

mod compare;

use std::path::Path;

use promflow_model::{Labels, NORMAL_NAN, STALE_NAN};
use promflow_promql::{
    Engine, EngineOptions, QueryError, QueryErrorKind, QueryOptions, QueryResult, RangeParams,
};
use promflow_storage::fake::FakeStorage;
use promflow_syntax::{ExprKind, ParseOptions};
use serde_json::Value;

/// Cases that are not compared, and why.
const KNOWN: [(u64, &str); 1] = [(
    4299,
    "where two buckets have the same bound, Prometheus adds them up again for every further quantile",
)];

fn read_lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("cannot read {path:?}: {e}"));
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

fn parse_value(text: &str) -> f64 {
    match text {
        "NaN" => NORMAL_NAN,
        "stale" => STALE_NAN,
        _ => text.parse().expect("a value is a number"),
    }
}

/// The data: the float series, and the label sets of those that hold native histograms, which are not supported yet.
struct Data {
    storage: FakeStorage,
    native: Vec<Labels>,
}

fn load(path: &Path) -> Data {
    let storage = FakeStorage::new();
    let mut native = Vec::new();
    for line in read_lines(path) {
        let labels = compare::labels_of(&line["labels"]);
        if line.get("histograms").is_some_and(|h| !h.as_array().expect("a list").is_empty()) {
            native.push(labels);
            continue;
        }
        let samples = line["samples"].as_array().expect("a list").iter().map(|sample| {
            (sample[0].as_i64().expect("a time"), parse_value(sample[1].as_str().expect("a text")))
        });
        storage.add(&labels, samples);
    }
    Data { storage, native }
}

/// Says whether one of the query's selectors matches a series that holds native histograms.
fn selects_native(query: &str, native: &[Labels]) -> bool {
    let Ok(expr) = promflow_syntax::parse_with(query, &ParseOptions::all()) else { return false };
    let mut found = false;
    expr.walk(&mut |expr| {
        let selector = match &expr.kind {
            ExprKind::Vector(selector) => selector,
            ExprKind::Matrix(matrix) => &matrix.selector,
            _ => return,
        };
        let matches = |labels: &Labels| selector.matchers.iter().all(|m| m.matches(labels.get(&m.name)));
        found |= native.iter().any(matches);
    });
    found
}

fn ms(seconds: &Value) -> i64 {
    (seconds.as_f64().expect("a number of seconds") * 1000.0).round() as i64
}

/// Returns what an engine says, or the error with status code and type as the API would give them.
fn run(
    engine: &Engine,
    storage: &FakeStorage,
    case: &Value,
) -> Result<QueryResult, (u64, &'static str, String)> {
    let query = case["query"].as_str().expect("a query");
    let bad = |message: String| (400, "bad_data", format!("invalid parameter \"query\": {message}"));
    let options = ParseOptions::all();
    let expr = promflow_syntax::parse_with(query, &options).map_err(|e| bad(e.to_string()))?;
    let opts = QueryOptions { query: query.to_owned(), ..QueryOptions::default() };
    let result = match case.get("time") {
        Some(time) => engine.instant(storage, &expr, ms(time), &opts),
        None => {
            let range = RangeParams {
                start_ms: ms(&case["start"]),
                end_ms: ms(&case["end"]),
                step_ms: ms(&case["step"]),
            };
            engine.range(storage, &expr, range, &opts)
        }
    };
    result.map_err(|e: QueryError| match e.kind() {
        QueryErrorKind::BadQuery => bad(e.message().to_owned()),
        _ => (422, "execution", e.message().to_owned()),
    })
}

fn check(engine: &Engine, storage: &FakeStorage, case: &Value) -> Result<(), String> {
    let answer = &case["response"];
    match (run(engine, storage, case), answer["status"].as_str()) {
        (Ok(result), Some("success")) => compare::compare(case, &result),
        (Ok(_), _) => Err(format!("expected the error {}", answer["error"])),
        (Err((_, _, message)), Some("success")) => Err(format!("unexpected error {message:?}")),
        (Err((code, error_type, message)), _) => {
            if case["code"] != code || answer["errorType"] != error_type {
                return Err(format!(
                    "expected {} {}, got {code} {error_type}",
                    case["code"], answer["errorType"]
                ));
            }
            if case.get("any_message").is_none() && answer["error"] != message {
                return Err(format!("expected the error {}, got {message:?}", answer["error"]));
            }
            Ok(())
        }
    }
}

#[test]
fn answers_are_those_of_prometheus() {
    let Some(folder) = promflow_testkit::conformance("differential") else { return };
    let data = load(&folder.join("data.jsonl"));
    let options = EngineOptions { default_subquery_step_ms: 15_000, ..EngineOptions::default() };
    let engine = Engine::new(options);
    let (mut compared, mut left_out, mut failures) = (0, 0, Vec::new());
    for case in read_lines(&folder.join("cases.jsonl")) {
        if selects_native(case["query"].as_str().expect("a query"), &data.native) {
            left_out += 1;
            continue;
        }
        if let Some((id, why)) = KNOWN.iter().find(|(id, _)| case["id"] == *id) {
            println!("case {id} left out: {why}");
            continue;
        }
        compared += 1;
        if let Err(why) = check(&engine, &data.storage, &case) {
            failures.push(format!("{} {}\n    {why}", case["id"], case["query"]));
        }
    }
    println!("{compared} cases compared, {} differ", failures.len());
    println!("{left_out} cases left out: they select native histograms, which are not supported yet");
    assert!(failures.is_empty(), "{} of {compared} cases differ:\n{}", failures.len(), failures.join("\n"));
    assert!(compared > 3_000, "too few cases were compared: {compared}");
}

#[test]
fn labels_of_a_line_are_read() {
    let line: Value = serde_json::from_str(r#"{"b": "2", "a": "1"}"#).expect("JSON");
    assert_eq!(compare::labels_of(&line), Labels::from_pairs([("a", "1"), ("b", "2")]));
}
