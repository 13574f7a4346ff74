//! One metric of a family, taken apart into samples.

use promflow_model::histogram::NativeHistogram;
use promflow_model::{BUCKET_LABEL, METRIC_NAME, MetricType, QUANTILE_LABEL};

use super::NativeHistograms;
use super::exemplar::{push_label, read_label, read_time};
use super::histogram::RawHistogram;
use crate::OwnedExemplar;
use crate::error::Fault;
use crate::names::DistinctNames;
use crate::wire::{Fields, Message};

/// A sample of a metric.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Point {
    pub(super) suffix: &'static str,
    pub(super) number: Option<(&'static str, f64)>,
    pub(super) value: f64,
    /// Its place among the metric's exemplars.
    exemplar: Option<usize>,
}

impl Point {
    fn new(suffix: &'static str, value: f64) -> Self {
        Self { suffix, value, ..Self::default() }
    }

    pub(super) fn exemplar<'a>(&self, metric: &Metric<'a>) -> Option<Message<'a>> {
        self.exemplar.map(|i| metric.exemplars[i])
    }
}

/// The metric that is read. Its lists are used again for the next one.
#[derive(Default)]
pub(super) struct Metric<'a> {
    /// The labels as OpenMetrics has them, without braces.
    pub(super) labels: String,
    pub(super) t_ms: Option<i64>,
    pub(super) created_ms: Option<i64>,
    pub(super) at: usize,
    names: DistinctNames<'a>,
    points: Vec<Point>,
    next: usize,
    exemplars: Vec<Message<'a>>,
    native: Option<(NativeHistogram, Vec<OwnedExemplar>)>,
}

impl<'a> Metric<'a> {
    pub(super) fn next_point(&mut self) -> Option<Point> {
        let point = self.points.get(self.next).copied();
        self.next += usize::from(point.is_some());
        point
    }

    pub(super) fn take_native(&mut self) -> Option<(NativeHistogram, Vec<OwnedExemplar>)> {
        self.native.take()
    }

    /// Reads a metric whose value stands in a field.
    pub(super) fn read(
        &mut self,
        message: Message<'a>,
        (kind, value_field): (MetricType, u32),
        histograms: NativeHistograms,
        lax: bool,
    ) -> Result<(), Fault> {
        self.clear(message.at);
        let mut value = None;
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next()? {
            match field.number {
                1 => self.label(field.message()?)?,
                6 => self.t_ms = Some(field.signed()?).filter(|t| *t != 0),
                number if number == value_field => value = Some(field.message()?),
                2..=5 | 7 if !lax => {
                    let kind = kind.as_str();
                    return Err(Fault::new(
                        field.at,
                        format!("metric of type {kind} has a value of another"),
                    ));
                }
                _ => {}
            }
        }
        if value.is_none() && !lax {
            return Err(Fault::new(message.at, format!("metric of type {} has no value", kind.as_str())));
        }
        let value = value.unwrap_or_default();
        match kind {
            MetricType::Summary => self.summary(value),
            MetricType::Histogram | MetricType::GaugeHistogram => self.histogram(value, kind, histograms),
            _ => self.number(value),
        }
    }

    fn clear(&mut self, at: usize) {
        self.labels.clear();
        self.names.clear();
        self.points.clear();
        self.exemplars.clear();
        (self.next, self.native, self.at) = (0, None, at);
        (self.t_ms, self.created_ms) = (None, None);
    }

    fn label(&mut self, message: Message<'a>) -> Result<(), Fault> {
        let (name, value) = read_label(message)?;
        if name == METRIC_NAME {
            return Err(Fault::new(message.at, "label name \"__name__\" is reserved for the metric name"));
        }
        if !self.names.insert(name) {
            return Err(Fault::new(message.at, format!("label name {name:?} is not unique")));
        }
        push_label(&mut self.labels, name, value);
        Ok(())
    }

    /// Takes a gauge, an untyped value or a counter, which alone has more fields than the value.
    fn number(&mut self, message: Message<'a>) -> Result<(), Fault> {
        let mut point = Point::default();
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next()? {
            match field.number {
                1 => point.value = field.double()?,
                2 => point.exemplar = Some(self.exemplar(field.message()?)),
                3 => self.created_ms = Some(read_time(field.message()?)?),
                _ => {}
            }
        }
        self.points.push(point);
        Ok(())
    }

    fn exemplar(&mut self, message: Message<'a>) -> usize {
        self.exemplars.push(message);
        self.exemplars.len() - 1
    }

    fn summary(&mut self, message: Message<'a>) -> Result<(), Fault> {
        self.points.extend([Point::new("_count", 0.0), Point::new("_sum", 0.0)]);
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next()? {
            match field.number {
                1 => self.points[0].value = field.unsigned()? as f64,
                2 => self.points[1].value = field.double()?,
                3 => {
                    let (quantile, value) = read_quantile(field.message()?)?;
                    self.points
                        .push(Point { number: Some((QUANTILE_LABEL, quantile)), ..Point::new("", value) });
                }
                4 => self.created_ms = Some(read_time(field.message()?)?),
                _ => {}
            }
        }
        Ok(())
    }

    fn histogram(
        &mut self,
        message: Message<'a>,
        kind: MetricType,
        histograms: NativeHistograms,
    ) -> Result<(), Fault> {
        let raw = RawHistogram::read(message)?;
        self.created_ms = raw.created_ms;
        let is_native = raw.is_native() && histograms != NativeHistograms::Ignore;
        if !is_native || histograms == NativeHistograms::WithClassic && !raw.buckets.is_empty() {
            self.points.extend([Point::new("_count", raw.total()), Point::new("_sum", raw.sum)]);
            for bucket in &raw.buckets {
                let exemplar = bucket.exemplar.map(|message| self.exemplar(message));
                let number = Some((BUCKET_LABEL, bucket.bound));
                self.points.push(Point { number, exemplar, ..Point::new("_bucket", bucket.count) });
            }
            if raw.buckets.last().is_none_or(|b| b.bound != f64::INFINITY) {
                let number = Some((BUCKET_LABEL, f64::INFINITY));
                self.points.push(Point { number, ..Point::new("_bucket", raw.total()) });
            }
        }
        if is_native {
            let exemplars = raw.timed_exemplars()?;
            self.native = Some((raw.into_native(kind), exemplars));
        }
        Ok(())
    }
}

fn read_quantile(message: Message<'_>) -> Result<(f64, f64), Fault> {
    let (mut quantile, mut value) = (0.0, 0.0);
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => quantile = field.double()?,
            2 => value = field.double()?,
            _ => {}
        }
    }
    Ok((quantile, value))
}
