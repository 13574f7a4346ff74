use promflow_model::MetricType;
use promflow_model::histogram::{CUSTOM_BUCKETS_SCHEMA, FloatHistogram, Histogram, Span};
use proptest::prelude::*;

use super::*;
use crate::{Entry, Mode, PageEntry, Parser, Reader};

fn page(format: Format) -> String {
    let labels = LabelText::new([("method", "GET"), ("path", "a\"b\\c\n")]);
    let exemplar = Exemplar { labels: LabelText::new([("trace_id", "t")]), value: 0.3, t_seconds: Some(1.5) };
    let mut writer = Writer::new(format);
    writer.family("http_requests_total", MetricType::Counter, "", "All \"requests\".\nReally.");
    writer.counter(&labels, Number::Int(u64::MAX), Some(1.25), Some(&exemplar));
    writer.family("temperature_celsius", MetricType::Gauge, "celsius", "Heat.");
    writer.gauge(&LabelText::default(), -0.5);
    writer.family("size_bytes", MetricType::Histogram, "bytes", "");
    let exemplars = [Some(exemplar), None, None];
    let point = HistogramPoint { bounds: &[1.0, 2.5], counts: &[1, 0, 2], sum: 20.5, exemplars: &exemplars };
    writer.histogram(&LabelText::default(), point, None);
    writer.family("delay_seconds", MetricType::Summary, "seconds", "");
    let quantiles = [(0.5, 1e-7), (1.0, 3.0)];
    writer.summary(&LabelText::default(), SummaryPoint { quantiles: &quantiles, sum: 4.0, count: 2 }, None);
    writer.family("build_info", MetricType::Info, "", "");
    writer.info(&LabelText::new([("version", "1")]));
    writer.family("my.metric", MetricType::Unknown, "", "");
    writer.gauge(&LabelText::new([("a.b", "1")]), 1e15);
    writer.family("sizes", MetricType::GaugeHistogram, "", "");
    let point = HistogramPoint { bounds: &[-1.0], counts: &[1, 2], sum: -0.5, exemplars: &[] };
    writer.histogram(&LabelText::default(), point, Some(1.25));
    writer.family("power", MetricType::StateSet, "power", "");
    writer.state_set(&LabelText::new([("host", "a")]), &[("on", true), ("off", false)]);
    writer.family("latency_seconds", MetricType::Histogram, "", "");
    let histogram = native();
    let exemplars = [Exemplar { labels: LabelText::default(), value: 2.0, t_seconds: Some(9.0) }];
    let point = NativeHistogramPoint { histogram: &histogram, classic: None, exemplars: &exemplars };
    writer.native_histogram(&LabelText::default(), point, Some(1.25));
    let classic = HistogramPoint { bounds: &[1.0], counts: &[5, 2], sum: 0.0, exemplars: &[] };
    let point = NativeHistogramPoint { classic: Some(classic), ..point };
    writer.native_histogram(&LabelText::new([("a", "b")]), point, None);
    writer.family("wait_seconds", MetricType::Histogram, "", "");
    let custom = custom();
    let point = NativeHistogramPoint { histogram: &custom, classic: None, exemplars: &[] };
    writer.native_histogram(&LabelText::default(), point, None);
    String::from_utf8(writer.finish()).unwrap()
}

fn native() -> NativeHistogram {
    NativeHistogram::Int(Histogram {
        schema: 3,
        zero_threshold: 1e-128,
        zero_count: 1,
        count: 7,
        sum: 12.5,
        positive_spans: vec![
            Span { offset: -2, length: 2 },
            Span { offset: 1, length: 0 },
            Span { offset: 2, length: 1 },
        ],
        positive_buckets: vec![1, 1, -1],
        negative_spans: vec![Span { offset: 4, length: 1 }],
        negative_buckets: vec![2],
        ..Histogram::default()
    })
}

fn custom() -> NativeHistogram {
    NativeHistogram::Float(FloatHistogram {
        schema: CUSTOM_BUCKETS_SCHEMA,
        count: 4.5,
        sum: 7.0,
        positive_spans: vec![Span { offset: 1, length: 2 }],
        positive_buckets: vec![1.5, 3.0],
        custom_values: vec![0.5, 1.0],
        ..FloatHistogram::default()
    })
}

