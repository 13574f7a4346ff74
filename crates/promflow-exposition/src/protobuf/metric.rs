//! One metric of a family, taken apart into samples.

use promflow_model::histogram::NativeHistogram;
use promflow_model::{BUCKET_LABEL, Labels, METRIC_NAME, MetricType, QUANTILE_LABEL, is_legacy_label_name};

use super::NativeHistograms;
use super::histogram::RawHistogram;
use crate::error::Fault;
use crate::names::DistinctNames;
use crate::wire::{Fields, Message};
use crate::write::push_quoted;
use crate::{LabelIter, OwnedExemplar};

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

fn push_label(out: &mut String, name: &str, value: &str) {
    if !out.is_empty() {
        out.push(',');
    }
    if is_legacy_label_name(name) {
        out.push_str(name);
    } else {
        push_quoted(out, name);
    }
    out.push('=');
    push_quoted(out, value);
}

/// Splits a label pair as every library writes it: a short name, then a short value.
fn plain_label(bytes: &[u8]) -> Option<(&str, &str)> {
    let [0x0a, name_length @ 1..=0x7f, rest @ ..] = bytes else {
        return None;
    };
    let (name, rest) = rest.split_at_checked(usize::from(*name_length))?;
    let [0x12, value_length @ 0..=0x7f, value @ ..] = rest else {
        return None;
    };
    if value.len() != usize::from(*value_length) {
        return None;
    }
    Some((std::str::from_utf8(name).ok()?, std::str::from_utf8(value).ok()?))
}

fn read_label<'a>(message: Message<'a>) -> Result<(&'a str, &'a str), Fault> {
    if let Some(label) = plain_label(message.bytes) {
        return Ok(label);
    }
    let (mut name, mut value) = ("", "");
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => name = field.text()?,
            2 => value = field.text()?,
            _ => {}
        }
    }
    if name.is_empty() {
        return Err(Fault::new(message.at, "empty label name"));
    }
    Ok((name, value))
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

/// Reads a timestamp.
///
/// Units: milliseconds since the epoch.
pub(super) fn read_time(message: Message<'_>) -> Result<i64, Fault> {
    let (mut seconds, mut nanos) = (0i64, 0i64);
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => seconds = field.signed()?,
            2 => nanos = field.signed()?,
            _ => {}
        }
    }
    Ok(seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000))
}

/// Reads an exemplar: its labels, braced, go into the text; its value and timestamp are returned.
pub(super) fn read_exemplar(message: Message<'_>, labels: &mut String) -> Result<(f64, Option<i64>), Fault> {
    let (mut value, mut t_ms) = (0.0, None);
    labels.clear();
    let mut list = String::new();
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => {
                let (name, value) = read_label(field.message()?)?;
                push_label(&mut list, name, value);
            }
            2 => value = field.double()?,
            3 => t_ms = Some(read_time(field.message()?)?),
            _ => {}
        }
    }
    labels.extend(["{", &list, "}"]);
    Ok((value, t_ms))
}

/// Reads an exemplar that is kept.
pub(super) fn read_owned_exemplar(message: Message<'_>) -> Result<OwnedExemplar, Fault> {
    let mut text = String::new();
    let (value, t_ms) = read_exemplar(message, &mut text)?;
    Ok(OwnedExemplar { labels: Labels::from_pairs(LabelIter::of_list(&text)), value, t_ms })
}
