//! Pages as they should be.

use std::io::Write;
use std::sync::Mutex;

use promflow_model::{Matcher, MetricType};
use promflow_storage::{Queryable, SelectHints};
use promflow_testkit::Script;
use promflow_tsdb::{Head, HeadOptions};

use super::*;

/// Serves pages one after the other, the last for ever.
fn pages(pages: &[&str]) -> ScriptedServer {
    let pages: Vec<String> = pages.iter().map(ToString::to_string).collect();
    let next = Mutex::new(0);
    ScriptedServer::start(move |_| {
        let mut next = next.lock().expect("no panic before");
        let page = pages[(*next).min(pages.len() - 1)].clone();
        *next += 1;
        Script::page(page)
    })
}

/// Scrapes pages at 1, 2, 3 seconds and so on; returns what the store has then.
fn scraped(settings: &str, bodies: &[&str]) -> String {
    let storage = Arc::new(FakeStorage::new());
    let server = pages(bodies);
    let mut bench = Bench::new(storage.clone(), &server, settings, ScrapeOptions::default());
    for i in 1..=bodies.len() {
        let last = bench.scrape(i as i64 * 1_000);
        assert_eq!(last.error, "");
    }
    dump(&storage, "")
}

#[test]
fn samples_get_the_target_s_labels_and_end_with_a_stale_marker() {
    assert_eq!(
        scraped("", &["a 1\nb{x=\"y\"} 2\n", "a 3\n", "a 4\nb{x=\"y\"} 5\n"]),
        "{__name__=\"a\", job=\"j\"} 1@1000 3@2000 4@3000\n\
         {__name__=\"b\", job=\"j\", x=\"y\"} 2@1000 stale@2000 5@3000\n"
    );
}

#[test]
fn label_of_the_page_that_collides_is_exported_or_honoured() {
    let page = "a{job=\"own\",exported_job=\"e\"} 1\n";
    assert_eq!(
        scraped("", &[page]),
        "{__name__=\"a\", exported_exported_job=\"own\", exported_job=\"e\", job=\"j\"} 1@1000\n"
    );
    assert_eq!(
        scraped("  honor_labels: true", &[page]),
        "{__name__=\"a\", exported_job=\"e\", job=\"own\"} 1@1000\n"
    );
}

#[test]
fn timestamps_of_the_page_are_honoured_unless_told_otherwise() {
    let bodies = ["a 1 500\nb 1\n", "b 1\n"];
    assert_eq!(
        scraped("", &bodies),
        "{__name__=\"a\", job=\"j\"} 1@500\n{__name__=\"b\", job=\"j\"} 1@1000 1@2000\n"
    );
    assert_eq!(
        scraped("  track_timestamps_staleness: true", &bodies),
        "{__name__=\"a\", job=\"j\"} 1@500 stale@2000\n{__name__=\"b\", job=\"j\"} 1@1000 1@2000\n"
    );
    assert_eq!(
        scraped("  honor_timestamps: false", &bodies),
        "{__name__=\"a\", job=\"j\"} 1@1000 stale@2000\n{__name__=\"b\", job=\"j\"} 1@1000 1@2000\n"
    );
}

#[test]
fn metric_relabelling_renames_and_drops() {
    let settings = "  metric_relabel_configs:
  - {source_labels: [__name__], regex: 'go_.*', action: drop}
  - {source_labels: [x], target_label: z}
  - {regex: x, action: labeldrop}";
    let page = "go_a 1\na{x=\"y\"} 2\n";
    assert_eq!(scraped(settings, &[page, page]), "{__name__=\"a\", job=\"j\", z=\"y\"} 2@1000 2@2000\n");
}

#[test]
fn scrape_is_reported_with_its_counts() {
    let storage = Arc::new(FakeStorage::new());
    let server = pages(&["a 1\nb 2\nc 3\n", "a 1\nb 2\nc 3\nd 4\n"]);
    let settings = "  metric_relabel_configs: [{source_labels: [__name__], regex: c, action: drop}]";
    let options = ScrapeOptions { extra_metrics: true, ..ScrapeOptions::default() };
    let mut bench = Bench::new(storage.clone(), &server, settings, options);
    bench.scrape(1_000);
    bench.scrape(2_000);
    assert_eq!(dump(&storage, "up").lines().last(), Some("{__name__=\"up\", job=\"j\"} 1@1000 1@2000"));
    for (name, values) in [
        ("scrape_samples_scraped", "3@1000 4@2000"),
        ("scrape_samples_post_metric_relabeling", "2@1000 3@2000"),
        ("scrape_series_added", "2@1000 1@2000"),
        ("scrape_body_size_bytes", "12@1000 16@2000"),
        ("scrape_timeout_seconds", "10@1000 10@2000"),
        ("scrape_sample_limit", "0@1000 0@2000"),
    ] {
        let expected = format!("{{__name__=\"{name}\", job=\"j\"}} {values}");
        assert!(dump(&storage, name).contains(&expected), "{}", dump(&storage, name));
    }
    assert!(dump(&storage, "scrape_duration_seconds").contains("scrape_duration_seconds"));
}

#[test]
fn nan_of_the_page_is_an_ordinary_nan() {
    let storage = Arc::new(FakeStorage::new());
    let server = pages(&["a NaN\n"]);
    let mut bench = Bench::new(storage.clone(), &server, "", ScrapeOptions::default());
    bench.scrape(1_000);
    let all = storage.dump();
    assert_eq!(all[0].1[0].1.to_bits(), promflow_model::NORMAL_NAN.to_bits());
}

