//! What all metrics have in common in Python: names, labels and children.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use promflow_registry::{Cells, GaugeMode, add_f64};
use pyo3::exceptions::{PyRuntimeError, PyRuntimeWarning, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use crate::arena::{self, Arena};
use crate::children::{Children, pack, take_expected};
use crate::desc::{Desc, Kind};
use crate::family::{Family, Home};
use crate::key;
use crate::process::Owner;
use crate::samples::Choice;
use crate::series::{self, Series};
use crate::shared_part::{PySample, samples_of};
use crate::value::Value;

/// A metric or one of its children, before and after Python's `__init__`.
///
/// This is the class that applications see, to which `metrics.py` adds what is not native: an instance of a subclass
/// would be no match for the interpreter's shortcut to native methods, which costs a third of an increment.
#[pyclass(subclass, frozen, dict, weakref, module = "promflow.metrics", name = "MetricWrapperBase")]
pub(crate) struct Metric {
    state: OnceLock<State>,
}

/// What Python code gave a metric, and its children have too.
pub(crate) struct Given {
    name: Py<PyString>,
    pub(crate) documentation: Py<PyAny>,
    pub(crate) unit: Py<PyAny>,
    pub(crate) labelnames: Py<PyTuple>,
    pub(crate) original_name: Py<PyAny>,
    pub(crate) namespace: Py<PyAny>,
    pub(crate) subsystem: Py<PyAny>,
    pub(crate) kwargs: Py<PyDict>,
    /// Whether a child is made without calling the class.
    pub(crate) plain: bool,
    /// Whether a page may be written without asking Python code for samples.
    native: bool,
    /// The application's own number of this process, where it has one.
    process: Option<Py<PyAny>>,
}

pub(crate) struct State {
    /// The cells to count in, where each process counts in the same ones.
    direct: Option<Cells>,
    pub(crate) family: Arc<Family>,
    series: Option<Arc<Series>>,
    pub(crate) given: Arc<Given>,
    pub(crate) labelvalues: Py<PyTuple>,
    /// Absent in what can be counted in.
    pub(crate) children: Option<Children>,
}

/// Asks Python for the time, so that a test that stands in for it is heard.
pub(crate) fn now(py: Python<'_>) -> PyResult<f64> {
    static TIME: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let module = TIME.get_or_try_init(py, || py.import("time").map(Bound::unbind))?;
    module.bind(py).call_method0(intern!(py, "time"))?.extract()
}

/// Tells the application of a failure that it was not told of yet.
pub(crate) fn pass_warning_on(py: Python<'_>) -> PyResult<()> {
    let Some(warning) = arena::take_warning() else { return Ok(()) };
    let category = py.get_type::<PyRuntimeWarning>();
    let text = std::ffi::CString::new(warning.replace('\0', " ")).unwrap_or_default();
    PyErr::warn(py, &category, &text, 3)
}

impl State {
    fn needs_labels(&self) -> PyErr {
        PyValueError::new_err(format!("{} metric is missing label values", self.family.desc.kind.name()))
    }

    /// Returns the series to count in.
    ///
    /// Errors: label values are missing.
    pub(crate) fn series(&self) -> PyResult<&Arc<Series>> {
        self.series.as_ref().ok_or_else(|| self.needs_labels())
    }

    /// Returns the process that counts, where processes are told apart.
    pub(crate) fn owner(&self, py: Python<'_>) -> PyResult<Owner> {
        match &self.given.process {
            None => Ok(Owner::this()),
            Some(identify) => {
                let number = identify.bind(py).call0()?;
                Ok(number.extract::<u32>().map_or_else(|_| Owner::this(), Owner::chosen))
            }
        }
    }

    /// Adds to a value.
    pub(crate) fn add(&self, py: Python<'_>, word: usize, amount: f64) -> PyResult<()> {
        let series = self.series()?;
        if self.family.desc.by_process {
            self.family.add_in_slot(series, self.owner(py)?, word, amount);
        } else {
            add_f64(series.cells.word(word), amount);
        }
        Ok(())
    }

    /// Sets a value.
    pub(crate) fn set(&self, py: Python<'_>, word: usize, value: f64, t_seconds: f64) -> PyResult<()> {
        let series = self.series()?;
        if self.family.desc.by_process {
            self.family.set_in_slot(series, self.owner(py)?, word, value, t_seconds);
        } else {
            series.cells.word(word).store(value.to_bits(), Ordering::Relaxed);
        }
        Ok(())
    }

    /// Returns what this process counted, or all of them where they are not told apart.
    pub(crate) fn get(&self, py: Python<'_>, word: usize) -> PyResult<f64> {
        let series = self.series()?;
        if self.family.desc.by_process {
            Ok(self.family.own_value(series, self.owner(py)?, word))
        } else {
            Ok(series::load(series.cells.word(word)))
        }
    }

    /// Tells whether a page may be written without asking Python code for samples.
    pub(crate) fn is_native(&self) -> bool {
        self.given.native
            && self.family.desc.kind != Kind::Python
            && !self.family.from_python.load(Ordering::Relaxed)
            && (self.children.is_some() || self.family.desc.labels.is_empty())
    }
}

impl Metric {
    pub(crate) fn empty() -> Self {
        Self { state: OnceLock::new() }
    }

    /// Returns what `__init__` made.
    #[inline]
    pub(crate) fn state(&self) -> PyResult<&State> {
        self.state.get().ok_or_else(|| PyRuntimeError::new_err("the metric's __init__ was not called"))
    }

    /// Returns the children, where no process took one off the page since this one looked.
    #[inline]
    pub(crate) fn current_children(&self) -> Option<&Children> {
        let state = self.state.get()?;
        state.children.as_ref().filter(|_| state.family.is_current())
    }

    /// Returns the cells to count in, where no more has to be asked.
    #[inline]
    pub(crate) fn direct(&self) -> Option<&Cells> {
        self.state.get()?.direct.as_ref()
    }
}

/// How a metric is built: what `_setup` takes from Python.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Build {
    kind: String,
    bounds: Vec<f64>,
    states: Vec<String>,
    mode: String,
    by_process: bool,
    always_pid: bool,
    arena: Option<std::path::PathBuf>,
    instance: u32,
    plain: bool,
    native: bool,
    process: Option<Py<PyAny>>,
}

