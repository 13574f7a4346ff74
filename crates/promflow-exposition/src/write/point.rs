//! What is written: numbers, labels, and the content of one series at one time.

use promflow_model::histogram::NativeHistogram;
use promflow_model::is_legacy_label_name;

use crate::text::push_quoted;

/// A number to write: integers keep all their digits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A count.
    Int(u64),
    /// Any other value.
    Float(f64),
}

impl Number {
    pub(super) fn to_f64(self) -> f64 {
        match self {
            Self::Int(v) => v as f64,
            Self::Float(v) => v,
        }
    }
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
pub struct LabelText {
    text: String,
    /// Whether a name is quoted, and so has to be written anew for a scraper that wants it escaped.
    has_quoted_name: bool,
}

/// Labels as [`LabelText`] has them, borrowed: a family may keep those of all its series in one text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LabelSlice<'a> {
    text: &'a str,
    has_quoted_name: bool,
}

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
        if !self.text.is_empty() {
            self.text.push(',');
        }
        if is_legacy_label_name(name) {
            self.text.push_str(name);
        } else {
            self.has_quoted_name = true;
            push_quoted(&mut self.text, name);
        }
        self.text.push('=');
        push_quoted(&mut self.text, value);
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn into_string(self) -> String {
        self.text
    }

    /// Tells whether a name is quoted, as it is none that text 0.0.4 can carry.
    pub fn has_quoted_name(&self) -> bool {
        self.has_quoted_name
    }
}

impl<'a> LabelSlice<'a> {
    /// Takes a text that [`LabelText::as_str`] returned, and whether [`LabelText::has_quoted_name`] was true.
    pub fn new(text: &'a str, has_quoted_name: bool) -> Self {
        Self { text, has_quoted_name }
    }

    /// Copies the labels.
    pub fn to_text(self) -> LabelText {
        LabelText { text: self.text.to_owned(), has_quoted_name: self.has_quoted_name }
    }

    #[inline]
    pub(super) fn as_str(self) -> &'a str {
        self.text
    }

    #[inline]
    pub(super) fn is_empty(self) -> bool {
        self.text.is_empty()
    }

    #[inline]
    pub(super) fn has_quoted_name(self) -> bool {
        self.has_quoted_name
    }
}

impl<'a> From<&'a LabelText> for LabelSlice<'a> {
    #[inline]
    fn from(labels: &'a LabelText) -> Self {
        Self { text: &labels.text, has_quoted_name: labels.has_quoted_name }
    }
}

/// An example of what a counter or bucket counted, such as a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    /// Its labels.
    pub labels: LabelText,
    /// The value that was observed.
    pub value: f64,
    /// When. Without it OpenMetrics 2.0 leaves the exemplar out.
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

/// A native histogram at one time.
///
/// Protobuf and OpenMetrics 2.0 hold it as it is; the other formats hold its classic buckets, and where it has none,
/// the bucket `+Inf` alone.
#[derive(Clone, Copy, Debug)]
pub struct NativeHistogramPoint<'a> {
    /// The histogram. One with custom buckets is written as the classic one that it is.
    pub histogram: &'a NativeHistogram,
    /// Classic buckets for the same observations; their sum is not used.
    pub classic: Option<HistogramPoint<'a>>,
    /// Exemplars; those without a time are not read back by Prometheus.
    pub exemplars: &'a [Exemplar],
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
