//! What parses, how it prints, and how what does not parse fails.

use promflow_syntax::ast::{BinaryOp, DurationKind, MatchCardinality};
use promflow_syntax::functions::FUNCTIONS;
use promflow_syntax::{
    Expr, ExprKind, Function, ParseOptions, SequenceValue, ValueType, parse, parse_metric,
    parse_metric_selector, parse_series_description, parse_with, position,
};

fn all(query: &str) -> Expr {
    parse_with(query, &ParseOptions::all()).unwrap_or_else(|e| panic!("{query}: {e}"))
}

/// The query prints as it is written.
fn same(query: &str) {
    another(query, query);
}

/// The query prints otherwise, and that reads as the same.
fn another(query: &str, printed: &str) {
    assert_eq!(all(query).to_string(), printed, "{query}");
    assert_eq!(all(printed).to_string(), printed, "{query}");
}

/// The query fails with this, with everything switched on.
fn fails(query: &str, message: &str) {
    match parse_with(query, &ParseOptions::all()) {
        Ok(expr) => panic!("{query} parses as {expr}"),
        Err(errors) => assert_eq!(errors.to_string(), message, "{query}"),
    }
}

/// The query fails with this with the default options alone.
fn gated(query: &str, message: &str) {
    all(query);
    assert_eq!(parse(query).expect_err(query).to_string(), message, "{query}");
}

#[test]
fn numbers() {
    same("1");
    same("-0.5");
    another("+1", "1");
    another("0x1F", "31");
    another("017", "15");
    another("018", "18");
    another("1_000_000", "1000000");
    another("1_0.5", "10.5");
    another("1e3", "1000");
    another(".5", "0.5");
    another("inf", "+Inf");
    another("-INF", "-Inf");
    another("nan", "NaN");
    another("90s", "1m30s");
    another("-5m", "-5m");
    assert_eq!(value("5m"), 300.0);
    assert_eq!(value("1m500ms"), 60.5);
    fails("1__0", "1:1: parse error: bad number or duration syntax: \"1__\"");
    fails("0x", "1:1: parse error: error parsing number: strconv.ParseFloat: parsing \"0x\": invalid syntax");
    fails("1.5h", "1:1: parse error: unknown unit \".\" in duration \"1.5h\"");
}

fn value(query: &str) -> f64 {
    match all(query).kind {
        ExprKind::Number(number) => number.value,
        other => panic!("{other:?}"),
    }
}

