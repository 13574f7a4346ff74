//! What times a block of code.

use std::sync::Mutex;
use std::time::Instant;

use pyo3::exceptions::PyAttributeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::family::lock;

/// Times a block of code or a function, and gives the duration to a method of a metric.
#[pyclass(subclass, frozen, module = "promflow.context_managers")]
pub(crate) struct Timer {
    callback: Py<PyString>,
    timed: Mutex<Timed>,
}

struct Timed {
    metric: Py<PyAny>,
    start: Option<Instant>,
    duration: Option<f64>,
}

impl Timer {
    pub(crate) fn of(metric: &Bound<'_, PyAny>, callback: &Bound<'_, PyString>) -> Self {
        Self::new(metric.clone().unbind(), callback.clone().unbind())
    }

    fn metric<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        lock(&self.timed).metric.bind(py).clone()
    }
}

#[pymethods]
impl Timer {
    #[new]
    fn new(metric: Py<PyAny>, callback_name: Py<PyString>) -> Self {
        let timed = Mutex::new(Timed { metric, start: None, duration: None });
        Self { callback: callback_name, timed }
    }

    fn _new_timer<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let timer = slf.get();
        slf.get_type().call1((timer.metric(slf.py()), &timer.callback))
    }

    fn __enter__<'py>(slf: &Bound<'py, Self>) -> Bound<'py, Self> {
        lock(&slf.get().timed).start = Some(Instant::now());
        slf.clone()
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _typ: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (metric, duration) = {
            let mut timed = lock(&self.timed);
            let start = timed.start.ok_or_else(|| PyAttributeError::new_err("the timer was not entered"))?;
            let duration = start.elapsed().as_secs_f64();
            timed.duration = Some(duration);
            (timed.metric.clone_ref(py), duration)
        };
        metric.bind(py).call_method1(&self.callback, (duration,)).map(drop)
    }

    /// Counts in a child of the metric.
    #[pyo3(signature = (*args, **kw))]
    fn labels(&self, args: &Bound<'_, PyTuple>, kw: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let child = self.metric(args.py()).call_method(intern!(args.py(), "labels"), args, kw)?;
        // The old one is dropped without the lock, as that may run Python code.
        let old = std::mem::replace(&mut lock(&self.timed).metric, child.unbind());
        drop(old);
        Ok(())
    }

    /// Times each call of a function.
    fn __call__<'py>(slf: &Bound<'py, Self>, f: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("promflow.context_managers")?.getattr("_decorate_timed")?.call1((slf, f))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.timed.try_lock().map_or(Ok(()), |timed| visit.call(&timed.metric))
    }

    #[getter]
    fn duration(&self) -> Option<f64> {
        lock(&self.timed).duration
    }

    #[getter]
    fn _metric<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.metric(py)
    }

    #[getter]
    fn _callback_name(&self, py: Python<'_>) -> Py<PyString> {
        self.callback.clone_ref(py)
    }
}
