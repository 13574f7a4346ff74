//! Series that are taken off the page while the layer goes on.

use std::time::Duration;

use promflow_registry::Options;

use super::*;

struct Reborn {
    registry: Registry,
    router: Router,
}

impl Reborn {
    fn new(registry: Registry) -> Self {
        let prometheus = Prometheus::new(&Settings::default(), &registry).unwrap();
        let router = prometheus.instrument(
            Router::new()
                .route("/users/{id}", get(|| async { "user" }))
                .route("/hang", get(std::future::pending::<()>)),
        );
        Self { registry, router }
    }

    async fn request(&self) {
        let request = Request::builder().uri("/users/1").body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        response.into_body().collect().await.unwrap();
    }

    fn page(&self) -> String {
        String::from_utf8(self.registry.encode(Format::Text)).unwrap()
    }
}

const REQUESTS: &str = r#"http_requests_total{method="GET",endpoint="/users/{id}",status="200"}"#;
const COUNT: &str = r#"http_request_duration_seconds_count{method="GET",endpoint="/users/{id}"}"#;

#[tokio::test]
async fn series_that_are_removed_begin_again_with_the_next_request() {
    let app = Reborn::new(Registry::new());
    let http = crate::metrics::Http::new(&app.registry);
    app.request().await;
    app.request().await;
    has(&app.page(), &format!("{REQUESTS} 2"));
    assert!(http.requests.remove(&["GET", "/users/{id}", "200"]));
    http.duration.clear();
    http.in_progress.clear();
    let page = app.page();
    assert!(!page.contains(REQUESTS) && !page.contains(COUNT), "{page}");
    app.request().await;
    let page = app.page();
    has(&page, &format!("{REQUESTS} 1"));
    has(&page, &format!("{COUNT} 1"));
    has(&page, r#"http_requests_in_progress{method="GET"} 0"#);
}

#[tokio::test]
async fn series_that_expired_go_on_with_the_next_request() {
    let idle_timeout = Some(Duration::from_millis(30));
    let app = Reborn::new(Registry::with_options(Options { idle_timeout, ..Options::default() }));
    app.request().await;
    has(&app.page(), &format!("{REQUESTS} 1"));
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while app.page().contains(REQUESTS) {
        assert!(std::time::Instant::now() < deadline, "{}", app.page());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    app.request().await;
    let page = app.page();
    has(&page, &format!("{REQUESTS} 2"));
    has(&page, &format!("{COUNT} 2"));
}

#[tokio::test]
async fn requests_under_way_are_not_counted_below_zero() {
    let app = Reborn::new(Registry::new());
    let in_progress = crate::metrics::Http::new(&app.registry).in_progress;
    let hang = || {
        let request = Request::builder().uri("/hang").body(Body::empty()).unwrap();
        Box::pin(app.router.clone().oneshot(request))
    };
    let mut first = hang();
    assert!(poll_once(&mut first).await.is_none());
    assert_eq!(in_progress.with(&["GET"]).value(), 1.0);
    in_progress.clear();
    let mut second = hang();
    assert!(poll_once(&mut second).await.is_none());
    drop(first);
    has(&app.page(), r#"http_requests_in_progress{method="GET"} 1"#);
    drop(second);
    has(&app.page(), r#"http_requests_in_progress{method="GET"} 0"#);
}

/// Polls a future once.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(cx) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn route_without_room_gets_its_own_series_once_there_is_some() {
    let app = Reborn::new(Registry::new());
    let http = crate::metrics::Http::new(&app.registry);
    http.requests.limit_series(1);
    http.requests.with(&["GET", "/other", "200"]);
    app.request().await;
    let overflow = r#"http_requests_total{method="__other__",endpoint="__other__",status="__other__"}"#;
    assert!(app.page().contains(overflow), "{}", app.page());
    http.requests.limit_series(100);
    app.request().await;
    has(&app.page(), &format!("{REQUESTS} 1"));
}
