//! OpenMetrics 1.0, and the native histograms of 2.0.

mod group;
mod histogram;
mod line;

use std::collections::HashSet;

use foldhash::fast::RandomState;
use promflow_model::is_legacy_metric_name;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;

use self::group::{Groups, Place};
use self::histogram::HistogramCheck;
use self::line::{Sample, sample};
use super::build::Builder;
use super::labels::Rules;
use super::native::{NativeLine, native_line};
use super::number::float;
use super::scan::{split, unescape, unquote};
use super::{Families, Ready, invalid};

/// A type, as far as samples are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Summary,
    Histogram,
    GaugeHistogram,
    Info,
    StateSet,
    /// Gauges, families of unknown type, and types that do not exist, which are refused when the family is complete.
    Other,
}

impl Kind {
    fn of(typ: &str) -> Self {
        match typ {
            "counter" => Self::Counter,
            "summary" => Self::Summary,
            "histogram" => Self::Histogram,
            "gaugehistogram" => Self::GaugeHistogram,
            "info" => Self::Info,
            "stateset" => Self::StateSet,
            _ => Self::Other,
        }
    }

    /// What samples add to the family's name.
    fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Counter => &["_total", "_created"],
            Self::Summary => &["", "_count", "_sum", "_created"],
            Self::Histogram => &["_count", "_sum", "_bucket", "_created"],
            Self::GaugeHistogram => &["_gcount", "_gsum", "_bucket"],
            Self::Info => &["_info"],
            Self::StateSet | Self::Other => &[""],
        }
    }
}

/// What is known of the family at hand.
struct Family {
    name: String,
    documentation: Option<String>,
    typ: Option<String>,
    unit: Option<String>,
    kind: Kind,
    /// What samples may add to the name; before the type is known, nothing.
    suffixes: &'static [&'static str],
    samples: Py<PyList>,
    groups: Groups,
    buckets: HistogramCheck,
}

impl Family {
    fn new(py: Python<'_>, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            documentation: None,
            typ: None,
            unit: None,
            kind: Kind::Other,
            suffixes: &[""],
            samples: PyList::empty(py).unbind(),
            groups: Groups::default(),
            buckets: HistogramCheck::default(),
        }
    }
}

pub(super) struct OpenMetrics {
    builder: Builder,
    family: Option<Family>,
    /// All names that samples of the families so far may have.
    seen: HashSet<String, RandomState>,
    ended: bool,
}

impl OpenMetrics {
    pub(super) fn new(py: Python<'_>) -> PyResult<Self> {
        Ok(Self { builder: Builder::new(py)?, family: None, seen: HashSet::default(), ended: false })
    }

    fn complete(&mut self, py: Python<'_>, ready: &mut Ready) -> PyResult<()> {
        let Some(family) = self.family.take() else { return Ok(()) };
        let name = &family.name;
        let own = family.kind.suffixes().iter().copied().filter(|s| !s.is_empty());
        for suffix in own.chain([""]) {
            if !self.seen.insert(format!("{name}{suffix}")) {
                return Err(PyValueError::new_err(format!("Clashing name: {name}{suffix}")));
            }
        }
        let unit = family.unit.as_deref().unwrap_or("");
        if !unit.is_empty() {
            if !name.strip_suffix(unit).is_some_and(|stem| stem.ends_with('_')) {
                return Err(PyValueError::new_err(format!("Unit does not match metric name: {name}")));
            }
            if matches!(family.kind, Kind::Info | Kind::StateSet) {
                return Err(PyValueError::new_err(format!("Units not allowed for this metric type: {name}")));
            }
        }
        family.buckets.finish(name)?;
        let documentation = family.documentation.as_deref().unwrap_or("");
        let typ = family.typ.as_deref().unwrap_or("unknown");
        ready.push_back(self.builder.metric(name, documentation, typ, unit, family.samples.bind(py))?);
        Ok(())
    }