#[pymethods]
impl Metric {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self::empty()
    }

    /// Makes the metric what Python's `__init__` was told.
    #[expect(clippy::too_many_arguments, reason = "it takes what a metric is made of, from one place")]
    fn _setup(
        &self,
        py: Python<'_>,
        name: Bound<'_, PyString>,
        documentation: Bound<'_, PyAny>,
        labelnames: Bound<'_, PyTuple>,
        unit: Bound<'_, PyAny>,
        labelvalues: Bound<'_, PyTuple>,
        original: (Py<PyAny>, Py<PyAny>, Py<PyAny>),
        build: Build,
    ) -> PyResult<()> {
        let desc = describe(&name, &documentation, &unit, &labelnames, &build)?;
        let expected = match labelvalues.is_empty() {
            true => None,
            false => take_expected(&labelvalues)?,
        };
        let (family, series) = match expected {
            Some((family, series)) => (family, Some(series)),
            None => {
                let family = place(desc, build.arena.as_deref());
                let observable = labelnames.is_empty() || !labelvalues.is_empty();
                let series = match observable {
                    true => Some(family.series(&pack(&labelvalues)?, now(py)?)),
                    false => None,
                };
                (family, series)
            }
        };
        let given = Given {
            name: name.unbind(),
            documentation: documentation.unbind(),
            unit: unit.unbind(),
            labelnames: labelnames.unbind(),
            original_name: original.0,
            namespace: original.1,
            subsystem: original.2,
            kwargs: PyDict::new(py).unbind(),
            plain: build.plain,
            native: build.native,
            process: build.process,
        };
        self.begin(py, family, series, Arc::new(given), labelvalues.unbind())?;
        pass_warning_on(py)
    }

    /// Takes the child of label values off the page.
    fn _remove(&self, labelvalues: &Bound<'_, PyTuple>) -> PyResult<()> {
        let state = self.state()?;
        state.family.remove(&pack(labelvalues)?);
        state.children.as_ref().map_or(Ok(()), |children| children.forget(labelvalues))
    }

    /// Returns the children by their label values, those that other processes made among them.
    fn _sync<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let (py, state) = (slf.py(), slf.get().state()?);
        let Some(children) = &state.children else {
            return Ok(PyDict::new(py));
        };
        let by_values = children.by_values.bind(py);
        if state.family.is_shared() {
            state.forget_removed(py, children)?;
            for series in state.family.all() {
                let values = PyTuple::new(py, key::unpack(&series.key).collect::<Vec<_>>())?;
                if !by_values.contains(&values)? {
                    state.child(slf, &values, series.clone())?;
                    if !series.is_alive() {
                        children.forget(&values)?;
                    }
                }
            }
        }
        Ok(by_values.clone())
    }

    /// Hands the children out, which their new owner may change.
    fn _hand_out<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let children = Self::_sync(slf)?;
        if let Some(own) = &slf.get().state()?.children {
            own.clear(slf.py());
        }
        Ok(children)
    }

    /// Says that samples come from Python code.
    fn _from_python(&self) -> PyResult<()> {
        self.state()?.family.from_python.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Returns a value that the metric counts in.
    fn _cell(slf: &Bound<'_, Self>, word: usize) -> PyResult<Value> {
        let state = slf.get().state()?;
        state.series()?;
        if word == 0 || word > state.family.desc.values() {
            return Err(PyValueError::new_err(format!("no value has the number {word}")));
        }
        Ok(Value::new(slf.clone().unbind(), word))
    }

    /// Lists the samples of what can be counted in: suffix, further labels, value and exemplar.
    fn _native_samples<'py>(&self, py: Python<'py>, created: bool) -> PyResult<Vec<PySample<'py>>> {
        let state = self.state()?;
        samples_of(py, &state.family, state.series()?, Choice { created, multiprocess: false })
    }

    /// Tells whether values can be counted, as label values are there or not needed.
    fn _is_observable(&self) -> PyResult<bool> {
        Ok(self.state()?.series.is_some())
    }

    fn _raise_if_not_observable(&self) -> PyResult<()> {
        self.state()?.series().map(drop)
    }

    fn _is_parent(&self) -> PyResult<bool> {
        Ok(self.state()?.children.is_some())
    }

    /// Tells whether other processes count here too.
    #[getter]
    fn _is_shared(&self) -> PyResult<bool> {
        Ok(self.state()?.family.is_shared())
    }

    /// Tells whether a page may be written without asking Python code for samples.
    #[getter]
    fn _is_native(&self) -> PyResult<bool> {
        Ok(self.state()?.is_native())
    }

    #[getter]
    fn _name(&self, py: Python<'_>) -> PyResult<Py<PyString>> {
        Ok(self.state()?.given.name.clone_ref(py))
    }

    #[getter]
    fn _documentation(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(self.state()?.given.documentation.clone_ref(py))
    }

    #[getter]
    fn _unit(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(self.state()?.given.unit.clone_ref(py))
    }

    #[getter]
    fn _labelnames(&self, py: Python<'_>) -> PyResult<Py<PyTuple>> {
        Ok(self.state()?.given.labelnames.clone_ref(py))
    }

    #[getter]
    fn _labelvalues(&self, py: Python<'_>) -> PyResult<Py<PyTuple>> {
        Ok(self.state()?.labelvalues.clone_ref(py))
    }

    #[getter]
    fn _original_name(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(self.state()?.given.original_name.clone_ref(py))
    }

    #[getter]
    fn _namespace(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(self.state()?.given.namespace.clone_ref(py))
    }

    #[getter]
    fn _subsystem(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(self.state()?.given.subsystem.clone_ref(py))
    }

    #[getter]
    fn _kwargs(&self, py: Python<'_>) -> PyResult<Py<PyDict>> {
        Ok(self.state()?.given.kwargs.clone_ref(py))
    }

    /// Returns the upper bounds of a histogram's buckets.
    #[getter]
    fn _upper_bounds<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, &self.state()?.family.desc.bounds)
    }

    /// Returns how a gauge of several processes is put together; nothing where it is one value.
    #[getter]
    fn _mode(&self) -> PyResult<&'static str> {
        Ok(self.state()?.family.desc.mode.name())
    }

    #[getter]
    fn _created(&self) -> PyResult<f64> {
        Ok(self.state()?.series()?.created())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.state.get() {
            Some(State { children: Some(children), .. }) => children.traverse(&visit),
            _ => Ok(()),
        }
    }

    fn __clear__(&self, py: Python<'_>) {
        if let Some(State { children: Some(children), .. }) = self.state.get() {
            children.clear(py);
        }
    }
}

