//! The engine's limits, errors and shapes of answers.

use promflow_model::{Labels, Sample};
use promflow_promql::{
    CancelToken, Engine, EngineOptions, MatrixSeries, QueryError, QueryErrorKind, QueryOptions, QueryResult,
    RangeParams, Value, VectorSample,
};
use promflow_storage::fake::FakeStorage;
use promflow_syntax::{ParseOptions, parse_with};

const MINUTE_MS: i64 = 60_000;

/// 100 series of `m`, each with 60 samples, one a minute.
fn storage() -> FakeStorage {
    let storage = FakeStorage::new();
    for n in 0..100 {
        let labels = Labels::from_pairs([("__name__", "m".to_owned()), ("n", n.to_string())]);
        storage.add(&labels, (0..60).map(|i| (i * MINUTE_MS, i as f64)));
    }
    storage
}

fn instant(engine: &Engine, query: &str, opts: &QueryOptions) -> Result<QueryResult, QueryError> {
    let expr = parse_with(query, &ParseOptions::all()).unwrap_or_else(|e| panic!("{query}: {e}"));
    engine.instant(&storage(), &expr, 30 * MINUTE_MS, opts)
}

fn range(engine: &Engine, query: &str) -> Result<QueryResult, QueryError> {
    let expr = parse_with(query, &ParseOptions::all()).unwrap_or_else(|e| panic!("{query}: {e}"));
    let range = RangeParams { start_ms: 0, end_ms: 59 * MINUTE_MS, step_ms: MINUTE_MS };
    engine.range(&storage(), &expr, range, &QueryOptions::default())
}

fn kind(result: Result<QueryResult, QueryError>) -> QueryErrorKind {
    result.map(|r| r.value).expect_err("an error").kind()
}

#[test]
fn values_have_the_shape_of_the_expression() {
    let engine = Engine::default();
    let opts = QueryOptions::default();
    let t_ms = 30 * MINUTE_MS;
    let value = |query| instant(&engine, query, &opts).expect("a result").value;
    assert_eq!(value("1 + 1"), Value::Scalar(Sample { t_ms, value: 2.0 }));
    assert_eq!(value("'x'"), Value::String { t_ms, value: "x".to_owned() });
    assert_eq!(
        value("sum(m)"),
        Value::Vector(vec![VectorSample { labels: Labels::empty(), t_ms, value: 3000.0 }])
    );
    let labels = Labels::from_pairs([("__name__", "m"), ("n", "7")]);
    let samples = [29, 30].map(|i| Sample { t_ms: i * MINUTE_MS, value: i as f64 }).to_vec();
    assert_eq!(value("m{n='7'}[2m]"), Value::Matrix(vec![MatrixSeries { labels, samples }]));
}

#[test]
fn range_queries_refuse_what_is_no_number_per_step() {
    let error = range(&Engine::default(), "m[5m]").expect_err("an error");
    assert_eq!(error.kind(), QueryErrorKind::BadQuery);
    assert_eq!(
        error.message(),
        "invalid expression type \"range vector\" for range query, must be Scalar or instant Vector"
    );
}

#[test]
fn an_aggregation_holds_its_groups_and_not_its_input() {
    let whole = range(&Engine::default(), "m").expect("a result").stats;
    let folded = range(&Engine::default(), "sum(m)").expect("a result").stats;
    assert_eq!(whole.samples_read, folded.samples_read);
    assert!(whole.samples_peak >= 100 * 60, "{whole:?}");
    assert!(folded.samples_peak < 5 * 60, "{folded:?}");
    assert!(folded.bytes_peak * 10 < whole.bytes_peak, "{folded:?} {whole:?}");
}

#[test]
fn more_samples_than_allowed_are_refused_with_upstream_text() {
    let engine = Engine::new(EngineOptions { max_samples: 500, ..EngineOptions::default() });
    let error = range(&engine, "m").expect_err("an error");
    assert_eq!(error.kind(), QueryErrorKind::TooManySamples);
    assert_eq!(
        error.message(),
        "query processing would load too many samples into memory in query execution"
    );
    assert!(range(&engine, "sum(m)").is_ok());
}