    fn metadata(&mut self, py: Python<'_>, line: &str, ready: &mut Ready) -> PyResult<()> {
        let parts = split(line, 4, |b| b == b' ');
        let [_, keyword, name, text] = parts[..] else { return Err(invalid("Invalid line", line)) };
        let name = match unquote(name) {
            Some((name, quoted)) if quoted || is_legacy_metric_name(&name) => name,
            _ => return Err(invalid("invalid metric name", line)),
        };
        match &self.family {
            Some(family) if family.name == name => {
                if !family.samples.bind(py).is_empty() {
                    return Err(invalid("Received metadata after samples", line));
                }
            }
            _ => {
                self.complete(py, ready)?;
                self.family = Some(Family::new(py, &name));
            }
        }
        let Some(family) = &mut self.family else { unreachable!("BUG: the family was just made") };
        let (place, value) = match keyword {
            "HELP" => (&mut family.documentation, unescape(text, true).into_owned()),
            "TYPE" => (&mut family.typ, text.to_owned()),
            "UNIT" => (&mut family.unit, text.to_owned()),
            _ => return Err(invalid("Invalid line", line)),
        };
        if place.is_some() {
            return Err(invalid(&format!("More than one {keyword} for metric"), line));
        }
        if keyword == "TYPE" {
            if text == "untyped" {
                return Err(invalid("Invalid TYPE for metric", line));
            }
            family.kind = Kind::of(text);
            family.suffixes = family.kind.suffixes();
        }
        *place = Some(value);
        Ok(())
    }

    fn native(&mut self, py: Python<'_>, native: &NativeLine<'_>) -> PyResult<()> {
        let none = py.None().into_bound(py);
        let labels = match &native.labels {
            Some(labels) => self.builder.labels(py, labels)?.into_any(),
            None => none.clone(),
        };
        let histogram = native.histogram(py, &self.builder)?;
        let sample = self.builder.sample(&native.name, &labels, &none, &none, &none, &histogram)?;
        match &self.family {
            Some(family) => family.samples.bind(py).append(sample),
            None => unreachable!("BUG: native histograms are looked for in histograms alone"),
        }
    }

    fn sample(&mut self, py: Python<'_>, line: &str, ready: &mut Ready) -> PyResult<()> {
        let rules = Rules { strict: true, legacy: self.builder.legacy() };
        if self.family.as_ref().is_some_and(|family| family.kind == Kind::Histogram)
            && let Some(native) = native_line(line, rules)?
        {
            return self.native(py, &native);
        }
        let sample = sample(py, line, rules)?;
        let belongs = self.family.as_ref().is_some_and(|family| {
            sample.name.strip_prefix(family.name.as_str()).is_some_and(|s| family.suffixes.contains(&s))
        });
        if !belongs {
            self.complete(py, ready)?;
            if !sample.quoted && !is_legacy_metric_name(&sample.name) {
                return Err(invalid("invalid metric name", line));
            }
            self.family = Some(Family::new(py, &sample.name));
        }
        let Some(family) = &mut self.family else { unreachable!("BUG: the family was just made") };
        let suffix = &sample.name[family.name.len()..];
        let bound = check_labels(py, family, &sample, suffix).map_err(|what| at(py, what, line))?;
        let place = family
            .groups
            .place(family.kind, &family.name, suffix, &sample)
            .map_err(|what| invalid(what, line))?;
        if place != Place::Duplicate {
            let labels = self.builder.labels(py, &sample.labels)?;
            let value = sample.value.to_python(py)?;
            let time = self.builder.time(py, sample.time)?;
            let exemplar = self.builder.exemplar(py, sample.exemplar.as_ref())?;
            let none = py.None().into_bound(py);
            let made = self.builder.sample(&sample.name, &labels, &value, &time, &exemplar, &none)?;
            family.samples.bind(py).append(made)?;
            if matches!(family.kind, Kind::Histogram | Kind::GaugeHistogram) {
                if place == Place::NewPoint {
                    family.buckets.begin(&family.name)?;
                }
                family.buckets.add(&family.name, suffix, bound, sample.value.to_f64())?;
            }
        }
        check_value(family.kind, suffix, &sample).map_err(|what| invalid(what, line))
    }
}