impl Metric {
    pub(crate) fn begin(
        &self,
        py: Python<'_>,
        family: Arc<Family>,
        series: Option<Arc<Series>>,
        given: Arc<Given>,
        labelvalues: Py<PyTuple>,
    ) -> PyResult<()> {
        let direct = series.as_ref().filter(|_| !family.desc.by_process).map(|series| series.cells.clone());
        let children = series.is_none().then(|| Children::new(py));
        let state = State { direct, family, series, given, labelvalues, children };
        if let Some(series) = &state.series
            && state.family.desc.by_process
        {
            state.family.claim(series, state.owner(py)?);
        }
        self.state.set(state).map_err(|_| PyRuntimeError::new_err("the metric's __init__ was called twice"))
    }
}

fn describe(
    name: &Bound<'_, PyString>,
    documentation: &Bound<'_, PyAny>,
    unit: &Bound<'_, PyAny>,
    labelnames: &Bound<'_, PyTuple>,
    build: &Build,
) -> PyResult<Desc> {
    let mode = match build.mode.as_str() {
        "" => Some(GaugeMode::Shared),
        name => GaugeMode::from_name(name).filter(|mode| *mode != GaugeMode::Shared),
    };
    let mode =
        mode.ok_or_else(|| PyValueError::new_err(format!("Invalid multiprocess mode: {}", build.mode)))?;
    Ok(Desc {
        kind: Kind::of(&build.kind),
        mode,
        by_process: build.by_process,
        always_pid: build.always_pid,
        instance: build.instance,
        name: name.to_string_lossy().into_owned(),
        help: documentation.str()?.to_string_lossy().into_owned(),
        unit: unit.str()?.to_string_lossy().into_owned(),
        labels: labelnames.extract()?,
        states: build.states.clone(),
        bounds: build.bounds.clone(),
    })
}

/// Finds the family that processes share, or makes one of this process.
fn place(desc: Desc, path: Option<&std::path::Path>) -> Arc<Family> {
    if let Some(path) = path.filter(|_| desc.kind != Kind::Python) {
        match Arena::open(path).and_then(|arena| arena.family(&desc)) {
            Ok(family) => return family,
            Err(error) => arena::warn(&error),
        }
    }
    Arc::new(Family::new(desc, Home::Private))
}
