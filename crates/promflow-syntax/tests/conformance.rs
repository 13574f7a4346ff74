//! Prometheus's own queries: its test scripts and what it answers to wrong ones.

use std::fs;

use promflow_syntax::{Expr, ParseOptions, parse_series_description, parse_with};
use promflow_testkit::conformance;

/// The queries of the `eval` lines of a script, with whether they are expected to fail.
fn queries(script: &str) -> Vec<(String, bool)> {
    let lines: Vec<&str> = script.lines().map(str::trim).collect();
    let mut found = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let skipped = match words.as_slice() {
            [eval, "instant", "at", ..] if eval.starts_with("eval") => 4,
            [eval, "range", "from", ..] if eval.starts_with("eval") => 8,
            _ => continue,
        };
        let mut query = *line;
        for _ in 0..skipped {
            query = query.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim_start());
        }
        let block = lines[i + 1..].iter().take_while(|l| !l.is_empty() && !l.starts_with("eval"));
        let fails = words[0] == "eval_fail" || block.clone().any(|l| l.starts_with("expect fail"));
        found.push((query.to_owned(), fails));
    }
    found
}

/// The query prints to what reads as the same tree, but for the places in the text.
fn prints_to_the_same(query: &str, parsed: &Expr) {
    let printed = parsed.to_string();
    let again =
        parse_with(&printed, &ParseOptions::all()).unwrap_or_else(|e| panic!("{query} -> {printed}: {e}"));
    // An infinite number prints with a sign, as it does upstream; before `^` that sign belongs to the power.
    if !printed.contains("+Inf ^") {
        assert_eq!(tree(&again), tree(parsed), "{query} -> {printed}");
    }
}

/// Writes a tree without the places.
fn tree(expr: &Expr) -> String {
    let written = format!("{expr:?}");
    let mut pieces = written.split("Span { start: ");
    let first = pieces.next().unwrap_or("").to_owned();
    pieces.fold(first, |out, piece| out + piece.split_once(" }").map_or("", |(_, rest)| rest))
}

fn scripts() -> Vec<String> {
    let Some(suite) = conformance("promqltest") else { return Vec::new() };
    let mut paths: Vec<_> = fs::read_dir(suite).expect("suite").map(|e| e.expect("entry").path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "test"));
    paths.sort();
    paths.iter().map(|p| fs::read_to_string(p).expect("script")).collect()
}

#[test]
fn queries_of_the_test_scripts_parse_and_print_to_what_parses_alike() {
    let mut count = 0;
    for (query, fails) in scripts().iter().flat_map(|s| queries(s)) {
        let parsed = match parse_with(&query, &ParseOptions::all()) {
            Ok(parsed) => parsed,
            Err(_) if fails => continue,
            Err(error) => panic!("{query}: {error}"),
        };
        count += 1;
        prints_to_the_same(&query, &parsed);
    }
    println!("{count} queries");
}

#[test]
fn series_of_the_test_scripts_parse() {
    let (mut floats, mut histograms) = (0, 0);
    for script in scripts() {
        let mut loading = false;
        for line in script.lines() {
            if line.starts_with("load") {
                loading = true;
            } else if !line.starts_with([' ', '\t']) {
                loading = false;
            } else if line.contains("@st ") {
                // Start timestamps: a form of the test language, not of series descriptions.
            } else if loading && !line.trim().is_empty() && !line.trim().starts_with('#') {
                match parse_series_description(line.trim()) {
                    Ok(series) => {
                        assert!(!series.values.is_empty(), "{line}");
                        floats += 1;
                    }
                    Err(error) => {
                        assert!(
                            error.to_string().ends_with("not supported yet: native histograms"),
                            "{line}: {error}"
                        );
                        histograms += 1;
                    }
                }
            }
        }
    }
    println!("{floats} series of floats, {histograms} of histograms");
}

#[test]
fn wrong_queries_fail_with_the_words_of_prometheus() {
    let Some(suite) = conformance("differential") else { return };
    let cases = fs::read_to_string(suite.join("cases.jsonl")).expect("cases");
    let (mut wrong, mut right) = (0, 0);
    for line in cases.lines() {
        let case: serde_json::Value = serde_json::from_str(line).expect("case");
        let query = case["query"].as_str().expect("query");
        let parsed = parse_with(query, &ParseOptions::all());
        let error = case["response"]["error"].as_str().unwrap_or("");
        match error.strip_prefix("invalid parameter \"query\": ") {
            Some(expected) if expected.contains("parse error: ") => {
                wrong += 1;
                assert_eq!(parsed.expect_err(query).to_string(), expected, "{query}");
            }
            _ => {
                right += 1;
                let parsed = parsed.unwrap_or_else(|e| panic!("{query}: {e}"));
                prints_to_the_same(query, &parsed);
            }
        }
    }
    println!("{wrong} wrong queries, {right} right ones");
}
