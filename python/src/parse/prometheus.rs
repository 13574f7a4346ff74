//! The text format, versions 0.0.4 and 1.0.0.

use std::borrow::Cow;

use promflow_model::is_legacy_metric_name;
use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyList};

use super::build::Builder;
use super::labels::{Labels, Rules, labels, plain_series, take_name};
use super::number::{Number, number};
use super::scan::{is_ascii_space, next_unquoted, split, trim, unescape, unquote};
use super::{Families, Ready, invalid};

/// The family at hand; without a name there is none.
pub(super) struct Prometheus {
    builder: Builder,
    name: String,
    documentation: String,
    typ: String,
    /// What samples may add to the family's name; samples of other names are families of their own.
    suffixes: &'static [&'static str],
    samples: Py<PyList>,
}

impl Prometheus {
    pub(super) fn new(py: Python<'_>) -> PyResult<Self> {
        Ok(Self {
            builder: Builder::new(py)?,
            name: String::new(),
            documentation: String::new(),
            typ: "untyped".to_owned(),
            suffixes: &[],
            samples: PyList::empty(py).unbind(),
        })
    }

    fn complete(&mut self, py: Python<'_>, ready: &mut Ready) -> PyResult<()> {
        let samples = std::mem::replace(&mut self.samples, PyList::empty(py).unbind());
        if self.name.is_empty() {
            return Ok(());
        }
        let (samples, mut name) = (samples.bind(py), self.name.as_str());
        if self.typ == "counter" {
            match name.strip_suffix("_total") {
                Some(stem) => name = stem,
                // OpenMetrics has the suffix at the samples.
                None => {
                    for i in 0..samples.len() {
                        samples.set_item(i, self.builder.renamed(&samples.get_item(i)?, "_total")?)?;
                    }
                }
            }
        }
        ready.push_back(self.builder.metric(name, &self.documentation, &self.typ, "", samples)?);
        Ok(())
    }

    fn metadata(&mut self, py: Python<'_>, line: &str, ready: &mut Ready) -> PyResult<()> {
        let parts = split(line, 4, is_ascii_space);
        let Some(&keyword @ ("HELP" | "TYPE")) = parts.get(1) else { return Ok(()) };
        let text = parts.get(3).copied();
        if keyword == "TYPE" && text.is_none() {
            return Err(invalid("invalid TYPE", line));
        }
        let name = match parts.get(2) {
            None => Cow::Borrowed(""),
            Some(token) => match unquote(token) {
                Some((name, quoted)) if quoted || is_legacy_metric_name(&name) => name,
                _ => return Err(invalid("invalid metric name", line)),
            },
        };
        if name != self.name {
            self.complete(py, ready)?;
            self.name = name.into_owned();
            self.documentation.clear();
            self.suffixes = &[""];
            self.typ.replace_range(.., "untyped");
        }
        let text = text.unwrap_or("");
        if keyword == "HELP" {
            self.documentation = unescape(text, false).into_owned();
        } else {
            self.typ.replace_range(.., text);
            self.suffixes = match text {
                "summary" => &["_count", "_sum", ""],
                "histogram" => &["_count", "_sum", "_bucket"],
                _ => &[""],
            };
        }
        Ok(())
    }

    fn sample(&mut self, py: Python<'_>, line: &str, ready: &mut Ready) -> PyResult<()> {
        let sample = sample(py, line, self.builder.legacy())?;
        let belongs =
            sample.name.strip_prefix(self.name.as_str()).is_some_and(|s| self.suffixes.contains(&s));
        if !belongs {
            self.complete(py, ready)?;
            self.name.clear();
            self.documentation.clear();
            self.typ.replace_range(.., "untyped");
            self.suffixes = &[];
        }
        let none = py.None().into_bound(py);
        let time = match sample.t_ms {
            None => none.clone(),
            Some(Number::Big(t, _)) => t.bind(py).div(1000)?,
            Some(t) => PyFloat::new(py, t.to_f64() / 1000.0).into_any(),
        };
        let value = sample.value.to_python(py)?;
        let labels = self.builder.labels(py, &sample.labels)?;
        let made = self.builder.sample(&sample.name, &labels, &value, &time, &none, &none)?;
        if belongs {
            return self.samples.bind(py).append(made);
        }
        let samples = PyList::new(py, [made])?;
        ready.push_back(self.builder.metric(&sample.name, "", "untyped", "", &samples)?);
        Ok(())
    }
}

impl Families for Prometheus {
    fn line(&mut self, py: Python<'_>, line: &str, ready: &mut Ready) -> PyResult<()> {
        let line = trim(line);
        match line.as_bytes().first() {
            None => Ok(()),
            Some(b'#') => self.metadata(py, line, ready),
            Some(_) => self.sample(py, line, ready),
        }
    }

    fn finish(&mut self, py: Python<'_>, ready: &mut Ready) -> PyResult<()> {
        self.complete(py, ready)
    }
}

struct Sample<'a> {
    name: Cow<'a, str>,
    labels: Labels<'a>,
    value: Number,
    /// Units: milliseconds since the epoch.
    t_ms: Option<Number>,
}

fn sample<'a>(py: Python<'_>, line: &'a str, legacy: bool) -> PyResult<Sample<'a>> {
    let (name, labels, rest) = match plain_series(line) {
        Some((name, labels, rest)) => (Cow::Borrowed(name), labels, rest),
        None => series(line, legacy)?,
    };
    let (value, t_ms) = value_and_timestamp(py, rest)?;
    Ok(Sample { name, labels, value, t_ms })
}

fn series(line: &str, legacy: bool) -> PyResult<(Cow<'_, str>, Labels<'_>, &str)> {
    match next_unquoted(line, 0, |b| b == b'{') {
        Some(open) if !line[..open].contains(" # ") => {
            let close = next_unquoted(&line[open..], 0, |b| b == b'}')
                .ok_or_else(|| invalid("labels do not end", line))?;
            let (list, rest) = (&line[open + 1..open + close], &line[open + close + 1..]);
            let mut labels = labels(list, Rules { strict: false, legacy })?;
            Ok((take_name(trim(&line[..open]), &mut labels)?, labels, rest))
        }
        _ => {
            let end = next_unquoted(line, 0, |b| b == b' ' || b == b'\t').unwrap_or(line.len());
            let name = trim(&line[..end]);
            if !is_legacy_metric_name(name) {
                return Err(invalid("invalid metric name", line));
            }
            Ok((Cow::Borrowed(name), Labels::new(), line.get(end + 1..).unwrap_or("")))
        }
    }
}

/// Of more than two numbers the first and the last count.
fn value_and_timestamp(py: Python<'_>, text: &str) -> PyResult<(Number, Option<Number>)> {
    let text = trim(text);
    if text.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok((number(py, text)?, None));
    }
    let separator = if text.contains(' ') { ' ' } else { '\t' };
    let mut words = text.split(separator).map(trim).filter(|word| !word.is_empty());
    let value = number(py, words.next().unwrap_or(""))?;
    let t_ms = words.next_back().map(|word| number(py, word)).transpose()?;
    Ok((value, t_ms))
}
