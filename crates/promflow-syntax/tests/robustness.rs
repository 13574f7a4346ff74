//! Nothing that is handed in makes the parser panic, overflow the stack or run on.

use promflow_syntax::{
    EXPR_HEIGHT_MAX, NESTING_MAX, ParseErrors, ParseOptions, TEXT_BYTES_MAX, parse, parse_metric,
    parse_metric_selector, parse_series_description, parse_with,
};
use proptest::prelude::*;

/// Words of the language, so that random texts get past the first token.
const WORDS: &[&str] = &[
    "a",
    "foo:bar",
    "sum",
    "by",
    "without",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "=",
    "!=",
    "=~",
    "!~",
    "==",
    "+",
    "-",
    "*",
    "/",
    "^",
    "%",
    "</",
    ">/",
    "and",
    "or",
    "on",
    "ignoring",
    "group_left",
    "bool",
    "offset",
    "@",
    "5m",
    "1",
    "0x1F",
    "Inf",
    "\"x\"",
    "'y'",
    "`z`",
    "\"\\x41\"",
    "start",
    "end",
    "step",
    "range",
    "min_of",
    "rate",
    "info",
    "topk",
    "anchored",
    "smoothed",
    "fill",
    "fill_left",
    "#c\n",
    " ",
    "_",
    "x3",
    "stale",
    "{{",
    "é",
    "\u{fffd}",
    "\\",
];

fn everything(text: &str) {
    let check = |errors: ParseErrors| {
        assert!(!errors.errors().is_empty());
        for error in errors.errors() {
            assert!(
                error.span.start <= error.span.end && error.span.end <= text.len(),
                "{text:?}: {error:?}"
            );
            assert!(!errors.render(error).is_empty());
        }
    };
    match parse_with(text, &ParseOptions::all()) {
        Ok(expr) => {
            let mut nodes = 0;
            expr.walk(&mut |node| {
                nodes += 1;
                assert!(node.span.start < node.span.end && node.span.end <= text.len(), "{text:?}: {node:?}");
                assert!(text.is_char_boundary(node.span.start) && text.is_char_boundary(node.span.end));
            });
            assert!(nodes > 0);
            let printed = expr.to_string();
            let again = parse_with(&printed, &ParseOptions::all());
            assert!(again.is_ok(), "{text:?} -> {printed:?}: {again:?}");
            let pretty = parse_with(&expr.prettify(), &ParseOptions::all()).map(|e| e.to_string());
            assert_eq!(pretty, again.map(|e| e.to_string()), "{text:?}");
        }
        Err(errors) => check(errors),
    }
    parse(text).map(|_| ()).unwrap_or_else(check);
    parse_metric_selector(text).map(|_| ()).unwrap_or_else(check);
    parse_metric(text).map(|_| ()).unwrap_or_else(check);
    parse_series_description(text).map(|_| ()).unwrap_or_else(check);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_parses_or_fails(text in "\\PC{0,40}") {
        everything(&text);
    }

    #[test]
    fn any_words_parse_or_fail(words in proptest::collection::vec((0..WORDS.len(), any::<bool>()), 0..25)) {
        let text: String = words.iter().map(|(i, space)| format!("{}{}", WORDS[*i], if *space { " " } else { "" })).collect();
        everything(&text);
    }
}

fn message(query: &str) -> String {
    parse_with(query, &ParseOptions::all()).expect_err("must fail").errors()[0].message.clone()
}

#[test]
fn deep_nesting_is_an_error() {
    let nested = format!("expression is nested more than {NESTING_MAX} levels deep");
    for (open, close) in
        [("(", ")"), ("-", ""), ("sum(", ")"), ("abs(", ")"), ("1 ^ ", ""), ("a + abs(", ")")]
    {
        let deep = |n: usize| format!("{}a{}", open.repeat(n), close.repeat(n));
        assert!(parse(&deep(NESTING_MAX / 4)).is_ok(), "{open}");
        assert_eq!(message(&deep(100_000)), nested, "{open}");
    }
    assert_eq!(message(&format!("a[{}1{}]", "(".repeat(50_000), ")".repeat(50_000))), nested);
    assert_eq!(message(&format!("a[{}1]", "-".repeat(50_000))), nested);
}

#[test]
fn high_trees_are_errors() {
    let high = format!("expression is more than {EXPR_HEIGHT_MAX} levels high");
    let sum = |n: usize| format!("a{}", " + a".repeat(n));
    assert!(parse(&sum(EXPR_HEIGHT_MAX - 1)).is_ok());
    assert_eq!(message(&sum(100_000)), high);
    assert_eq!(message(&format!("a{}", "[5m:]".repeat(1_000))), high);
    assert_eq!(message(&format!("a[1{}]", " + 1".repeat(1_000))), high);
    // Chains inside parentheses inside chains add up.
    let mut chain = sum(200);
    for _ in 0..5 {
        chain = format!("({chain}){}", " + a".repeat(200));
    }
    assert_eq!(message(&chain), high);
}

#[test]
fn long_texts_are_errors() {
    let text = " ".repeat(TEXT_BYTES_MAX + 1);
    assert_eq!(message(&text), "text of 1048577 bytes is longer than 1048576 bytes");
    assert!(parse_series_description("a 1x10000000000").is_err());
}
