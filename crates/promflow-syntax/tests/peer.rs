//! The `promql-parser` crate takes and refuses the same queries, as far as it knows their constructs.

use promflow_syntax::{ParseOptions, parse_with};
use promflow_testkit::conformance;

/// Constructs that the peer does not know, or that it treats otherwise than Prometheus 3.14 does.
#[rustfmt::skip]
const NOT_KNOWN: &[&str] = &[
    // Arithmetic behind `offset`, and the functions of durations.
    "offset (", "offset -(", "offset 0", "[5m:0]", "step()", "range()", "start()", "end()", "min_of", "max_of",
    // What came later.
    "</", ">/", "anchored", "smoothed", "fill", "start_timestamp", "_of_",
    // Numbers with underscores, in other bases, out of range.
    "0x", "1_", "23_", "1e309",
    // `info` takes matchers alone, and any of them.
    "info(",
    // Empty label names.
    "by (\"\")",
];

/// Says whether a bracket holds more than one plain duration on each side of its colon.
fn has_arithmetic(query: &str) -> bool {
    query.split('[').skip(1).any(|after| {
        let inside = after.split(']').next().unwrap_or("");
        !inside.contains('"') && inside.contains(['+', '-', '*', '/', '%', '^', '('])
    })
}

#[test]
fn peer_takes_and_refuses_the_same_queries() {
    let Some(suite) = conformance("differential") else { return };
    let cases = std::fs::read_to_string(suite.join("cases.jsonl")).expect("cases");
    let mut compared = 0;
    for line in cases.lines() {
        let case: serde_json::Value = serde_json::from_str(line).expect("case");
        let query = case["query"].as_str().expect("query");
        // It takes a backslash in a raw string for an escape.
        let raw_backslash = query.contains('`') && query.contains('\\');
        if raw_backslash
            || has_arithmetic(query)
            || NOT_KNOWN.iter().any(|construct| query.contains(construct))
        {
            continue;
        }
        let ours = parse_with(query, &ParseOptions::all());
        let theirs = promql_parser::parser::parse(query);
        assert_eq!(ours.is_ok(), theirs.is_ok(), "{query}\nours {ours:?}\ntheirs {theirs:?}");
        compared += 1;
    }
    println!("{compared} queries");
}
