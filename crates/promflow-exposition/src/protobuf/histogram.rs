//! The histogram message, classic and native.

use promflow_model::MetricType;
use promflow_model::histogram::{CounterResetHint, FloatHistogram, Histogram, NativeHistogram, Span};

use super::exemplar::{read_owned_exemplar, read_time};
use crate::OwnedExemplar;
use crate::error::Fault;
use crate::wire::{Fields, Message};

/// A classic bucket.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket<'a> {
    pub(super) bound: f64,
    pub(super) count: f64,
    pub(super) exemplar: Option<Message<'a>>,
}

/// A histogram with all its fields.
#[derive(Default)]
pub(super) struct RawHistogram<'a> {
    count: u64,
    count_float: f64,
    pub(super) sum: f64,
    pub(super) buckets: Vec<Bucket<'a>>,
    pub(super) created_ms: Option<i64>,
    schema: i32,
    zero_threshold: f64,
    zero_count: u64,
    zero_count_float: f64,
    negative: Side,
    positive: Side,
    exemplars: Vec<Message<'a>>,
}

/// The native buckets to one side of zero.
#[derive(Default)]
struct Side {
    spans: Vec<Span>,
    deltas: Vec<i64>,
    counts: Vec<f64>,
}

impl<'a> RawHistogram<'a> {
    pub(super) fn read(message: Message<'a>) -> Result<Self, Fault> {
        let mut raw = Self::default();
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next()? {
            match field.number {
                1 => raw.count = field.unsigned()?,
                2 => raw.sum = field.double()?,
                3 => raw.buckets.push(read_bucket(field.message()?)?),
                4 => raw.count_float = field.double()?,
                5 => raw.schema = field.zigzag()? as i32,
                6 => raw.zero_threshold = field.double()?,
                7 => raw.zero_count = field.unsigned()?,
                8 => raw.zero_count_float = field.double()?,
                9 => raw.negative.spans.push(read_span(field.message()?)?),
                10 => field.zigzags(&mut raw.negative.deltas)?,
                11 => field.doubles(&mut raw.negative.counts)?,
                12 => raw.positive.spans.push(read_span(field.message()?)?),
                13 => field.zigzags(&mut raw.positive.deltas)?,
                14 => field.doubles(&mut raw.positive.counts)?,
                15 => raw.created_ms = Some(read_time(field.message()?)?),
                16 => raw.exemplars.push(field.message()?),
                _ => {}
            }
        }
        Ok(raw)
    }

    /// Says whether there is a native histogram; an empty one is known by a span without buckets.
    pub(super) fn is_native(&self) -> bool {
        !self.positive.spans.is_empty()
            || !self.negative.spans.is_empty()
            || self.zero_threshold > 0.0
            || self.zero_count > 0
    }

    /// Returns the count of all observations.
    pub(super) fn total(&self) -> f64 {
        if self.count_float == 0.0 { self.count as f64 } else { self.count_float }
    }

    /// Returns the histogram's own exemplars, else those of its classic buckets, without those that have no time.
    pub(super) fn timed_exemplars(&self) -> Result<Vec<OwnedExemplar>, Fault> {
        let own = self.exemplars.iter().copied();
        let of_buckets = self.buckets.iter().filter_map(|b| b.exemplar).filter(|_| self.exemplars.is_empty());
        own.chain(of_buckets)
            .map(read_owned_exemplar)
            .filter(|e| !matches!(e, Ok(OwnedExemplar { t_ms: None, .. })))
            .collect()
    }

    pub(super) fn into_native(self, kind: MetricType) -> NativeHistogram {
        let counter_reset_hint = match kind {
            MetricType::GaugeHistogram => CounterResetHint::GaugeType,
            _ => CounterResetHint::Unknown,
        };
        if self.count_float > 0.0 || self.zero_count_float > 0.0 {
            return NativeHistogram::Float(FloatHistogram {
                counter_reset_hint,
                schema: self.schema,
                zero_threshold: self.zero_threshold,
                zero_count: self.zero_count_float,
                count: self.count_float,
                sum: self.sum,
                positive_spans: self.positive.spans,
                negative_spans: self.negative.spans,
                positive_buckets: self.positive.counts,
                negative_buckets: self.negative.counts,
                custom_values: Vec::new(),
            });
        }
        NativeHistogram::Int(Histogram {
            counter_reset_hint,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count,
            count: self.count,
            sum: self.sum,
            positive_spans: self.positive.spans,
            negative_spans: self.negative.spans,
            positive_buckets: self.positive.deltas,
            negative_buckets: self.negative.deltas,
            custom_values: Vec::new(),
        })
    }
}

fn read_bucket<'a>(message: Message<'a>) -> Result<Bucket<'a>, Fault> {
    let (mut bucket, mut whole) = (Bucket::default(), 0);
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => whole = field.unsigned()?,
            2 => bucket.bound = field.double()?,
            3 => bucket.exemplar = Some(field.message()?),
            4 => bucket.count = field.double()?,
            _ => {}
        }
    }
    if bucket.count == 0.0 {
        bucket.count = whole as f64;
    }
    Ok(bucket)
}

fn read_span(message: Message<'_>) -> Result<Span, Fault> {
    let mut span = Span::default();
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => span.offset = field.zigzag()? as i32,
            2 => span.length = field.unsigned()? as u32,
            _ => {}
        }
    }
    Ok(span)
}
