//! The children of a metric with labels: how they are found, made and forgotten.

use std::cell::RefCell;
use std::sync::Arc;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use crate::calls::{Call, Calls};
use crate::family::Family;
use crate::key;
use crate::metric::{Metric, State, now, pass_warning_on};
use crate::series::Series;

/// The children of a metric.
pub(crate) struct Children {
    pub(crate) by_values: Py<PyDict>,
    pub(crate) calls: Calls,
}

thread_local! {
    /// The family and series of the child that is being made by calling its class.
    static EXPECTED: RefCell<Option<(Arc<Family>, Arc<Series>)>> = const { RefCell::new(None) };
}

/// Takes the family and series of the child that is being made, if it has these label values: a class may have named
/// itself as it likes.
pub(crate) fn take_expected(values: &Bound<'_, PyTuple>) -> PyResult<Option<(Arc<Family>, Arc<Series>)>> {
    let key = pack(values)?;
    Ok(EXPECTED.take().filter(|(_, series)| *series.key == *key))
}

impl Children {
    pub(crate) fn new(py: Python<'_>) -> Self {
        Self { by_values: PyDict::new(py).unbind(), calls: Calls::default() }
    }

    /// Forgets the child of label values.
    pub(crate) fn forget(&self, values: &Bound<'_, PyTuple>) -> PyResult<()> {
        let by_values = self.by_values.bind(values.py());
        by_values.call_method1(intern!(values.py(), "pop"), (values, values.py().None()))?;
        drop(self.calls.take(values.py()));
        Ok(())
    }

    /// Forgets the calls: the collector cannot clear them by itself, nor does who changes the children know of them.
    pub(crate) fn clear(&self, py: Python<'_>) {
        drop(self.calls.take(py));
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.by_values)?;
        self.calls.traverse(visit)
    }
}

