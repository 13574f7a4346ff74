//! Which trace a request belongs to, on the page.

use super::*;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Returns the page of OpenMetrics after requests with these headers `traceparent`.
async fn page_after(parents: &[&str], build: impl FnOnce(Builder<'_>) -> Builder<'_>) -> String {
    let registry = Registry::new();
    let settings = Settings::default();
    let prometheus = build(Prometheus::builder(&settings, &registry)).build().unwrap();
    let router = prometheus.instrument(Router::new().route("/users/{id}", get(|| async { "user" })));
    for parent in parents {
        let mut request = Request::builder().uri("/users/1");
        if !parent.is_empty() {
            request = request.header("traceparent", *parent);
        }
        let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        response.into_body().collect().await.unwrap();
    }
    let page = registry.encode(Format::OpenMetrics);
    for entry in Parser::new(&page, Format::OpenMetrics, Mode::Strict) {
        entry.unwrap_or_else(|e| panic!("{e}"));
    }
    String::from_utf8(page).unwrap()
}

fn parent(flags: &str) -> String {
    format!("00-{TRACE}-00f067aa0ba902b7-{flags}")
}

/// Lists the lines that have an exemplar of a trace.
fn with_exemplar<'p>(page: &'p str, trace: &str) -> Vec<&'p str> {
    let exemplar = format!("# {{trace_id=\"{trace}\"}} ");
    page.lines().filter(|line| line.contains(&exemplar)).collect()
}

#[tokio::test]
async fn recorded_trace_is_the_exemplar_of_counter_and_bucket() {
    let page = page_after(&[&parent("01"), ""], |builder| builder).await;
    let lines = with_exemplar(&page, TRACE);
    assert_eq!(lines.len(), 2, "{page}");
    let duration = r#"http_request_duration_seconds_bucket{method="GET",endpoint="/users/{id}",le="#;
    assert!(lines.iter().any(|line| line.starts_with(duration)), "{lines:?}");
    let requests = r#"http_requests_total{method="GET",endpoint="/users/{id}",status="200"} 2 # "#;
    assert!(lines.iter().any(|line| line.starts_with(requests)), "{lines:?}");
}

#[tokio::test]
async fn trace_that_is_not_recorded_or_not_wanted_is_no_exemplar() {
    assert!(!page_after(&[&parent("00"), "nonsense"], |builder| builder).await.contains("trace_id"));
    assert!(!page_after(&[&parent("01")], |builder| builder.exemplars(false)).await.contains("trace_id"));
}

#[tokio::test]
async fn program_names_the_trace() {
    let own = |parts: &Parts| parts.uri.path().strip_prefix("/users/").map(|id| format!("own-{id}"));
    let page = page_after(&[&parent("01")], |builder| builder.trace_id(own)).await;
    assert_eq!(with_exemplar(&page, "own-1").len(), 2, "{page}");
    assert!(with_exemplar(&page, TRACE).is_empty(), "{page}");
    let endless = |_: &Parts| Some("x".repeat(1000));
    let page = page_after(&[&parent("01")], |builder| builder.trace_id(endless)).await;
    assert!(!page.contains("trace_id"), "{page}");
    has(&page, r#"http_requests_total{method="GET",endpoint="/users/{id}",status="200"} 1"#);
}

#[tokio::test]
async fn presets_without_a_request_counter_have_exemplars_too() {
    let page = page_after(&[&parent("01")], |builder| builder.preset(Preset::Otel)).await;
    assert_eq!(with_exemplar(&page, TRACE).len(), 1, "{page}");
    let page = page_after(&[&parent("01")], |builder| builder.preset(Preset::FastapiInstrumentator)).await;
    assert_eq!(with_exemplar(&page, TRACE).len(), 3, "{page}");
}
