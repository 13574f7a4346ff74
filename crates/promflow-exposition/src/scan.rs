//! The scanner of series: names, label lists, quoted strings and numbers.

use std::borrow::Cow;

use promflow_model::METRIC_NAME;

use crate::error::Fault;
use crate::{Format, Mode};

/// What a byte may be.
const METRIC: u8 = 1;
const LABEL: u8 = 2;
const DIGIT: u8 = 4;
/// Ends a quoted string, or needs a closer look within one.
const QUOTED: u8 = 8;
/// Ends a word.
const BLANK: u8 = 16;

/// The classes of each byte: one load in place of comparisons, in the loops that touch every byte of a page.
static CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut class = [0; 256];
    let mut i = 0;
    while i < 256 {
        class[i] = match i as u8 {
            b'0'..=b'9' => METRIC | LABEL | DIGIT,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => METRIC | LABEL,
            b':' => METRIC,
            b'"' | b'\\' => QUOTED,
            b'\n' => QUOTED | BLANK,
            b' ' | b'\t' => BLANK,
            _ => 0,
        };
        i += 1;
    }
    class
}

/// Counts the bytes up to the first of these classes.
#[inline]
fn until(bytes: &[u8], classes: u8) -> usize {
    bytes.iter().position(|b| CLASS[usize::from(*b)] & classes != 0).unwrap_or(bytes.len())
}

/// Counts the bytes of a name.
#[inline]
fn name_length(bytes: &[u8], class: u8) -> usize {
    match bytes.first() {
        Some(first) if CLASS[usize::from(*first)] & (class | DIGIT) == class => {
            bytes.iter().position(|b| CLASS[usize::from(*b)] & class == 0).unwrap_or(bytes.len())
        }
        _ => 0,
    }
}

/// The most labels of a list that [`Cursor::plain_labels`] takes.
const PLAIN_LABELS_MAX: usize = 16;

/// What a format and mode allow inside a series.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Syntax {
    /// Blanks between tokens.
    pub(crate) blanks: bool,
    /// A comma before the closing brace.
    pub(crate) trailing_comma: bool,
    /// No comma between labels.
    pub(crate) missing_comma: bool,
    /// A line feed inside a label value.
    pub(crate) raw_newline: bool,
    /// A backslash before any character, kept as it is.
    pub(crate) any_escape: bool,
}

impl Syntax {
    pub(crate) fn of(format: Format, mode: Mode) -> Self {
        let lax = mode == Mode::Prometheus;
        let text = format == Format::Text;
        Self {
            blanks: text,
            trailing_comma: text || lax,
            missing_comma: text && lax,
            raw_newline: text && lax,
            any_escape: !text || lax,
        }
    }

    /// Reads what any of the others read: for series that were checked before.
    pub(crate) const CHECKED: Self =
        Self { blanks: true, trailing_comma: true, missing_comma: true, raw_newline: true, any_escape: true };
}

/// A name or value as it stands on the page, without its quotes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) raw: &'a str,
    pub(crate) escaped: bool,
}

impl<'a> Token<'a> {
    pub(crate) fn text(self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(unescape(self.raw, true)) } else { Cow::Borrowed(self.raw) }
    }
}

/// Undoes `\\`, `\n` and, where asked, `\"`; any other backslash stays.
pub(crate) fn unescape(raw: &str, quotes: bool) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('\\') => out.push('\\'),
            Some('"') if quotes => out.push('"'),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

/// An element of a label list.
pub(crate) enum Item<'a> {
    /// A quoted metric name.
    Metric(Token<'a>),
    /// A label.
    Label(Token<'a>, Token<'a>),
}

/// A place on the page, moving forward.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    pub(crate) text: &'a str,
    pub(crate) pos: usize,
    pub(crate) syntax: Syntax,
}

