//! Counters, gauges, summaries, histograms, facts and enumerations.

use std::sync::atomic::Ordering;

use promflow_registry::{Cells, add_f64};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};

use crate::metric::{Metric, now};
use crate::series::load;
use crate::text_cell::Text;
use crate::timer::Timer;
use crate::value::{keep_exemplar, pack_pairs, pairs};

/// The word of a counter, a gauge or an enumeration.
pub(crate) const VALUE: usize = 1;
/// The words of a summary.
pub(crate) const SUMMARY_COUNT: usize = 1;
pub(crate) const SUMMARY_SUM: usize = 2;
/// The words of a histogram: its sum, and from there its buckets.
pub(crate) const HISTOGRAM_SUM: usize = 1;
pub(crate) const HISTOGRAM_BUCKETS: usize = 2;
/// The text of an info metric.
pub(crate) const FACTS: u32 = 0;

/// Up to so many bounds, comparing with all of them is faster than halving.
const LINEAR_SEARCH_MAX: usize = 32;

macro_rules! metric_class {
    ($name:ident, $doc:literal) => {
        #[doc = $doc]
        #[pyclass(extends = Metric, subclass, frozen, module = "promflow.metrics")]
        pub(crate) struct $name;
    };
}

metric_class!(Counter, "A value that only goes up.");
metric_class!(Gauge, "A value that goes up and down.");
metric_class!(Summary, "The number and the sum of observations.");
metric_class!(Histogram, "The number of observations by buckets, and their sum.");
metric_class!(Info, "Facts, such as a version.");
metric_class!(Enum, "Which one of some states is on.");

fn check_exemplar(labels: &Bound<'_, PyAny>) -> PyResult<()> {
    static CHECK: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    CHECK.import(labels.py(), "promflow.validation", "_validate_exemplar")?.call1((labels,)).map(drop)
}

fn some_exemplar<'a, 'py>(
    exemplar: Option<&'a Bound<'py, PyAny>>,
) -> PyResult<Option<&'a Bound<'py, PyAny>>> {
    match exemplar {
        Some(labels) if labels.is_truthy()? => Ok(Some(labels)),
        _ => Ok(None),
    }
}

#[pymethods]
impl Counter {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> PyClassInitializer<Self> {
        PyClassInitializer::from(Metric::empty()).add_subclass(Self)
    }

    /// Increment counter by the given amount.
    #[pyo3(signature = (amount = 1.0, exemplar = None))]
    pub(crate) fn inc(
        slf: &Bound<'_, Self>,
        amount: f64,
        exemplar: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let metric = slf.as_super().get();
        let is_negative = amount < 0.0;
        match metric.direct() {
            Some(cells) if !is_negative => add_f64(&cells.head()[VALUE], amount),
            _ => {
                metric.state()?.series()?;
                if is_negative {
                    let text = "Counters can only be incremented by non-negative amounts.";
                    return Err(PyValueError::new_err(text));
                }
                metric.state()?.add(slf.py(), VALUE, amount)?;
            }
        }
        match some_exemplar(exemplar)? {
            None => Ok(()),
            Some(labels) => {
                check_exemplar(labels)?;
                keep_exemplar(metric, VALUE, labels, amount, now(slf.py())?)
            }
        }
    }

    /// Reset the counter to zero. Use this when a logical process restarts without restarting the actual process.
    fn reset(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, state) = (slf.py(), slf.as_super().get().state()?);
        state.set(py, VALUE, 0.0, 0.0)?;
        state.series()?.set_created(now(py)?);
        Ok(())
    }
}

#[pymethods]
impl Gauge {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> PyClassInitializer<Self> {
        PyClassInitializer::from(Metric::empty()).add_subclass(Self)
    }

    /// Increment gauge by the given amount.
    #[pyo3(signature = (amount = 1.0))]
    pub(crate) fn inc(slf: &Bound<'_, Self>, amount: f64) -> PyResult<()> {
        Self::add(slf, amount, "inc")
    }

    /// Decrement gauge by the given amount.
    #[pyo3(signature = (amount = 1.0))]
    pub(crate) fn dec(slf: &Bound<'_, Self>, amount: f64) -> PyResult<()> {
        Self::add(slf, -amount, "dec")
    }

    /// Set gauge to the given value.
    fn set(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let metric = slf.as_super().get();
        let Some(cells) = metric.direct() else { return Self::set_slowly(slf, value) };
        match value.extract::<f64>() {
            Ok(value) => {
                cells.head()[VALUE].store(value.to_bits(), Ordering::Relaxed);
                Ok(())
            }
            Err(_) => Self::set_slowly(slf, value),
        }
    }

    /// Set gauge to the current unixtime.
    fn set_to_current_time(slf: &Bound<'_, Self>) -> PyResult<()> {
        let now = now(slf.py())?;
        slf.call_method1(intern!(slf.py(), "set"), (now,)).map(drop)
    }

    /// Time a block of code or function, and set the duration in seconds.
    fn time(slf: &Bound<'_, Self>) -> Timer {
        Timer::of(slf.as_any(), intern!(slf.py(), "set"))
    }
}

impl Gauge {
    fn add(slf: &Bound<'_, Self>, amount: f64, method: &str) -> PyResult<()> {
        let metric = slf.as_super().get();
        let state = metric.state()?;
        if state.family.desc.mode.is_most_recent() {
            let text = format!("{method} must not be used with the mostrecent mode");
            return Err(PyRuntimeError::new_err(text));
        }
        match metric.direct() {
            Some(cells) => {
                add_f64(&cells.head()[VALUE], amount);
                Ok(())
            }
            None => state.add(slf.py(), VALUE, amount),
        }
    }

