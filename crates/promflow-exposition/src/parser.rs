//! The pull parser.

use std::borrow::Cow;

use promflow_model::{METRIC_NAME, MetricType};

use crate::entry::{Entry, ExemplarEntry, SampleEntry, number_label};
use crate::error::{Fault, ParseError};
use crate::names::DistinctNames;
use crate::scan::{Cursor, Item, Syntax, parse_value, unescape};
use crate::strict::Checker;
use crate::{Format, FormatError};

/// How closely a page is held to the specification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// As lax as Prometheus's scraper: families may be split, metadata may be missing or late, values are not
    /// compared; `le` and `quantile` values are written in one way.
    #[default]
    Prometheus,
    /// The specification. The checks remember every series of the page.
    Strict,
}

/// Reads a page of text or OpenMetrics 1.0 entry by entry; [`crate::Reader`] reads every format.
///
/// Errors: the first one ends the page; invalid UTF-8 is reported where it stands, after the lines before it. A page of
/// another format is refused as a whole.
/// Cost: one pass; a sample allocates nothing in [`Mode::Prometheus`].
pub struct Parser<'a> {
    body: &'a [u8],
    cursor: Cursor<'a>,
    format: Format,
    kind: MetricType,
    names: DistinctNames<'a>,
    strict: Option<Box<Checker>>,
    lax: bool,
    eof_seen: bool,
    done: bool,
}

impl<'a> Parser<'a> {
    /// Starts to read a page.
    pub fn new(body: &'a [u8], format: Format, mode: Mode) -> Self {
        let text = match std::str::from_utf8(body) {
            Ok(text) => text,
            Err(e) => std::str::from_utf8(&body[..e.valid_up_to()]).unwrap_or(""),
        };
        // A page of another format is no text to look into.
        let (body, text) = match format {
            Format::Text | Format::OpenMetrics => (body, text),
            Format::OpenMetrics2 | Format::Protobuf => (&body[..0], ""),
        };
        Self {
            body,
            cursor: Cursor { text, pos: 0, syntax: Syntax::of(format, mode) },
            format,
            kind: MetricType::Unknown,
            names: DistinctNames::default(),
            strict: (mode == Mode::Strict).then(|| Box::new(Checker::new(format))),
            lax: mode == Mode::Prometheus,
            eof_seen: false,
            done: false,
        }
    }

