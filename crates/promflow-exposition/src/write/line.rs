//! The lines of samples: most of a page, so that each is three copies into it: what the family's lines have in common,
//! the labels, and the rest.

use promflow_model::float;

use super::Writer;
use super::classic::Classic;
use super::point::{Exemplar, LabelSlice, Number};
use crate::Format;
use crate::text::{push_float_with_point, push_quoted};

/// How the lines of one suffix begin, up to the labels of the series: `name{`, or `name{constant="label",`.
#[derive(Default)]
pub(super) struct Prefix {
    suffix: Option<&'static str>,
    bytes: Vec<u8>,
}

impl Prefix {
    /// Has it made anew for the next line.
    pub(super) fn forget(&mut self) {
        self.suffix = None;
    }

    /// Tells whether the prefix is that of a suffix.
    #[inline]
    fn is_of(&self, suffix: &str) -> bool {
        // No comparison of nothing with nothing: some processors take a detour at the address of an empty text, which
        // took twice as long as all else of a line.
        self.suffix.is_some_and(|s| s.len() == suffix.len() && (s.is_empty() || s == suffix))
    }

    /// Returns what stands for a series without labels of its own: `name`, or `name{constant="label"`.
    fn bare(&self) -> &[u8] {
        self.bytes.split_last().map_or(&[], |(_, bare)| bare)
    }

    /// Tells whether something stands in the braces.
    fn has_labels(&self) -> bool {
        self.bytes.last() == Some(&b',')
    }
}

/// Bounds of histograms, and the ends of the lines' label lists that they make: `le="0.5"`. The series of a family
/// have the same ones.
#[derive(Default)]
pub(super) struct Bounds {
    bounds: Vec<f64>,
    texts: Vec<String>,
}

impl Writer {
    #[inline]
    pub(super) fn sample(
        &mut self,
        suffix: &'static str,
        labels: LabelSlice<'_>,
        number: Option<(&str, f64)>,
        value: Number,
        exemplar: Option<&Exemplar>,
    ) {
        let is_plain = number.is_none() && exemplar.is_none() && !labels.is_empty();
        if is_plain && !self.needs_escaping(labels) {
            self.make_prefix(suffix);
            self.out.extend_from_slice(&self.prefix.bytes);
            self.out.extend_from_slice(labels.as_str().as_bytes());
            return self.end(b"} ", value);
        }
        self.series(suffix, labels, number);
        self.push(" ");
        self.number(value);
        if let Some(exemplar) = exemplar {
            self.exemplar(exemplar);
        }
        self.push("\n");
    }

    /// Writes the buckets of a classic histogram.
    pub(super) fn bucket_lines(&mut self, labels: LabelSlice<'_>, classic: &Classic<'_>) {
        let mut bounds = std::mem::take(&mut self.bounds);
        if bounds.bounds != classic.bounds() || bounds.texts.is_empty() {
            bounds.bounds.clear();
            bounds.bounds.extend_from_slice(classic.bounds());
            let all = classic.bounds().iter().copied().chain([f64::INFINITY]);
            bounds.texts = all.map(|bound| self.bound_text(bound)).collect();
        }
        // Behind the last comma of the label list stands the bound, in every line the same place.
        let start = self.out.len();
        self.open_series("_bucket", labels);
        let head = self.out.split_off(start);
        let infinite = bounds.texts.last().map_or("", String::as_str);
        for (i, (bound, cumulative, exemplar)) in classic.buckets().enumerate() {
            let is_last = bound == f64::INFINITY;
            let text = bounds.texts.get(i).filter(|_| !is_last).map_or(infinite, String::as_str);
            self.out.extend_from_slice(&head);
            self.push(text);
            match exemplar {
                None => self.end(b"} ", cumulative),
                Some(exemplar) => {
                    self.push("} ");
                    self.number(cumulative);
                    self.exemplar(exemplar);
                    self.push("\n");
                }
            }
        }
        self.bounds = bounds;
    }

    fn bound_text(&self, bound: f64) -> String {
        let mut text = "le=\"".to_owned();
        match self.format {
            Format::OpenMetrics => push_float_with_point(&mut text, bound),
            _ => text.push_str(&float::format_g(bound)),
        }
        text.push('"');
        text
    }

    pub(super) fn series(
        &mut self,
        suffix: &'static str,
        labels: LabelSlice<'_>,
        number: Option<(&str, f64)>,
    ) {
        if labels.is_empty() && number.is_none() {
            self.make_prefix(suffix);
            self.out.extend_from_slice(self.prefix.bare());
            if self.prefix.has_labels() {
                self.push("}");
            }
            return;
        }
        self.open_series(suffix, labels);
        match number {
            Some((name, number)) => {
                self.push(name);
                self.push("=\"");
                if self.format == Format::OpenMetrics {
                    self.number_with_point(number);
                } else {
                    self.push(&float::format_g(number));
                }
                self.push("\"");
            }
            // The comma was for a label that does not come.
            None => {
                self.out.pop();
            }
        }
        self.push("}");
    }

