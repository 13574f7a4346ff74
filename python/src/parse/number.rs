//! Values and timestamps: integers stay integers, as Python has them of any size.

use std::cmp::Ordering;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyInt};

use super::scan::trim;

/// A value.
pub(super) enum Number {
    Int(i64),
    Float(f64),
    /// An integer beyond 64 bits, and about how much it is.
    Big(Py<PyAny>, f64),
}

impl Number {
    pub(super) fn to_f64(&self) -> f64 {
        match self {
            Self::Int(v) => *v as f64,
            Self::Float(v) | Self::Big(_, v) => *v,
        }
    }

    pub(super) fn is_integer(&self) -> bool {
        match self {
            Self::Int(_) | Self::Big(..) => true,
            Self::Float(v) => v.is_finite() && v.fract() == 0.0,
        }
    }

    pub(super) fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(match self {
            Self::Int(v) => v.into_pyobject(py)?.into_any(),
            Self::Float(v) => PyFloat::new(py, *v).into_any(),
            Self::Big(v, _) => v.bind(py).clone(),
        })
    }
}

/// Longer ones may not fit 64 bits.
const INT_DIGITS_MAX: usize = 18;

fn plain_int(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || digits.len() > INT_DIGITS_MAX || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let magnitude = digits.bytes().fold(0i64, |sum, b| sum * 10 + i64::from(b - b'0'));
    Some(if text.starts_with('-') { -magnitude } else { magnitude })
}

/// Reads what Rust and Python read alike; `12345678901234567890` is an integer, so it is not among it.
fn plain_float(text: &str) -> Option<f64> {
    let mut is_float = false;
    for b in text.bytes() {
        match b {
            b'0'..=b'9' | b'+' | b'-' => {}
            b'.' | b'e' | b'E' => is_float = true,
            _ => return None,
        }
    }
    if is_float { text.parse().ok() } else { None }
}

/// Reads a value.
pub(super) fn number(py: Python<'_>, text: &str) -> PyResult<Number> {
    if let Some(v) = plain_int(text) {
        return Ok(Number::Int(v));
    }
    if let Some(v) = plain_float(text) {
        return Ok(Number::Float(v));
    }
    if text.contains('_') || text != trim(text) {
        return Err(PyValueError::new_err(format!("Invalid value: {text:?}")));
    }
    if let Ok(v) = py.get_type::<PyInt>().call1((text,)) {
        let about =
            v.extract().unwrap_or(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY });
        return Ok(v.extract().map_or_else(|_| Number::Big(v.unbind(), about), Number::Int));
    }
    python_float(py, text).map(Number::Float)
}

fn python_float(py: Python<'_>, text: &str) -> PyResult<f64> {
    py.get_type::<PyFloat>().call1((text,))?.extract()
}

/// Reads a float as Python does.
pub(super) fn float(py: Python<'_>, text: &str) -> PyResult<f64> {
    match text {
        "+Inf" => Ok(f64::INFINITY),
        _ => match plain_int(text) {
            Some(v) => Ok(v as f64),
            None => plain_float(text).map_or_else(|| python_float(py, text), Ok),
        },
    }
}

/// A timestamp of OpenMetrics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Time {
    /// Whole seconds and nanoseconds of the same sign.
    Exact(i128, i32),
    Float(f64),
}

impl Time {
    fn to_f64(self) -> f64 {
        match self {
            Self::Exact(sec, nsec) => sec as f64 + f64::from(nsec) / 1e9,
            Self::Float(t) => t,
        }
    }
}

impl PartialOrd for Time {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Exact(sec, nsec), Self::Exact(s, n)) => Some((sec, nsec).cmp(&(s, n))),
            _ => self.to_f64().partial_cmp(&other.to_f64()),
        }
    }
}

const NANOSECOND_DIGITS: usize = 9;

fn exact_time(text: &str) -> Option<Time> {
    let (sec, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = sec.strip_prefix(['+', '-']).unwrap_or(sec);
    if digits.is_empty() || !digits.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let magnitude: i128 = digits.parse().ok()?;
    let cut = fraction.get(..NANOSECOND_DIGITS).unwrap_or(fraction);
    let mut nsec: i32 = if cut.is_empty() { 0 } else { cut.parse().ok()? };
    for _ in cut.len()..NANOSECOND_DIGITS {
        nsec *= 10;
    }
    if !sec.starts_with('-') {
        return Some(Time::Exact(magnitude, nsec));
    }
    // Less than a second before the epoch: no whole second carries the sign.
    (magnitude != 0 || nsec == 0).then_some(Time::Exact(-magnitude, -nsec))
}

/// Reads a timestamp of OpenMetrics.
pub(super) fn time(py: Python<'_>, text: &str) -> PyResult<Time> {
    if let Some(time) = exact_time(text) {
        return Ok(time);
    }
    let seconds = if text.contains('_') || text != trim(text) { f64::NAN } else { python_float(py, text)? };
    if !seconds.is_finite() {
        return Err(PyValueError::new_err(format!("Invalid timestamp: {text:?}")));
    }
    Ok(Time::Float(seconds))
}
