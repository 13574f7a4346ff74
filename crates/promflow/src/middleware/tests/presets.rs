//! Names and labels of the presets.

use super::*;

async fn page_of(preset: Preset, sizes: Option<bool>) -> String {
    let registry = Registry::new();
    let settings = Settings::default();
    let mut builder =
        Prometheus::builder(&settings, &registry).preset(preset).exclude(["/health", "/internal/*"]);
    if let Some(sizes) = sizes {
        builder = builder.sizes(sizes);
    }
    let router = Router::new()
        .route("/users/{id}", post(|body: String| async move { format!("got {body}") }))
        .route("/health", get(|| async { "ok" }))
        .route("/internal/{x}", get(|| async { "ok" }));
    let router = builder.build().unwrap().instrument(router);
    for (method, path, body) in [
        ("POST", "/users/1", "12345"),
        ("GET", "/health", ""),
        ("GET", "/internal/x", ""),
        ("GET", "/internal/none/at/all", ""),
        ("BREW", "/none", ""),
    ] {
        let request = Request::builder().method(method).uri(path).body(Body::from(body)).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        response.into_body().collect().await.unwrap();
    }
    String::from_utf8(registry.encode(Format::Text)).unwrap()
}

#[tokio::test]
async fn presets_have_the_names_and_labels_of_others() {
    for (preset, sizes, lines) in [
        (
            Preset::Guide,
            Some(true),
            vec![
                r#"http_requests_total{method="POST",endpoint="/users/{id}",status="200"} 1"#,
                r#"http_request_duration_seconds_bucket{method="POST",endpoint="/users/{id}",le="10"} 1"#,
                r#"http_request_size_bytes_sum{method="POST",endpoint="/users/{id}"} 5"#,
                r#"http_response_size_bytes_sum{method="POST",endpoint="/users/{id}"} 9"#,
                r#"http_requests_in_progress{method="POST"} 0"#,
                r#"http_requests_total{method="__other__",endpoint="__unmatched__",status="404"} 1"#,
            ],
        ),
        (
            Preset::Otel,
            Some(true),
            vec![
                r#"http_server_request_duration_seconds_count{http_request_method="POST",url_scheme="http",http_response_status_code="200",http_route="/users/{id}"} 1"#,
                r#"http_server_request_duration_seconds_count{http_request_method="_OTHER",url_scheme="http",http_response_status_code="404",http_route=""} 1"#,
                r#"http_server_active_requests{http_request_method="POST",url_scheme="http"} 0"#,
                r#"http_server_request_body_size_bytes_sum{http_request_method="POST",url_scheme="http",http_response_status_code="200",http_route="/users/{id}"} 5"#,
            ],
        ),
        (
            Preset::FastapiInstrumentator,
            None,
            vec![
                r#"http_requests_total{method="POST",status="2xx",handler="/users/{id}"} 1"#,
                r#"http_requests_total{method="__other__",status="4xx",handler="none"} 1"#,
                r#"http_request_duration_highr_seconds_bucket{le="60"} 2"#,
                r#"http_request_duration_seconds_bucket{method="POST",handler="/users/{id}",le="0.5"} 1"#,
                r#"http_request_size_bytes_sum{handler="/users/{id}"} 5"#,
                r#"http_response_size_bytes_count{handler="/users/{id}"} 1"#,
                "http_requests_inprogress 0",
            ],
        ),
        (
            Preset::Starlette,
            Some(true),
            vec![
                r#"starlette_requests_total{method="POST",path="/users/{id}",status_code="200",app_name="starlette"} 1"#,
                r#"starlette_request_duration_seconds_count{method="POST",path="/users/{id}",status_code="200",app_name="starlette"} 1"#,
                r#"starlette_requests_in_progress{method="POST",app_name="starlette"} 0"#,
                r#"starlette_response_body_bytes_total{method="POST",path="/users/{id}",status_code="200",app_name="starlette"} 9"#,
            ],
        ),
        (
            Preset::Axum,
            None,
            vec![
                r#"axum_http_requests_total{method="POST",status="200",endpoint="/users/{id}"} 1"#,
                r#"axum_http_requests_duration_seconds_count{method="POST",status="200",endpoint="/users/{id}"} 1"#,
                r#"axum_http_requests_pending{method="POST",endpoint="/users/{id}"} 0"#,
            ],
        ),
    ] {
        let page = page_of(preset, sizes).await;
        for line in lines {
            has(&page, line);
        }
        assert!(!page.contains("/health") && !page.contains("/internal"), "{page}");
        for entry in Parser::new(page.as_bytes(), Format::Text, Mode::Strict) {
            entry.unwrap_or_else(|e| panic!("{e}"));
        }
    }
}

#[tokio::test]
async fn sizes_are_measured_when_asked_for() {
    let page = page_of(Preset::Guide, None).await;
    assert!(!page.contains("size_bytes"), "{page}");
}

#[tokio::test]
async fn any_tower_service_names_its_routes() {
    let registry = Registry::new();
    let settings = Settings::default();
    let prometheus = Prometheus::builder(&settings, &registry)
        .route(|parts| parts.uri.path().starts_with("/files/").then(|| "/files/{name}".to_owned()))
        .build()
        .unwrap();
    let answer =
        |_: Request<String>| async { Ok::<_, std::convert::Infallible>(http::Response::new(String::new())) };
    let service = tower::ServiceBuilder::new().layer(prometheus.layer()).service_fn(answer);
    let mut named = Request::builder().uri("/a/1").body(String::new()).unwrap();
    named.extensions_mut().insert(RouteTemplate("/a/{id}".into()));
    let by_closure = Request::builder().uri("/files/x").body(String::new()).unwrap();
    let unknown = Request::builder().uri("/b").body(String::new()).unwrap();
    for request in [named, by_closure, unknown] {
        service.clone().oneshot(request).await.unwrap();
    }
    let page = String::from_utf8(registry.encode(Format::Text)).unwrap();
    for endpoint in ["/a/{id}", "/files/{name}", UNMATCHED] {
        has(&page, &format!(r#"http_requests_total{{method="GET",endpoint="{endpoint}",status="200"}} 1"#));
    }
}