    /// Reads the next entry; `None` at the end of the page and after an error.
    #[allow(
        clippy::should_implement_trait,
        reason = "the `Iterator` below calls it; scrapers need no import"
    )]
    pub fn next(&mut self) -> Option<Result<Entry<'a>, ParseError>> {
        if self.done {
            return None;
        }
        let entry = self.entry().map_err(|fault| self.blame_encoding(fault).locate(self.body));
        self.done = !matches!(entry, Ok(Some(_)));
        entry.transpose()
    }

    /// Returns the place in bytes up to which the page has been read.
    pub fn offset(&self) -> usize {
        self.cursor.pos
    }

    /// Where the text ends in the middle of a line because of invalid UTF-8, that is the error.
    fn blame_encoding(&self, fault: Fault) -> Fault {
        let end = self.cursor.text.len();
        let line_end = self.cursor.text[fault.at.min(end)..].contains('\n');
        if end == self.body.len() || line_end { fault } else { invalid_utf8(end) }
    }

    fn entry(&mut self) -> Result<Option<Entry<'a>>, Fault> {
        match self.format {
            Format::Text | Format::OpenMetrics => {}
            Format::OpenMetrics2 => return Err(Fault::new(0, FormatError::OpenMetrics2.to_string())),
            Format::Protobuf => return Err(Fault::new(0, "protobuf is no text").hint("`Reader` reads it")),
        }
        loop {
            if self.format == Format::Text {
                self.cursor.skip_blanks();
            }
            let start = self.cursor.pos;
            let Some(byte) = self.cursor.peek() else {
                return self.end();
            };
            if self.eof_seen {
                return Err(Fault::new(start, "unexpected data after # EOF"));
            }
            let entry = match byte {
                b'\n' if self.format == Format::Text => {
                    self.cursor.pos += 1;
                    continue;
                }
                b'#' if self.format == Format::Text => self.text_comment()?,
                b'#' => self.openmetrics_comment()?,
                _ => Entry::Sample(self.sample()?),
            };
            self.end_of_line(&entry)?;
            if let Some(strict) = &mut self.strict {
                strict.entry(&entry, start)?;
            }
            return Ok(Some(entry));
        }
    }

    fn end(&mut self) -> Result<Option<Entry<'a>>, Fault> {
        let end = self.cursor.text.len();
        if end < self.body.len() {
            return Err(invalid_utf8(end));
        }
        if self.format == Format::OpenMetrics && !self.eof_seen {
            return Err(Fault::new(end, "data does not end with # EOF")
                .hint("an OpenMetrics page ends in \"# EOF\\n\""));
        }
        if let Some(strict) = &mut self.strict {
            strict.end(end)?;
        }
        Ok(None)
    }

    /// Takes the line feed. The last line of a text page may lack it for Prometheus, `# EOF` for OpenMetrics.
    fn end_of_line(&mut self, entry: &Entry<'a>) -> Result<(), Fault> {
        if self.format == Format::Text {
            self.cursor.skip_blanks();
        }
        if self.cursor.eat(b'\n') {
            return Ok(());
        }
        let last_may_lack_it =
            if self.format == Format::Text { self.lax } else { matches!(entry, Entry::Eof) };
        if self.cursor.peek().is_some() || !last_may_lack_it {
            return Err(self.cursor.unexpected("end of line", ""));
        }
        if self.cursor.text.len() < self.body.len() { Err(invalid_utf8(self.cursor.pos)) } else { Ok(()) }
    }

    fn text_comment(&mut self) -> Result<Entry<'a>, Fault> {
        let start = self.cursor.pos;
        self.cursor.pos += 1;
        let blank = self.cursor.skip_blanks();
        let keyword = self.cursor.word();
        let metadata = blank && matches!(keyword, "HELP" | "TYPE") && self.cursor.skip_blanks();
        if metadata && !matches!(self.cursor.peek(), None | Some(b'\n')) {
            return self.text_metadata(keyword);
        }
        self.cursor.pos = start + 1;
        Ok(Entry::Comment(self.cursor.rest_of_line()))
    }

    fn text_metadata(&mut self, keyword: &str) -> Result<Entry<'a>, Fault> {
        let metric = self.metadata_name()?;
        if !matches!(self.cursor.peek(), None | Some(b' ' | b'\t' | b'\n')) {
            return Err(self.cursor.unexpected("blank after metric name", QUOTE_HINT));
        }
        self.cursor.skip_blanks();
        let at = self.cursor.pos;
        let rest = self.cursor.rest_of_line();
        if keyword == "HELP" {
            let text =
                if rest.contains('\\') { Cow::Owned(unescape(rest, false)) } else { Cow::Borrowed(rest) };
            return Ok(Entry::Help { metric, text });
        }
        let kind = match rest.trim_end_matches([' ', '\t']) {
            "counter" => MetricType::Counter,
            "gauge" => MetricType::Gauge,
            "histogram" => MetricType::Histogram,
            "summary" => MetricType::Summary,
            "untyped" => MetricType::Unknown,
            other => {
                return Err(Fault::new(at, format!("invalid metric type {other:?}"))
                    .hint("the types are counter, gauge, histogram, summary and untyped"));
            }
        };
        Ok(self.typed(metric, kind))
    }

    fn openmetrics_comment(&mut self) -> Result<Entry<'a>, Fault> {
        let start = self.cursor.pos;
        if self.cursor.eat_str("# EOF") {
            self.eof_seen = true;
            return Ok(Entry::Eof);
        }
        let keyword = ["# HELP ", "# TYPE ", "# UNIT "].into_iter().find(|k| self.cursor.eat_str(k));
        let Some(keyword) = keyword else {
            return Err(Fault::new(start, "expected \"# HELP \", \"# TYPE \", \"# UNIT \" or \"# EOF\"")
                .hint("OpenMetrics has no other comments"));
        };
        let metric = self.metadata_name()?;
        if !self.cursor.eat(b' ') {
            return Err(self.cursor.unexpected("space after metric name", QUOTE_HINT));
        }
        let at = self.cursor.pos;
        let rest = self.cursor.rest_of_line();
        match keyword {
            "# HELP " => {
                let text =
                    if rest.contains('\\') { Cow::Owned(unescape(rest, true)) } else { Cow::Borrowed(rest) };
                Ok(Entry::Help { metric, text })
            }
            "# UNIT " => {
                let suffix = metric.strip_suffix(rest).is_some_and(|m| m.ends_with('_'));
                if !rest.is_empty() && !suffix {
                    return Err(Fault::new(at, format!("unit {rest:?} not a suffix of metric {metric:?}")));
                }
                Ok(Entry::Unit { metric, unit: rest })
            }
            _ => {
                let kind = openmetrics_type(rest).ok_or_else(|| {
                    Fault::new(at, format!("invalid metric type {rest:?}"))
                        .hint("OpenMetrics says \"unknown\" for \"untyped\"")
                })?;
                Ok(self.typed(metric, kind))
            }
        }
    }

    fn typed(&mut self, metric: Cow<'a, str>, kind: MetricType) -> Entry<'a> {
        self.kind = kind;
        Entry::Type { metric, kind }
    }

    fn metadata_name(&mut self) -> Result<Cow<'a, str>, Fault> {
        if self.cursor.peek() == Some(b'"') {
            let name = self.cursor.quoted()?;
            return Ok(name.text());
        }
        match self.cursor.name(true) {
            "" => Err(self.cursor.unexpected("metric name", "")),
            name => Ok(Cow::Borrowed(name)),
        }
    }

    fn sample(&mut self) -> Result<SampleEntry<'a>, Fault> {
        let start = self.cursor.pos;
        let name = self.cursor.name(true);
        let name_end = self.cursor.pos;
        if self.format == Format::Text {
            self.cursor.skip_blanks();
        }
        let has_labels = self.cursor.eat(b'{');
        if has_labels {
            if name.is_empty() || !self.cursor.plain_labels() {
                self.labels(name.is_empty(), start)?;
            }
        } else {
            self.cursor.pos = name_end;
            if name.is_empty() {
                return Err(self.cursor.unexpected("metric name", QUOTE_HINT));
            }
        }
        let series = &self.cursor.text[start..self.cursor.pos];
        let blank = if self.format == Format::Text {
            self.cursor.skip_blanks() || has_labels
        } else {
            self.cursor.eat(b' ')
        };
        if !blank {
            return Err(self.cursor.unexpected("space or \"{\" after metric", QUOTE_HINT));
        }
        let value = self.number("value")?;
        let (t_ms, exemplar) = if self.format == Format::Text {
            (self.text_timestamp()?, None)
        } else {
            (self.openmetrics_timestamp()?, self.exemplar()?)
        };
        let number_label = if self.lax { number_label(self.kind) } else { None };
        Ok(SampleEntry { series, number_label, value, t_ms, created_ms: None, exemplar })
    }

    /// Checks a label list; the cursor stands behind its opening brace.
    fn labels(&mut self, needs_name: bool, start: usize) -> Result<(), Fault> {
        self.names.clear();
        let mut needs_name = needs_name;
        let mut after_comma = false;
        loop {
            let at = self.cursor.pos;
            match self.cursor.label_item(&mut after_comma)? {
                None if needs_name => {
                    return Err(Fault::new(start, "metric name is missing"));
                }
                None => return Ok(()),
                Some(Item::Metric(_)) if needs_name => needs_name = false,
                Some(Item::Metric(name)) => {
                    return Err(Fault::new(at, format!("metric name is already set, got {:?}", name.raw)));
                }
                Some(Item::Label(name, _)) if name.raw == METRIC_NAME => {
                    return Err(Fault::new(at, "label name \"__name__\" is reserved for the metric name"));
                }
                Some(Item::Label(name, _)) if !self.names.insert(name.raw) => {
                    return Err(Fault::new(at, format!("label name {:?} is not unique", name.raw)));
                }
                Some(Item::Label(..)) => {}
            }
        }
    }

    fn number(&mut self, what: &str) -> Result<f64, Fault> {
        let at = self.cursor.pos;
        let word = self.cursor.word();
        if word.is_empty() {
            return Err(self.cursor.unexpected(what, ""));
        }
        parse_value(word).ok_or_else(|| {
            let hint = if word.ends_with('\r') { "lines end in a line feed alone" } else { "" };
            Fault::new(at, format!("invalid {what} {word:?}")).hint(hint)
        })
    }

    /// Reads whole milliseconds; Prometheus's scraper takes no sign.
    fn text_timestamp(&mut self) -> Result<Option<i64>, Fault> {
        self.cursor.skip_blanks();
        let at = self.cursor.pos;
        let word = self.cursor.word();
        if word.is_empty() {
            return Ok(None);
        }
        let has_sign = word.starts_with(['+', '-']);
        match word.parse() {
            Ok(t_ms) if !(self.lax && has_sign) => Ok(Some(t_ms)),
            _ => Err(Fault::new(at, format!("invalid timestamp {word:?}"))
                .hint("a timestamp is whole milliseconds since the epoch")),
        }
    }

    /// Reads a timestamp in seconds, unless an exemplar or the end of the line comes first.
    fn openmetrics_timestamp(&mut self) -> Result<Option<i64>, Fault> {
        let rest = &self.cursor.text.as_bytes()[self.cursor.pos..];
        if rest.first() != Some(&b' ') || rest.starts_with(b" # ") {
            return Ok(None);
        }
        self.cursor.pos += 1;
        let at = self.cursor.pos;
        let seconds = self.number("timestamp")?;
        if !seconds.is_finite() {
            return Err(Fault::new(at, "timestamp is not finite"));
        }
        Ok(Some((seconds * 1000.0).round() as i64))
    }

    fn exemplar(&mut self) -> Result<Option<ExemplarEntry<'a>>, Fault> {
        if !self.cursor.eat_str(" # ") {
            return Ok(None);
        }
        let start = self.cursor.pos;
        if !self.cursor.eat(b'{') {
            return Err(self.cursor.unexpected("\"{\" of an exemplar", ""));
        }
        self.labels(false, start)?;
        let labels = &self.cursor.text[start..self.cursor.pos];
        if !self.cursor.eat(b' ') {
            return Err(self.cursor.unexpected("space after exemplar labels", ""));
        }
        let value = self.number("exemplar value")?;
        let t_ms = self.openmetrics_timestamp()?;
        Ok(Some(ExemplarEntry { labels, value, t_ms }))
    }
}

impl<'a> Iterator for Parser<'a> {
    type Item = Result<Entry<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        Parser::next(self)
    }
}

const QUOTE_HINT: &str =
    "a name with other characters than letters, digits, \"_\" and \":\" is written {\"name\"}";

fn invalid_utf8(at: usize) -> Fault {
    Fault::new(at, "invalid UTF-8")
}

fn openmetrics_type(text: &str) -> Option<MetricType> {
    Some(match text {
        "counter" => MetricType::Counter,
        "gauge" => MetricType::Gauge,
        "histogram" => MetricType::Histogram,
        "gaugehistogram" => MetricType::GaugeHistogram,
        "summary" => MetricType::Summary,
        "info" => MetricType::Info,
        "stateset" => MetricType::StateSet,
        "unknown" => MetricType::Unknown,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
