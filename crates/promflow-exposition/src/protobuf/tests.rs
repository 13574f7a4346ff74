use promflow_model::histogram::{CounterResetHint, FloatHistogram, Histogram, NativeHistogram, Span};
use promflow_model::{Labels, MetricType};
use proptest::prelude::*;

use crate::wire::{put_delimited, put_double, put_message, put_text, put_unsigned};
use crate::{
    Entry, Exemplar, Format, HistogramPoint, LabelText, Mode, NativeHistogramPoint, NativeHistograms, Number,
    PageEntry, ParseError, Parser, Reader, SummaryPoint, Writer,
};

/// Reads a page as one line for each entry.
fn lines(page: &[u8], mode: Mode, histograms: NativeHistograms) -> Result<Vec<String>, ParseError> {
    let mut reader = Reader::new(page, Format::Protobuf, mode).native_histograms(histograms);
    let mut lines = Vec::new();
    while let Some(entry) = reader.next() {
        lines.push(match entry? {
            PageEntry::Entry(Entry::Help { metric, text }) => format!("HELP {metric} {text}"),
            PageEntry::Entry(Entry::Type { metric, kind }) => format!("TYPE {metric} {}", kind.as_str()),
            PageEntry::Entry(Entry::Unit { metric, unit }) => format!("UNIT {metric} {unit}"),
            PageEntry::Entry(Entry::Sample(s)) => {
                let series = std::str::from_utf8(s.series()).unwrap();
                assert_eq!(Labels::from_pairs(s.iter()), s.labels());
                let mut line = format!("{series} {}", s.value);
                line.extend(s.t_ms.map(|t| format!(" t={t}")));
                line.extend(s.created_ms.map(|t| format!(" created={t}")));
                line.extend(s.exemplar.map(|e| format!(" # {} {} {:?}", e.labels(), e.value, e.t_ms)));
                line
            }
            PageEntry::Histogram(h) => {
                let exemplars: Vec<_> =
                    h.exemplars.iter().map(|e| format!(" # {} {}", e.labels, e.value)).collect();
                let float = h.histogram.to_float();
                let (count, sum) = (float.count, float.sum);
                format!("{} native count={count} sum={sum}{}", h.labels(), exemplars.concat())
            }
            PageEntry::Entry(Entry::Comment(_) | Entry::Eof) => panic!("no such entry in protobuf"),
        });
    }
    Ok(lines)
}

fn native() -> NativeHistogram {
    NativeHistogram::Int(Histogram {
        schema: 3,
        zero_threshold: 1e-128,
        zero_count: 1,
        count: 6,
        sum: 12.5,
        positive_spans: vec![Span { offset: -2, length: 2 }, Span { offset: 1, length: 1 }],
        positive_buckets: vec![1, 1, -1],
        negative_spans: vec![Span { offset: 0, length: 1 }],
        negative_buckets: vec![1],
        ..Histogram::default()
    })
}

fn page() -> Vec<u8> {
    let labels = LabelText::new([("method", "GET"), ("a.b", "x\"y\n")]);
    let exemplar = Exemplar { labels: LabelText::new([("trace_id", "t")]), value: 0.3, t_seconds: Some(1.5) };
    let none = LabelText::default();
    let mut writer = Writer::new(Format::Protobuf);
    writer.constant_labels(LabelText::new([("service", "shop")]));
    writer.family("http_requests_total", MetricType::Counter, "requests", "All \"requests\".\nReally.");
    writer.counter(&labels, Number::Int(3), Some(1.25), Some(&exemplar));
    writer.family("temperature_celsius", MetricType::Gauge, "celsius", "");
    writer.gauge(&none, -0.5);
    writer.family("size_bytes", MetricType::Histogram, "other", "");
    let exemplars = [Some(exemplar.clone()), None, None];
    let classic =
        HistogramPoint { bounds: &[1.0, 2.5], counts: &[1, 0, 2], sum: 20.5, exemplars: &exemplars };
    writer.histogram(&none, classic, Some(2.0));
    writer.family("delay_seconds", MetricType::Summary, "", "");
    writer.summary(&none, SummaryPoint { quantiles: &[(0.5, 0.1)], sum: 4.0, count: 2 }, None);
    writer.family("build_info", MetricType::Info, "", "");
    writer.info(&LabelText::new([("version", "1")]));
    writer.family("power", MetricType::StateSet, "", "");
    writer.state_set(&none, &[("on", true), ("off", false)]);
    writer.family("my.metric", MetricType::Unknown, "", "");
    writer.gauge(&none, 7.0);
    writer.family("latency_seconds", MetricType::Histogram, "", "");
    let point = NativeHistogramPoint { histogram: &native(), classic: None, exemplars: &[exemplar] };
    writer.native_histogram(&none, point, None);
    let classic = HistogramPoint { counts: &[1, 2, 3], sum: 0.0, ..classic };
    let point = NativeHistogramPoint { histogram: &native(), classic: Some(classic), exemplars: &[] };
    writer.native_histogram(&LabelText::new([("path", "/")]), point, None);
    writer.finish()
}

