//! `labels`, the call in front of nearly every increment, and the memory that makes it short.
//!
//! A look-up among a metric's children makes a tuple of the label values, and first a dictionary where they come by
//! name. So each metric remembers its last calls by their values alone, most of which are the very objects of an
//! earlier call: constants, the template of a route. That is why the method takes its arguments as the interpreter has
//! them, and not as PyO3 hands them on.
//!
//! The interpreter's lock guards what is remembered; one without a lock takes it for this module (`gil_used`).
#![expect(
    unsafe_code,
    reason = "arguments come as the interpreter has them, and its lock guards what is remembered"
)]

use std::cell::UnsafeCell;
use std::ffi::CStr;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{iter, mem, ptr, slice};

use pyo3::exceptions::{PyImportError, PyRuntimeError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};
use pyo3::{Borrowed, ffi};

use crate::metric::Metric;

/// Calls with more label values than this are not remembered.
const VALUES_MAX: usize = 5;
/// So many calls are remembered at first, and at most, in 64 bytes each.
const CALLS_MIN: usize = 8;
const CALLS_MAX: usize = 1024;
/// A call is remembered in one of so many places in a row.
const PLACES: usize = 4;

const NAME: &CStr = c"labels";
const DOC: &CStr =
    c"labels($self, /, *labelvalues, **labelkwargs)\n--\n\nFinds or makes the child of label values.";

/// Refuses interpreters beside the main one: classes and what is remembered belong to one.
pub(crate) fn check_interpreter() -> PyResult<()> {
    // SAFETY: a module is imported with the interpreter's lock held.
    let number = unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) };
    match number {
        0 => Ok(()),
        _ => Err(PyImportError::new_err(
            "promflow works in the main interpreter alone; under mod_wsgi, set WSGIApplicationGroup %{GLOBAL}",
        )),
    }
}

/// Makes `labels` a method of the class of metrics.
pub(crate) fn install(class: &Bound<'_, PyType>) -> PyResult<()> {
    let method = Box::leak(Box::new(ffi::PyMethodDef {
        ml_name: NAME.as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: labels },
        ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
        ml_doc: DOC.as_ptr(),
    }));
    // SAFETY: the class is a type, and the method is never freed.
    let descriptor = unsafe {
        Bound::from_owned_ptr_or_err(class.py(), ffi::PyDescr_NewMethod(class.as_type_ptr(), method))
    };
    class.setattr("labels", descriptor?)
}

unsafe extern "C" fn labels(
    metric: *mut ffi::PyObject,
    values: *const *mut ffi::PyObject,
    positional: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls this with its lock held, and has checked that the object is of the class that the
    // method belongs to. The names are a tuple or absent, and have their values behind the positional ones.
    let (metric, call) = unsafe {
        let py = Python::assume_attached();
        let names = (!names.is_null()).then(|| Borrowed::from_ptr(py, names).cast_unchecked::<PyTuple>());
        let positional = positional as usize;
        let count = positional + names.map_or(0, |names| names.len());
        // There may be no array where there is no value.
        let values = if count == 0 { &[] } else { slice::from_raw_parts(values.cast(), count) };
        (Borrowed::from_ptr(py, metric).cast_unchecked::<Metric>(), Call { names, values })
    };
    if let Some(children) = metric.get().current_children()
        && let Some(child) = children.calls.find(metric.py(), call)
    {
        return child.into_ptr();
    }
    let look_up = || metric.get().state()?.labels(&metric, call).map(Bound::into_ptr);
    // What is dropped within is dropped at once, and not put off, as PyO3 knows that the lock is held.
    Python::attach(|py| {
        let found = catch_unwind(AssertUnwindSafe(look_up));
        found.unwrap_or_else(|_| Err(PyRuntimeError::new_err("labels() failed"))).unwrap_or_else(|error| {
            error.restore(py);
            ptr::null_mut()
        })
    })
}

/// The arguments of a call: values by position, and behind them values by name.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a, 'py> {
    names: Option<Borrowed<'a, 'py, PyTuple>>,
    values: &'a [Borrowed<'a, 'py, PyAny>],
}

