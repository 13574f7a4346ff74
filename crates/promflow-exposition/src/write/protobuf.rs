//! The writer of protobuf: `io.prometheus.client.MetricFamily` messages, each after its length.
//!
//! Source: prometheus/client_model metrics.proto.

use promflow_model::MetricType;
use promflow_model::histogram::{NativeHistogram, Span};

use super::Writer;
use super::classic::Classic;
use super::point::{Exemplar, Number, SummaryPoint};
use crate::LabelIter;
use crate::wire::{
    put_double, put_doubles, put_message, put_text, put_unsigned, put_varint, put_zigzag, put_zigzags,
};

/// The native part of a histogram and its exemplars.
pub(super) struct Native<'a> {
    pub(super) histogram: &'a NativeHistogram,
    pub(super) exemplars: &'a [Exemplar],
}

impl Writer {
    pub(super) fn protobuf_family(&mut self, kind: MetricType, unit: &str, help: &str) {
        self.protobuf_flush();
        put_text(&mut self.family, 1, &self.name);
        if !help.is_empty() {
            put_text(&mut self.family, 2, help);
        }
        let kind = match kind {
            MetricType::Counter => 0,
            MetricType::Gauge | MetricType::Info | MetricType::StateSet => 1,
            MetricType::Summary => 2,
            MetricType::Unknown => 3,
            MetricType::Histogram => 4,
            MetricType::GaugeHistogram => 5,
        };
        put_unsigned(&mut self.family, 3, kind);
        if !unit.is_empty() {
            put_text(&mut self.family, 5, unit);
        }
    }

    /// Writes out the family that was begun.
    pub(super) fn protobuf_flush(&mut self) {
        if !self.family.is_empty() {
            put_varint(&mut self.out, self.family.len() as u64);
            self.out.append(&mut self.family);
        }
    }

    /// Writes a metric with the labels that `label_list` holds.
    fn metric(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let labels = &self.label_list;
        put_message(&mut self.family, 4, |out| {
            put_labels(out, labels);
            write(out);
        });
    }

    pub(super) fn protobuf_counter(
        &mut self,
        value: Number,
        created: Option<f64>,
        exemplar: Option<&Exemplar>,
    ) {
        self.metric(|out| {
            put_message(out, 3, |out| {
                put_double(out, 1, value.to_f64());
                if let Some(exemplar) = exemplar {
                    put_message(out, 2, |out| put_exemplar(out, exemplar));
                }
                put_time(out, 3, created);
            });
        });
    }

    pub(super) fn protobuf_gauge(&mut self, value: f64) {
        let field = if self.kind == MetricType::Unknown { 5 } else { 2 };
        self.metric(|out| put_message(out, field, |out| put_double(out, 1, value)));
    }

    pub(super) fn protobuf_summary(&mut self, point: SummaryPoint<'_>, created: Option<f64>) {
        self.metric(|out| {
            put_message(out, 4, |out| {
                put_unsigned(out, 1, point.count);
                put_double(out, 2, point.sum);
                for (quantile, value) in point.quantiles {
                    put_message(out, 3, |out| {
                        put_double(out, 1, *quantile);
                        put_double(out, 2, *value);
                    });
                }
                put_time(out, 4, created);
            });
        });
    }

    pub(super) fn protobuf_histogram(
        &mut self,
        classic: Option<&Classic<'_>>,
        native: Option<Native<'_>>,
        created: Option<f64>,
    ) {
        self.metric(|out| {
            put_message(out, 7, |out| {
                if let Some(classic) = classic {
                    put_classic(out, classic, native.is_none());
                }
                if let Some(native) = &native {
                    put_native(out, native.histogram);
                }
                put_time(out, 15, created);
                for exemplar in native.iter().flat_map(|n| n.exemplars) {
                    put_message(out, 16, |out| put_exemplar(out, exemplar));
                }
            });
        });
    }
}

fn put_labels(out: &mut Vec<u8>, list: &str) {
    for (name, value) in LabelIter::of_list(list) {
        put_message(out, 1, |out| {
            put_text(out, 1, &name);
            put_text(out, 2, &value);
        });
    }
}

fn put_exemplar(out: &mut Vec<u8>, exemplar: &Exemplar) {
    put_labels(out, &format!("{{{}}}", exemplar.labels.as_str()));
    put_double(out, 2, exemplar.value);
    put_time(out, 3, exemplar.t_seconds);
}

/// Writes a timestamp.
///
/// Units: seconds since the epoch.
fn put_time(out: &mut Vec<u8>, number: u32, t: Option<f64>) {
    let Some(t) = t.filter(|t| t.is_finite()) else {
        return;
    };
    put_message(out, number, |out| {
        let nanos = ((t - t.floor()) * 1e9).round().min(999_999_999.0);
        put_unsigned(out, 1, t.floor() as i64 as u64);
        put_unsigned(out, 2, nanos as u64);
    });
}

fn put_classic(out: &mut Vec<u8>, classic: &Classic<'_>, with_totals: bool) {
    if with_totals {
        put_count(out, (1, 4), classic.count);
        put_double(out, 2, classic.sum);
    }
    for (bound, cumulative, exemplar) in classic.buckets() {
        // A reader makes the last bucket from the count; it stands here for its exemplar alone.
        if bound == f64::INFINITY && exemplar.is_none() {
            continue;
        }
        put_message(out, 3, |out| {
            put_count(out, (1, 4), cumulative);
            put_double(out, 2, bound);
            if let Some(exemplar) = exemplar {
                put_message(out, 3, |out| put_exemplar(out, exemplar));
            }
        });
    }
}

/// Writes a count into the field for whole or the one for fractional counts.
fn put_count(out: &mut Vec<u8>, (whole, fractional): (u32, u32), count: Number) {
    match count {
        Number::Int(count) => put_unsigned(out, whole, count),
        Number::Float(count) => put_double(out, fractional, count),
    }
}

fn put_native(out: &mut Vec<u8>, histogram: &NativeHistogram) {
    let (positive, negative) = match histogram {
        NativeHistogram::Int(h) => {
            put_unsigned(out, 1, h.count);
            put_double(out, 2, h.sum);
            put_zigzag(out, 5, i64::from(h.schema));
            put_double(out, 6, h.zero_threshold);
            put_unsigned(out, 7, h.zero_count);
            put_zigzags(out, 10, &h.negative_buckets);
            put_zigzags(out, 13, &h.positive_buckets);
            (&h.positive_spans, &h.negative_spans)
        }
        NativeHistogram::Float(h) => {
            put_double(out, 4, h.count);
            put_double(out, 2, h.sum);
            put_zigzag(out, 5, i64::from(h.schema));
            put_double(out, 6, h.zero_threshold);
            put_double(out, 8, h.zero_count);
            put_doubles(out, 11, &h.negative_buckets);
            put_doubles(out, 14, &h.positive_buckets);
            (&h.positive_spans, &h.negative_spans)
        }
    };
    negative.iter().for_each(|span| put_span(out, 9, *span));
    positive.iter().for_each(|span| put_span(out, 12, *span));
    if positive.is_empty() && negative.is_empty() {
        // Without any span a reader could take an empty native histogram for a classic one.
        put_span(out, 12, Span::default());
    }
}

fn put_span(out: &mut Vec<u8>, number: u32, span: Span) {
    put_message(out, number, |out| {
        put_zigzag(out, 1, i64::from(span.offset));
        put_unsigned(out, 2, u64::from(span.length));
    });
}
