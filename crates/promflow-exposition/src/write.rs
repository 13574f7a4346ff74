//! The writer of pages.

use promflow_model::{MetricType, float, is_legacy_label_name, is_legacy_metric_name};

use crate::Format;

/// A number to write: integers keep all their digits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A count.
    Int(u64),
    /// Any other value.
    Float(f64),
}

impl From<u64> for Number {
    fn from(v: u64) -> Self {
        Self::Int(v)
    }
}

impl From<f64> for Number {
    fn from(v: f64) -> Self {
        Self::Float(v)
    }
}

/// Labels as they stand on a page, without braces: written once per series, copied at each scrape.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LabelText(String);

impl LabelText {
    /// Writes pairs in their order; an empty value is written, as it tells the reader that the label exists.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut text = Self::default();
        for (name, value) in pairs {
            text.push(name, value);
        }
        text
    }

    /// Adds a label.
    pub fn push(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        if is_legacy_label_name(name) {
            self.0.push_str(name);
        } else {
            push_quoted(&mut self.0, name);
        }
        self.0.push('=');
        push_quoted(&mut self.0, value);
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn push_quoted(out: &mut String, s: &str) {
    out.push('"');
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// An example of what a counter or bucket counted, such as a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    /// Its labels.
    pub labels: LabelText,
    /// The value that was observed.
    pub value: f64,
    /// When.
    ///
    /// Units: seconds since the epoch.
    pub t_seconds: Option<f64>,
}

/// A classic histogram at one time.
#[derive(Clone, Copy, Debug)]
pub struct HistogramPoint<'a> {
    /// Upper bounds without `+Inf`, increasing.
    pub bounds: &'a [f64],
    /// Observations per bucket, not cumulative: one more than bounds, the last beyond all of them.
    pub counts: &'a [u64],
    /// The sum of all observations.
    pub sum: f64,
    /// The latest exemplar of each bucket; may be empty.
    pub exemplars: &'a [Option<Exemplar>],
}

/// A summary at one time.
#[derive(Clone, Copy, Debug)]
pub struct SummaryPoint<'a> {
    /// Quantiles and their values.
    pub quantiles: &'a [(f64, f64)],
    /// The sum of all observations.
    pub sum: f64,
    /// The number of observations.
    pub count: u64,
}

/// Writes a page, family by family.
///
/// A family is begun with the name that its samples have in text (`http_requests_total`); OpenMetrics's name for the
/// family is made from it. Timestamps at which a series began and exemplars go into OpenMetrics alone: the text format
/// has no place for them.
pub struct Writer {
    out: Vec<u8>,
    format: Format,
    name: String,
    constant: LabelText,
}

impl Writer {
    /// Starts a page.
    pub fn new(format: Format) -> Self {
        Self::with_buffer(format, Vec::with_capacity(4096))
    }

    /// Starts a page behind what a buffer holds.
    pub fn with_buffer(format: Format, out: Vec<u8>) -> Self {
        let constant = LabelText::default();
        Self { out, format, name: String::new(), constant }
    }

    /// Puts labels before those of every series that follows; no series may have a label of the same name.
    pub fn constant_labels(&mut self, labels: LabelText) {
        self.constant = labels;
    }

    /// Begins a family.
    pub fn family(&mut self, name: &str, kind: MetricType, unit: &str, help: &str) {
        let base = match (self.format, kind) {
            (Format::OpenMetrics, MetricType::Counter) => name.strip_suffix("_total").unwrap_or(name),
            (Format::OpenMetrics, MetricType::Info) => name.strip_suffix("_info").unwrap_or(name),
            _ => name,
        };
        base.clone_into(&mut self.name);
        if !help.is_empty() {
            self.metadata("# HELP ");
            self.help(help);
        }
        self.metadata("# TYPE ");
        self.push(match (self.format, kind) {
            (Format::Text, MetricType::Info | MetricType::StateSet) => "gauge",
            (Format::Text, MetricType::GaugeHistogram) => "histogram",
            (Format::Text, MetricType::Unknown) => "untyped",
            _ => kind.as_str(),
        });
        self.push("\n");
        if self.format == Format::OpenMetrics && !unit.is_empty() {
            self.metadata("# UNIT ");
            self.push(unit);
            self.push("\n");
        }
    }

    /// Writes a counter.
    ///
    /// Units: `created` in seconds since the epoch.
    pub fn counter(
        &mut self,
        labels: &LabelText,
        value: Number,
        created: Option<f64>,
        exemplar: Option<&Exemplar>,
    ) {
        let suffix = if self.format == Format::OpenMetrics { "_total" } else { "" };
        self.sample(suffix, labels, None, value, exemplar);
        self.created(labels, created);
    }

    /// Writes a gauge, or a sample of unknown type.
    pub fn gauge(&mut self, labels: &LabelText, value: f64) {
        self.sample("", labels, None, Number::Float(value), None);
    }

    /// Writes an info metric, whose labels are its content.
    pub fn info(&mut self, labels: &LabelText) {
        let suffix = if self.format == Format::OpenMetrics { "_info" } else { "" };
        self.sample(suffix, labels, None, Number::Int(1), None);
    }

    /// Writes a state set: a series for each state, with the state in a label of the family's name.
    pub fn state_set(&mut self, labels: &LabelText, states: &[(&str, bool)]) {
        for (state, is_set) in states {
            let mut labels = labels.clone();
            labels.push(&self.name, state);
            self.sample("", &labels, None, Number::Int(u64::from(*is_set)), None);
        }
    }