#[test]
fn strings() {
    same(r#""a\"b\\c\n""#);
    another(r"'it\'s'", r#""it's""#);
    another(r"`raw\n`", r#""raw\\n""#);
    another(r#""\x41\101\u00e9\U0001F600""#, "\"AAé😀\"");
    another(r#""\xc3\xa9""#, "\"é\"");
    fails(
        r#""\xff""#,
        "1:1: parse error: error unquoting string \"\\\"\\\\xff\\\"\": not supported yet: strings that are not UTF-8",
    );
    fails(r#""\'""#, "1:1: parse error: unknown escape sequence U+0027 '''");
    fails(r#""\ud800""#, "1:1: parse error: escape sequence is an invalid Unicode code point");
    fails("'a\nb'", "1:1: parse error: unterminated quoted string");
    fails("`a", "1:1: parse error: unterminated raw string");
}

#[test]
fn selectors() {
    same("foo");
    same("foo:bar");
    same(r#"foo{a="b",c!="d",e=~"f.*",g!~"h"}"#);
    same(r#"foo{z="1",a="2"}"#);
    same(r#"{a="b"}"#);
    another("foo{}", "foo");
    another(r#"foo{a="b",}"#, r#"foo{a="b"}"#);
    another(r#"{"my.metric"}"#, r#"{__name__="my.metric"}"#);
    another(r#"{"my.metric","my.label"='v'}"#, r#"{__name__="my.metric","my.label"="v"}"#);
    same(r#"{__name__="foo"}"#);
    for keyword in ["sum", "by", "and", "start", "offset", "min_of", "fill", "anchored", "step", "limitk"] {
        same(keyword);
        same(&format!("{keyword}{{{keyword}=\"1\"}}"));
    }
    another("foo # comment\n{a='b'} # more", r#"foo{a="b"}"#);
    fails("on", "1:1: parse error: unexpected <on>");
    fails(
        "foo{a=\"b\" or c=\"d\"}",
        "1:11: parse error: unexpected identifier \"or\" in label matching, expected \",\" or \"}\"",
    );
    fails("foo{a}", "1:6: parse error: unexpected \"}\" in label matching, expected label matching operator");
    fails("foo{__name__=\"bar\"}", "1:1: parse error: metric name must not be set twice: \"foo\" or \"bar\"");
    fails(
        "{a=~\".*\",b=\"\"}",
        "1:1: parse error: vector selector must contain at least one non-empty matcher",
    );
    fails("foo{a=~\"(\"}", "1:5: parse error: error parsing regexp: missing closing ): `(`");
}

#[test]
fn modifiers() {
    same("foo offset 5m");
    same("foo offset -5m");
    another("foo offset 0", "foo");
    another("foo offset 0.5", "foo offset 500ms");
    same("foo @ 1.500");
    another("foo @ -1", "foo @ -1.000");
    same("foo @ start()");
    another("foo offset 5m @ end()", "foo @ end() offset 5m");
    same("foo[5m] @ 0.000 offset 1h");
    same("foo[5m] anchored");
    same("foo smoothed offset 5m");
    same("rate(foo[5m] smoothed)");
    same("-foo offset 5m");
    same("(foo + bar)[1h:5m] @ end() offset 1m");
    same("rate(foo[5m])[1h:]");
    fails(
        "foo offset",
        "1:11: parse error: unexpected end of input in offset, expected number, duration, step(), or range()",
    );
    fails("foo @ bar", "1:7: parse error: unexpected identifier \"bar\" in @, expected timestamp");
    fails(
        "foo @ 1e20",
        "1:1: parse error: timestamp out of bounds for @ modifier: 100000000000000000000.000000",
    );
    fails("foo offset 5m [1m]", "1:15: parse error: no offset modifiers allowed before range");
    fails("foo @ 5[1m]", "1:8: parse error: no @ modifiers allowed before range");
    fails("abs(foo)[5m]", "1:9: parse error: ranges only allowed for vector selectors");
    fails("foo[5m:1m] anchored", "1:1: parse error: anchored modifier is not supported for subqueries");
    gated("foo[5m] anchored", "1:1: parse error: anchored modifier is experimental and not enabled");
}

#[test]
fn durations() {
    same("foo[1h30m]");
    another("foo[1800]", "foo[30m]");
    same("foo[step()]");
    same("foo[5m + 30]");
    same("foo[2 * (1m + step()) - range() / 2 % 1h ^ 2]");
    same("foo[max_of(step(), min_of(1h, range()))]");
    another("foo[STEP()+1]", "foo[step() + 1]");
    another("foo[+step()]", "foo[step()]");
    same("foo[-step() + 1h]");
    same("foo[5m:step() + 15s]");
    same("foo offset (5m + 1)");
    same("foo offset -(5m + 1)");
    same("foo offset min_of(1m, step())");
    // An offset without parentheses ends before the operator.
    assert!(matches!(all("foo offset 5m + bar").kind, ExprKind::Binary(b) if b.op == BinaryOp::Add));
    assert!(matches!(all("foo offset -2 ^ 2").kind, ExprKind::Binary(b) if b.op == BinaryOp::Pow));
    assert!(matches!(all("foo offset (2) ^ 2").kind, ExprKind::Vector(_)));
    let ExprKind::Matrix(matrix) = all("foo[1000.0005]").kind else { panic!("no matrix") };
    assert_eq!(matrix.range.kind, DurationKind::Literal(1_000_000));
    fails("foo[0]", "1:5: parse error: duration must be greater than 0");
    fails("foo[-1m]", "1:5: parse error: duration must be greater than 0");
    fails(
        "foo[]",
        "1:5: parse error: unexpected \"]\" in subquery or range selector, expected number, duration, step(), or range()",
    );
    fails("foo[5m", "1:7: parse error: unclosed left bracket");
    fails("foo[5m:", "1:8: parse error: unclosed left bracket");
    fails("foo[5m:1m", "1:10: parse error: unclosed left bracket");
    fails(
        "foo[5m 1m]",
        "1:8: parse error: unexpected duration \"1m\" in subquery or range, expected \":\" or \"]\"",
    );
    fails("foo[10000000000000]", "1:5: parse error: duration out of range");
    fails("foo[300y]", "1:5: parse error: duration out of range");
    fails("foo offset Inf", "1:12: parse error: duration out of range");
    fails("foo[1m / 0]", "1:8: parse error: division by zero");
    let options = ParseOptions { duration_expressions: false, ..ParseOptions::all() };
    let errors = parse_with("foo[1m + 1m]", &options).expect_err("not enabled");
    assert_eq!(errors.to_string(), "1:5: parse error: experimental duration expression is not enabled");
}

#[test]
fn operators() {
    same("1 + 2 * 3");
    same("-1 ^ 2");
    same("2 ^ 3 ^ 2");
    same("2 ^ -1");
    same("a - b - c");
    same("a or b and c unless d");
    same("a > bool 1");
    same("a atan2 b </ 2 >/ c");
    same("a + on (x, y) group_left (z) b");
    another("a + on(x) group_right b", "a + on (x) group_right () b");
    same("a + ignoring (x) b");
    another("a + ignoring () b", "a + b");
    another("a + on() b", "a + on () b");
    another(r#"a + on("my.label",) b"#, r#"a + on ("my.label") b"#);
    same("a + fill (1) b");
    same("a + on (x) fill_left (-1) fill_right (+Inf) b");
    same("fill + fill_left");
    // A sign binds looser than a power, tighter than a product.
    assert!(matches!(all("-a ^ b").kind, ExprKind::Unary(..)));
    assert!(matches!(all("-a * b").kind, ExprKind::Binary(_)));
    let ExprKind::Binary(sub) = all("a - b - c").kind else { panic!("no operation") };
    assert!(matches!(sub.lhs.kind, ExprKind::Binary(_)));
    let ExprKind::Binary(and) = all("a and b").kind else { panic!("no operation") };
    assert_eq!(and.matching.map(|m| m.card), Some(MatchCardinality::ManyToMany));
    let ExprKind::Binary(scalar) = all("a + 1").kind else { panic!("no operation") };
    assert_eq!(scalar.matching, None);
    fails("a +", "1:4: parse error: unexpected end of input");
    fails("a + on b", "1:8: parse error: unexpected identifier \"b\" in grouping opts, expected \"(\"");
    fails(
        "a + on (b c) d",
        "1:11: parse error: unexpected identifier \"c\" in grouping opts, expected \",\" or \")\"",
    );
    fails("a + on (1) d", "1:9: parse error: unexpected number \"1\" in grouping opts, expected label");
    fails("1 > 2", "1:3: parse error: comparisons between scalars must use BOOL modifier");
    fails("a + bool b", "1:3: parse error: bool modifier can only be used on comparison operators");
    fails("1 and 2", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression");
    fails("a + on (x) 1", "1:1: parse error: vector matching only allowed between instant vectors");
    fails(
        "a * on (x) group_left (x) b",
        "1:3: parse error: label \"x\" must not occur in ON and GROUP clause at once",
    );
    fails("a and on (x) group_left b", "1:1: parse error: no grouping allowed for \"and\" operation");
    fails(
        "a[5m] + 1",
        "1:1: parse error: binary expression must contain only scalar and instant vector types",
    );
    fails(
        "-a[5m]",
        "1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got \"range vector\"",
    );
    gated("a + fill (1) b", "1:1: parse error: binop fill modifiers are experimental and not enabled");
}

#[test]
fn aggregations() {
    same("sum(a)");
    same("sum by (x, y) (a)");
    same("sum without () (a)");
    another("sum(a) by (x,)", "sum by (x) (a)");
    another("sum by () (a)", "sum(a)");
    another("SUM(a)", "sum(a)");
    same("topk(5, a)");
    same("count_values(\"v\", a)");
    same(r#"sum by ("my.label", on, by, group_left, atan2) (a)"#);
    fails("sum()", "1:1: parse error: no arguments for aggregate expression provided");
    fails(
        "sum(a, b)",
        "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 1, got 2",
    );
    fails(
        "topk(a)",
        "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1",
    );
    fails("sum(a b)", "1:7: parse error: unexpected identifier \"b\" in aggregation");
    fails("sum(abs(a b))", "1:11: parse error: unexpected identifier \"b\" in aggregation");
    fails("sum by (x) a", "1:12: parse error: unexpected identifier \"a\" in aggregation");
    fails("sum a", "1:5: parse error: unexpected identifier \"a\"");
    fails("sum(a,)", "1:6: parse error: trailing commas not allowed in function call args");
    fails(
        "sum(a[5m])",
        "1:5: parse error: expected type instant vector in aggregation expression, got range vector",
    );
    fails("topk(\"x\", a)", "1:6: parse error: expected type scalar in aggregation parameter, got string");
    let enable = "1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions";
    gated("limitk(1, a)", enable);
}

#[test]
fn calls() {
    same("rate(a[5m])");
    same("round(a)");
    same("round(a, 0.5)");
    same("label_join(a, \"x\", \",\", \"b\", \"c\", \"d\")");
    same("label_join(a, \"x\", \",\")");
    same("time()");
    same("step() + range()");
    another("STEP()", "step()");
    same("max_of(1, 2)");
    same("info(a)");
    same(r#"info(a, {__name__=~".+_info",x=""})"#);
    same("info(a, {})");
    fails("abs(a, 1)", "1:1: parse error: expected 1 argument(s) in call to \"abs\", got 2");
    fails("round()", "1:1: parse error: expected at least 1 argument(s) in call to \"round\", got 0");
    fails("round(a, 1, 2)", "1:1: parse error: expected at most 2 argument(s) in call to \"round\", got 3");
    fails(
        "rate(a)",
        "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector",
    );
    fails("nothing(a)", "1:1: parse error: unknown function with name \"nothing\"");
    fails("abs(a,,)", "1:6: parse error: trailing commas not allowed in function call args");
    fails("abs(a", "1:6: parse error: unclosed left parenthesis");
    fails("abs(a))", "1:8: parse error: unexpected right parenthesis ')'");
    fails("info(a, b)", "1:9: parse error: expected label selectors only, got vector selector instead");
    fails("info(a, abs(b))", "1:9: parse error: expected label selectors only");
    fails("by(a)", "1:3: parse error: unexpected \"(\"");
    gated("step()", "1:1: parse error: function \"step\" is not enabled");
    gated("info(a)", "1:1: parse error: function \"info\" is not enabled");
}

#[test]
fn places() {
    fails("", "unknown position: parse error: no expression found in input");
    fails(" # nothing", "1:1: parse error: no expression found in input");
    fails("a\n  + é", "2:5: parse error: unexpected character: 'é'");
    assert_eq!(position("a\nbc", 3), (2, 2));
    assert_eq!(position("a\nbc", 100), (2, 3));
    assert_eq!(position("", 0), (1, 1));
    let query = " sum by (x) (rate(foo{a=\"b\"}[5m] offset 1m)) / 2";
    let mut pieces = Vec::new();
    all(query).walk(&mut |expr| pieces.push(&query[expr.span.start..expr.span.end]));
    assert_eq!(
        pieces,
        [
            query.trim(),
            "sum by (x) (rate(foo{a=\"b\"}[5m] offset 1m))",
            "rate(foo{a=\"b\"}[5m] offset 1m)",
            "foo{a=\"b\"}[5m] offset 1m",
            "2",
        ]
    );
}

#[test]
fn every_type_error_is_reported() {
    let errors = parse("rate(a) + sum(1) + {}").expect_err("three errors");
    let rendered: Vec<String> = errors.errors().iter().map(|e| errors.render(e)).collect();
    assert_eq!(
        rendered,
        [
            "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector",
            "1:15: parse error: expected type instant vector in aggregation expression, got scalar",
            "1:20: parse error: vector selector must contain at least one non-empty matcher",
        ]
    );
}

#[test]
fn types() {
    for (query, want) in [
        ("1", ValueType::Scalar),
        ("\"a\"", ValueType::String),
        ("a", ValueType::Vector),
        ("a[5m]", ValueType::Matrix),
        ("a[5m:]", ValueType::Matrix),
        ("(1 + 2)", ValueType::Scalar),
        ("1 + a", ValueType::Vector),
        ("-time()", ValueType::Scalar),
        ("sum(a)", ValueType::Vector),
    ] {
        assert_eq!(all(query).value_type(), want, "{query}");
    }
}

#[test]
fn functions_are_sorted_and_found() {
    assert!(FUNCTIONS.windows(2).all(|pair| pair[0].name < pair[1].name));
    for function in &FUNCTIONS {
        assert_eq!(Function::find(function.name), Some(function));
    }
    assert_eq!(Function::find("holt_winters"), None);
}

#[test]
fn functions_are_those_of_prometheus() {
    let Some(features) = promflow_testkit::conformance("features.json") else { return };
    let features = std::fs::read_to_string(features).expect("features");
    let features: serde_json::Value = serde_json::from_str(&features).expect("features");
    let theirs = features["promql_functions"].as_object().expect("functions");
    assert_eq!(theirs.len(), FUNCTIONS.len());
    for function in &FUNCTIONS {
        assert_eq!(theirs[function.name], !function.experimental, "{}", function.name);
    }
}

#[test]
fn metric_selectors() {
    let matchers = parse_metric_selector(r#"foo{a!="b"}"#).expect("selector");
    assert_eq!(
        matchers.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [r#"a!="b""#, r#"__name__="foo""#]
    );
    // What selects everything, the API refuses itself.
    assert!(parse_metric_selector("{}").expect("selector").is_empty());
    for wrong in ["", "foo[5m]", "foo + bar", "abs(foo)", "1"] {
        assert!(parse_metric_selector(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn metrics() {
    for (input, printed) in [
        ("foo{b=\"2\",a='1',}", r#"{__name__="foo", a="1", b="2"}"#),
        ("{\"my.metric\", \"my.label\"=\"v\"}", r#"{__name__="my.metric", "my.label"="v"}"#),
        ("foo", r#"{__name__="foo"}"#),
        ("{}", "{}"),
        ("", "{}"),
        ("foo{a=\"\"}", r#"{__name__="foo"}"#),
    ] {
        assert_eq!(parse_metric(input).expect(input).to_string(), printed, "{input}");
    }
    let message = |input: &str| parse_metric(input).expect_err(input).to_string();
    assert_eq!(message("foo{a!=\"1\"}"), "1:6: parse error: unexpected <op:!=> in label set, expected \"=\"");
    assert_eq!(message("foo{a=1}"), "1:7: parse error: unexpected character inside braces: '1'");
    assert_eq!(
        message("foo{a=b}"),
        "1:7: parse error: unexpected identifier \"b\" in label set, expected string"
    );
    assert_eq!(message("foo bar"), "1:5: parse error: unexpected identifier \"bar\"");
}

#[test]
fn series_descriptions() {
    let values = |input: &str| parse_series_description(input).expect(input).values;
    let floats = |v: &[f64]| v.iter().map(|v| SequenceValue::Float(*v)).collect::<Vec<_>>();
    assert_eq!(values("foo 1 2.5 -3"), floats(&[1.0, 2.5, -3.0]));
    assert_eq!(values("foo{a=\"b\"} 1+2x3"), floats(&[1.0, 3.0, 5.0, 7.0]));
    assert_eq!(values("{} 10-5x2 7x1"), floats(&[10.0, 5.0, 0.0, 7.0, 7.0]));
    assert_eq!(values("foo 1x0  "), floats(&[1.0]));
    assert_eq!(values("foo +Inf -Inf 1e3"), floats(&[f64::INFINITY, f64::NEG_INFINITY, 1000.0]));
    assert!(matches!(values("foo NaN")[0], SequenceValue::Float(v) if v.is_nan()));
    assert_eq!(
        values("foo _x2 stale _"),
        [SequenceValue::Omitted, SequenceValue::Omitted, SequenceValue::Stale, SequenceValue::Omitted]
    );
    assert_eq!(values("foo"), []);
    assert_eq!(values("foo 0x2"), floats(&[0.0, 0.0, 0.0]));
    let message = |input: &str| parse_series_description(input).expect_err(input).to_string();
    assert_eq!(
        message("foo 1 bar"),
        "1:7: parse error: unexpected identifier \"bar\" in series values, expected number or \"stale\""
    );
    assert_eq!(message("foo 1x-1"), "1:7: parse error: unexpected <op:-> in series values");
    assert_eq!(message("foo {{schema:1}}"), "1:5: parse error: not supported yet: native histograms");
    assert_eq!(message("foo 1x99999999999"), "1:7: parse error: series has more than 10000000 values");
}

#[test]
fn long_queries_are_split() {
    let short = "sum by (x) (rate(foo[5m]))";
    assert_eq!(all(short).prettify(), short);
    let long = "sum by (instance, job) (rate(http_requests_total{handler=\"/api/v1/query\"}[5m])) / on (job) \
                group_left () (topk(5, -some_rather_long_name_of_a_metric_that_goes_on_and_on_and_on{with=\"labels\",and=\"more of them\"}))";
    let split = "  sum by (instance, job) (rate(http_requests_total{handler=\"/api/v1/query\"}[5m]))
/ on (job) group_left ()
  (
    topk(
      5,
      -some_rather_long_name_of_a_metric_that_goes_on_and_on_and_on{with=\"labels\",and=\"more of them\"}
    )
  )";
    assert_eq!(all(long).prettify(), split);
    let matcher = "{a=\"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123\"}";
    let subquery = format!("max_over_time(rate(foo{matcher}[5m])[1h:] offset 1m)");
    let split = format!("max_over_time(\n  rate(\n    foo{matcher}[5m]\n  )[1h:] offset 1m\n)");
    assert_eq!(all(&subquery).prettify(), split);
}
