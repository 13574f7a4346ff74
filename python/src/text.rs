//! Numbers, names and values as prometheus_client writes them.
//!
//! The exposition crate's writer is not used: prometheus_client's numbers follow Python's `repr`, and its `dots`
//! scheme escapes classic names as well.

use std::borrow::Cow;
use std::io::Write;

use promflow_model::{is_legacy_label_name, is_legacy_metric_name};
use pyo3::prelude::*;

/// What is done to names that are not classic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// Nothing: they are quoted.
    AllowUtf8,
    /// Each other character becomes `_`.
    Underscores,
    /// `.` becomes `_dot_`, `_` becomes `__`, each other character `__`; in classic names too.
    Dots,
    /// The name begins with `U__`, and each other character becomes its code point.
    Values,
    /// A scheme of another name: names stay as they are.
    Unknown,
}

impl Scheme {
    pub(crate) fn of(name: &str) -> Self {
        match name {
            "allow-utf-8" => Self::AllowUtf8,
            "underscores" => Self::Underscores,
            "dots" => Self::Dots,
            "values" => Self::Values,
            _ => Self::Unknown,
        }
    }

    /// Escapes a metric name, without quotes.
    pub(crate) fn metric_name(self, name: &str) -> Cow<'_, str> {
        self.escape(name, is_legacy_metric_name(name), true)
    }

    /// Escapes the name of a sample as prometheus_client does on OpenMetrics pages: by the rules of label names, and in
    /// the scheme of values even where it is classic.
    pub(crate) fn openmetrics_sample_name(self, name: &str) -> Cow<'_, str> {
        self.escape(name, false, false)
    }

    /// Escapes a label name, without quotes.
    pub(crate) fn label_name(self, name: &str) -> Cow<'_, str> {
        self.escape(name, is_legacy_label(name), false)
    }

    fn escape(self, name: &str, classic: bool, colon: bool) -> Cow<'_, str> {
        let as_it_is = match self {
            Self::AllowUtf8 | Self::Unknown => true,
            Self::Underscores | Self::Values => classic,
            Self::Dots => false,
        };
        if as_it_is || name.is_empty() {
            return Cow::Borrowed(name);
        }
        let mut out = String::with_capacity(name.len() + 8);
        if self == Self::Values {
            out.push_str("U__");
        }
        for (i, c) in name.char_indices() {
            let is_classic =
                c.is_ascii_alphabetic() || c == '_' || (c == ':' && colon) || (c.is_ascii_digit() && i > 0);
            match (self, c) {
                (Self::Dots | Self::Values, '_') => out.push_str("__"),
                (Self::Dots, '.') => out.push_str("_dot_"),
                _ if is_classic => out.push(c),
                (Self::Dots, _) => out.push_str("__"),
                (Self::Values, _) => out.push_str(&format!("_{:x}_", u32::from(c))),
                _ => out.push('_'),
            }
        }
        Cow::Owned(out)
    }
}

/// A label name that needs no quotes; names that begin with `__` are reserved, and quoted where a page has them.
pub(crate) fn is_legacy_label(name: &str) -> bool {
    is_legacy_label_name(name) && !name.starts_with("__")
}

/// Writes a metric name in metadata: quoted where it is not classic.
pub(crate) fn push_metric_name(out: &mut Vec<u8>, name: &str, scheme: Scheme) {
    if scheme == Scheme::AllowUtf8 && !name.is_empty() && !is_legacy_metric_name(name) {
        push_quoted(out, name);
    } else {
        out.extend_from_slice(scheme.metric_name(name).as_bytes());
    }
}

/// Writes a label name: quoted where it is not classic.
pub(crate) fn push_label_name(out: &mut Vec<u8>, name: &str, scheme: Scheme) {
    if scheme == Scheme::AllowUtf8 && !name.is_empty() && !is_legacy_label(name) {
        push_quoted(out, name);
    } else {
        out.extend_from_slice(scheme.label_name(name).as_bytes());
    }
}

pub(crate) fn push_quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_escaped(out, text, true);
    out.push(b'"');
}

/// Writes text with backslashes and line ends escaped, and quotes too where they would end it.
pub(crate) fn push_escaped(out: &mut Vec<u8>, text: &str, quotes: bool) {
    let mut rest = text.as_bytes();
    let special = |b: &u8| *b == b'\\' || *b == b'\n' || (quotes && *b == b'"');
    while let Some(i) = rest.iter().position(special) {
        out.extend_from_slice(&rest[..i]);
        out.extend_from_slice(match rest[i] {
            b'\n' => b"\\n",
            b'"' => b"\\\"",
            _ => b"\\\\",
        });
        rest = &rest[i + 1..];
    }
    out.extend_from_slice(rest);
}

/// Below this the shortest text of a whole number is its digits and `.0`.
const PLAIN_MAX: f64 = 1e6;
/// From how many digits before the point on `repr` is scientific.
const REPR_POINT_MAX: i32 = 16;

