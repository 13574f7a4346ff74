//! What the parser yields.

use std::borrow::Cow;

use promflow_model::histogram::NativeHistogram;
use promflow_model::{BUCKET_LABEL, Labels, LabelsBuilder, METRIC_NAME, MetricType, QUANTILE_LABEL};

use crate::scan::{Cursor, Item, Syntax, Token};
use crate::text::push_float_with_point;

/// One line of a page.
#[derive(Clone, Debug)]
pub enum Entry<'a> {
    /// `# HELP`.
    Help {
        /// The metric family.
        metric: Cow<'a, str>,
        /// The text, unescaped.
        text: Cow<'a, str>,
    },
    /// `# TYPE`.
    Type {
        /// The metric family.
        metric: Cow<'a, str>,
        /// Its type.
        kind: MetricType,
    },
    /// `# UNIT`, in OpenMetrics.
    Unit {
        /// The metric family.
        metric: Cow<'a, str>,
        /// Its unit.
        unit: &'a str,
    },
    /// A comment, in text, without its `#`.
    Comment(&'a str),
    /// A sample.
    Sample(SampleEntry<'a>),
    /// `# EOF`, in OpenMetrics.
    Eof,
}

/// A sample line.
///
/// Cost: no allocation until [`SampleEntry::labels`] is asked.
#[derive(Clone, Copy, Debug)]
pub struct SampleEntry<'a> {
    pub(crate) series: &'a str,
    /// The label whose value is a number that is written in one way: `le` or `quantile`.
    pub(crate) number_label: Option<&'static str>,
    /// The value.
    pub value: f64,
    /// The timestamp, where the page has one.
    ///
    /// Units: milliseconds since the epoch.
    pub t_ms: Option<i64>,
    /// When the series began, where the page says it beside the sample: in protobuf.
    ///
    /// Units: milliseconds since the epoch.
    pub created_ms: Option<i64>,
    /// The exemplar, in OpenMetrics and protobuf.
    pub exemplar: Option<ExemplarEntry<'a>>,
}

impl<'a> SampleEntry<'a> {
    /// Returns the series as its bytes on the page: of one target, equal bytes are an equal series.
    pub fn series(&self) -> &'a [u8] {
        self.series.as_bytes()
    }

    /// Iterates over the labels in the page's order, the metric name among them.
    pub fn iter(&self) -> LabelIter<'a> {
        LabelIter::new(self.series, self.number_label)
    }

    /// Returns the metric name.
    pub fn metric_name(&self) -> Cow<'a, str> {
        self.iter().find(|(name, _)| name == METRIC_NAME).map_or(Cow::Borrowed(""), |(_, name)| name)
    }

    /// Sets the series' labels, the metric name among them, on a builder.
    pub fn labels_into(&self, builder: &mut LabelsBuilder) {
        for (name, value) in self.iter() {
            builder.set(&name, &value);
        }
    }

    /// Builds the series' label set.
    pub fn labels(&self) -> Labels {
        let mut builder = LabelsBuilder::default();
        self.labels_into(&mut builder);
        builder.labels()
    }
}

/// An exemplar of a sample.
#[derive(Clone, Copy, Debug)]
pub struct ExemplarEntry<'a> {
    pub(crate) labels: &'a str,
    /// The value.
    pub value: f64,
    /// The timestamp, where there is one.
    ///
    /// Units: milliseconds since the epoch.
    pub t_ms: Option<i64>,
}

impl<'a> ExemplarEntry<'a> {
    /// Iterates over the labels in the page's order.
    pub fn iter(&self) -> LabelIter<'a> {
        LabelIter::new(self.labels, None)
    }

    /// Builds the exemplar's label set.
    pub fn labels(&self) -> Labels {
        Labels::from_pairs(self.iter())
    }
}

/// An exemplar on its own.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnedExemplar {
    /// Its labels.
    pub labels: Labels,
    /// The value.
    pub value: f64,
    /// The timestamp, where there is one.
    ///
    /// Units: milliseconds since the epoch.
    pub t_ms: Option<i64>,
}