const CLASSIC_LINES: &[&str] = &[
    "HELP http_requests_total All \"requests\".\nReally.",
    "TYPE http_requests_total counter",
    "UNIT http_requests_total requests",
    "http_requests_total{service=\"shop\",method=\"GET\",\"a.b\"=\"x\\\"y\\n\"} 3 created=1250 \
     # {trace_id=\"t\"} 0.3 Some(1500)",
    "TYPE temperature_celsius gauge",
    "UNIT temperature_celsius celsius",
    "temperature_celsius{service=\"shop\"} -0.5",
    "TYPE size_bytes histogram",
    "size_bytes_count{service=\"shop\"} 3 created=2000",
    "size_bytes_sum{service=\"shop\"} 20.5 created=2000",
    "size_bytes_bucket{service=\"shop\",le=\"1.0\"} 1 created=2000 # {trace_id=\"t\"} 0.3 Some(1500)",
    "size_bytes_bucket{service=\"shop\",le=\"2.5\"} 1 created=2000",
    "size_bytes_bucket{service=\"shop\",le=\"+Inf\"} 3 created=2000",
    "TYPE delay_seconds summary",
    "delay_seconds_count{service=\"shop\"} 2",
    "delay_seconds_sum{service=\"shop\"} 4",
    "delay_seconds{service=\"shop\",quantile=\"0.5\"} 0.1",
    "TYPE build_info gauge",
    "build_info{service=\"shop\",version=\"1\"} 1",
    "TYPE power gauge",
    "power{service=\"shop\",power=\"on\"} 1",
    "power{service=\"shop\",power=\"off\"} 0",
    "TYPE my.metric unknown",
    "{\"my.metric\",service=\"shop\"} 7",
    "TYPE latency_seconds histogram",
];

#[test]
fn what_is_written_is_read_back_in_both_modes() {
    let native_lines = [
        "{__name__=\"latency_seconds\", service=\"shop\"} native count=6 sum=12.5 # {trace_id=\"t\"} 0.3",
        "{__name__=\"latency_seconds\", path=\"/\", service=\"shop\"} native count=6 sum=12.5 \
         # {trace_id=\"t\"} 0.3",
    ];
    for mode in [Mode::Prometheus, Mode::Strict] {
        let read = lines(&page(), mode, NativeHistograms::Native).unwrap();
        assert_eq!(read, [CLASSIC_LINES, &native_lines].concat());
    }
}

#[test]
fn native_histograms_are_read_as_asked() {
    let both = lines(&page(), Mode::Strict, NativeHistograms::WithClassic).unwrap();
    assert_eq!(both.len(), CLASSIC_LINES.len() + 2 + 5, "{both:?}");
    assert_eq!(both.last().unwrap(), "latency_seconds_bucket{service=\"shop\",path=\"/\",le=\"+Inf\"} 6");
    let classic = lines(&page(), Mode::Prometheus, NativeHistograms::Ignore).unwrap();
    assert_eq!(
        classic[CLASSIC_LINES.len()..CLASSIC_LINES.len() + 3],
        [
            "latency_seconds_count{service=\"shop\"} 6",
            "latency_seconds_sum{service=\"shop\"} 12.5",
            "latency_seconds_bucket{service=\"shop\",le=\"+Inf\"} 6"
        ]
    );
}

