use promflow_exposition::{Mode, Parser};

use super::collected::sanitize_name;
use super::*;

struct Fixed(Vec<CollectedFamily>);

impl Collector for Fixed {
    fn collect(&self) -> Vec<CollectedFamily> {
        self.0.clone()
    }
}

fn family(name: &str, kind: MetricType, series: Vec<CollectedSeries>) -> CollectedFamily {
    CollectedFamily {
        name: name.to_owned(),
        kind,
        unit: String::new(),
        help: "Of others.".to_owned(),
        series,
    }
}

fn page() -> Page {
    let registry = Registry::new();
    registry.counter("own_total", "Own.", &[]).with(&[]).inc();
    let labels = [("env".to_owned(), "dev".to_owned())];
    let page = Page::with_default_labels(&registry, &labels).unwrap();
    page.add_collector(Fixed(vec![
        family("own_total", MetricType::Counter, vec![CollectedSeries::new([], Point::Value(9.0))]),
        family(
            "theirs_total",
            MetricType::Counter,
            vec![
                CollectedSeries::new([("z", "1"), ("a.b", "x"), ("a_b", "y")], Point::Value(2.0)),
                CollectedSeries::new([("env", "prod")], Point::Value(3.0)),
            ],
        ),
        family(
            "took_seconds",
            MetricType::Histogram,
            vec![CollectedSeries::new(
                [],
                Point::Histogram { bounds: vec![0.5], counts: vec![2, 1], sum: 4.5 },
            )],
        ),
        family("empty", MetricType::Gauge, Vec::new()),
    ]));
    page
}

#[test]
fn collected_families_stand_beside_those_of_the_registry() {
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
fn page_with_collected_families_holds_to_the_formats() {
    for format in [Format::Text, Format::OpenMetrics] {
        let page = page().encode(format);
        for entry in Parser::new(&page, format, Mode::Strict) {
            entry.unwrap_or_else(|e| panic!("{e}"));
        }
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