impl State {
    /// Finds or makes the child of label values.
    pub(crate) fn labels<'py>(
        &self,
        parent: &Bound<'py, Metric>,
        call: Call<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = parent.py();
        let Some(children) = &self.children else { return Err(self.no_children(parent)) };
        let names = self.given.labelnames.bind(py);
        let values = call.positional(py)?;
        let values = match call.named(py)? {
            Some(_) if !values.is_empty() => {
                return Err(PyValueError::new_err("Can't pass both *args and **kwargs"));
            }
            Some(named) => named_values(names, &named)?,
            None if values.len() != names.len() => {
                return Err(PyValueError::new_err("Incorrect label count"));
            }
            None => strings(values)?,
        };
        if !self.family.is_current() {
            self.forget_removed(py, children)?;
        }
        if let Some(child) = children.by_values.bind(py).get_item(&values)? {
            // No code has run since it was found: it is still the child of these values.
            children.calls.remember(call, &child);
            return Ok(child);
        }
        let key = pack(&values)?;
        loop {
            let series = self.family.series(&key, now(py)?);
            let child = self.child(parent, &values, series.clone())?;
            pass_warning_on(py)?;
            let counts_in_it = match child.cast::<Metric>() {
                Ok(metric) => Arc::ptr_eq(metric.get().state()?.series()?, &series),
                Err(_) => false,
            };
            if !counts_in_it || (series.is_alive() && self.family.holds(&series)) {
                return Ok(child);
            }
            // Another thread removed it meanwhile.
            children.forget(&values)?;
        }
    }

    /// Says why something has no children.
    fn no_children(&self, metric: &Bound<'_, Metric>) -> PyErr {
        let py = metric.py();
        let text = || -> PyResult<String> {
            let names = self.given.labelnames.bind(py);
            if names.is_empty() {
                return Ok(format!("No label names were set when constructing {}", metric.str()?));
            }
            let labels = PyDict::new(py);
            for (name, value) in names.iter().zip(self.labelvalues.bind(py).iter()) {
                labels.set_item(name, value)?;
            }
            let (metric, labels) = (metric.str()?, labels.str()?);
            Ok(format!("{metric} already has labels set ({labels}); can not chain calls to .labels()"))
        };
        text().map_or_else(|e| e, PyValueError::new_err)
    }

    /// Makes the Python object of a series; the one returned may be another thread's that was faster.
    pub(crate) fn child<'py>(
        &self,
        parent: &Bound<'py, Metric>,
        values: &Bound<'py, PyTuple>,
        series: Arc<Series>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = parent.py();
        let class = parent.get_type();
        let child = match self.given.plain {
            true => {
                let child = class.call_method1(intern!(py, "__new__"), (&class,))?;
                let metric = child.cast::<Metric>()?.get();
                let given = self.given.clone();
                metric.begin(py, self.family.clone(), Some(series), given, values.clone().unbind())?;
                child
            }
            false => self.call_class(&class, values, series)?,
        };
        let Some(children) = &self.children else { return Ok(child) };
        children.by_values.bind(py).call_method1(intern!(py, "setdefault"), (values, child))
    }

    /// Makes a child as its class says, which may have an `__init__` of its own.
    fn call_class<'py>(
        &self,
        class: &Bound<'py, PyType>,
        values: &Bound<'py, PyTuple>,
        series: Arc<Series>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, given) = (class.py(), &self.given);
        let kwargs = given.kwargs.bind(py).copy()?;
        kwargs.set_item("documentation", &given.documentation)?;
        kwargs.set_item("labelnames", &given.labelnames)?;
        kwargs.set_item("namespace", &given.namespace)?;
        kwargs.set_item("subsystem", &given.subsystem)?;
        kwargs.set_item("unit", &given.unit)?;
        kwargs.set_item("_labelvalues", values)?;
        // An `__init__` may make children of its own.
        let outer = EXPECTED.replace(Some((self.family.clone(), series)));
        let child = class.call((&given.original_name,), Some(&kwargs));
        EXPECTED.set(outer);
        child
    }

    /// Forgets children whose series another process, or this one, took off the page.
    pub(crate) fn forget_removed(&self, py: Python<'_>, children: &Children) -> PyResult<()> {
        let removals = self.family.removals();
        let by_values = children.by_values.bind(py);
        for (values, child) in by_values.copy()?.iter() {
            if let Ok(metric) = child.cast::<Metric>()
                && !metric.get().state()?.series()?.is_alive()
            {
                by_values.call_method1(intern!(py, "pop"), (values, py.None()))?;
            }
        }
        // Dropping them may run code: by then nothing remembers what was removed.
        let forgotten = children.calls.take(py);
        self.family.set_current(removals);
        drop(forgotten);
        Ok(())
    }
}

/// Joins label values, all of which are strings.
pub(crate) fn pack(values: &Bound<'_, PyTuple>) -> PyResult<Vec<u8>> {
    let mut texts = Vec::with_capacity(values.len());
    for value in values.iter() {
        let text =
            value.cast::<PyString>().map_err(|_| PyTypeError::new_err("label values must be strings"))?;
        texts.push(text.to_string_lossy().into_owned());
    }
    Ok(key::pack(texts.iter().map(String::as_str)))
}

/// Makes strings of label values.
fn strings(values: Bound<'_, PyTuple>) -> PyResult<Bound<'_, PyTuple>> {
    if values.iter_borrowed().all(|value| value.is_exact_instance_of::<PyString>()) {
        return Ok(values);
    }
    let texts: Vec<_> = values.iter().map(|value| string(&value)).collect::<PyResult<_>>()?;
    PyTuple::new(values.py(), texts)
}

fn string<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    match value.cast_exact::<PyString>() {
        Ok(text) => Ok(text.clone()),
        Err(_) => {
            let text = value.str()?;
            // A subclass of `str` could hash and compare as it likes.
            Ok(if text.is_exact_instance_of::<PyString>() {
                text
            } else {
                PyString::new(value.py(), &text.to_string_lossy())
            })
        }
    }
}

/// Puts label values that came by name in their order.
fn named_values<'py>(
    names: &Bound<'py, PyTuple>,
    kwargs: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyTuple>> {
    let wrong = || PyValueError::new_err("Incorrect label names");
    if kwargs.len() != names.len() {
        return Err(wrong());
    }
    let values = names.iter().map(|name| string(&kwargs.get_item(name)?.ok_or_else(wrong)?));
    PyTuple::new(names.py(), values.collect::<PyResult<Vec<_>>>()?)
}
