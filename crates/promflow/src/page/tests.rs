use promflow_exposition::{Mode, PageEntry, Parser, Reader};
use promflow_registry::Native;

use super::bridged::sanitize_name;
use super::*;

struct Fixed(Vec<BridgedFamily>);

impl Bridge for Fixed {
    fn collect(&self) -> Vec<BridgedFamily> {
        self.0.clone()
    }
}

fn family(name: &str, kind: MetricType, series: Vec<BridgedSeries>) -> BridgedFamily {
    BridgedFamily { name: name.to_owned(), kind, unit: String::new(), help: "Of others.".to_owned(), series }
}

fn page() -> Page {
    let registry = Registry::new();
    registry.counter("own_total", "Own.", &[]).with(&[]).inc();
    let labels = [("env".to_owned(), "dev".to_owned())];
    let page = Page::with_default_labels(&registry, &labels).unwrap();
    page.add_bridge(Fixed(vec![
        family("own_total", MetricType::Counter, vec![BridgedSeries::new([], Point::Value(9.0))]),
        family(
            "theirs_total",
            MetricType::Counter,
            vec![
                BridgedSeries::new([("z", "1"), ("a.b", "x"), ("a_b", "y")], Point::Value(2.0)),
                BridgedSeries::new([("env", "prod")], Point::Value(3.0)),
            ],
        ),
        family(
            "took_seconds",
            MetricType::Histogram,
            vec![BridgedSeries::new(
                [],
                Point::Histogram { bounds: vec![0.5], counts: vec![2, 1], sum: 4.5 },
            )],
        ),
        family("empty", MetricType::Gauge, Vec::new()),
    ]));
    page
}

#[test]
fn bridged_families_stand_beside_those_of_the_registry() {
    let text = String::from_utf8(page().encode(Format::Text)).unwrap();
    for line in [
        r#"own_total{env="dev"} 1"#,
        r#"theirs_total{env="dev",a_b="x;y",z="1"} 2"#,
        r#"theirs_total{env="prod"} 3"#,
        r#"took_seconds_bucket{env="dev",le="+Inf"} 3"#,
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains(" 9\n") && !text.contains("empty"), "{text}");
}

#[test]
fn page_with_bridged_families_holds_to_the_formats() {
    for format in [Format::Text, Format::OpenMetrics] {
        let page = page().encode(format);
        for entry in Parser::new(&page, format, Mode::Strict) {
            entry.unwrap_or_else(|e| panic!("{e}"));
        }
    }
}

/// What a page that is asked for so is read as, without its content type's other parts.
fn asked(page: &Page, accept: &str) -> (String, Vec<u8>) {
    let negotiated = Negotiated::from_accept(accept);
    (negotiated.content_type(), page.encode_negotiated(&negotiated))
}

#[test]
fn names_are_escaped_as_the_scraper_asks() {
    let page = Page::new(&Registry::new());
    let series = || vec![BridgedSeries::new([], Point::Value(2.0))];
    page.add_bridge(Fixed(vec![family("http.sent", MetricType::Gauge, series())]));
    for (accept, line) in [
        ("*/*", "http_sent 2"),
        ("text/plain;version=0.0.4;escaping=underscores", "http_sent 2"),
        ("text/plain;version=1.0.0;escaping=allow-utf-8", "{\"http.sent\"} 2"),
        ("text/plain;version=1.0.0;escaping=dots", "http_dot_sent 2"),
        ("application/openmetrics-text;version=1.0.0;escaping=values", "U__http_2e_sent 2"),
        ("application/openmetrics-text;version=2.0.0;escaping=allow-utf-8", "{\"http.sent\"} 2"),
    ] {
        let (content_type, text) = asked(&page, accept);
        let text = String::from_utf8(text).unwrap();
        assert!(text.lines().any(|l| l == line), "{accept}: {line} is not in\n{text}");
        assert_eq!(content_type.contains("escaping="), accept.contains("escaping="), "{content_type}");
        assert_eq!(text.ends_with("# EOF\n"), accept.contains("openmetrics"), "{text}");
        assert_eq!(text.matches("# EOF").count(), usize::from(accept.contains("openmetrics")));
    }
}

