//! The parser of protobuf pages.
//!
//! A family is read in two passes over its bytes, one for its name, type, help and unit, which may stand behind its
//! metrics, and one for the metrics. A series is given the text that it would have in OpenMetrics, so that whoever reads
//! pages has one key and one way to labels for every format.
//!
//! Source: Prometheus model/textparse protobufparse.go; prometheus/client_model metrics.proto.

mod exemplar;
mod histogram;
mod metric;

use std::borrow::Cow;

use promflow_model::histogram::NativeHistogram;
use promflow_model::{Labels, MetricType, is_legacy_metric_name};

use self::metric::{Metric, Point};
use crate::error::Fault;
use crate::strict::Checker;
use crate::text::{push_float_with_point, push_quoted};
use crate::wire::{Fields, Message};
use crate::{
    Entry, ExemplarEntry, Format, HistogramEntry, LabelIter, Mode, OwnedExemplar, PageEntry, ParseError,
    SampleEntry,
};

/// How histograms that have native buckets are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NativeHistograms {
    /// As native histograms alone.
    #[default]
    Native,
    /// As native histograms, then as classic ones if they have classic buckets.
    WithClassic,
    /// As classic histograms.
    Ignore,
}

/// What is known of the family that is read.
#[derive(Clone, Copy, Debug, Default)]
struct Family<'a> {
    name: &'a str,
    help: &'a str,
    unit: &'a str,
    kind: MetricType,
    /// Which field of a metric holds the value.
    field: u32,
    at: usize,
}

/// What comes next.
enum Step {
    Help,
    Type,
    Unit,
    /// A sample, with its exemplar's value and time; their texts stand in the parser.
    Sample(f64, Option<(f64, Option<i64>)>),
    Native(NativeHistogram, Vec<OwnedExemplar>),
    End,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Family,
    Help,
    Type,
    Unit,
    Metrics,
    Done,
}

/// Reads a protobuf page entry by entry.
///
/// A family without metrics is passed over. An entry borrows from the parser, so that a sample costs no allocation.
///
/// Errors: the first one ends the page; it has a byte offset and no line.
pub struct ProtobufParser<'a> {
    page: Fields<'a>,
    lax: bool,
    histograms: NativeHistograms,
    strict: Option<Box<Checker>>,
    state: State,
    family: Family<'a>,
    fields: Fields<'a>,
    metric: Metric<'a>,
    series: String,
    exemplar: String,
}

impl<'a> ProtobufParser<'a> {
    /// Starts to read a page.
    pub fn new(body: &'a [u8], mode: Mode) -> Self {
        Self {
            page: Fields::new(Message { bytes: body, at: 0 }),
            lax: mode == Mode::Prometheus,
            histograms: NativeHistograms::Native,
            strict: (mode == Mode::Strict).then(|| Box::new(Checker::new(Format::Protobuf))),
            state: State::Family,
            family: Family::default(),
            fields: Fields::new(Message::default()),
            metric: Metric::default(),
            series: String::new(),
            exemplar: String::new(),
        }
    }

    /// Sets how histograms that have native buckets are read.
    pub fn set_native_histograms(&mut self, histograms: NativeHistograms) {
        self.histograms = histograms;
    }

