use axum::body::Body;
use axum::extract::Path;
use axum::routing::{any, get, post};
use axum::{Extension, Router};
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use promflow_exposition::{Format, Mode, Parser};
use tower::ServiceExt;

use super::*;

mod bounds;
mod exemplars;
mod listener;
mod presets;
mod reborn;

struct App {
    registry: Registry,
    router: Router,
}

fn app(environment: &[(&str, &str)]) -> App {
    let settings = Settings::from_lookup(|name| {
        environment.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
    })
    .unwrap();
    let registry = Registry::new();
    let prometheus = Prometheus::new(&settings, &registry).unwrap();
    let inner = Router::new().route("/items/{item}", get(|Path(item): Path<String>| async { item }));
    let router = Router::new()
        .route("/users/{id}", any(|| async { "user" }))
        .route("/broken", get(|| async { StatusCode::BAD_GATEWAY }))
        .route("/calls", post(|| async { (Extension(CreditsUsed::new("ann", "voice", 2.5)), "ringing") }))
        .route("/pending", get(std::future::pending::<()>))
        .nest("/shop", inner);
    App { registry, router: prometheus.instrument(router) }
}

impl App {
    async fn request(&self, method: &str, path: &str, accept: &str) -> (StatusCode, HeaderMap, String) {
        let request =
            Request::builder().method(method).uri(path).header(ACCEPT, accept).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn page(&self) -> String {
        self.request("GET", "/metrics", "*/*").await.2
    }
}

fn has(page: &str, line: &str) {
    assert!(page.lines().any(|l| l == line), "{line} is not in\n{page}");
}

#[tokio::test]
async fn requests_are_counted_by_route_template() {
    let app = app(&[]);
    for path in ["/users/1", "/users/2", "/broken", "/shop/items/7", "/wp-login.php", "/users/1?x=1"] {
        app.request("GET", path, "*/*").await;
    }
    app.request("BREW", "/users/1", "*/*").await;
    app.request("POST", "/broken", "*/*").await;
    let page = app.page().await;
    for line in [
        r#"http_requests_total{method="GET",endpoint="/users/{id}",status="200"} 3"#,
        r#"http_requests_total{method="GET",endpoint="/users/{id}",status="500"} 0"#,
        r#"http_requests_total{method="GET",endpoint="/broken",status="502"} 1"#,
        r#"http_requests_total{method="POST",endpoint="/broken",status="405"} 1"#,
        r#"http_requests_total{method="GET",endpoint="/shop/items/{item}",status="200"} 1"#,
        r#"http_requests_total{method="GET",endpoint="__unmatched__",status="404"} 1"#,
        r#"http_requests_total{method="__other__",endpoint="/users/{id}",status="200"} 1"#,
        r#"http_request_duration_seconds_count{method="GET",endpoint="/users/{id}"} 3"#,
        r#"http_requests_in_progress{method="GET"} 0"#,
    ] {
        has(&page, line);
    }
    assert!(!page.contains("wp-login") && !page.contains("endpoint=\"/metrics\""), "{page}");
}

#[tokio::test]
async fn page_is_served_in_the_format_asked_for() {
    let app = app(&[("PROMETHEUS_METRICS_PATH", "/internal/metrics")]);
    for (accept, format) in [
        ("*/*", Format::Text),
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", Format::OpenMetrics),
    ] {
        let (status, headers, body) = app.request("GET", "/internal/metrics", accept).await;
        assert_eq!(
            (status, headers[CONTENT_TYPE].to_str().unwrap()),
            (StatusCode::OK, format.content_type())
        );
        for entry in Parser::new(body.as_bytes(), format, Mode::Strict) {
            entry.unwrap_or_else(|e| panic!("{e}"));
        }
    }
    let (status, headers, body) = app.request("HEAD", "/internal/metrics", "*/*").await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, ""));
    assert_eq!(headers[CONTENT_TYPE].to_str().unwrap(), Format::Text.content_type());
    let (status, ..) = app.request("POST", "/internal/metrics", "*/*").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn credits_of_a_response_are_counted() {
    let app = app(&[("PROMETHEUS_DEFAULT_LABELS", "env=dev")]);
    app.request("POST", "/calls", "*/*").await;
    app.request("POST", "/calls", "*/*").await;
    has(&app.page().await, r#"credits_used_total{env="dev",user="ann",type="voice"} 5"#);
}

#[tokio::test]
async fn request_that_is_given_up_leaves_nothing_in_progress() {
    let app = app(&[]);
    let request = Request::builder().uri("/pending").body(Body::empty()).unwrap();
    let response = app.router.clone().oneshot(request);
    let soon = std::time::Duration::from_millis(20);
    assert!(tokio::time::timeout(soon, response).await.is_err());
    let page = app.page().await;
    has(&page, r#"http_requests_total{method="GET",endpoint="/pending",status="499"} 1"#);
    has(&page, r#"http_requests_in_progress{method="GET"} 0"#);
}

#[tokio::test]
async fn nothing_is_measured_or_served_when_disabled() {
    let app = app(&[("PROMETHEUS_ENABLED", "false")]);
    app.request("GET", "/users/1", "*/*").await;
    assert_eq!(app.request("GET", "/metrics", "*/*").await.0, StatusCode::NOT_FOUND);
    let page = String::from_utf8(app.registry.encode(Format::Text)).unwrap();
    assert!(!page.contains("http_requests_total"), "{page}");
}

#[tokio::test]
async fn page_is_compressed_when_the_scraper_allows_it() {
    let app = app(&[]);
    let request = Request::builder().uri("/metrics").header(ACCEPT_ENCODING, "gzip").body(Body::empty());
    let response = app.router.clone().oneshot(request.unwrap()).await.unwrap();
    assert_eq!(response.headers()[CONTENT_ENCODING], "gzip");
    assert_eq!(response.headers()[VARY], "accept, accept-encoding");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let page = std::io::read_to_string(flate2::read::GzDecoder::new(&body[..])).unwrap();
    has(&page, r#"http_requests_in_progress{method="GET"} 0"#);
}

#[tokio::test]
async fn large_page_is_written_whole_off_the_async_thread() {
    let app = app(&[]);
    let many = app.registry.counter("many_total", "Many.", &["n"]);
    many.limit_series(10_000);
    for n in 0..5000 {
        many.with(&[&n.to_string()]).inc();
    }
    for _ in 0..2 {
        let page = app.page().await;
        assert!(page.len() > 64 * 1024);
        has(&page, r#"many_total{n="4999"} 1"#);
    }
}

#[test]
fn default_label_that_a_metric_has_is_refused() {
    let settings =
        Settings { default_labels: vec![("method".to_owned(), "x".to_owned())], ..Settings::default() };
    let error = Prometheus::new(&settings, &Registry::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"cannot register metric "http_request_duration_seconds": label name "method" is a default label of the registry"#
    );
}
