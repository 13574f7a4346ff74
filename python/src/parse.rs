//! The parsers of prometheus_client: lax ones, that take what it takes, and give its objects.
//!
//! The exposition crate's parser is not used. It follows Prometheus's scraper, and differs in what it refuses, in
//! where families end, and in keeping numbers as floats, where these keep integers and the timestamps' digits.
//! Families are made as they are asked for, so that a page which fails late gives what stands before.
//!
//! In a few places prometheus_client reads a broken line as something that it does not say (a value without a name,
//! a digit behind the closing brace skipped, a timestamp cut at a quote). These are refused here.

mod build;
mod labels;
mod native;
mod number;
mod openmetrics;
mod prometheus;
mod scan;

use std::collections::VecDeque;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyIterator, PyString};

use self::openmetrics::OpenMetrics;
use self::prometheus::Prometheus;

/// Where lines come from.
enum Lines {
    Text { text: PyBackedStr, at: usize },
    Iterator(Py<PyIterator>),
}

impl Lines {
    fn of(source: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(text) = source.cast::<PyString>() {
            return Ok(Self::Text { text: PyBackedStr::try_from(text.clone())?, at: 0 });
        }
        Ok(Self::Iterator(source.try_iter()?.unbind()))
    }

    /// Hands the next line over, with its line end; false at the end.
    fn with_next<R>(&mut self, py: Python<'_>, read: impl FnOnce(&str) -> R) -> PyResult<Option<R>> {
        match self {
            Self::Text { text, at } => {
                let rest = &text[*at..];
                if rest.is_empty() {
                    return Ok(None);
                }
                let end = rest.find('\n').map_or(rest.len(), |i| i + 1);
                *at += end;
                Ok(Some(read(&rest[..end])))
            }
            Self::Iterator(lines) => match lines.bind(py).clone().next() {
                None => Ok(None),
                Some(line) => {
                    let line: PyBackedStr = line?.extract()?;
                    Ok(Some(read(&line)))
                }
            },
        }
    }
}

/// Families that are complete, in order.
type Ready = VecDeque<Py<PyAny>>;

/// A format, fed line by line.
trait Families {
    /// Reads a line; the families that it completes are ready even where it fails.
    fn line(&mut self, py: Python<'_>, line: &str, ready: &mut Ready) -> PyResult<()>;

    /// Completes the last family.
    fn finish(&mut self, py: Python<'_>, ready: &mut Ready) -> PyResult<()>;
}

struct Pages<F> {
    lines: Lines,
    families: F,
    ready: Ready,
    /// What to raise once the families before it were given.
    error: Option<PyErr>,
    done: bool,
}

impl<F: Families> Pages<F> {
    fn new(source: &Bound<'_, PyAny>, families: F) -> PyResult<Self> {
        Ok(Self { lines: Lines::of(source)?, families, ready: Ready::new(), error: None, done: false })
    }

    fn next(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        loop {
            if let Some(family) = self.ready.pop_front() {
                return Ok(Some(family));
            }
            if let Some(error) = self.error.take() {
                return Err(error);
            }
            if self.done {
                return Ok(None);
            }
            let (families, ready) = (&mut self.families, &mut self.ready);
            let read = match self.lines.with_next(py, |line| families.line(py, line, ready)) {
                Ok(Some(read)) => read,
                Ok(None) => {
                    self.done = true;
                    self.families.finish(py, &mut self.ready)
                }
                Err(error) => Err(error),
            };
            if let Err(error) = read {
                self.done = true;
                self.error = Some(error);
            }
        }
    }
}

/// The families of a page in the text format.
#[pyclass(module = "promflow._core")]
struct PrometheusFamilies(Pages<Prometheus>);

#[pymethods]
impl PrometheusFamilies {
    /// Takes the page, or its lines.
    #[new]
    fn new(source: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self(Pages::new(source, Prometheus::new(source.py())?)?))
    }

    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.0.next(py)
    }
}

/// The families of a page in OpenMetrics.
#[pyclass(module = "promflow._core")]
struct OpenMetricsFamilies(Pages<OpenMetrics>);

#[pymethods]
impl OpenMetricsFamilies {
    /// Takes the page, or its lines.
    #[new]
    fn new(source: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self(Pages::new(source, OpenMetrics::new(source.py())?)?))
    }

    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.0.next(py)
    }
}

/// An error of the page: what is wrong, and the line.
fn invalid(what: &str, line: &str) -> PyErr {
    PyValueError::new_err(format!("{what}: {line}"))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PrometheusFamilies>()?;
    module.add_class::<OpenMetricsFamilies>()
}
