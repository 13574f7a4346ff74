//! The writer of pages.

mod classic;
mod composite;
mod point;
mod protobuf;

use promflow_model::histogram::NativeHistogram;
use promflow_model::{MetricType, float, is_legacy_metric_name};

use self::classic::Classic;
pub(crate) use self::point::push_quoted;
pub use self::point::{Exemplar, HistogramPoint, LabelText, NativeHistogramPoint, Number, SummaryPoint};
use self::protobuf::Native;
use crate::{Escaping, Format, LabelIter, Negotiated};

/// Writes a page, family by family.
///
/// A family is begun with the name that its samples have in text (`http_requests_total`); OpenMetrics's name for the
/// family is made from it. What a format has no place for is left out: text has no units, exemplars and times at which
/// a series began; a unit that is no suffix of its family's name goes into OpenMetrics 2.0 alone, as readers of the
/// other formats refuse the page.
pub struct Writer {
    out: Vec<u8>,
    format: Format,
    escaping: Escaping,
    kind: MetricType,
    name: String,
    /// Whether the name needs no quotes.
    plain_name: bool,
    constant: LabelText,
    /// In protobuf, the family that was begun: its length goes before it.
    family: Vec<u8>,
    /// In protobuf, the labels of the series, braced; for other formats those that were escaped.
    label_list: String,
}

impl Writer {
    /// Starts a page.
    pub fn new(format: Format) -> Self {
        Self::with_buffer(format, Vec::with_capacity(4096))
    }

    /// Starts a page behind what a buffer holds.
    pub fn with_buffer(format: Format, out: Vec<u8>) -> Self {
        Self {
            out,
            format,
            escaping: Escaping::AllowUtf8,
            kind: MetricType::Unknown,
            name: String::new(),
            plain_name: false,
            constant: LabelText::default(),
            family: Vec::new(),
            label_list: String::new(),
        }
    }

    /// Starts a page as a scraper wants it.
    pub fn negotiated(negotiated: &Negotiated) -> Self {
        let mut writer = Self::new(negotiated.format);
        writer.escape_names(negotiated.escaping);
        writer
    }

    /// Sets how metric and label names that are not classic are written; at first they are quoted.
    pub fn escape_names(&mut self, escaping: Escaping) {
        self.escaping = escaping;
    }

    /// Puts labels before those of every series that follows; no series may have a label of the same name.
    pub fn constant_labels(&mut self, labels: LabelText) {
        self.constant = labels;
    }

    /// Begins a family.
    pub fn family(&mut self, name: &str, kind: MetricType, unit: &str, help: &str) {
        let name = self.escaping.escape(name);
        let base = match (self.format, kind) {
            (Format::OpenMetrics, MetricType::Counter) => name.strip_suffix("_total").unwrap_or(&name),
            (Format::OpenMetrics, MetricType::Info) => name.strip_suffix("_info").unwrap_or(&name),
            _ => &name,
        };
        base.clone_into(&mut self.name);
        self.plain_name = is_legacy_metric_name(&self.name);
        self.kind = kind;
        let unit = if self.takes_unit(unit) { unit } else { "" };
        if self.format == Format::Protobuf {
            return self.protobuf_family(kind, unit, help);
        }
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
        if self.format.is_openmetrics() && !unit.is_empty() {
            self.metadata("# UNIT ");
            self.push(unit);
            self.push("\n");
        }
    }

    fn takes_unit(&self, unit: &str) -> bool {
        if matches!(self.kind, MetricType::Info | MetricType::StateSet) {
            return false;
        }
        let name = match self.kind {
            MetricType::Counter => self.name.strip_suffix("_total").unwrap_or(&self.name),
            _ => &self.name,
        };
        self.format == Format::OpenMetrics2 || name.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_'))
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
        if self.format == Format::Protobuf {
            self.list_labels(labels);
            return self.protobuf_counter(value, created, exemplar);
        }
        let suffix = if self.format == Format::OpenMetrics { "_total" } else { "" };
        self.series(suffix, labels, None);
        self.push(" ");
        self.number(value);
        self.start_time(created);
        if let Some(exemplar) = exemplar {
            self.exemplar(exemplar);
        }
        self.push("\n");
        self.created(labels, created);
    }

