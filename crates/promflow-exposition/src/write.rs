//! The writer of pages.

mod classic;
mod composite;
mod line;
mod point;
mod protobuf;

use std::borrow::Cow;

use promflow_model::histogram::NativeHistogram;
use promflow_model::{MetricType, float, is_legacy_metric_name};

use self::classic::Classic;
use self::line::{Bounds, Prefix};
pub use self::point::{
    Exemplar, HistogramPoint, LabelSlice, LabelText, NativeHistogramPoint, Number, SummaryPoint,
};
use self::protobuf::Native;
use crate::text::{push_float_with_point, push_quoted};
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
    /// How the lines of the family begin.
    prefix: Prefix,
    /// The bounds of the histogram that was written last.
    bounds: Bounds,
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
            prefix: Prefix::default(),
            bounds: Bounds::default(),
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
        self.prefix.forget();
    }

    /// Puts labels before those of every series that follows; no series may have a label of the same name.
    pub fn constant_labels(&mut self, labels: LabelText) {
        self.constant = labels;
        self.prefix = Prefix::default();
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
        self.prefix.forget();
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
    #[inline]
    pub fn counter<'l>(
        &mut self,
        labels: impl Into<LabelSlice<'l>>,
        value: Number,
        created: Option<f64>,
        exemplar: Option<&Exemplar>,
    ) {
        let labels = labels.into();
        if self.format == Format::Protobuf {
            self.list_labels(labels);
            return self.protobuf_counter(value, created, exemplar);
        }
        let suffix = if self.format == Format::OpenMetrics { "_total" } else { "" };
        if exemplar.is_none() && created.is_none() {
            return self.sample(suffix, labels, None, value, None);
        }
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
    #[inline]
    pub fn gauge<'l>(&mut self, labels: impl Into<LabelSlice<'l>>, value: f64) {
        let labels = labels.into();
        if self.format == Format::Protobuf {
            self.list_labels(labels);
            return self.protobuf_gauge(value);
        }
        self.sample("", labels, None, Number::Float(value), None);
    }

    /// Writes an info metric, whose labels are its content.
    pub fn info<'l>(&mut self, labels: impl Into<LabelSlice<'l>>) {
        let labels = labels.into();
        if self.format == Format::Protobuf {
            return self.gauge(labels, 1.0);
        }
        let suffix = if self.format == Format::OpenMetrics { "_info" } else { "" };
        self.sample(suffix, labels, None, Number::Int(1), None);
    }

    /// Writes a state set: a series for each state, with the state in a label of the family's name.
    pub fn state_set<'l>(&mut self, labels: impl Into<LabelSlice<'l>>, states: &[(&str, bool)]) {
        let labels = labels.into();
        for (state, is_set) in states {
            let mut labels = labels.to_text();
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
    pub fn histogram<'l>(
        &mut self,
        labels: impl Into<LabelSlice<'l>>,
        point: HistogramPoint<'_>,
        created: Option<f64>,
    ) {
        self.classic(labels.into(), &Classic::of_point(point), created);
    }

    /// Writes a native histogram, or gauge histogram, as the family is.
    ///
    /// Units: `created` in seconds since the epoch.
    pub fn native_histogram<'l>(
        &mut self,
        labels: impl Into<LabelSlice<'l>>,
        point: NativeHistogramPoint<'_>,
        created: Option<f64>,
    ) {
        let labels = labels.into();
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

    fn classic(&mut self, labels: LabelSlice<'_>, classic: &Classic<'_>, created: Option<f64>) {
        match self.format {
            Format::Protobuf => {
                self.list_labels(labels);
                return self.protobuf_histogram(Some(classic), None, created);
            }
            Format::OpenMetrics2 => return self.composite_histogram(labels, Some(classic), None, created),
            Format::Text | Format::OpenMetrics => {}
        }
        self.bucket_lines(labels, classic);
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
    pub fn summary<'l>(
        &mut self,
        labels: impl Into<LabelSlice<'l>>,
        point: SummaryPoint<'_>,
        created: Option<f64>,
    ) {
        let labels = labels.into();
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

    fn created(&mut self, labels: LabelSlice<'_>, created: Option<f64>) {
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

    /// Tells whether label names have to be written anew for this scraper.
    #[inline]
    fn needs_escaping(&self, labels: LabelSlice<'_>) -> bool {
        labels.has_quoted_name() && self.escaping != Escaping::AllowUtf8
    }

    /// Writes a label list, without braces, as the scraper wants its names.
    fn escaped<'l>(&self, labels: LabelSlice<'l>) -> Cow<'l, str> {
        if !self.needs_escaping(labels) {
            return Cow::Borrowed(labels.as_str());
        }
        let mut escaped = LabelText::default();
        for (name, value) in LabelIter::of_list(&format!("{{{}}}", labels.as_str())) {
            escaped.push(&self.escaping.escape_label(&name), &value);
        }
        Cow::Owned(escaped.into_string())
    }

    /// Puts all labels of the series, braced and escaped, into `label_list`.
    fn list_labels(&mut self, labels: LabelSlice<'_>) {
        let mut list = std::mem::take(&mut self.label_list);
        list.clear();
        list.push('{');
        list.push_str(&self.escaped(LabelSlice::from(&self.constant)));
        if list.len() > 1 && !labels.is_empty() {
            list.push(',');
        }
        list.push_str(&self.escaped(labels));
        list.push('}');
        self.label_list = list;
    }

    fn number_with_point(&mut self, v: f64) {
        let mut text = String::new();
        push_float_with_point(&mut text, v);
        self.push(&text);
    }
}

#[cfg(test)]
mod tests;