fn read_native(page: &[u8]) -> NativeHistogram {
    let mut reader = Reader::new(page, Format::Protobuf, Mode::Strict);
    while let Some(entry) = reader.next() {
        if let PageEntry::Histogram(entry) = entry.unwrap() {
            return entry.histogram;
        }
    }
    panic!("no native histogram")
}

fn write_native(kind: MetricType, histogram: &NativeHistogram) -> Vec<u8> {
    let mut writer = Writer::new(Format::Protobuf);
    writer.family("h", kind, "", "");
    let point = NativeHistogramPoint { histogram, classic: None, exemplars: &[] };
    writer.native_histogram(&LabelText::default(), point, None);
    writer.finish()
}

#[test]
fn native_histograms_of_every_form_are_read_back_equal() {
    let float = NativeHistogram::Float(FloatHistogram { count: 6.5, ..native().to_float() });
    let empty = Histogram { schema: -4, positive_spans: vec![Span::default()], ..Histogram::default() };
    for histogram in [native(), float, empty.into()] {
        assert_eq!(read_native(&write_native(MetricType::Histogram, &histogram)), histogram);
    }
    let NativeHistogram::Int(mut gauge) = read_native(&write_native(MetricType::GaugeHistogram, &native()))
    else {
        panic!("became fractional")
    };
    assert_eq!(gauge.counter_reset_hint, CounterResetHint::GaugeType);
    gauge.counter_reset_hint = CounterResetHint::Unknown;
    assert_eq!(NativeHistogram::Int(gauge), native());
}

/// Writes a page of one family.
fn family(name: &str, kind: u64, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut page = Vec::new();
    put_delimited(&mut page, |out| {
        put_text(out, 1, name);
        put_unsigned(out, 3, kind);
        write(out);
    });
    page
}

fn gauge(out: &mut Vec<u8>, labels: &[(&str, &str)]) {
    put_message(out, 4, |out| {
        for (name, value) in labels {
            put_message(out, 1, |out| {
                put_text(out, 1, name);
                put_text(out, 2, value);
            });
        }
        put_message(out, 2, |out| put_double(out, 1, 1.0));
    });
}

fn refused(page: &[u8], mode: Mode, expected: &str) {
    let error = lines(page, mode, NativeHistograms::Native).expect_err(expected);
    assert!(error.message.contains(expected), "{error}, expected {expected}");
    assert!(error.to_string().starts_with(&format!("byte {}: ", error.offset)), "{error}");
    assert!(error.offset <= page.len() && error.line == 0);
}

#[test]
fn what_no_reader_takes_is_refused_in_both_modes() {
    for mode in [Mode::Prometheus, Mode::Strict] {
        refused(&family("", 1, |out| gauge(out, &[])), mode, "invalid metric name \"\"");
        refused(&family("m", 9, |out| gauge(out, &[])), mode, "unknown metric type for metric \"m\": 9");
        refused(&family("m", 1, |out| gauge(out, &[("", "x")])), mode, "empty label name");
        refused(&family("m", 1, |out| gauge(out, &[("a", "1"), ("a", "2")])), mode, "\"a\" is not unique");
        refused(&family("m", 1, |out| gauge(out, &[("__name__", "x")])), mode, "is reserved");
        let unit = family("m", 1, |out| {
            gauge(out, &[]);
            put_text(out, 5, "seconds");
        });
        refused(&unit, mode, "unit \"seconds\" not a suffix of metric \"m\"");
        refused(&page()[..100], mode, "passes the end of its message");
        refused(
            &family("m\u{0}", 1, |out| out.extend([0x22, 0x01, 0xff])),
            mode,
            "unexpected end in an integer",
        );
    }
}