impl<'a> Cursor<'a> {
    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.pos).copied()
    }

    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let hit = self.peek() == Some(byte);
        self.pos += usize::from(hit);
        hit
    }

    pub(crate) fn eat_str(&mut self, s: &str) -> bool {
        let hit = self.text.as_bytes()[self.pos..].starts_with(s.as_bytes());
        if hit {
            self.pos += s.len();
        }
        hit
    }

    /// Skips spaces and tabs; says whether there were any.
    pub(crate) fn skip_blanks(&mut self) -> bool {
        let start = self.pos;
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.pos += 1;
        }
        self.pos > start
    }

    fn blanks(&mut self) {
        if self.syntax.blanks {
            self.skip_blanks();
        }
    }

    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.pos..]
    }

    /// Takes that many bytes.
    fn take(&mut self, length: usize) -> &'a str {
        let start = self.pos;
        self.pos += length;
        &self.text[start..self.pos]
    }

    /// Takes bytes up to a blank, a line feed or the end.
    #[inline]
    pub(crate) fn word(&mut self) -> &'a str {
        self.take(until(self.rest(), BLANK))
    }

    /// Takes the rest of the line, without its line feed.
    pub(crate) fn rest_of_line(&mut self) -> &'a str {
        let rest = &self.text[self.pos..];
        let line = rest.split_once('\n').map_or(rest, |(line, _)| line);
        self.pos += line.len();
        line
    }

    /// Takes an unquoted name; empty when there is none.
    #[inline]
    pub(crate) fn name(&mut self, colon: bool) -> &'a str {
        self.take(name_length(self.rest(), if colon { METRIC } else { LABEL }))
    }

    /// Passes over a label list in its common form, `name="value",name="value"}`, whose names differ; says whether it
    /// did. Anything else leaves the cursor where it is, for [`Cursor::label_item`] to look at.
    pub(crate) fn plain_labels(&mut self) -> bool {
        let bytes = self.text.as_bytes();
        let mut names = [&bytes[..0]; PLAIN_LABELS_MAX];
        let mut pos = self.pos;
        for count in 0..PLAIN_LABELS_MAX {
            let name = &bytes[pos..pos + name_length(&bytes[pos..], LABEL)];
            let known = names[..count].iter().any(|n| n.len() == name.len() && *n == name);
            if name.is_empty() || known || name == METRIC_NAME.as_bytes() {
                return false;
            }
            names[count] = name;
            pos += name.len();
            if !bytes[pos..].starts_with(b"=\"") {
                return false;
            }
            pos += 2;
            pos += until(&bytes[pos..], QUOTED);
            match bytes.get(pos..pos + 2) {
                Some(b"\"}") => {
                    self.pos = pos + 2;
                    return true;
                }
                Some(b"\",") => pos += 2,
                _ => return false,
            }
            if self.syntax.blanks && bytes.get(pos) == Some(&b' ') {
                pos += 1;
            }
        }
        false
    }

    /// Takes a quoted string; the cursor stands on its opening quote.
    pub(crate) fn quoted(&mut self) -> Result<Token<'a>, Fault> {
        let open = self.pos;
        self.pos += 1;
        let mut escaped = false;
        loop {
            self.pos += until(self.rest(), QUOTED);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    let next = self.text.as_bytes().get(self.pos + 1).copied();
                    if !(self.syntax.any_escape || matches!(next, Some(b'\\' | b'"' | b'n'))) {
                        return Err(Fault::new(self.pos, "invalid escape sequence")
                            .hint("the escapes are \\\\, \\\" and \\n"));
                    }
                    if next.is_none_or(|b| b == b'\n') {
                        return Err(Fault::new(open, "quoted string has no end"));
                    }
                    // The escaped character may be longer than a byte: its other bytes are no quote or backslash.
                    self.pos += 2;
                }
                Some(b'\n') if !self.syntax.raw_newline => {
                    return Err(Fault::new(open, "quoted string has no end on its line")
                        .hint("write a line feed as \\n and a double quote as \\\""));
                }
                Some(_) => self.pos += 1,
                None => return Err(Fault::new(open, "quoted string has no end")),
            }
        }
        let raw = &self.text[open + 1..self.pos];
        self.pos += 1;
        Ok(Token { raw, escaped })
    }

    /// Takes the next element of a label list; `None` after its closing brace.
    ///
    /// `after_comma` says that a comma came before; it is set for the next call.
    pub(crate) fn label_item(&mut self, after_comma: &mut bool) -> Result<Option<Item<'a>>, Fault> {
        self.blanks();
        let at = self.pos;
        let token = match self.peek() {
            Some(b'}') if *after_comma && !self.syntax.trailing_comma => {
                return Err(Fault::new(at, "expected label after comma, got \"}\""));
            }
            Some(b'}') => {
                self.pos += 1;
                return Ok(None);
            }
            Some(b'"') => self.quoted()?,
            _ => match self.name(false) {
                "" => return Err(self.unexpected("label name", self.label_name_hint())),
                raw => Token { raw, escaped: false },
            },
        };
        let was_quoted = self.text.as_bytes()[at] == b'"';
        if token.raw.is_empty() {
            return Err(Fault::new(at, "empty name"));
        }
        self.blanks();
        let item = if self.eat(b'=') {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("label value in double quotes", ""));
            }
            Item::Label(token, self.quoted()?)
        } else if was_quoted {
            Item::Metric(token)
        } else {
            return Err(self.unexpected("\"=\" after label name", ""));
        };
        self.blanks();
        *after_comma = self.eat(b',');
        let may_lack_comma = self.syntax.missing_comma && matches!(item, Item::Label(..));
        if !*after_comma && !may_lack_comma && self.peek() != Some(b'}') {
            return Err(self.unexpected("\",\" or \"}\" after label", ""));
        }
        Ok(Some(item))
    }

    fn label_name_hint(&self) -> &'static str {
        match self.peek() {
            Some(b' ' | b'\t') => "OpenMetrics allows no blank between labels",
            Some(b'0'..=b'9') => "a label name does not start with a digit",
            _ => "",
        }
    }

    /// Makes the error for what stands at the cursor.
    pub(crate) fn unexpected(&self, expected: &str, hint: &'static str) -> Fault {
        let got = match self.text[self.pos..].chars().next() {
            None => "end of input".to_owned(),
            Some('\n') => "end of line".to_owned(),
            Some(c) => format!("{:?}", c.to_string()),
        };
        Fault::new(self.pos, format!("expected {expected}, got {got}")).hint(hint)
    }
}

/// Parses a sample value as Prometheus does; every NaN becomes the ordinary one, never a stale marker.
pub(crate) fn parse_value(word: &str) -> Option<f64> {
    let bytes = word.as_bytes();
    if bytes.len() <= 15 && !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit) {
        return Some(bytes.iter().fold(0u64, |v, b| v * 10 + u64::from(b - b'0')) as f64);
    }
    let value = promflow_model::float::parse(word)?;
    if !value.is_nan() {
        return Some(value);
    }
    bytes[0].is_ascii_alphabetic().then_some(promflow_model::NORMAL_NAN)
}