#[test]
fn text_is_written_as_the_format_says() {
    assert_eq!(
        page(Format::Text),
        r#"# HELP http_requests_total All "requests".\nReally.
# TYPE http_requests_total counter
http_requests_total{method="GET",path="a\"b\\c\n"} 18446744073709551615
# HELP temperature_celsius Heat.
# TYPE temperature_celsius gauge
temperature_celsius -0.5
# TYPE size_bytes histogram
size_bytes_bucket{le="1"} 1
size_bytes_bucket{le="2.5"} 1
size_bytes_bucket{le="+Inf"} 3
size_bytes_sum 20.5
size_bytes_count 3
# TYPE delay_seconds summary
delay_seconds{quantile="0.5"} 1e-07
delay_seconds{quantile="1"} 3
delay_seconds_sum 4
delay_seconds_count 2
# TYPE build_info gauge
build_info{version="1"} 1
# TYPE "my.metric" untyped
{"my.metric","a.b"="1"} 1e+15
# TYPE sizes histogram
sizes_bucket{le="-1"} 1
sizes_bucket{le="+Inf"} 3
sizes_sum -0.5
sizes_count 3
# TYPE power gauge
power{host="a",power="on"} 1
power{host="a",power="off"} 0
# TYPE latency_seconds histogram
latency_seconds_bucket{le="+Inf"} 7
latency_seconds_sum 12.5
latency_seconds_count 7
latency_seconds_bucket{a="b",le="1"} 5
latency_seconds_bucket{a="b",le="+Inf"} 7
latency_seconds_sum{a="b"} 12.5
latency_seconds_count{a="b"} 7
# TYPE wait_seconds histogram
wait_seconds_bucket{le="0.5"} 0
wait_seconds_bucket{le="1"} 1.5
wait_seconds_bucket{le="+Inf"} 4.5
wait_seconds_sum 7
wait_seconds_count 4.5
"#
    );
}

#[test]
fn openmetrics_is_written_as_the_format_says() {
    assert_eq!(
        page(Format::OpenMetrics),
        r#"# HELP http_requests All \"requests\".\nReally.
# TYPE http_requests counter
http_requests_total{method="GET",path="a\"b\\c\n"} 18446744073709551615 # {trace_id="t"} 0.3 1.5
http_requests_created{method="GET",path="a\"b\\c\n"} 1.25
# HELP temperature_celsius Heat.
# TYPE temperature_celsius gauge
# UNIT temperature_celsius celsius
temperature_celsius -0.5
# TYPE size_bytes histogram
# UNIT size_bytes bytes
size_bytes_bucket{le="1.0"} 1 # {trace_id="t"} 0.3 1.5
size_bytes_bucket{le="2.5"} 1
size_bytes_bucket{le="+Inf"} 3
size_bytes_sum 20.5
size_bytes_count 3
# TYPE delay_seconds summary
# UNIT delay_seconds seconds
delay_seconds{quantile="0.5"} 1e-07
delay_seconds{quantile="1.0"} 3
delay_seconds_sum 4
delay_seconds_count 2
# TYPE build info
build_info{version="1"} 1
# TYPE "my.metric" unknown
{"my.metric","a.b"="1"} 1e+15
# TYPE sizes gaugehistogram
sizes_bucket{le="-1.0"} 1
sizes_bucket{le="+Inf"} 3
sizes_gsum -0.5
sizes_gcount 3
# TYPE power stateset
power{host="a",power="on"} 1
power{host="a",power="off"} 0
# TYPE latency_seconds histogram
latency_seconds_bucket{le="+Inf"} 7
latency_seconds_sum 12.5
latency_seconds_count 7
latency_seconds_created 1.25
latency_seconds_bucket{a="b",le="1.0"} 5
latency_seconds_bucket{a="b",le="+Inf"} 7
latency_seconds_sum{a="b"} 12.5
latency_seconds_count{a="b"} 7
# TYPE wait_seconds histogram
wait_seconds_bucket{le="0.5"} 0
wait_seconds_bucket{le="1.0"} 1.5
wait_seconds_bucket{le="+Inf"} 4.5
wait_seconds_sum 7
wait_seconds_count 4.5
# EOF
"#
    );
}