#[test]
fn what_the_specification_refuses_is_read_in_prometheus_mode() {
    let once = family("m", 1, |out| gauge(out, &[]));
    let repeated = family("m", 1, |out| (0..2).for_each(|_| gauge(out, &[])));
    let mistyped = family("m", 0, |out| gauge(out, &[]));
    let no_value = family("m", 0, |out| put_message(out, 4, |_| {}));
    let unordered = family("m", 4, |out| {
        put_message(out, 4, |out| {
            put_message(out, 7, |out| {
                for bound in [2.0, 1.0] {
                    put_message(out, 3, |out| put_double(out, 2, bound));
                }
            });
        });
    });
    let NativeHistogram::Int(histogram) = native() else { panic!("is whole") };
    let miscounted = write_native(MetricType::Histogram, &Histogram { count: 99, ..histogram }.into());
    for (page, expected) in [
        ([once.clone(), once].concat(), "metric \"m\" appears in two places"),
        (repeated, "second sample of series {__name__=\"m\"}"),
        (mistyped, "metric of type counter has a value of another"),
        (no_value, "metric of type counter has no value"),
        (unordered, "histogram buckets are out of order"),
        (miscounted, "6 observations found in buckets, but the Count field is 99"),
    ] {
        refused(&page, Mode::Strict, expected);
        assert!(lines(&page, Mode::Prometheus, NativeHistograms::Native).is_ok(), "{expected}");
    }
}

#[test]
fn families_without_metrics_are_passed_over() {
    let page = [family("a", 1, |_| {}), family("b", 1, |out| gauge(out, &[("x", "")]))].concat();
    let read = lines(&page, Mode::Strict, NativeHistograms::Native).unwrap();
    assert_eq!(read, ["TYPE b gauge", "b{x=\"\"} 1"]);
}

#[test]
fn a_text_parser_refuses_protobuf_and_ends() {
    let page = page();
    let mut parser = Parser::new(&page, Format::Protobuf, Mode::Prometheus);
    assert_eq!(parser.next().unwrap().unwrap_err().message, "protobuf is no text");
    assert!(parser.next().is_none());
}

fn check_any(page: &[u8]) {
    for mode in [Mode::Prometheus, Mode::Strict] {
        for histograms in [NativeHistograms::Native, NativeHistograms::WithClassic, NativeHistograms::Ignore]
        {
            match lines(page, mode, histograms) {
                Ok(lines) => assert!(lines.len() <= page.len() * 3 + 1),
                Err(error) => assert!(error.offset <= page.len()),
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_end_without_a_panic(page in prop::collection::vec(any::<u8>(), 0..300)) {
        check_any(&page);
    }

    #[test]
    fn a_damaged_page_ends_without_a_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut page = page();
        for (place, byte) in damage {
            let place = place.index(page.len());
            page[place] = byte;
        }
        check_any(&page);
        check_any(&page[..cut.index(page.len())]);
    }

    #[test]
    fn labels_and_values_are_read_back(
        pairs in prop::collection::btree_map(".{1,6}", any::<String>(), 0..5),
        name in ".{1,8}",
        value in any::<f64>(),
    ) {
        prop_assume!(!pairs.contains_key("__name__"));
        let mut writer = Writer::new(Format::Protobuf);
        writer.family(&name, MetricType::Gauge, "", "");
        writer.gauge(&LabelText::new(pairs.iter().map(|(n, v)| (n.as_str(), v.as_str()))), value);
        let page = writer.finish();
        let mut reader = Reader::new(&page, Format::Protobuf, Mode::Strict);
        reader.next().unwrap().unwrap();
        let Some(Ok(PageEntry::Entry(Entry::Sample(sample)))) = reader.next() else { panic!("no sample") };
        prop_assert_eq!(sample.value.to_bits(), value.to_bits());
        let mut expected = pairs;
        expected.insert("__name__".to_owned(), name);
        let found: std::collections::BTreeMap<_, _> =
            sample.iter().map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
        prop_assert_eq!(found, expected);
    }
}
