//! The Python objects of a page.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::RandomState;
use promflow_model::is_legacy_metric_name;
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple, PyType};

use super::labels::Labels;
use super::number::{Number, Time};

/// An exemplar of OpenMetrics.
pub(super) struct Exemplar<'a> {
    pub(super) labels: Labels<'a>,
    pub(super) value: Number,
    pub(super) time: Option<Time>,
}

/// Makes the objects of one page. Names recur on every line, so they are made once.
pub(super) struct Builder {
    samples: Py<PyModule>,
    sample: Py<PyAny>,
    metric: Py<PyAny>,
    new_tuple: Py<PyAny>,
    new_object: Py<PyAny>,
    legacy: bool,
    names: HashMap<Box<str>, Py<PyString>, RandomState>,
    /// The label values of the last sample, by their place: the next line has most of them again.
    last_values: Vec<(String, Py<PyString>)>,
    empty: Py<PyString>,
}

/// Of more names than this the rest is made anew each time.
const NAMES_MAX: usize = 4096;

/// Of more labels than this no values are remembered.
const LAST_VALUES_MAX: usize = 16;

/// The types that a family may have.
const TYPES: [&str; 8] =
    ["counter", "gauge", "summary", "histogram", "gaugehistogram", "unknown", "info", "stateset"];

impl Builder {
    pub(super) fn new(py: Python<'_>) -> PyResult<Self> {
        let samples = py.import("promflow.samples")?;
        let metrics_core = py.import("promflow.metrics_core")?;
        let validation = py.import("promflow.validation")?;
        Ok(Self {
            sample: samples.getattr("Sample")?.unbind(),
            samples: samples.unbind(),
            metric: metrics_core.getattr("Metric")?.unbind(),
            new_tuple: py.get_type::<PyTuple>().getattr("__new__")?.unbind(),
            new_object: py.get_type::<PyAny>().getattr("__new__")?.unbind(),
            legacy: validation.getattr("get_legacy_validation")?.call0()?.extract()?,
            names: HashMap::default(),
            last_values: Vec::new(),
            empty: PyString::new(py, "").unbind(),
        })
    }

    /// Says whether only classic names are valid.
    pub(super) fn legacy(&self) -> bool {
        self.legacy
    }

    pub(super) fn name<'py>(&mut self, py: Python<'py>, name: &str) -> Bound<'py, PyString> {
        if let Some(known) = self.names.get(name) {
            return known.bind(py).clone();
        }
        let made = PyString::new(py, name);
        if self.names.len() < NAMES_MAX {
            self.names.insert(name.into(), made.clone().unbind());
        }
        made
    }

    fn value<'py>(&mut self, py: Python<'py>, place: usize, value: &str) -> Bound<'py, PyString> {
        if let Some((last, made)) = self.last_values.get(place)
            && last == value
        {
            return made.bind(py).clone();
        }
        let made = PyString::new(py, value);
        if let Some((last, last_made)) = self.last_values.get_mut(place) {
            last.replace_range(.., value);
            *last_made = made.clone().unbind();
        } else if self.last_values.len() == place && place < LAST_VALUES_MAX {
            self.last_values.push((value.to_owned(), made.clone().unbind()));
        }
        made
    }

    pub(super) fn labels<'py>(
        &mut self,
        py: Python<'py>,
        labels: &[(Cow<'_, str>, Cow<'_, str>)],
    ) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (place, (name, value)) in labels.iter().enumerate() {
            dict.set_item(self.name(py, name), self.value(py, place, value))?;
        }
        Ok(dict)
    }

    /// Makes a sample without calling `Sample`, whose constructor is Python code.
    pub(super) fn sample<'py>(
        &mut self,
        name: &str,
        labels: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        time: &Bound<'py, PyAny>,
        exemplar: &Bound<'py, PyAny>,
        native: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = labels.py();
        let fields = (self.name(py, name), labels, value, time, exemplar, native);
        self.new_tuple.bind(py).call1((&self.sample, fields))
    }

    /// Copies a sample under a longer name.
    pub(super) fn renamed<'py>(
        &mut self,
        sample: &Bound<'py, PyAny>,
        suffix: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        let field = |i: usize| sample.get_item(i);
        let name: String = field(0)?.extract()?;
        self.sample(&(name + suffix), &field(1)?, &field(2)?, &field(3)?, &field(4)?, &field(5)?)
    }

    /// Makes a family; an invalid name or type is refused as its constructor does.
    pub(super) fn metric(
        &mut self,
        name: &str,
        documentation: &str,
        typ: &str,
        unit: &str,
        samples: &Bound<'_, PyList>,
    ) -> PyResult<Py<PyAny>> {
        let py = samples.py();
        if name.is_empty() {
            return Err(PyValueError::new_err("metric name cannot be empty"));
        }
        if self.legacy && !is_legacy_metric_name(name) {
            return Err(PyValueError::new_err(format!("invalid metric name {name}")));
        }
        let typ = if typ == "untyped" { "unknown" } else { typ };
        if !TYPES.contains(&typ) {
            return Err(PyValueError::new_err(format!("Invalid metric type: {typ}")));
        }
        let metric = self.new_object.bind(py).call1((&self.metric,))?;
        metric.setattr(intern!(py, "name"), self.name(py, name))?;
        metric.setattr(intern!(py, "documentation"), self.text(py, documentation))?;
        metric.setattr(intern!(py, "unit"), self.text(py, unit))?;
        metric.setattr(intern!(py, "type"), self.name(py, typ))?;
        metric.setattr(intern!(py, "samples"), samples)?;
        Ok(metric.unbind())
    }

    fn text<'py>(&self, py: Python<'py>, text: &str) -> Bound<'py, PyString> {
        if text.is_empty() { self.empty.bind(py).clone() } else { PyString::new(py, text) }
    }

    /// Finds a class of the module `samples`.
    pub(super) fn class<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyType>> {
        Ok(self.samples.bind(py).getattr(name)?.cast_into::<PyType>()?)
    }

    pub(super) fn time<'py>(&self, py: Python<'py>, time: Option<Time>) -> PyResult<Bound<'py, PyAny>> {
        match time {
            None => Ok(py.None().into_bound(py)),
            Some(Time::Float(t)) => Ok(t.into_pyobject(py)?.into_any()),
            // The constructor gives the nanoseconds the sign of the seconds.
            Some(Time::Exact(sec, nsec)) => self.class(py, "Timestamp")?.call1((sec, nsec.unsigned_abs())),
        }
    }

    pub(super) fn exemplar<'py>(
        &mut self,
        py: Python<'py>,
        exemplar: Option<&Exemplar<'_>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Some(exemplar) = exemplar else { return Ok(py.None().into_bound(py)) };
        let labels = self.labels(py, &exemplar.labels)?;
        let fields = (labels, exemplar.value.to_python(py)?, self.time(py, exemplar.time)?);
        self.class(py, "Exemplar")?.call1(fields)
    }
}