#[test]
fn protobuf_has_native_histograms_and_what_bridges_bring() {
    let page = page();
    let took = page.registry().metric("native_seconds", "Took.").buckets(&[1.0]).native(Native::default());
    took.histogram().unwrap().with(&[]).observe(0.3);
    let accept = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,*/*;q=0.1";
    let (content_type, body) = asked(&page, accept);
    assert!(content_type.starts_with("application/vnd.google.protobuf"), "{content_type}");
    let mut reader = Reader::new(&body, Format::Protobuf, Mode::Strict);
    let (mut natives, mut samples) = (Vec::new(), Vec::new());
    while let Some(entry) = reader.next() {
        match entry.unwrap() {
            PageEntry::Histogram(histogram) => natives.push(histogram.labels().to_string()),
            PageEntry::Entry(promflow_exposition::Entry::Sample(sample)) => {
                samples.push((sample.labels().to_string(), sample.value));
            }
            PageEntry::Entry(_) => {}
        }
    }
    assert_eq!(natives, [r#"{__name__="native_seconds", env="dev"}"#]);
    let has = |labels: &str, value| samples.iter().any(|(l, v)| l == labels && *v == value);
    assert!(has(r#"{__name__="own_total", env="dev"}"#, 1.0), "{samples:?}");
    assert!(has(r#"{__name__="theirs_total", env="prod"}"#, 3.0), "{samples:?}");
    assert!(has(r#"{__name__="took_seconds_bucket", env="dev", le="+Inf"}"#, 3.0), "{samples:?}");
    assert!(!samples.iter().any(|(_, value)| *value == 9.0), "{samples:?}");
}

#[test]
fn families_whose_samples_are_taken_are_left_out() {
    let registry = Registry::new();
    registry.histogram("took", "Own.", &[], &[1.0]).with(&[]).observe(0.5);
    registry.counter("seen_total", "Own.", &[]);
    let page = Page::new(&registry);
    let series = |value| vec![BridgedSeries::new([], Point::Value(value))];
    page.add_bridge(Fixed(vec![
        family("took_sum", MetricType::Gauge, series(7.0)),
        family("took", MetricType::Gauge, series(7.0)),
        family("seen", MetricType::Gauge, series(7.0)),
        family("free", MetricType::Gauge, series(3.0)),
    ]));
    page.add_bridge(Fixed(vec![family("free", MetricType::Gauge, series(7.0))]));
    let text = String::from_utf8(page.encode(Format::Text)).unwrap();
    assert!(text.contains("free 3\n") && !text.contains(" 7\n"), "{text}");
}

#[cfg(feature = "page")]
#[test]
fn answer_says_in_what_it_is_written() {
    use http::header::{ACCEPT, HeaderMap};
    let headers = |accept: &str| HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]);
    for (accept, content_type) in [
        ("text/html", "text/plain; version=0.0.4; charset=utf-8"),
        (
            "application/openmetrics-text;version=2.0.0,application/openmetrics-text;version=1.0.0;q=0.5",
            "application/openmetrics-text; version=2.0.0; charset=utf-8",
        ),
        (
            promflow_exposition::SCRAPE_ACCEPT,
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
        ),
    ] {
        assert_eq!(page().answer(&headers(accept)).content_type, content_type, "{accept}");
    }
}

#[test]
fn names_become_such_as_text_can_carry() {
    for (name, is_metric, expected) in [
        ("http.route", false, "http_route"),
        ("a:b", true, "a:b"),
        ("a:b", false, "a_b"),
        ("9lives", true, "_9lives"),
        ("", true, "_"),
    ] {
        assert_eq!(sanitize_name(name, is_metric), expected);
    }
}
