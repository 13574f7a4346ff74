//! The composite values of OpenMetrics 2.0: a histogram or summary on one line.
//!
//! Source: OpenMetrics 2.0.0-rc0.

use promflow_model::MetricType;
use promflow_model::histogram::{FloatHistogram, NativeHistogram, Span};

use super::Writer;
use super::classic::Classic;
use super::point::{Exemplar, LabelSlice, Number, SummaryPoint};

impl Writer {
    pub(super) fn composite_summary(
        &mut self,
        labels: LabelSlice<'_>,
        point: SummaryPoint<'_>,
        created: Option<f64>,
    ) {
        self.series("", labels, None);
        self.push(" {count:");
        self.number(Number::Int(point.count));
        self.push(",sum:");
        self.number(Number::Float(point.sum));
        self.push(",quantile:[");
        for (i, (quantile, value)) in point.quantiles.iter().enumerate() {
            self.separate(i);
            self.number_with_point(*quantile);
            self.push(":");
            self.number(Number::Float(*value));
        }
        self.push("]}");
        self.start_time(created);
        self.push("\n");
    }

    pub(super) fn composite_histogram(
        &mut self,
        labels: LabelSlice<'_>,
        classic: Option<&Classic<'_>>,
        native: Option<(&NativeHistogram, &[Exemplar])>,
        created: Option<f64>,
    ) {
        let float = native.map(|(histogram, _)| histogram.to_float());
        let total = match (native, classic) {
            (Some((NativeHistogram::Int(h), _)), _) => (Number::Int(h.count), h.sum),
            (Some((NativeHistogram::Float(h), _)), _) => (Number::Float(h.count), h.sum),
            (None, Some(classic)) => (classic.count, classic.sum),
            (None, None) => return,
        };
        let gauge = self.kind == MetricType::GaugeHistogram;
        self.series("", labels, None);
        self.push(if gauge { " {gcount:" } else { " {count:" });
        self.number(total.0);
        self.push(if gauge { ",gsum:" } else { ",sum:" });
        self.number(Number::Float(total.1));
        if let Some(float) = &float {
            self.native_fields(float);
        }
        if let Some(classic) = classic {
            self.push(",bucket:[");
            for (i, (bound, cumulative, _)) in classic.buckets().enumerate() {
                self.separate(i);
                self.number_with_point(bound);
                self.push(":");
                self.number(cumulative);
            }
            self.push("]");
        }
        self.push("}");
        self.start_time(created.filter(|_| !gauge));
        let of_buckets = classic.into_iter().flat_map(|c| c.buckets().filter_map(|(_, _, e)| e));
        let of_native = native.into_iter().flat_map(|(_, exemplars)| exemplars);
        for exemplar in of_buckets.chain(of_native) {
            self.exemplar(exemplar);
        }
        self.push("\n");
    }

    fn native_fields(&mut self, histogram: &FloatHistogram) {
        self.push(&format!(",schema:{},zero_threshold:", histogram.schema));
        self.number(Number::Float(histogram.zero_threshold));
        self.push(",zero_count:");
        self.number(Number::Float(histogram.zero_count));
        self.side("negative", &histogram.negative_spans, &histogram.negative_buckets);
        self.side("positive", &histogram.positive_spans, &histogram.positive_buckets);
    }

    fn side(&mut self, side: &str, spans: &[Span], buckets: &[f64]) {
        if buckets.is_empty() {
            return;
        }
        self.push(&format!(",{side}_spans:["));
        // A span without buckets, which moves the next one, has no place in the format.
        let mut gap = 0i64;
        let mut written = 0;
        for span in spans {
            gap += i64::from(span.offset);
            if span.length > 0 {
                self.separate(written);
                self.push(&format!("{gap}:{}", span.length));
                gap = 0;
                written += 1;
            }
        }
        self.push(&format!("],{side}_buckets:["));
        for (i, count) in buckets.iter().enumerate() {
            self.separate(i);
            self.number(Number::Float(*count));
        }
        self.push("]");
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.push(",");
        }
    }
}