#[test]
fn openmetrics_2_is_written_as_the_format_says() {
    assert_eq!(
        page(Format::OpenMetrics2),
        r#"# HELP http_requests_total All \"requests\".\nReally.
# TYPE http_requests_total counter
http_requests_total{method="GET",path="a\"b\\c\n"} 18446744073709551615 st@1.25 # {trace_id="t"} 0.3 1.5
# HELP temperature_celsius Heat.
# TYPE temperature_celsius gauge
# UNIT temperature_celsius celsius
temperature_celsius -0.5
# TYPE size_bytes histogram
# UNIT size_bytes bytes
size_bytes {count:3,sum:20.5,bucket:[1.0:1,2.5:1,+Inf:3]} # {trace_id="t"} 0.3 1.5
# TYPE delay_seconds summary
# UNIT delay_seconds seconds
delay_seconds {count:2,sum:4,quantile:[0.5:1e-07,1.0:3]}
# TYPE build_info info
build_info{version="1"} 1
# TYPE "my.metric" unknown
{"my.metric","a.b"="1"} 1e+15
# TYPE sizes gaugehistogram
sizes {gcount:3,gsum:-0.5,bucket:[-1.0:1,+Inf:3]}
# TYPE power stateset
power{host="a",power="on"} 1
power{host="a",power="off"} 0
# TYPE latency_seconds histogram
latency_seconds {count:7,sum:12.5,schema:3,zero_threshold:1e-128,zero_count:1,negative_spans:[4:1],negative_buckets:[2],positive_spans:[-2:2,3:1],positive_buckets:[1,2,1]} st@1.25 # {} 2 9
latency_seconds{a="b"} {count:7,sum:12.5,schema:3,zero_threshold:1e-128,zero_count:1,negative_spans:[4:1],negative_buckets:[2],positive_spans:[-2:2,3:1],positive_buckets:[1,2,1],bucket:[1.0:5,+Inf:7]} # {} 2 9
# TYPE wait_seconds histogram
wait_seconds {count:4.5,sum:7,bucket:[0.5:0,1.0:1.5,+Inf:4.5]}
# EOF
"#
    );
}