#[test]
fn more_bytes_than_allowed_are_refused() {
    let engine = Engine::new(EngineOptions { max_bytes: 20_000, ..EngineOptions::default() });
    let error = range(&engine, "m").expect_err("an error");
    assert_eq!(error.kind(), QueryErrorKind::TooManyBytes);
    assert_eq!(error.message(), "query would hold more than 20000 bytes in memory in query execution");
    assert!(range(&engine, "sum(m)").is_ok());
}

#[test]
fn a_subquery_of_absurdly_many_steps_is_refused_and_does_not_allocate() {
    for query in ["count_over_time(m[100y:1ms])", "sum_over_time(vector(time())[100y:1ms])"] {
        let error = kind(instant(&Engine::default(), query, &QueryOptions::default()));
        assert!(matches!(error, QueryErrorKind::TooManyBytes | QueryErrorKind::TooManySamples), "{query}");
    }
}

#[test]
fn a_canceled_query_stops() {
    let opts = QueryOptions::default();
    opts.cancel.clone().cancel();
    let error = instant(&Engine::default(), "sum(m)", &opts).expect_err("an error");
    assert_eq!(error.kind(), QueryErrorKind::Canceled);
    assert_eq!(error.message(), "query was canceled in expression evaluation");
}

#[test]
fn a_query_stops_when_its_deadline_passes() {
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let expires_later = move || calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 1;
    let opts = QueryOptions { cancel: CancelToken::new().expiring(expires_later), ..QueryOptions::default() };
    let error = instant(&Engine::default(), "sum(rate(m[5m])) + sum(m)", &opts).expect_err("an error");
    assert_eq!(error.kind(), QueryErrorKind::Timeout);
    assert_eq!(error.message(), "query timed out in expression evaluation");
}

#[test]
fn the_lookback_of_a_query_replaces_that_of_the_engine() {
    let opts = QueryOptions { lookback_delta_ms: Some(MINUTE_MS), ..QueryOptions::default() };
    let query = "count(m offset -30m)";
    assert_eq!(instant(&Engine::default(), query, &opts).expect("a result").value, Value::Vector(Vec::new()));
    let count = instant(&Engine::default(), query, &QueryOptions::default()).expect("a result").value;
    assert!(matches!(count, Value::Vector(v) if v.len() == 1));
}

#[test]
fn annotations_have_no_place_without_the_text() {
    let opts = QueryOptions { query: "rate(m[5m])".to_owned(), ..QueryOptions::default() };
    let with_text = instant(&Engine::default(), "rate(m[5m])", &opts).expect("a result").infos;
    assert!(with_text[0].ends_with("\"m\" (1:6)"), "{with_text:?}");
    let without = instant(&Engine::default(), "rate(m[5m])", &QueryOptions::default()).expect("a result");
    assert!(without.infos[0].ends_with("\"m\""), "{:?}", without.infos);
}

#[test]
fn the_deepest_expressions_that_parse_are_evaluated() {
    let chain = vec!["m{n='1'}"; 450].join(" + ");
    let calls = format!("{}m{{n='1'}}{}", "abs(".repeat(190), ")".repeat(190));
    let sets = vec!["m{n='1'}"; 450].join(" or ");
    for query in [chain, calls, sets] {
        let value = instant(&Engine::default(), &query, &QueryOptions::default()).expect("a result").value;
        assert!(matches!(value, Value::Vector(v) if v.len() == 1));
    }
}

#[test]
fn times_at_the_ends_of_the_calendar_do_not_overflow() {
    for query in [
        "m @ 9223372036854775 offset -100y",
        "rate(m[100y] smoothed offset -250y)",
        "m smoothed @ 9223372036854775",
        "sum_over_time(m[200y:50y] @ -9223372036854775)",
    ] {
        instant(&Engine::default(), query, &QueryOptions::default()).expect(query);
    }
}
