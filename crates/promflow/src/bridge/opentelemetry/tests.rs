use ::opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{Aggregation, Instrument, SdkMeterProvider, Stream};
use promflow_exposition::{Mode, Parser};
use promflow_registry::{Format, Registry};

use super::*;
use crate::page::Page;

#[test]
fn instruments_are_on_the_page() {
    let reader = Reader::new();
    let resource = Resource::builder_empty().with_attribute(KeyValue::new("service.name", "shop")).build();
    let exponential = |instrument: &Instrument| {
        (instrument.name() == "wide").then(|| {
            let aggregation =
                Aggregation::Base2ExponentialHistogram { max_size: 20, max_scale: 4, record_min_max: true };
            Stream::builder().with_aggregation(aggregation).build().unwrap()
        })
    };
    let provider = SdkMeterProvider::builder()
        .with_reader(reader.clone())
        .with_resource(resource)
        .with_view(exponential)
        .build();
    let meter = provider.meter("shop");
    let attributes = [KeyValue::new("http.route", "/a"), KeyValue::new("ok", true)];
    meter.f64_counter("http.sent").with_unit("By").build().add(2.5, &attributes);
    meter.i64_up_down_counter("queue.size").with_unit("{message}").build().add(-3, &[]);
    meter.f64_gauge("used").with_unit("1").with_description("How full.").build().record(0.5, &[]);
    let took = meter.f64_histogram("took").with_unit("s").with_boundaries(vec![0.5, 1.0]).build();
    took.record(0.7, &[]);
    took.record(4.0, &[]);
    meter.u64_histogram("wide").build().record(7, &[]);
    provider.meter("").u64_counter("speed").with_unit("MiBy/s").build().add(1, &[]);

    let page = Page::new(&Registry::new());
    page.add_bridge(reader);
    let text = String::from_utf8(page.encode(Format::Text)).unwrap();
    for line in [
        r#"http_sent_bytes_total{http_route="/a",ok="true",otel_scope_name="shop"} 2.5"#,
        r#"queue_size{otel_scope_name="shop"} -3"#,
        "# HELP used_ratio How full.",
        r#"used_ratio{otel_scope_name="shop"} 0.5"#,
        r#"took_seconds_bucket{otel_scope_name="shop",le="1"} 1"#,
        r#"took_seconds_bucket{otel_scope_name="shop",le="+Inf"} 2"#,
        r#"took_seconds_sum{otel_scope_name="shop"} 4.7"#,
        r#"wide_bucket{otel_scope_name="shop",le="+Inf"} 1"#,
        r#"wide_sum{otel_scope_name="shop"} 7"#,
        "speed_mebibytes_per_second_total 1",
        r#"target_info{service_name="shop"} 1"#,
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    for format in [Format::Text, Format::OpenMetrics] {
        let page = page.encode(format);
        for entry in Parser::new(&page, format, Mode::Strict) {
            entry.unwrap_or_else(|e| panic!("{e}"));
        }
    }
    provider.shutdown().unwrap();
    assert!(!String::from_utf8(page.encode(Format::Text)).unwrap().contains("target_info"));
}

#[test]
fn units_become_words() {
    for (unit, kind, expected) in [
        ("s", MetricType::Histogram, "seconds"),
        ("1", MetricType::Gauge, "ratio"),
        ("1", MetricType::Counter, ""),
        ("{request}", MetricType::Counter, ""),
        ("{request}/s", MetricType::Gauge, "per_second"),
        ("m/s", MetricType::Gauge, "meters_per_second"),
        ("foo.bar", MetricType::Gauge, "foo_bar"),
        ("", MetricType::Gauge, ""),
    ] {
        assert_eq!(unit::word(unit, kind), expected, "{unit}");
    }
}