#[test]
fn names_are_escaped_for_those_who_ask() {
    let written = |format, escaping| {
        let mut writer = Writer::new(format);
        writer.escape_names(escaping);
        writer.constant_labels(LabelText::new([("service.name", "a.b")]));
        writer.family("http.requests_total", MetricType::Counter, "", "");
        writer.counter(&LabelText::new([("http.method", "G\"T"), ("b", "c")]), Number::Int(1), None, None);
        writer.finish()
    };
    for (escaping, expected) in [
        (Escaping::AllowUtf8, r#"{"http.requests_total","service.name"="a.b","http.method"="G\"T",b="c"} 1"#),
        (Escaping::Underscores, r#"http_requests_total{service_name="a.b",http_method="G\"T",b="c"} 1"#),
        (
            Escaping::Dots,
            r#"http_dot_requests__total{service_dot_name="a.b",http_dot_method="G\"T",b="c"} 1"#,
        ),
        (
            Escaping::Values,
            r#"U__http_2e_requests__total{U__service_2e_name="a.b",U__http_2e_method="G\"T",b="c"} 1"#,
        ),
    ] {
        let text = String::from_utf8(written(Format::Text, escaping)).unwrap();
        assert_eq!(text.lines().last(), Some(expected), "{escaping:?}");
        let protobuf = written(Format::Protobuf, escaping);
        let mut reader = Reader::new(&protobuf, Format::Protobuf, Mode::Strict);
        reader.next().unwrap().unwrap();
        let Some(Ok(PageEntry::Entry(Entry::Sample(sample)))) = reader.next() else { panic!("no sample") };
        assert_eq!(format!("{} 1", std::str::from_utf8(sample.series()).unwrap()), expected);
        for entry in Parser::new(&written(Format::OpenMetrics, escaping), Format::OpenMetrics, Mode::Strict) {
            entry.unwrap();
        }
    }
}

#[test]
fn what_is_written_parses_in_strict_mode() {
    for format in [Format::Text, Format::OpenMetrics] {
        let page = page(format);
        for entry in Parser::new(page.as_bytes(), format, Mode::Strict) {
            entry.unwrap_or_else(|e| panic!("{e}"));
        }
    }
}

proptest! {
    #[test]
    fn labels_and_values_are_read_back(
        values in prop::collection::vec(("[a-z]{1,6}", any::<String>()), 0..5),
        value in any::<f64>(),
        open_metrics in any::<bool>(),
    ) {
        let format = if open_metrics { Format::OpenMetrics } else { Format::Text };
        let pairs: std::collections::BTreeMap<_, _> = values.into_iter().collect();
        let mut writer = Writer::new(format);
        writer.family("m", MetricType::Gauge, "", "");
        writer.gauge(&LabelText::new(pairs.iter().map(|(n, v)| (n.as_str(), v.as_str()))), value);
        let page = writer.finish();
        let read: Vec<_> = Parser::new(&page, format, Mode::Strict).map(Result::unwrap).collect();
        let Entry::Sample(sample) = &read[1] else { panic!("no sample") };
        prop_assert!(sample.value == value || sample.value.is_nan() && value.is_nan());
        let mut expected: std::collections::BTreeMap<_, _> = pairs;
        expected.insert("__name__".to_owned(), "m".to_owned());
        let found: std::collections::BTreeMap<_, _> =
            sample.iter().map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
        prop_assert_eq!(found, expected);
    }
}

/// A family of random content, written into any format.
#[derive(Clone, Debug)]
struct RandomFamily {
    name: String,
    help: String,
    series: Vec<(String, f64, Vec<u64>)>,
}

fn families() -> impl Strategy<Value = Vec<RandomFamily>> {
    let point = (any::<String>(), any::<f64>(), prop::collection::vec(0u64..1000, 3..=3));
    let series = prop::collection::btree_map("[a-z]{1,4}", point, 1..4);
    let content = ("(|[^\\r \\t][^\\r]{0,12})", series);
    prop::collection::btree_map("[a-z]{3,8}|[a-z.]{3,8}", content, 1..5).prop_map(|families| {
        families
            .into_iter()
            .map(|(name, (help, series))| RandomFamily {
                name,
                help,
                series: series.into_iter().map(|(k, (v, value, counts))| (k + &v, value, counts)).collect(),
            })
            .collect()
    })
}

/// Writes each family as a counter, a gauge, a histogram and a summary.
fn write_families(format: Format, families: &[RandomFamily]) -> Vec<u8> {
    let mut writer = Writer::new(format);
    for RandomFamily { name, help, series } in families {
        for kind in [MetricType::Counter, MetricType::Gauge, MetricType::Histogram, MetricType::Summary] {
            writer.family(&format!("{name}_{}_total", kind.as_str()), kind, "", help);
            for (label, value, counts) in series {
                let labels = LabelText::new([("label", label.as_str())]);
                let total: u64 = counts.iter().sum();
                match kind {
                    MetricType::Counter => writer.counter(&labels, Number::Int(total), None, None),
                    MetricType::Gauge => writer.gauge(&labels, *value),
                    MetricType::Histogram => {
                        let bounds = &[0.5, 2.0];
                        let point = HistogramPoint { bounds, counts, sum: total as f64, exemplars: &[] };
                        writer.histogram(&labels, point, None);
                    }
                    _ => {
                        let quantiles = &[(0.5, total as f64)];
                        let point = SummaryPoint { quantiles, sum: 1.5, count: total };
                        writer.summary(&labels, point, None);
                    }
                }
            }
        }
    }
    writer.finish()
}

/// Reads label sets with values and help texts, in any order.
fn read_page(page: &[u8], format: Format) -> (std::collections::BTreeMap<String, u64>, Vec<String>) {
    let (mut samples, mut helps) = (std::collections::BTreeMap::new(), Vec::new());
    let mut reader = Reader::new(page, format, Mode::Strict);
    while let Some(entry) = reader.next() {
        match entry.unwrap_or_else(|e| panic!("{e} in {}", String::from_utf8_lossy(page))) {
            PageEntry::Entry(Entry::Sample(sample)) => {
                let mut labels = promflow_model::LabelsBuilder::default();
                for (name, value) in sample.iter() {
                    let number = promflow_model::float::parse(&value).filter(|_| name != "label");
                    labels.set(&name, &number.map_or(value.into_owned(), |n| n.to_string()));
                }
                let value = if sample.value.is_nan() { f64::NAN } else { sample.value };
                samples.insert(labels.labels().to_string(), value.to_bits());
            }
            PageEntry::Entry(Entry::Help { text, .. }) => helps.push(text.into_owned()),
            _ => {}
        }
    }
    helps.sort();
    (samples, helps)
}

proptest! {
    #[test]
    fn every_format_is_read_back_with_the_same_samples(families in families()) {
        let text = read_page(&write_families(Format::Text, &families), Format::Text);
        let series: usize = families.iter().map(|f| f.series.len()).sum();
        prop_assert_eq!(text.0.len(), series * (1 + 1 + 5 + 3));
        for format in [Format::OpenMetrics, Format::Protobuf] {
            let read = read_page(&write_families(format, &families), format);
            prop_assert_eq!(&read, &text, "{:?}", format);
        }
    }
}
