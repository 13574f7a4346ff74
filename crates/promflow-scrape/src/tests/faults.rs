//! Pages as they should not be: each gives a clear error, and the rest goes on.

use promflow_testkit::Script;

use super::*;

/// Scrapes a good page, then a bad answer, then the good page again: the error is returned, the good page's series
/// ended and came back.
fn error_of(settings: &str, bad: impl Fn() -> Script + Send + Sync + 'static) -> (String, Bench) {
    let storage = Arc::new(FakeStorage::new());
    let count = AtomicI64::new(0);
    let server = ScriptedServer::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        1 => bad(),
        _ => Script::page("good 1\n"),
    });
    let mut bench = Bench::new(storage.clone(), &server, settings, ScrapeOptions::default());
    assert_eq!(bench.scrape(1_000).error, "");
    let failed = bench.scrape(2_000);
    assert_eq!(failed.health, crate::TargetHealth::Down);
    assert_eq!(bench.scrape(3_000).error, "");
    assert_eq!(
        dump(&storage, "up"),
        "{__name__=\"good\", job=\"j\"} 1@1000 stale@2000 1@3000\n\
         {__name__=\"up\", job=\"j\"} 1@1000 0@2000 1@3000\n"
    );
    (failed.error.replace(&server.address(), "ADDRESS"), bench)
}

#[test]
fn garbage_is_refused_with_line_and_column() {
    let (error, _) = error_of("", || Script::page("good 1\nfine 2\nno <html> here\n"));
    assert!(error.starts_with("3:4: "), "{error}");
}

#[test]
fn half_a_page_is_refused() {
    let whole = "good 1\nother 2\n";
    let half = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\n{whole}");
    assert_eq!(error_of("", move || Script::raw(half.clone())).0, "unexpected EOF");
    let chunked =
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n7\r\ngood 1\n\r\n";
    assert_eq!(error_of("", move || Script::raw(chunked)).0, "unexpected EOF");
    let (error, _) = error_of("", || {
        let headers = vec![("Content-Type", "application/openmetrics-text; version=1.0.0".to_owned())];
        Script::Answer { status: 200, headers, body: b"# TYPE good gauge\ngood 1\n".to_vec() }
    });
    assert!(error.contains("data does not end with # EOF"), "{error}");
}

#[test]
fn refusal_is_reported_with_its_status() {
    assert_eq!(
        error_of("", || Script::status(500)).0,
        "server returned HTTP status 500 Internal Server Error"
    );
    assert_eq!(error_of("", || Script::status(204)).0, "server returned HTTP status 204 No Content");
}

#[test]
fn no_answer_at_all_is_reported() {
    assert_eq!(error_of("", || Script::raw("")).0, "Get \"http://ADDRESS/metrics\": EOF");
}

#[test]
fn page_that_does_not_end_is_refused_at_the_limit() {
    let gigabyte = || {
        Script::Raw(Box::new(|stream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")?;
            let block = "good 1\n".repeat(16_384);
            (0..9_362).try_for_each(|_| stream.write_all(block.as_bytes()))
        }))
    };
    let (error, bench) = error_of("  body_size_limit: 1MB", gigabyte);
    assert_eq!(error, "body size limit exceeded");
    assert_eq!(bench.metric("prometheus_target_scrapes_exceeded_body_size_limit_total"), "1");
    assert_eq!(error_of("", gigabyte).0, "body size limit exceeded", "there is a limit when none is set");
}

#[test]
fn slow_target_runs_into_the_timeout() {
    let slow = || {
        Script::Raw(Box::new(|stream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")?;
            std::thread::sleep(std::time::Duration::from_millis(1_500));
            Ok(())
        }))
    };
    assert_eq!(error_of("  scrape_timeout: 1s", slow).0, "context deadline exceeded");
}

#[test]
fn content_type_that_is_no_format_is_refused_unless_there_is_a_fallback() {
    let html = || Script::Answer {
        status: 200,
        headers: vec![("Content-Type", "text/html".to_owned())],
        body: b"good 1\n".to_vec(),
    };
    let (error, _) = error_of("", html);
    assert!(error.starts_with("received unsupported Content-Type \"text/html\""), "{error}");
    let storage = Arc::new(FakeStorage::new());
    let server = ScriptedServer::start(move |_| html());
    let settings = "  fallback_scrape_protocol: PrometheusText0.0.4";
    let mut bench = Bench::new(storage, &server, settings, ScrapeOptions::default());
    assert_eq!(bench.scrape(1_000).error, "");
    let protobuf = || Script::Answer {
        status: 200,
        headers: vec![("Content-Type", "application/vnd.google.protobuf".to_owned())],
        body: vec![0; 10],
    };
    assert_eq!(error_of(settings, protobuf).0, "not supported yet: protobuf exposition format");
}

#[test]
fn limits_refuse_the_page_as_a_whole() {
    for (settings, page, expected) in [
        ("  sample_limit: 1", "good 1\nother 2\n", "sample limit exceeded"),
        (
            "  label_limit: 3",
            "good{x=\"y\"} 1\n",
            "label_limit exceeded (metric: good, number of labels: 4, limit: 3)",
        ),
        (
            "  label_name_length_limit: 8",
            "good{longer_name=\"y\"} 1\n",
            "label_name_length_limit exceeded (metric: good, label name: longer_name, length: 11, limit: 8)",
        ),
        (
            "  label_value_length_limit: 21",
            "good{x=\"0123456789012345678901\"} 1\n",
            "label_value_length_limit exceeded (metric: good, label name: x, value: \"0123456789012345678901\", \
             length: 22, limit: 21)",
        ),
        (
            "  metric_relabel_configs: [{source_labels: [x], regex: y, target_label: __name__, replacement: ''}]",
            "good{x=\"y\"} 1\n",
            "missing metric name (__name__ label)",
        ),
    ] {
        let (error, _) = error_of(settings, move || Script::page(page));
        assert_eq!(error, expected);
    }
}

#[test]
fn empty_page_is_no_failure_and_is_noted() {
    let storage = Arc::new(FakeStorage::new());
    let server = ScriptedServer::start(|_| Script::page(""));
    let mut bench = Bench::new(storage.clone(), &server, "", ScrapeOptions::default());
    let last = bench.scrape(1_000);
    assert_eq!((last.health, last.error.as_str()), (crate::TargetHealth::Up, "page is empty"));
}

#[test]
fn certificate_file_that_is_missing_is_an_error_of_the_target() {
    let storage = Arc::new(FakeStorage::new());
    let server = ScriptedServer::start(|_| Script::page("a 1\n"));
    let settings = "  scheme: https\n  tls_config: {ca_file: /no/such/ca.pem}";
    let mut bench = Bench::new(storage, &server, settings, ScrapeOptions::default());
    let error = bench.scrape(1_000).error;
    assert!(
        error.ends_with("unable to read CA cert \"/no/such/ca.pem\": no such file or directory"),
        "{error}"
    );
}