    /// Sets what is told apart by process, or what Python's `float` reads.
    fn set_slowly(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let (py, state) = (slf.py(), slf.as_super().get().state()?);
        state.series()?;
        let value = match value.extract::<f64>() {
            Ok(value) => value,
            Err(_) => py.get_type::<pyo3::types::PyFloat>().call1((value,))?.extract()?,
        };
        let desc = &state.family.desc;
        let asks_time = desc.by_process && (desc.mode.is_most_recent() || desc.mode.is_by_process());
        state.set(py, VALUE, value, if asks_time { now(py)? } else { 0.0 })
    }
}

#[pymethods]
impl Summary {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> PyClassInitializer<Self> {
        PyClassInitializer::from(Metric::empty()).add_subclass(Self)
    }

    /// Observe the given amount.
    fn observe(slf: &Bound<'_, Self>, amount: f64) -> PyResult<()> {
        let metric = slf.as_super().get();
        match metric.direct() {
            Some(cells) => {
                add_f64(&cells.head()[SUMMARY_COUNT], 1.0);
                add_f64(&cells.head()[SUMMARY_SUM], amount);
                Ok(())
            }
            None => {
                metric.state()?.add(slf.py(), SUMMARY_COUNT, 1.0)?;
                metric.state()?.add(slf.py(), SUMMARY_SUM, amount)
            }
        }
    }

    /// Time a block of code or function, and observe the duration in seconds.
    fn time(slf: &Bound<'_, Self>) -> Timer {
        Timer::of(slf.as_any(), intern!(slf.py(), "observe"))
    }
}

#[pymethods]
impl Histogram {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> PyClassInitializer<Self> {
        PyClassInitializer::from(Metric::empty()).add_subclass(Self)
    }

    /// Observe the given amount.
    #[pyo3(signature = (amount, exemplar = None))]
    pub(crate) fn observe(
        slf: &Bound<'_, Self>,
        amount: f64,
        exemplar: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let metric = slf.as_super().get();
        let state = metric.state()?;
        let bounds = &*state.family.desc.bounds;
        let bucket = bucket_of(bounds, amount);
        let word = HISTOGRAM_BUCKETS + bucket;
        match metric.direct() {
            Some(cells) => observe_in(cells, bounds, amount),
            None => {
                state.add(slf.py(), HISTOGRAM_SUM, amount)?;
                if bucket < bounds.len() {
                    state.add(slf.py(), word, 1.0)?;
                }
            }
        }
        match some_exemplar(exemplar)? {
            Some(labels) if bucket < bounds.len() => {
                check_exemplar(labels)?;
                keep_exemplar(metric, word, labels, amount, now(slf.py())?)
            }
            _ => Ok(()),
        }
    }

    /// Time a block of code or function, and observe the duration in seconds.
    fn time(slf: &Bound<'_, Self>) -> Timer {
        Timer::of(slf.as_any(), intern!(slf.py(), "observe"))
    }
}

/// Observes in the cells of a histogram.
#[inline]
pub(crate) fn observe_in(cells: &Cells, bounds: &[f64], amount: f64) {
    let bucket = bucket_of(bounds, amount);
    add_f64(&cells.head()[HISTOGRAM_SUM], amount);
    if bucket < bounds.len() {
        add_f64(cells.word(HISTOGRAM_BUCKETS + bucket), 1.0);
    }
}

/// Finds the first bucket whose bound is not below a value; there is none for what is no number.
#[inline]
fn bucket_of(bounds: &[f64], value: f64) -> usize {
    if value.is_nan() {
        bounds.len()
    } else if bounds.len() <= LINEAR_SEARCH_MAX {
        // Without a branch: where a value falls is what a branch predictor cannot know.
        bounds.iter().map(|bound| usize::from(*bound < value)).sum()
    } else {
        bounds.partition_point(|bound| *bound < value)
    }
}

#[pymethods]
impl Info {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> PyClassInitializer<Self> {
        PyClassInitializer::from(Metric::empty()).add_subclass(Self)
    }

    fn _set_facts(slf: &Bound<'_, Self>, facts: &Bound<'_, PyAny>) -> PyResult<()> {
        let state = slf.as_super().get().state()?;
        let text = Text { packed: pack_pairs(facts)?, value: 1.0, t_seconds: 0.0 };
        state.family.keep_text(state.series()?, FACTS, &text);
        Ok(())
    }

    fn _facts<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let text = slf.as_super().get().state()?.series()?.text(FACTS);
        pairs(slf.py(), &text.map_or_else(Vec::new, |text| text.packed))
    }
}

#[pymethods]
impl Enum {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> PyClassInitializer<Self> {
        PyClassInitializer::from(Metric::empty()).add_subclass(Self)
    }

    fn _set_state(slf: &Bound<'_, Self>, place: usize) -> PyResult<()> {
        slf.as_super().get().state()?.set(slf.py(), VALUE, place as f64, 0.0)
    }

    fn _state(slf: &Bound<'_, Self>) -> PyResult<usize> {
        let series = slf.as_super().get().state()?.series()?;
        Ok(load(&series.cells.head()[VALUE]) as usize)
    }
}