/// What is wrong with a sample, or how Python refused it.
enum Wrong {
    What(&'static str),
    Python(PyErr),
}

fn at(py: Python<'_>, wrong: Wrong, line: &str) -> PyErr {
    match wrong {
        Wrong::What(what) => invalid(what, line),
        Wrong::Python(error) => invalid(&error.value(py).to_string(), line),
    }
}

/// Infinity is written in one way alone.
fn canonical_float(py: Python<'_>, text: &str) -> Result<Option<f64>, Wrong> {
    let value = float(py, text).map_err(Wrong::Python)?;
    Ok((value != f64::INFINITY || text == "+Inf").then_some(value))
}

/// Checks the labels that the type asks for; gives the bound of a bucket.
fn check_labels(py: Python<'_>, family: &Family, sample: &Sample<'_>, suffix: &str) -> Result<f64, Wrong> {
    match (family.kind, suffix) {
        (Kind::StateSet, _) if sample.label(&family.name).is_none() => {
            Err(Wrong::What("Stateset missing label"))
        }
        (_, "_bucket") => {
            let bound = match sample.label("le") {
                None | Some("NaN") => None,
                Some(le) => canonical_float(py, le)?,
            };
            let bound = bound.ok_or(Wrong::What("Invalid le label"))?;
            if sample.value.is_integer() {
                Ok(bound)
            } else {
                Err(Wrong::What("Bucket value must be an integer"))
            }
        }
        (_, "_count" | "_gcount") if !sample.value.is_integer() => {
            Err(Wrong::What("Count value must be an integer"))
        }
        (Kind::Summary, "") => {
            let quantile = match sample.label("quantile") {
                Some(text) => canonical_float(py, text)?,
                None => None,
            };
            match quantile {
                Some(q) if (0.0..=1.0).contains(&q) => Ok(q),
                _ => Err(Wrong::What("Invalid quantile label")),
            }
        }
        _ => Ok(0.0),
    }
}

/// Checks the value and the exemplar.
fn check_value(kind: Kind, suffix: &str, sample: &Sample<'_>) -> Result<(), &'static str> {
    let value = sample.value.to_f64();
    if kind == Kind::StateSet && value != 0.0 && value != 1.0 {
        return Err("Stateset samples can only have values zero and one");
    }
    if kind == Kind::Info && value != 1.0 {
        return Err("Info samples can only have value one");
    }
    if kind == Kind::Summary && suffix.is_empty() && value < 0.0 {
        return Err("Quantile values cannot be negative");
    }
    let counts = matches!(suffix, "_total" | "_sum" | "_count" | "_bucket" | "_gcount");
    if (counts || suffix == "_gsum") && value.is_nan() {
        return Err("Counter-like samples cannot be NaN");
    }
    if counts && value < 0.0 {
        return Err("Counter-like samples cannot be negative");
    }
    let may_have_exemplar = match kind {
        Kind::Histogram | Kind::GaugeHistogram => suffix == "_bucket",
        Kind::Counter => suffix == "_total",
        _ => false,
    };
    if sample.exemplar.is_some() && !may_have_exemplar {
        return Err("Invalid line only histogram/gaugehistogram buckets and counters can have exemplars");
    }
    Ok(())
}

impl Families for OpenMetrics {
    fn line(&mut self, py: Python<'_>, line: &str, ready: &mut Ready) -> PyResult<()> {
        let line = line.strip_suffix('\n').unwrap_or(line);
        if self.ended {
            return Err(invalid("Received line after # EOF", line));
        }
        match line {
            "" => Err(PyValueError::new_err("Received blank line")),
            "# EOF" => {
                self.ended = true;
                Ok(())
            }
            _ if line.starts_with('#') => self.metadata(py, line, ready),
            _ => self.sample(py, line, ready),
        }
    }

    fn finish(&mut self, py: Python<'_>, ready: &mut Ready) -> PyResult<()> {
        self.complete(py, ready)?;
        if self.ended { Ok(()) } else { Err(PyValueError::new_err("Missing # EOF at end")) }
    }
}
