//! Visitors who invent paths, methods and users.

use super::*;

fn lines(page: &str, name: &str) -> usize {
    page.lines().filter(|line| line.starts_with(name)).count()
}

#[tokio::test]
async fn a_hundred_thousand_paths_and_users_leave_the_page_bounded() {
    let registry = Registry::new();
    let prometheus = Prometheus::new(&Settings::default(), &registry).unwrap();
    let spend = |Path(user): Path<String>| async move { Extension(CreditsUsed::new(user, "voice", 1.0)) };
    let router = prometheus.instrument(Router::new().route("/spend/{user}", get(spend)));
    for i in 0..100_000 {
        for path in [format!("/spend/user{i}"), format!("/{i}.php")] {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap();
        }
    }
    let page = String::from_utf8(registry.encode(Format::Text)).unwrap();
    has(&page, r#"http_requests_total{method="GET",endpoint="/spend/{user}",status="200"} 100000"#);
    has(&page, r#"http_requests_total{method="GET",endpoint="__unmatched__",status="404"} 100000"#);
    assert!(lines(&page, "http_requests_total") <= 4, "{page}");
    assert!(lines(&page, "credits_used_total") <= crate::credits::USERS_SHOWN + 1, "{page}");
    assert!(page.len() < 30_000, "{} bytes", page.len());
    let value = |line: &str| -> f64 { line.rsplit(' ').next().unwrap().parse().unwrap() };
    let used = page.lines().filter(|line| line.starts_with("credits_used_total")).map(value);
    assert_eq!(used.sum::<f64>(), 100_000.0);
    let overflow = page.lines().find(|line| line.starts_with("credits_used_total{user=\"__other__\""));
    assert!(value(overflow.unwrap()) >= 90_000.0, "{overflow:?}");
}

#[tokio::test]
async fn routes_named_by_mistake_after_their_paths_end_in_the_overflow_series() {
    let registry = Registry::new();
    let prometheus = Prometheus::builder(&Settings::default(), &registry)
        .route(|parts| Some(parts.uri.path().to_owned()))
        .build()
        .unwrap();
    let answer =
        |_: Request<Body>| async { Ok::<_, std::convert::Infallible>(http::Response::new(Body::empty())) };
    let service = tower::ServiceBuilder::new().layer(prometheus.layer()).service_fn(answer);
    for i in 0..5000 {
        let request = Request::builder().uri(format!("/{i}")).body(Body::empty()).unwrap();
        service.clone().oneshot(request).await.unwrap();
    }
    let page = String::from_utf8(registry.encode(Format::Text)).unwrap();
    assert!(lines(&page, "http_request_duration_seconds_count") <= 2001);
    assert!(lines(&page, "http_requests_total") <= 2001);
    let overflow = page.lines().find(|line| {
        line.starts_with(r#"http_requests_total{method="__other__",endpoint="__other__",status="__other__"}"#)
    });
    let others: f64 = overflow.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(others >= 3000.0, "{others}");
    assert!(lines(&page, "promflow_series_overflowed_total") >= 2, "{page}");
}
