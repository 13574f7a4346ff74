//! Pages that the round trips write, and samples that can be compared.

use std::collections::BTreeMap;

use promflow_exposition::{
    Entry, Escaping, Exemplar, Format, HistogramPoint, LabelText, Mode, NativeHistogramPoint, Number,
    PageEntry, Reader, SummaryPoint, Writer,
};
use promflow_model::MetricType;
use promflow_model::histogram::{Histogram, NativeHistogram, Span};

/// A label set with a value; NaNs are equal.
pub(crate) type Samples = BTreeMap<BTreeMap<String, String>, u64>;

/// Returns the bits of a value, those of one NaN for any.
pub(crate) fn bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }
}

/// Reads the samples of a page, of equal series the first.
pub(crate) fn samples(page: &[u8], format: Format, mode: Mode) -> Result<Samples, String> {
    let mut samples = Samples::new();
    let mut reader = Reader::new(page, format, mode);
    while let Some(entry) = reader.next() {
        if let PageEntry::Entry(Entry::Sample(sample)) = entry.map_err(|e| e.to_string())? {
            let labels = sample.labels();
            let labels = labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            samples.entry(labels).or_insert_with(|| bits(sample.value));
        }
    }
    Ok(samples)
}

/// The native histogram on written pages.
pub(crate) fn native() -> NativeHistogram {
    NativeHistogram::Int(Histogram {
        schema: 1,
        zero_threshold: 0.001,
        zero_count: 2,
        count: 14,
        sum: 18.4,
        positive_spans: vec![Span { offset: 0, length: 2 }, Span { offset: 1, length: 2 }],
        positive_buckets: vec![1, 1, -1, 0],
        negative_spans: vec![Span { offset: 0, length: 2 }],
        negative_buckets: vec![3, 1],
        ..Histogram::default()
    })
}

/// Writes a page with every type and with values and labels that are hard to write.
pub(crate) fn written(format: Format, escaping: Escaping) -> Vec<u8> {
    let mut writer = Writer::new(format);
    writer.escape_names(escaping);
    writer.constant_labels(LabelText::new([("service", "shop")]));
    let none = LabelText::default();
    let hard =
        LabelText::new([("method", "GET"), ("path", "a\"b\\c\nd\\n é 世 {},=#"), ("http.route", "/x")]);
    let exemplar =
        Exemplar { labels: LabelText::new([("trace_id", "t1")]), value: 0.3, t_seconds: Some(1.5e9) };

    writer.family("http_requests_total", MetricType::Counter, "", "All \"requests\" \\ ever.\nReally.");
    writer.counter(&hard, Number::Int((1 << 53) - 1), Some(1.7e9), Some(&exemplar));
    writer.counter(&none, Number::Float(0.1), None, None);
    writer.family("temperature_celsius", MetricType::Gauge, "celsius", "Heat.");
    let values = [-0.5, -0.0, 1e300, 5e-324, 123_456_789.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    for (i, value) in values.into_iter().enumerate() {
        writer.gauge(&LabelText::new([("place", i.to_string().as_str())]), value);
    }
    writer.family("body_bytes", MetricType::Histogram, "bytes", "Sizes.");
    let exemplars = [Some(exemplar), None, None];
    let point =
        HistogramPoint { bounds: &[0.25, 1000.0], counts: &[1, 0, 2], sum: 20.5, exemplars: &exemplars };
    writer.histogram(&hard, point, Some(1.7e9));
    writer.family("delay_seconds", MetricType::Summary, "seconds", "Delays.");
    let quantiles = [(0.5, 1e-7), (0.99, f64::NAN), (1.0, 3.0)];
    writer.summary(&hard, SummaryPoint { quantiles: &quantiles, sum: 4.25, count: 2 }, Some(1.7e9));
    writer.family("shop_build_info", MetricType::Info, "", "Build.");
    writer.info(&LabelText::new([("version", "1.0")]));
    writer.family("power", MetricType::StateSet, "", "Power.");
    writer.state_set(&none, &[("on", true), ("off", false)]);
    writer.family("queue.size", MetricType::Unknown, "", "Queue.");
    writer.gauge(&none, 7.0);
    writer.family("latency_seconds", MetricType::Histogram, "seconds", "Latency.");
    let histogram = native();
    let point = NativeHistogramPoint { histogram: &histogram, classic: None, exemplars: &[] };
    writer.native_histogram(&none, point, Some(1.7e9));
    writer.finish()
}