/// Writes a float as Python's `repr` does.
pub(crate) fn push_repr(out: &mut Vec<u8>, v: f64) {
    match v {
        v if v.is_nan() => out.extend_from_slice(b"nan"),
        v if v.is_infinite() => out.extend_from_slice(if v > 0.0 { b"inf" } else { b"-inf" }),
        v => push_finite(out, v, REPR_POINT_MAX),
    }
}

/// Writes a float as Python's `repr` does, but in scientific notation from 1e6 on where it is positive, as Go does.
pub(crate) fn push_go_float(out: &mut Vec<u8>, v: f64) {
    if v.is_nan() {
        out.extend_from_slice(b"NaN");
        return;
    }
    if v.is_infinite() {
        out.extend_from_slice(if v > 0.0 { b"+Inf" } else { b"-Inf" });
        return;
    }
    push_finite(out, v, if v > 0.0 { 6 } else { REPR_POINT_MAX });
}

/// Writes a float, in scientific notation where the point would stand behind more digits than `point_max`.
fn push_finite(out: &mut Vec<u8>, v: f64, point_max: i32) {
    if v.is_sign_negative() {
        out.push(b'-');
    }
    let magnitude = v.abs();
    if magnitude < PLAIN_MAX && magnitude.fract() == 0.0 {
        push_digits(out, magnitude as u32);
        out.extend_from_slice(b".0");
        return;
    }
    let mut text = [0u8; 32];
    let (digits, exponent) = shortest(magnitude, &mut text);
    // Where the point stands, counted from the first digit.
    let point = exponent + 1;
    if point <= -4 || point > point_max {
        push_scientific(out, digits, exponent);
    } else {
        push_fixed(out, digits, point);
    }
}

fn push_digits(out: &mut Vec<u8>, mut v: u32) {
    let mut digits = [0u8; 10];
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

/// With fewer digits no number lies halfway between two that both read back as it.
const TIE_DIGITS: usize = 16;

/// The shortest digits that read back as this number, without a point, and the power of ten of the first.
fn shortest(magnitude: f64, text: &mut [u8; 32]) -> (&[u8], i32) {
    let mut length = print(text, format_args!("{magnitude:e}"));
    // There is a point among them.
    let digits = text[..length].iter().position(|b| *b == b'e').map_or(0, |e| e - 1);
    if digits >= TIE_DIGITS {
        // Halfway between two, Rust takes the upper one, and Python the even one, as rounding does.
        let mut even = [0u8; 32];
        let even_length = print(&mut even, format_args!("{magnitude:.*e}", digits - 1));
        let reads_back = |text: &[u8]| std::str::from_utf8(text).ok()?.parse().ok();
        if reads_back(&even[..even_length]) == Some(magnitude) {
            (*text, length) = (even, even_length);
        }
    }
    let e = text[..length].iter().position(|b| *b == b'e').expect("BUG: no exponent in scientific notation");
    let exponent = std::str::from_utf8(&text[e + 1..length])
        .ok()
        .and_then(|s| s.parse().ok())
        .expect("BUG: an exponent that is no number");
    if e == 1 {
        return (&text[..1], exponent);
    }
    // The first digit takes the point's place.
    text[1] = text[0];
    (&text[1..e], exponent)
}

fn print(text: &mut [u8; 32], what: std::fmt::Arguments<'_>) -> usize {
    let room = text.len();
    let mut rest = &mut text[..];
    rest.write_fmt(what).expect("BUG: a float's digits are more than 32");
    room - rest.len()
}

fn push_scientific(out: &mut Vec<u8>, digits: &[u8], exponent: i32) {
    out.push(digits[0]);
    if digits.len() > 1 {
        out.push(b'.');
        out.extend_from_slice(&digits[1..]);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    write!(out, "e{sign}{:02}", exponent.abs()).expect("BUG: a vector takes what is written");
}

fn push_fixed(out: &mut Vec<u8>, digits: &[u8], point: i32) {
    let zeros = |out: &mut Vec<u8>, n: usize| out.resize(out.len() + n, b'0');
    let whole = usize::try_from(point).unwrap_or(0);
    if whole == 0 {
        out.extend_from_slice(b"0.");
        zeros(out, point.unsigned_abs() as usize);
        out.extend_from_slice(digits);
    } else if whole >= digits.len() {
        out.extend_from_slice(digits);
        zeros(out, whole - digits.len());
        out.extend_from_slice(b".0");
    } else {
        out.extend_from_slice(&digits[..whole]);
        out.push(b'.');
        out.extend_from_slice(&digits[whole..]);
    }
}

fn as_string(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).expect("BUG: escaping text broke its UTF-8")
}

#[pyfunction]
pub(crate) fn float_to_go_string(value: f64) -> String {
    as_string(|out| push_go_float(out, value))
}

#[pyfunction]
fn escape_metric_name(name: &str, escaping: &str) -> String {
    as_string(|out| push_metric_name(out, name, Scheme::of(escaping)))
}

#[pyfunction]
fn escape_label_name(name: &str, escaping: &str) -> String {
    as_string(|out| push_label_name(out, name, Scheme::of(escaping)))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(float_to_go_string, module)?)?;
    module.add_function(wrap_pyfunction!(escape_metric_name, module)?)?;
    module.add_function(wrap_pyfunction!(escape_label_name, module)?)
}
