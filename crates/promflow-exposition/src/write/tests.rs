use promflow_model::MetricType;
use proptest::prelude::*;

use super::*;
use crate::{Entry, Mode, Parser};

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
    String::from_utf8(writer.finish()).unwrap()
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
# EOF
"#
    );
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