    /// Reads the next entry; `None` at the end of the page and after an error.
    #[allow(clippy::should_implement_trait, reason = "the entry borrows from the parser")]
    pub fn next(&mut self) -> Option<Result<PageEntry<'_>, ParseError>> {
        if self.state == State::Done {
            return None;
        }
        match self.step() {
            Ok(step) => self.entry(step).map(Ok),
            Err(fault) => Some(Err(fault.locate_byte())),
        }
    }

    /// Moves forward and holds what comes to the specification; an error leaves the parser at its end.
    fn step(&mut self) -> Result<Step, Fault> {
        let step = self.advance().and_then(|step| self.check(&step).map(|()| step));
        if matches!(step, Err(_) | Ok(Step::End)) {
            self.state = State::Done;
        }
        step
    }

    fn advance(&mut self) -> Result<Step, Fault> {
        loop {
            match self.state {
                State::Done => return Ok(Step::End),
                State::Family => {
                    if self.page.is_empty() {
                        return Ok(Step::End);
                    }
                    let message = self.page.delimited()?;
                    self.state = if self.begin_family(message)? { State::Help } else { State::Family };
                }
                State::Help => {
                    self.state = State::Type;
                    if !self.family.help.is_empty() {
                        return Ok(Step::Help);
                    }
                }
                State::Type => {
                    self.state = State::Unit;
                    return Ok(Step::Type);
                }
                State::Unit => {
                    self.state = State::Metrics;
                    if !self.family.unit.is_empty() {
                        return Ok(Step::Unit);
                    }
                }
                State::Metrics => {
                    if let Some((histogram, exemplars)) = self.metric.take_native() {
                        let Self { series, family, metric, .. } = self;
                        push_series(series, family.name, &metric.labels, &Point::default());
                        return Ok(Step::Native(histogram, exemplars));
                    }
                    if let Some(point) = self.metric.next_point() {
                        return self.sample(&point);
                    }
                    if !self.next_metric()? {
                        self.state = State::Family;
                    }
                }
            }
        }
    }

    /// Reads what describes a family; says whether it has a metric.
    fn begin_family(&mut self, message: Message<'a>) -> Result<bool, Fault> {
        let mut family = Family { at: message.at, ..Family::default() };
        let (mut kind, mut has_metric) = (0, false);
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next()? {
            match field.number {
                1 => family.name = field.text()?,
                2 => family.help = field.text()?,
                3 => kind = field.unsigned()?,
                4 => has_metric = true,
                5 => family.unit = field.text()?,
                _ => {}
            }
        }
        if !has_metric {
            return Ok(false);
        }
        if family.name.is_empty() {
            return Err(Fault::new(message.at, "invalid metric name \"\""));
        }
        (family.kind, family.field) = match kind {
            0 => (MetricType::Counter, 3),
            1 => (MetricType::Gauge, 2),
            2 => (MetricType::Summary, 4),
            3 => (MetricType::Unknown, 5),
            4 => (MetricType::Histogram, 7),
            5 => (MetricType::GaugeHistogram, 7),
            _ => {
                let message_text = format!("unknown metric type for metric {:?}: {kind}", family.name);
                return Err(Fault::new(message.at, message_text));
            }
        };
        check_unit(&family)?;
        self.family = family;
        self.fields = Fields::new(message);
        Ok(true)
    }

    /// Reads the family's next metric; says whether there is one.
    fn next_metric(&mut self) -> Result<bool, Fault> {
        while let Some(field) = self.fields.next()? {
            if field.number == 4 {
                let message = field.message()?;
                let Family { kind, field, .. } = self.family;
                self.metric.read(message, (kind, field), self.histograms, self.lax)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Puts the texts of a sample into their places.
    fn sample(&mut self, point: &Point) -> Result<Step, Fault> {
        push_series(&mut self.series, self.family.name, &self.metric.labels, point);
        let exemplar = match point.exemplar(&self.metric) {
            Some(message) => Some(exemplar::read_exemplar(message, &mut self.exemplar)?),
            None => None,
        };
        Ok(Step::Sample(point.value, exemplar))
    }

    fn check(&mut self, step: &Step) -> Result<(), Fault> {
        let Some(mut strict) = self.strict.take() else {
            return Ok(());
        };
        let at = match step {
            Step::Sample(..) | Step::Native(..) => self.metric.at,
            _ => self.family.at,
        };
        let checked = match step {
            Step::End => strict.end(self.page.at()),
            Step::Native(histogram, _) => {
                histogram.validate().map_err(|e| Fault::new(at, e.to_string())).and_then(|()| {
                    let labels = Labels::from_pairs(LabelIter::of_series(&self.series));
                    strict.native_histogram(&labels, self.metric.t_ms, at)
                })
            }
            Step::Help => strict.entry(&self.help_entry(), at),
            Step::Type => strict.entry(&self.type_entry(), at),
            Step::Unit => strict.entry(&self.unit_entry(), at),
            Step::Sample(value, exemplar) => strict.entry(&self.sample_entry(*value, *exemplar), at),
        };
        self.strict = Some(strict);
        checked
    }

    fn entry(&self, step: Step) -> Option<PageEntry<'_>> {
        let entry = match step {
            Step::End => return None,
            Step::Native(histogram, exemplars) => {
                let Metric { t_ms, created_ms, .. } = self.metric;
                let series = &self.series;
                let entry = HistogramEntry { series, histogram, t_ms, created_ms, exemplars };
                return Some(PageEntry::Histogram(entry));
            }
            Step::Help => self.help_entry(),
            Step::Type => self.type_entry(),
            Step::Unit => self.unit_entry(),
            Step::Sample(value, exemplar) => self.sample_entry(value, exemplar),
        };
        Some(PageEntry::Entry(entry))
    }

    fn help_entry(&self) -> Entry<'_> {
        Entry::Help { metric: Cow::Borrowed(self.family.name), text: Cow::Borrowed(self.family.help) }
    }

    fn type_entry(&self) -> Entry<'_> {
        Entry::Type { metric: Cow::Borrowed(self.family.name), kind: self.family.kind }
    }

    fn unit_entry(&self) -> Entry<'_> {
        Entry::Unit { metric: Cow::Borrowed(self.family.name), unit: self.family.unit }
    }

    fn sample_entry(&self, value: f64, exemplar: Option<(f64, Option<i64>)>) -> Entry<'_> {
        let labels = self.exemplar.as_str();
        let exemplar = exemplar.map(|(value, t_ms)| ExemplarEntry { labels, value, t_ms });
        let Metric { t_ms, created_ms, .. } = self.metric;
        let series = self.series.as_str();
        Entry::Sample(SampleEntry { series, number_label: None, value, t_ms, created_ms, exemplar })
    }
}

/// Checks as Prometheus does that a unit ends its family's name, before `_total` in a counter's.
fn check_unit(family: &Family<'_>) -> Result<(), Fault> {
    let Family { name, unit, kind, at, .. } = *family;
    let (what, base) = match name.strip_suffix("_total") {
        Some(base) if kind == MetricType::Counter => ("counter", base),
        _ => ("metric", name),
    };
    if unit.is_empty() || base.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_')) {
        return Ok(());
    }
    Err(Fault::new(at, format!("unit {unit:?} not a suffix of {what} {name:?}")))
}

/// Writes a series as OpenMetrics has it.
fn push_series(out: &mut String, name: &str, labels: &str, point: &Point) {
    out.clear();
    let plain = is_legacy_metric_name(name);
    if plain {
        out.push_str(name);
        out.push_str(point.suffix);
        if labels.is_empty() && point.number.is_none() {
            return;
        }
        out.push('{');
    } else {
        out.push('{');
        push_quoted(out, &[name, point.suffix].concat());
        if !labels.is_empty() || point.number.is_some() {
            out.push(',');
        }
    }
    out.push_str(labels);
    if let Some((label, number)) = point.number {
        if !labels.is_empty() {
            out.push(',');
        }
        out.push_str(label);
        out.push_str("=\"");
        push_float_with_point(out, number);
        out.push('"');
    }
    out.push('}');
}

#[cfg(test)]
mod tests;