    /// Writes a gauge, or a sample of unknown type.
    pub fn gauge(&mut self, labels: &LabelText, value: f64) {
        if self.format == Format::Protobuf {
            self.list_labels(labels);
            return self.protobuf_gauge(value);
        }
        self.sample("", labels, None, Number::Float(value), None);
    }

    /// Writes an info metric, whose labels are its content.
    pub fn info(&mut self, labels: &LabelText) {
        if self.format == Format::Protobuf {
            return self.gauge(labels, 1.0);
        }
        let suffix = if self.format == Format::OpenMetrics { "_info" } else { "" };
        self.sample(suffix, labels, None, Number::Int(1), None);
    }

    /// Writes a state set: a series for each state, with the state in a label of the family's name.
    pub fn state_set(&mut self, labels: &LabelText, states: &[(&str, bool)]) {
        for (state, is_set) in states {
            let mut labels = labels.clone();
            labels.push(&self.name, state);
            self.gauge(&labels, f64::from(u8::from(*is_set)));
        }
    }

    /// Says whether the page's format has native histograms.
    pub fn has_native_histograms(&self) -> bool {
        matches!(self.format, Format::Protobuf | Format::OpenMetrics2)
    }

    /// Writes a classic histogram, or gauge histogram, as the family is.
    ///
    /// Units: `created` in seconds since the epoch.
    pub fn histogram(&mut self, labels: &LabelText, point: HistogramPoint<'_>, created: Option<f64>) {
        self.classic(labels, &Classic::of_point(point), created);
    }

    /// Writes a native histogram, or gauge histogram, as the family is.
    ///
    /// Units: `created` in seconds since the epoch.
    pub fn native_histogram(
        &mut self,
        labels: &LabelText,
        point: NativeHistogramPoint<'_>,
        created: Option<f64>,
    ) {
        let (is_custom, sum) = match point.histogram {
            NativeHistogram::Int(h) => (h.uses_custom_buckets(), h.sum),
            NativeHistogram::Float(h) => (h.uses_custom_buckets(), h.sum),
        };
        let classic = point.classic.map(|p| Classic::of_point(HistogramPoint { sum, ..p }));
        match self.format {
            Format::Protobuf if !is_custom => {
                self.list_labels(labels);
                let native = Native { histogram: point.histogram, exemplars: point.exemplars };
                self.protobuf_histogram(classic.as_ref(), Some(native), created);
            }
            Format::OpenMetrics2 if !is_custom => {
                let native = (point.histogram, point.exemplars);
                self.composite_histogram(labels, classic.as_ref(), Some(native), created);
            }
            _ => {
                let classic = classic.unwrap_or_else(|| Classic::of_native(point.histogram));
                self.classic(labels, &classic, created);
            }
        }
    }

    fn classic(&mut self, labels: &LabelText, classic: &Classic<'_>, created: Option<f64>) {
        match self.format {
            Format::Protobuf => {
                self.list_labels(labels);
                return self.protobuf_histogram(Some(classic), None, created);
            }
            Format::OpenMetrics2 => return self.composite_histogram(labels, Some(classic), None, created),
            Format::Text | Format::OpenMetrics => {}
        }
        for (bound, cumulative, exemplar) in classic.buckets() {
            self.sample("_bucket", labels, Some(("le", bound)), cumulative, exemplar);
        }
        let gauge = self.kind == MetricType::GaugeHistogram && self.format == Format::OpenMetrics;
        let (sum, count) = if gauge { ("_gsum", "_gcount") } else { ("_sum", "_count") };
        if gauge || self.format == Format::Text || !classic.has_negative_bounds() {
            self.sample(sum, labels, None, Number::Float(classic.sum), None);
            self.sample(count, labels, None, classic.count, None);
        }
        self.created(labels, created.filter(|_| !gauge));
    }

    /// Writes a summary.
    ///
    /// Units: `created` in seconds since the epoch.
    pub fn summary(&mut self, labels: &LabelText, point: SummaryPoint<'_>, created: Option<f64>) {
        match self.format {
            Format::Protobuf => {
                self.list_labels(labels);
                return self.protobuf_summary(point, created);
            }
            Format::OpenMetrics2 => return self.composite_summary(labels, point, created),
            Format::Text | Format::OpenMetrics => {}
        }
        for (quantile, value) in point.quantiles {
            self.sample("", labels, Some(("quantile", *quantile)), Number::Float(*value), None);
        }
        self.sample("_sum", labels, None, Number::Float(point.sum), None);
        self.sample("_count", labels, None, Number::Int(point.count), None);
        self.created(labels, created);
    }