/// A native histogram.
#[derive(Clone, Debug)]
pub struct HistogramEntry<'a> {
    pub(crate) series: &'a str,
    /// The histogram, as it stands on the page.
    pub histogram: NativeHistogram,
    /// The timestamp, where the page has one.
    ///
    /// Units: milliseconds since the epoch.
    pub t_ms: Option<i64>,
    /// When the series began, where the page says it.
    ///
    /// Units: milliseconds since the epoch.
    pub created_ms: Option<i64>,
    /// The exemplars that have a timestamp.
    pub exemplars: Vec<OwnedExemplar>,
}

impl<'a> HistogramEntry<'a> {
    /// Returns the series as text: of one target, equal bytes are an equal series.
    pub fn series(&self) -> &'a [u8] {
        self.series.as_bytes()
    }

    /// Iterates over the labels in the page's order, the metric name among them.
    pub fn iter(&self) -> LabelIter<'a> {
        LabelIter::of_series(self.series)
    }

    /// Builds the series' label set.
    pub fn labels(&self) -> Labels {
        Labels::from_pairs(self.iter())
    }
}

/// What a [`crate::Reader`] yields: an entry as text has it, or a native histogram, which protobuf alone has.
#[derive(Clone, Debug)]
pub enum PageEntry<'a> {
    /// An entry.
    Entry(Entry<'a>),
    /// A native histogram.
    Histogram(HistogramEntry<'a>),
}

/// Iterates over the labels of a series in the page's order.
#[derive(Clone, Debug)]
pub struct LabelIter<'a> {
    cursor: Cursor<'a>,
    number_label: Option<&'static str>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Name,
    Labels,
    Done,
}

impl<'a> LabelIter<'a> {
    fn new(text: &'a str, number_label: Option<&'static str>) -> Self {
        Self { cursor: Cursor { text, pos: 0, syntax: Syntax::CHECKED }, number_label, state: State::Name }
    }

    /// Iterates over a label list with its braces.
    pub(crate) fn of_list(list: &'a str) -> Self {
        let cursor = Cursor { text: list, pos: 1, syntax: Syntax::CHECKED };
        Self { cursor, number_label: None, state: State::Labels }
    }

    /// Iterates over a series whose numbers are written in one way already.
    pub(crate) fn of_series(series: &'a str) -> Self {
        Self::new(series, None)
    }

    fn pair(&self, name: Token<'a>, value: Token<'a>) -> (Cow<'a, str>, Cow<'a, str>) {
        if Some(name.raw) == self.number_label
            && let Some(number) = promflow_model::float::parse(value.raw)
        {
            let mut text = String::new();
            push_float_with_point(&mut text, number);
            return (name.text(), Cow::Owned(text));
        }
        (name.text(), value.text())
    }
}

impl<'a> Iterator for LabelIter<'a> {
    type Item = (Cow<'a, str>, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::Name {
            let name = self.cursor.name(true);
            self.cursor.skip_blanks();
            self.state = if self.cursor.eat(b'{') { State::Labels } else { State::Done };
            if !name.is_empty() {
                return Some((Cow::Borrowed(METRIC_NAME), Cow::Borrowed(name)));
            }
        }
        if self.state == State::Done {
            return None;
        }
        match self.cursor.label_item(&mut false) {
            Ok(Some(Item::Metric(name))) => Some((Cow::Borrowed(METRIC_NAME), name.text())),
            Ok(Some(Item::Label(name, value))) => Some(self.pair(name, value)),
            Ok(None) | Err(_) => {
                self.state = State::Done;
                None
            }
        }
    }
}

/// Returns the label that holds a number in series of this type.
pub(crate) fn number_label(kind: MetricType) -> Option<&'static str> {
    match kind {
        MetricType::Histogram | MetricType::GaugeHistogram => Some(BUCKET_LABEL),
        MetricType::Summary => Some(QUANTILE_LABEL),
        _ => None,
    }
}