impl<'py> Call<'_, 'py> {
    /// Returns the values by position.
    pub(crate) fn positional(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let named = self.names.map_or(0, |names| names.len());
        PyTuple::new(py, &self.values[..self.values.len() - named])
    }

    /// Returns the values by name, where there are any.
    pub(crate) fn named(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let Some(names) = self.names.filter(|names| !names.is_empty()) else { return Ok(None) };
        let named = PyDict::new(py);
        for (name, value) in names.iter().zip(&self.values[self.values.len() - names.len()..]) {
            named.set_item(name, value)?;
        }
        Ok(Some(named))
    }

    /// Returns the hash of the values; nothing where one of them is no string, and may change.
    fn hash(&self) -> Option<u64> {
        self.values.iter().try_fold(0, |hash: u64, value| {
            // SAFETY: the lock is held, as there is a reference; a string's own hash runs no code and cannot fail.
            let own = value
                .is_exact_instance_of::<PyString>()
                .then(|| unsafe { ffi::PyObject_Hash(value.as_ptr()) })?;
            Some((hash.rotate_left(5) ^ own as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
        })
    }
}

/// The last calls of a metric's `labels` and the children that they found.
#[derive(Default)]
pub(crate) struct Calls(UnsafeCell<Vec<Option<Known>>>);

struct Known {
    hash: u64,
    names: Option<Py<PyTuple>>,
    /// In the order of the call, and nothing behind them.
    values: [Option<Py<PyString>>; VALUES_MAX],
    child: Py<PyAny>,
}

// SAFETY: it is used by whoever has the interpreter's lock, and no use lets Python code run before its end.
unsafe impl Sync for Calls {}

impl Calls {
    /// Finds the child that a call with these values found.
    #[inline]
    fn find<'py>(&self, py: Python<'py>, call: Call<'_, 'py>) -> Option<Bound<'py, PyAny>> {
        let hash = call.hash()?;
        // SAFETY: the lock is held, and comparing strings runs no code.
        let calls = unsafe { &*self.0.get() };
        let known =
            calls.get(places(hash, calls.len()))?.iter().flatten().find(|known| known.is(hash, call))?;
        Some(known.child.bind(py).clone())
    }

    /// Remembers what a call found, if its values are strings, which stay what they are.
    pub(crate) fn remember(&self, call: Call<'_, '_>, child: &Bound<'_, PyAny>) {
        let Some(new) = Known::of(call, child) else { return };
        // SAFETY: the lock is held. What is dropped may run code: it is kept until the borrow ends.
        let dropped = insert(unsafe { &mut *self.0.get() }, new);
        drop(dropped);
    }

    /// Returns all that is remembered, and remembers nothing; what is returned may run code when it is dropped.
    #[must_use]
    pub(crate) fn take(&self, _py: Python<'_>) -> impl Sized + use<> {
        // SAFETY: the lock is held.
        mem::take(unsafe { &mut *self.0.get() })
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        // SAFETY: the collector has the lock, and runs no code now.
        let calls = unsafe { &*self.0.get() };
        calls.iter().flatten().try_for_each(|known| visit.call(&known.child))
    }
}

/// Returns the places of a call among so many, which are a power of two, or none.
fn places(hash: u64, among: usize) -> Range<usize> {
    let first = (hash >> 32) as usize & among.saturating_sub(PLACES);
    first..first + PLACES
}

/// Puts a call in one of its places, of which there are more if all are taken; returns what made room.
fn insert(calls: &mut Vec<Option<Known>>, new: Known) -> Vec<Known> {
    let mut dropped = Vec::new();
    loop {
        let taken = calls.len();
        if let Some(places) = calls.get_mut(places(new.hash, taken)) {
            let free = places.iter().position(Option::is_none);
            if free.is_some() || taken >= CALLS_MAX {
                dropped.extend(places[free.unwrap_or(0)].replace(new));
                return dropped;
            }
        }
        let more = (2 * taken).max(CALLS_MIN);
        for old in mem::replace(calls, iter::repeat_with(|| None).take(more).collect()).into_iter().flatten()
        {
            let places = &mut calls[places(old.hash, more)];
            let free = places.iter().position(Option::is_none).unwrap_or(0);
            dropped.extend(places[free].replace(old));
        }
    }
}

impl Known {
    fn of(call: Call<'_, '_>, child: &Bound<'_, PyAny>) -> Option<Self> {
        if call.values.len() > VALUES_MAX {
            return None;
        }
        let hash = call.hash()?;
        let mut values = [const { None }; VALUES_MAX];
        for (known, value) in values.iter_mut().zip(call.values) {
            *known = Some(value.cast_exact::<PyString>().ok()?.to_owned().unbind());
        }
        // A subclass of `str` could hash and compare as it likes.
        if call
            .names
            .is_some_and(|names| !names.iter_borrowed().all(|name| name.is_exact_instance_of::<PyString>()))
        {
            return None;
        }
        let names = call.names.map(|names| names.to_owned().unbind());
        Some(Self { hash, names, values, child: child.clone().unbind() })
    }

    /// Tells whether it has the names and the values of a call, all of which are strings.
    #[inline]
    fn is(&self, hash: u64, call: Call<'_, '_>) -> bool {
        let values = self.values.iter().flatten();
        self.hash == hash
            && self.has_names(call)
            && values.clone().count() == call.values.len()
            && values
                .zip(call.values)
                .all(|(known, value)| is_same(known.bind_borrowed(value.py()).as_any(), value))
    }

    /// Tells whether it has the names of a call: mostly the tuple of the same place in the program.
    #[inline]
    fn has_names(&self, call: Call<'_, '_>) -> bool {
        match (&self.names, call.names) {
            (None, None) => true,
            (Some(known), Some(names)) => {
                let known = known.bind_borrowed(names.py());
                known.is(names)
                    || known.len() == names.len()
                        && known
                            .iter_borrowed()
                            .zip(names.iter_borrowed())
                            .all(|(known, name)| is_same(&known, &name))
            }
            _ => false,
        }
    }
}

/// Tells whether two strings have the same text.
#[inline]
fn is_same(one: &Bound<'_, PyAny>, other: &Bound<'_, PyAny>) -> bool {
    // SAFETY: the lock is held, as there are references; names are strings, and so are values that have a hash.
    one.is(other) || unsafe { ffi::PyUnicode_Compare(one.as_ptr(), other.as_ptr()) == 0 }
}
