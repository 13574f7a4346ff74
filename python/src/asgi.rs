//! The end of a request, as the ASGI middleware counts it: what is the same for nearly every request, in one call.
//!
//! A dozen look-ups in dictionaries that the request left cold cost Python more than all counting. A middleware whole in
//! Rust was rejected: what remains in Python is what awaits, which Rust would only imitate.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// A route, or what stands for it, a method and a status. Both objects are known by where they are: what is learnt
/// keeps them alive.
type Key = (usize, usize, u16);

/// What counts requests that ended alike.
struct Series {
    total: Option<Py<PyAny>>,
    observe: Py<PyAny>,
    _keep: (Py<PyAny>, Py<PyString>),
}

/// Counts ended requests of routes that it learnt.
#[pyclass(frozen, module = "promflow._core")]
pub(crate) struct RequestEnds {
    // Held for a look-up alone, never while Python code runs.
    known: Mutex<HashMap<Key, Series, foldhash::fast::RandomState>>,
}

#[pymethods]
impl RequestEnds {
    #[new]
    fn new() -> Self {
        Self { known: Mutex::default() }
    }

    /// Counts a request; `False`, and nothing is counted, where its route is not known, or it used credits.
    fn count(
        &self,
        scope: &Bound<'_, PyAny>,
        root: &Bound<'_, PyString>,
        method: &Bound<'_, PyString>,
        status: u16,
        took: f64,
    ) -> PyResult<bool> {
        let py = scope.py();
        let Ok(scope) = scope.cast::<PyDict>() else { return Ok(false) };
        let Some(route) = routed(scope, root)? else { return Ok(false) };
        if let Some(state) = scope.get_item(intern!(py, "state"))?
            && let Ok(state) = state.cast::<PyDict>()
            && state.contains(intern!(py, "credits_used"))?
        {
            return Ok(false);
        }
        let key = (route.as_ptr() as usize, method.as_ptr() as usize, status);
        let found = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(&key).map(|s| (s.total.as_ref().map(|t| t.clone_ref(py)), s.observe.clone_ref(py)))
        };
        let Some((total, observe)) = found else { return Ok(false) };
        if let Some(total) = total {
            total.call0(py)?;
        }
        observe.call1(py, (took,))?;
        Ok(true)
    }

    /// Learns which series count requests that end as this one did; nothing where its scope says too little.
    fn learn(
        &self,
        scope: &Bound<'_, PyAny>,
        root: &Bound<'_, PyString>,
        method: &Bound<'_, PyString>,
        status: u16,
        total: Option<Py<PyAny>>,
        observe: Py<PyAny>,
    ) -> PyResult<()> {
        let Ok(scope) = scope.cast::<PyDict>() else { return Ok(()) };
        let Some(route) = routed(scope, root)? else { return Ok(()) };
        let key = (route.as_ptr() as usize, method.as_ptr() as usize, status);
        let series = Series { total, observe, _keep: (route.unbind(), method.clone().unbind()) };
        let replaced = self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(key, series);
        // What is dropped may be the last reference, and run code: not under the lock.
        drop(replaced);
        Ok(())
    }
}

/// Finds what stands for the route of a request: FastAPI's context of an included router, or the route itself.
///
/// There is none where nothing matched, and where a mount left its path in `root_path`: the route alone says too
/// little then.
fn routed<'py>(
    scope: &Bound<'py, PyDict>,
    root: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = scope.py();
    let Some(route) = scope.get_item(intern!(py, "route"))? else { return Ok(None) };
    if let Some(own) = scope.get_item(intern!(py, "root_path"))?
        && !own.is(root)
        && !own.eq(root)?
    {
        return Ok(None);
    }
    let context = match scope.get_item(intern!(py, "fastapi"))? {
        Some(fastapi) => match fastapi.cast::<PyDict>() {
            Ok(fastapi) => fastapi.get_item(intern!(py, "effective_route_context"))?,
            Err(_) => None,
        },
        None => None,
    };
    match context {
        Some(context) if context.getattr(intern!(py, "original_route")).is_ok_and(|own| own.is(&route)) => {
            Ok(Some(context))
        }
        _ => Ok(Some(route)),
    }
}