#[test]
fn series_twice_on_a_page_and_samples_out_of_order_are_counted() {
    let storage = Arc::new(FakeStorage::new());
    let server = pages(&["a 1\na 2\nb 1 1000\nc 1 9000000\n", "a 3\nb 1 999\nb 2 1000\n"]);
    let mut bench = Bench::new(storage.clone(), &server, "", ScrapeOptions::default());
    bench.scrape(1_000);
    assert_eq!(bench.scrape(2_000).error, "");
    assert_eq!(
        dump(&storage, ""),
        "{__name__=\"a\", job=\"j\"} 1@1000 3@2000\n{__name__=\"b\", job=\"j\"} 1@1000\n"
    );
    assert_eq!(bench.metric("prometheus_target_scrapes_sample_duplicate_timestamp_total"), "2");
    assert_eq!(bench.metric("prometheus_target_scrapes_sample_out_of_order_total"), "1");
    assert_eq!(bench.metric("prometheus_target_scrapes_sample_out_of_bounds_total"), "1");
}

#[test]
fn metadata_reach_the_store() {
    let head = Arc::new(Head::open(HeadOptions::default()).expect("default options"));
    let server = pages(&["# HELP a What a is.\n# TYPE a counter\na 1\n# TYPE b gauge\nb 2\n"]);
    let mut bench = Bench::new(head.clone(), &server, "", ScrapeOptions::default());
    bench.scrape(1_000);
    let a = head.metadata("a").expect("metadata");
    assert_eq!((a.kind, a.help.as_str()), (MetricType::Counter, "What a is."));
    assert_eq!(head.metadata("b").expect("metadata").kind, MetricType::Gauge);
    let querier = head.querier(0, 9_999).expect("a querier");
    let mut set = querier
        .select(true, &SelectHints::default(), &[Matcher::equal("__name__", "b")])
        .expect("a series set");
    assert!(set.next().is_some());
}

#[test]
fn store_that_takes_no_new_series_still_takes_samples_of_the_old_ones() {
    let options = HeadOptions { max_bytes: 6_000, ..HeadOptions::default() };
    let head = Arc::new(Head::open(options).expect("valid options"));
    let many: String = (0..100).map(|n| format!("n{n} 1\n")).collect();
    let server = pages(&["a 1\n", &format!("a 2\n{many}"), &format!("a 3\n{many}")]);
    let mut bench = Bench::new(head.clone(), &server, "", ScrapeOptions::default());
    assert_eq!(bench.scrape(1_000).error, "");
    bench.scrape(2_000);
    let last = bench.scrape(3_000);
    assert!(
        last.error.starts_with("head limit of 6000 bytes reached: new series are refused"),
        "{}",
        last.error
    );
    assert_eq!(last.health, crate::TargetHealth::Up);
    let querier = head.querier(0, 9_999).expect("a querier");
    let mut set = querier
        .select(true, &SelectHints::default(), &[Matcher::equal("__name__", "a")])
        .expect("a series set");
    let mut buffer = promflow_storage::SampleBuffer::default();
    set.next().expect("the series").expect("a series").samples(&mut buffer).expect("samples");
    assert_eq!(buffer.values, [1.0, 2.0, 3.0]);
}

#[test]
fn request_says_who_asks_for_what() {
    let storage = Arc::new(FakeStorage::new());
    let server = ScriptedServer::start(|request| {
        let header = |name: &str| {
            let found = request.headers.iter().find(|(n, _)| n == name);
            found.map_or_else(String::new, |(_, value)| value.clone())
        };
        assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/m?x=y"));
        assert!(
            header("accept")
                .starts_with("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,")
        );
        assert_eq!(header("accept-encoding"), "gzip");
        assert_eq!(header("user-agent"), promflow_http::USER_AGENT);
        assert_eq!(header("x-prometheus-scrape-timeout-seconds"), "1.5");
        Script::page("ok 1\n")
    });
    let settings = "  metrics_path: /m\n  params: {x: [y]}\n  scrape_timeout: 1s500ms";
    let mut bench = Bench::new(storage, &server, settings, ScrapeOptions::default());
    assert_eq!(bench.scrape(1_000).error, "");
}

#[test]
fn page_over_tls_with_a_password_and_gzip_is_scraped() {
    let storage = Arc::new(FakeStorage::new());
    let server = ScriptedServer::start_tls("metrics.example", |request| {
        let authorized = request.headers.contains(&("authorization".into(), "Basic dTpw".into()));
        if !authorized {
            return Script::status(401);
        }
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(b"# TYPE a counter\na_total 1.0\n# EOF\n").expect("memory");
        let headers = vec![
            ("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8".to_owned()),
            ("Content-Encoding", "gzip".to_owned()),
        ];
        Script::Answer { status: 200, headers, body: packed.finish().expect("memory") }
    });
    let folder = tempfile::tempdir().expect("a folder");
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, server.ca_pem()).expect("a file");
    let tls = format!(
        "  scheme: https\n  tls_config: {{ca_file: '{}', server_name: metrics.example}}",
        ca.display()
    );
    let mut refused = Bench::new(storage.clone(), &server, &tls, ScrapeOptions::default());
    assert_eq!(refused.scrape(500).error, "server returned HTTP status 401 Unauthorized");

    let settings = format!("{tls}\n  basic_auth: {{username: u, password: p}}");
    let mut bench = Bench::new(storage.clone(), &server, &settings, ScrapeOptions::default());
    assert_eq!(bench.scrape(1_000).error, "");
    assert_eq!(dump(&storage, ""), "{__name__=\"a_total\", job=\"j\"} 1@1000\n");
}