    /// Writes name and labels up to the place of one more label.
    fn open_series(&mut self, suffix: &'static str, labels: LabelSlice<'_>) {
        self.make_prefix(suffix);
        self.out.extend_from_slice(&self.prefix.bytes);
        if labels.is_empty() {
            return;
        }
        let labels = self.escaped(labels);
        self.push(&labels);
        self.push(",");
    }

    #[inline]
    fn make_prefix(&mut self, suffix: &'static str) {
        if !self.prefix.is_of(suffix) {
            self.make_new_prefix(suffix);
        }
    }

    #[cold]
    fn make_new_prefix(&mut self, suffix: &'static str) {
        let mut bytes = std::mem::take(&mut self.prefix.bytes);
        bytes.clear();
        if self.plain_name {
            bytes.extend_from_slice(self.name.as_bytes());
            bytes.extend_from_slice(suffix.as_bytes());
            bytes.push(b'{');
        } else {
            let mut quoted = String::from("{");
            push_quoted(&mut quoted, &[self.name.as_str(), suffix].concat());
            bytes.extend_from_slice(quoted.as_bytes());
            bytes.push(b',');
        }
        let constant = self.escaped(LabelSlice::from(&self.constant));
        if !constant.is_empty() {
            bytes.extend_from_slice(constant.as_bytes());
            bytes.push(b',');
        }
        self.prefix = Prefix { suffix: Some(suffix), bytes };
    }

    /// Ends a line with a number behind `before`.
    #[inline]
    fn end(&mut self, before: &[u8; 2], value: Number) {
        match whole(value) {
            Some(v) => {
                let mut line = [0; LINE_END];
                line[LINE_END - 1] = b'\n';
                let digits = put_digits(&mut line, LINE_END - 1, v);
                line[digits - 2..digits].copy_from_slice(before);
                self.out.extend_from_slice(&line[digits - 2..]);
            }
            None => {
                self.out.extend_from_slice(before);
                self.number(value);
                self.push("\n");
            }
        }
    }

    pub(super) fn number(&mut self, value: Number) {
        match (whole(value), value) {
            (Some(v), _) => {
                let mut digits = [0; LINE_END];
                let start = put_digits(&mut digits, LINE_END, v);
                self.out.extend_from_slice(&digits[start..]);
            }
            (None, Number::Float(v)) => self.push(&float::format_g(v)),
            (None, Number::Int(_)) => {}
        }
    }
}

/// Below this every whole float is written with plain digits, which any reader takes and a person reads more easily.
const INTEGER_MAX: f64 = 1e15;

/// Returns the number that is written with nothing but digits.
#[inline]
fn whole(value: Number) -> Option<u64> {
    match value {
        Number::Int(v) => Some(v),
        Number::Float(v) if v.fract() == 0.0 && v.is_sign_positive() && v < INTEGER_MAX => Some(v as u64),
        Number::Float(_) => None,
    }
}

/// As many bytes as the longest integer, two bytes before it and a line feed take, and one more.
const LINE_END: usize = 24;

/// All numbers of two digits.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut i = 0;
    while i < pairs.len() {
        pairs[i] = [b'0' + (i / 10) as u8, b'0' + (i % 10) as u8];
        i += 1;
    }
    pairs
};

/// Writes digits so that they end before `end`; returns where they begin.
#[inline]
fn put_digits(out: &mut [u8; LINE_END], end: usize, mut v: u64) -> usize {
    let mut start = end;
    while v >= 100 {
        start -= 2;
        out[start..start + 2].copy_from_slice(&PAIRS[(v % 100) as usize]);
        v /= 100;
    }
    let [tens, ones] = PAIRS[v as usize];
    start -= 1;
    out[start] = ones;
    if v >= 10 {
        start -= 1;
        out[start] = tens;
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_all_their_digits() {
        let mut numbers = vec![0, u64::MAX];
        for power in 0..20 {
            let ten = 10u64.pow(power);
            numbers.extend([ten - 1, ten, ten + 1, 7 * (ten / 10)]);
        }
        for v in numbers {
            let mut out = [0; LINE_END];
            let start = put_digits(&mut out, LINE_END - 1, v);
            assert_eq!(std::str::from_utf8(&out[start..LINE_END - 1]), Ok(v.to_string().as_str()));
        }
    }
}
