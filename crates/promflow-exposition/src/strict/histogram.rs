//! The consistency of a classic histogram.

use promflow_model::{BUCKET_LABEL, Labels, MetricType};

use crate::error::Fault;
use crate::{Format, SampleEntry};

/// Follows the samples of one histogram after another.
#[derive(Default)]
pub(super) struct HistogramCheck {
    group: Option<(Labels, Option<i64>)>,
    bound: Option<f64>,
    cumulative: f64,
    count: Option<f64>,
    sum: Option<f64>,
    has_negative_bounds: bool,
}

impl HistogramCheck {
    pub(super) fn sample(
        &mut self,
        (format, kind): (Format, MetricType),
        suffix: &str,
        labels: &Labels,
        group: Labels,
        sample: &SampleEntry<'_>,
        at: usize,
    ) -> Result<(), Fault> {
        let group = (group, sample.t_ms);
        if self.group.as_ref() != Some(&group) {
            self.finish(format, kind, at)?;
            *self = Self { group: Some(group), ..Self::default() };
        }
        match suffix {
            "_bucket" => {
                let bound = promflow_model::float::parse(labels.get(BUCKET_LABEL)).unwrap_or(f64::NAN);
                if self.bound.is_some_and(|before| bound <= before) {
                    return Err(Fault::new(at, "histogram buckets are out of order")
                        .hint("buckets stand in increasing order of \"le\""));
                }
                if sample.value < self.cumulative {
                    return Err(Fault::new(at, "histogram bucket is smaller than the one before it")
                        .hint("each bucket counts the smaller ones too"));
                }
                self.has_negative_bounds |= bound < 0.0;
                self.bound = Some(bound);
                self.cumulative = sample.value;
            }
            "_count" | "_gcount" => self.count = Some(sample.value),
            "_sum" | "_gsum" => self.sum = Some(sample.value),
            _ => {}
        }
        Ok(())
    }

    /// Checks the histogram that ends here.
    pub(super) fn finish(&mut self, format: Format, kind: MetricType, at: usize) -> Result<(), Fault> {
        if self.group.take().is_none() {
            return Ok(());
        }
        let message = if self.bound != Some(f64::INFINITY) {
            "histogram has no bucket \"+Inf\""
        } else if self.count.is_some_and(|count| count != self.cumulative) {
            "histogram count differs from its bucket \"+Inf\""
        } else if self.sum.is_some() && self.count.is_none() {
            "histogram has a sum and no count"
        } else if self.sum.is_none() && self.count.is_some() {
            "histogram has a count and no sum"
        } else if format == Format::Protobuf {
            return Ok(());
        } else if kind == MetricType::Histogram && self.sum.is_some() && self.has_negative_bounds {
            "histogram with negative buckets cannot have a sum"
        } else if kind == MetricType::GaugeHistogram
            && !self.has_negative_bounds
            && self.sum.is_some_and(|sum| sum < 0.0)
        {
            "gauge histogram without negative buckets has a negative sum"
        } else {
            return Ok(());
        };
        Err(Fault::new(at, message))
    }
}