    /// Ends the page and returns it.
    pub fn finish(mut self) -> Vec<u8> {
        if self.format.is_openmetrics() {
            self.push("# EOF\n");
        }
        self.protobuf_flush();
        self.out
    }

    fn push(&mut self, s: &str) {
        self.out.extend_from_slice(s.as_bytes());
    }

    fn metadata(&mut self, keyword: &str) {
        self.push(keyword);
        if self.plain_name {
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
                '"' if self.format.is_openmetrics() => self.push("\\\""),
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

    /// Writes when the series began, in OpenMetrics 2.0.
    fn start_time(&mut self, created: Option<f64>) {
        if let (Format::OpenMetrics2, Some(t)) = (self.format, created) {
            self.push(" st@");
            self.push(&float::format_f(t));
        }
    }

    fn exemplar(&mut self, exemplar: &Exemplar) {
        let time = exemplar.t_seconds;
        if !self.format.is_openmetrics() || (self.format == Format::OpenMetrics2 && time.is_none()) {
            return;
        }
        self.push(" # {");
        self.push(exemplar.labels.as_str());
        self.push("} ");
        self.number(Number::Float(exemplar.value));
        if let Some(t) = time {
            self.push(" ");
            self.push(&float::format_f(t));
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
        if let Some(exemplar) = exemplar {
            self.exemplar(exemplar);
        }
        self.push("\n");
    }

    fn series(&mut self, suffix: &str, labels: &LabelText, number: Option<(&str, f64)>) {
        if self.plain_name {
            self.out.extend_from_slice(self.name.as_bytes());
            self.push(suffix);
        }
        let no_labels = labels.as_str().is_empty() && self.constant.as_str().is_empty();
        if self.plain_name && no_labels && number.is_none() {
            return;
        }
        self.push("{");
        let start = self.out.len();
        if !self.plain_name {
            let mut quoted = String::new();
            push_quoted(&mut quoted, &[self.name.as_str(), suffix].concat());
            self.push(&quoted);
        }
        if self.needs_escaping(labels) {
            self.list_labels(labels);
            let inner = &self.label_list[1..self.label_list.len() - 1];
            push_part(&mut self.out, start, inner);
        } else {
            push_part(&mut self.out, start, self.constant.as_str());
            push_part(&mut self.out, start, labels.as_str());
        }
        if let Some((name, number)) = number {
            push_part(&mut self.out, start, name);
            self.push("=\"");
            if self.format == Format::OpenMetrics {
                self.number_with_point(number);
            } else {
                self.push(&float::format_g(number));
            }
            self.push("\"");
        }
        self.push("}");
    }

    fn needs_escaping(&self, labels: &LabelText) -> bool {
        self.escaping != Escaping::AllowUtf8 && (labels.has_quoted_name() || self.constant.has_quoted_name())
    }

    /// Puts all labels of the series, braced and escaped, into `label_list`.
    fn list_labels(&mut self, labels: &LabelText) {
        let mut list = std::mem::take(&mut self.label_list);
        list.clear();
        list.push('{');
        list.push_str(self.constant.as_str());
        if list.len() > 1 && !labels.as_str().is_empty() {
            list.push(',');
        }
        list.push_str(labels.as_str());
        list.push('}');
        if self.needs_escaping(labels) {
            let mut escaped = LabelText::default();
            for (name, value) in LabelIter::of_list(&list) {
                escaped.push(&self.escaping.escape(&name), &value);
            }
            list = format!("{{{}}}", escaped.as_str());
        }
        self.label_list = list;
    }

    fn number_with_point(&mut self, v: f64) {
        let mut text = String::new();
        push_float_with_point(&mut text, v);
        self.push(&text);
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

/// Appends a part of a label list that begins at `start`, after a comma where one is needed.
fn push_part(out: &mut Vec<u8>, start: usize, part: &str) {
    if !part.is_empty() {
        if out.len() > start {
            out.push(b',');
        }
        out.extend_from_slice(part.as_bytes());
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
pub(crate) fn push_float_with_point(out: &mut String, v: f64) {
    let start = out.len();
    out.push_str(&float::format_g(v));
    if v.is_finite() && !out[start..].contains(['.', 'e']) {
        out.push_str(".0");
    }
}

#[cfg(test)]
mod tests;