    /// Writes a classic histogram.
    ///
    /// Units: `created` in seconds since the epoch.
    pub fn histogram(&mut self, labels: &LabelText, point: HistogramPoint<'_>, created: Option<f64>) {
        let mut cumulative = 0;
        for (i, count) in point.counts.iter().enumerate() {
            cumulative += count;
            let bound = point.bounds.get(i).copied().unwrap_or(f64::INFINITY);
            let exemplar = point.exemplars.get(i).and_then(Option::as_ref);
            self.sample("_bucket", labels, Some(("le", bound)), Number::Int(cumulative), exemplar);
        }
        let negative_bounds = point.bounds.first().is_some_and(|b| *b < 0.0);
        if !(self.format == Format::OpenMetrics && negative_bounds) {
            self.sample("_sum", labels, None, Number::Float(point.sum), None);
            self.sample("_count", labels, None, Number::Int(cumulative), None);
        }
        self.created(labels, created);
    }

    /// Writes a summary.
    ///
    /// Units: `created` in seconds since the epoch.
    pub fn summary(&mut self, labels: &LabelText, point: SummaryPoint<'_>, created: Option<f64>) {
        for (quantile, value) in point.quantiles {
            self.sample("", labels, Some(("quantile", *quantile)), Number::Float(*value), None);
        }
        self.sample("_sum", labels, None, Number::Float(point.sum), None);
        self.sample("_count", labels, None, Number::Int(point.count), None);
        self.created(labels, created);
    }

    /// Ends the page and returns it.
    pub fn finish(mut self) -> Vec<u8> {
        if self.format == Format::OpenMetrics {
            self.push("# EOF\n");
        }
        self.out
    }

    fn push(&mut self, s: &str) {
        self.out.extend_from_slice(s.as_bytes());
    }

    fn metadata(&mut self, keyword: &str) {
        self.push(keyword);
        if is_legacy_metric_name(&self.name) {
            self.out.extend_from_slice(self.name.as_bytes());
        } else {
            let mut quoted = String::new();
            push_quoted(&mut quoted, &self.name);
            self.push(&quoted);
        }
        self.push(" ");
    }

    fn help(&mut self, help: &str) {
        for c in help.chars() {
            match c {
                '\\' => self.push("\\\\"),
                '\n' => self.push("\\n"),
                '"' if self.format == Format::OpenMetrics => self.push("\\\""),
                c => self.push(c.encode_utf8(&mut [0; 4])),
            }
        }
        self.push("\n");
    }

    fn created(&mut self, labels: &LabelText, created: Option<f64>) {
        if let (Format::OpenMetrics, Some(t)) = (self.format, created) {
            self.sample("_created", labels, None, Number::Float(t), None);
        }
    }

    fn sample(
        &mut self,
        suffix: &str,
        labels: &LabelText,
        number: Option<(&str, f64)>,
        value: Number,
        exemplar: Option<&Exemplar>,
    ) {
        self.series(suffix, labels, number);
        self.push(" ");
        self.number(value);
        if let (Format::OpenMetrics, Some(exemplar)) = (self.format, exemplar) {
            self.push(" # {");
            self.push(&exemplar.labels.0);
            self.push("} ");
            self.number(Number::Float(exemplar.value));
            if let Some(t) = exemplar.t_seconds {
                self.push(" ");
                self.push(&float::format_f(t));
            }
        }
        self.push("\n");
    }

    fn series(&mut self, suffix: &str, labels: &LabelText, number: Option<(&str, f64)>) {
        let plain_name = is_legacy_metric_name(&self.name);
        if plain_name {
            self.out.extend_from_slice(self.name.as_bytes());
            self.push(suffix);
        }
        if plain_name && labels.0.is_empty() && self.constant.0.is_empty() && number.is_none() {
            return;
        }
        self.push("{");
        let start = self.out.len();
        if !plain_name {
            let mut quoted = String::new();
            push_quoted(&mut quoted, &[self.name.as_str(), suffix].concat());
            self.push(&quoted);
        }
        for part in [&self.constant, labels] {
            if !part.0.is_empty() {
                if self.out.len() > start {
                    self.out.push(b',');
                }
                self.out.extend_from_slice(part.0.as_bytes());
            }
        }
        if let Some((name, number)) = number {
            if self.out.len() > start {
                self.push(",");
            }
            self.push(name);
            self.push("=\"");
            match self.format {
                Format::Text => self.push(&float::format_g(number)),
                Format::OpenMetrics => push_float_with_point(&mut self.out, number),
            }
            self.push("\"");
        }
        self.push("}");
    }

    fn number(&mut self, value: Number) {
        match value {
            Number::Int(v) => push_integer(&mut self.out, v),
            Number::Float(v) if v.fract() == 0.0 && v.is_sign_positive() && v < INTEGER_MAX => {
                push_integer(&mut self.out, v as u64);
            }
            Number::Float(v) => self.push(&float::format_g(v)),
        }
    }
}

/// Below this every whole float is written with plain digits, which any reader takes and a person reads more easily.
const INTEGER_MAX: f64 = 1e15;

fn push_integer(out: &mut Vec<u8>, mut v: u64) {
    let mut digits = [0u8; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (v % 10) as u8;
        v /= 10;
        if v == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Writes a float as OpenMetrics wants it in `le` and `quantile`: always with a point or an exponent.
pub(crate) fn push_float_with_point(out: &mut Vec<u8>, v: f64) {
    let mut text = float::format_g(v);
    if v.is_finite() && !text.contains(['.', 'e']) {
        text.push_str(".0");
    }
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests;
