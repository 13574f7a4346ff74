//! One number of a metric, as prometheus_client's `_value`, `_sum` and `_buckets` are.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;

use crate::key;
use crate::metric::{Metric, now};
use crate::text_cell::Text;

/// One number of a metric.
#[pyclass(frozen, module = "promflow._core")]
pub(crate) struct Value {
    metric: Py<Metric>,
    word: usize,
}

impl Value {
    pub(crate) fn new(metric: Py<Metric>, word: usize) -> Self {
        Self { metric, word }
    }
}

#[pymethods]
impl Value {
    fn inc(&self, py: Python<'_>, amount: f64) -> PyResult<()> {
        self.metric.get().state()?.add(py, self.word, amount)
    }

    #[pyo3(signature = (value, timestamp = None))]
    fn set(&self, py: Python<'_>, value: f64, timestamp: Option<f64>) -> PyResult<()> {
        self.metric.get().state()?.set(py, self.word, value, timestamp.unwrap_or(0.0))
    }

    fn get(&self, py: Python<'_>) -> PyResult<f64> {
        self.metric.get().state()?.get(py, self.word)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.metric)
    }

    fn set_exemplar(&self, exemplar: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = exemplar.py();
        let time = exemplar.getattr(intern!(py, "timestamp"))?;
        let time = if time.is_none() { now(py)? } else { time.call_method0("__float__")?.extract()? };
        let (labels, value) =
            (exemplar.getattr(intern!(py, "labels"))?, exemplar.getattr(intern!(py, "value"))?.extract()?);
        keep_exemplar(self.metric.get(), self.word, &labels, value, time)
    }

    /// Returns the exemplar as prometheus_client has it.
    fn get_exemplar<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let text = self.metric.get().state()?.series()?.text(self.word as u32);
        text.map(|text| exemplar(py, &text)).transpose()
    }

    #[getter]
    fn _multiprocess(&self) -> PyResult<bool> {
        Ok(self.metric.get().state()?.family.is_shared())
    }
}

/// Keeps labels as the example of what was counted last.
pub(crate) fn keep_exemplar(
    metric: &Metric,
    word: usize,
    labels: &Bound<'_, PyAny>,
    value: f64,
    t_seconds: f64,
) -> PyResult<()> {
    let state = metric.state()?;
    let packed = pack_pairs(labels)?;
    state.family.keep_text(state.series()?, word as u32, &Text { packed, value, t_seconds });
    Ok(())
}

/// Joins the names and values of a mapping.
pub(crate) fn pack_pairs(labels: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let mut texts: Vec<String> = Vec::new();
    for item in labels.call_method0(intern!(labels.py(), "items"))?.try_iter()? {
        let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item?.extract()?;
        texts.push(name.str()?.to_string_lossy().into_owned());
        texts.push(value.str()?.to_string_lossy().into_owned());
    }
    Ok(key::pack(texts.iter().map(String::as_str)))
}

/// Makes the exemplar that Python code sees.
pub(crate) fn exemplar<'py>(py: Python<'py>, text: &Text) -> PyResult<Bound<'py, PyAny>> {
    let labels = crate::value::pairs(py, &text.packed)?;
    py.import("promflow.samples")?.getattr("Exemplar")?.call1((labels, text.value, text.t_seconds))
}

/// Makes a mapping of joined names and values.
pub(crate) fn pairs<'py>(py: Python<'py>, packed: &[u8]) -> PyResult<Bound<'py, pyo3::types::PyDict>> {
    let labels = pyo3::types::PyDict::new(py);
    let mut texts = key::unpack(packed);
    while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
        labels.set_item(name, value)?;
    }
    Ok(labels)
}
