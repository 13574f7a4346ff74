//! A request under way, as the ASGI middleware measures it: what is the same for nearly every one.
//!
//! The steps themselves are few. But an application runs its own code between two of them, so that each finds the
//! interpreter cold, and costs several times what it costs in a loop. What awaits stays in Python: coroutines that are
//! called with the [`Request`]. A middleware whole in Rust was rejected, as it would only imitate Python's coroutines.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::types::{Counter, Gauge, Histogram};

/// A route, or what stands for it, a method and a status. Both objects are known by where they are: what is learnt
/// keeps them alive.
type Key = (usize, usize, u16);

/// What counts requests that ended alike.
struct Series {
    total: Option<Py<Counter>>,
    duration: Py<Histogram>,
    _keep: (Py<PyAny>, Py<PyString>),
}

/// What the requests of a middleware share.
#[pyclass(frozen, module = "promflow._core")]
pub(crate) struct Requests {
    /// The methods that stand for themselves, each as the one object that does.
    methods: Py<PyDict>,
    other_method: Py<PyString>,
    /// The gauge of requests under way by method, of those that `find_running` was asked for once.
    running: Py<PyDict>,
    find_running: Py<PyAny>,
    /// Counts what is not learnt.
    ended: Py<PyAny>,
    until_head: bool,
    awaiting: Awaiting,
    // Held for a look-up alone, never while Python code runs.
    known: Mutex<HashMap<Key, Series, foldhash::fast::RandomState>>,
}

/// What makes the coroutines of a request: each is called with it, with the server's own function, and with the
/// message if it sends one.
struct Awaiting {
    receive: Py<PyAny>,
    send_part: Py<PyAny>,
    send_last: Py<PyAny>,
    send_websocket: Py<PyAny>,
}

#[pymethods]
impl Requests {
    #[new]
    #[pyo3(signature = (methods, other_method, running, find_running, ended, *, until_head, receive, send_part, send_last, send_websocket))]
    #[expect(clippy::too_many_arguments, reason = "it takes all that a middleware chose, from one place")]
    fn new(
        methods: Py<PyDict>,
        other_method: Py<PyString>,
        running: Py<PyDict>,
        find_running: Py<PyAny>,
        ended: Py<PyAny>,
        until_head: bool,
        receive: Py<PyAny>,
        send_part: Py<PyAny>,
        send_last: Py<PyAny>,
        send_websocket: Py<PyAny>,
    ) -> Self {
        let awaiting = Awaiting { receive, send_part, send_last, send_websocket };
        let known = Mutex::default();
        Self { methods, other_method, running, find_running, ended, until_head, awaiting, known }
    }

    /// Begins a request.
    fn begin(
        slf: Bound<'_, Self>,
        scope: Bound<'_, PyAny>,
        root: Bound<'_, PyString>,
        receive: Py<PyAny>,
        send: Py<PyAny>,
    ) -> PyResult<Request> {
        let py = slf.py();
        let requests = slf.get();
        let asked = match item(&scope, intern!(py, "method"))? {
            Some(method) => requests.methods.bind(py).get_item(method)?,
            // A websocket begins as a GET.
            None => requests.methods.bind(py).get_item(intern!(py, "GET"))?,
        };
        let method = match asked {
            Some(method) => method.cast_into::<PyString>()?,
            None => requests.other_method.bind(py).clone(),
        };
        let in_progress = match requests.running.bind(py).get_item(&method)? {
            Some(gauge) => gauge,
            None => requests.find_running.bind(py).call1((&method, &scope, &root))?,
        };
        let in_progress = in_progress.cast_into::<Gauge>()?;
        Gauge::inc(&in_progress, 1.0)?;
        Ok(Request {
            scope: scope.unbind(),
            root: root.unbind(),
            method: method.unbind(),
            inner_receive: receive,
            inner_send: send,
            in_progress: in_progress.unbind(),
            start: Instant::now(),
            head: OnceLock::new(),
            status: AtomicU16::new(500),
            answered: AtomicBool::new(false),
            disconnected: AtomicBool::new(false),
            done: AtomicBool::new(false),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            shared: slf.unbind(),
        })
    }

    /// Learns which series count requests that end as this one did; nothing where its scope says too little.
    fn learn(
        &self,
        request: &Request,
        py: Python<'_>,
        status: u16,
        total: Option<Py<Counter>>,
        duration: Py<Histogram>,
    ) -> PyResult<()> {
        let Some(route) = request.route(py)? else { return Ok(()) };
        let key = (route.as_ptr() as usize, request.method.as_ptr() as usize, status);
        let series = Series { total, duration, _keep: (route.unbind(), request.method.clone_ref(py)) };
        let replaced = self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(key, series);
        // What is dropped may be the last reference, and run code: not under the lock.
        drop(replaced);
        Ok(())
    }

    // The recorder that has this is what its methods are bound to: a cycle, which the collector is to see. Whoever is
    // cleared for it is one of Python's.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.methods)?;
        visit.call(&self.running)?;
        visit.call(&self.find_running)?;
        visit.call(&self.ended)?;
        let Ok(known) = self.known.try_lock() else { return Ok(()) };
        for series in known.values() {
            visit.call(&series.total)?;
            visit.call(&series.duration)?;
            visit.call(&series._keep.0)?;
        }
        Ok(())
    }
}

impl Requests {
    /// Counts a request; `false`, and nothing is counted, where its route is not learnt, or it used credits.
    fn count(&self, request: &Request, py: Python<'_>, status: u16, took: Duration) -> PyResult<bool> {
        let Some(route) = request.route(py)? else { return Ok(false) };
        if request.used_credits(py)? {
            return Ok(false);
        }
        let key = (route.as_ptr() as usize, request.method.as_ptr() as usize, status);
        let found = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(&key).map(|s| (s.total.as_ref().map(|t| t.clone_ref(py)), s.duration.clone_ref(py)))
        };
        let Some((total, duration)) = found else { return Ok(false) };
        if let Some(total) = total {
            Counter::inc(total.bind(py), 1.0, None)?;
        }
        Histogram::observe(duration.bind(py), took.as_secs_f64(), None)?;
        Ok(true)
    }
}

/// A request under way. It ends once: with its last byte, or with what comes before that.
#[pyclass(frozen, module = "promflow._core")]
pub(crate) struct Request {
    shared: Py<Requests>,
    scope: Py<PyAny>,
    root: Py<PyString>,
    method: Py<PyString>,
    inner_receive: Py<PyAny>,
    inner_send: Py<PyAny>,
    in_progress: Py<Gauge>,
    start: Instant,
    /// Time to the head of the response, where that is what counts.
    head: OnceLock<Duration>,
    status: AtomicU16,
    answered: AtomicBool,
    disconnected: AtomicBool,
    done: AtomicBool,
    /// Bytes of bodies.
    received: AtomicU64,
    sent: AtomicU64,
}

#[pymethods]
impl Request {
    /// Receives a message of the server; returns what is to be awaited.
    fn receive<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.get().awaiting().receive.bind(slf.py()).call1((slf, &slf.get().inner_receive))
    }

    /// Sends a message of the application; returns what is to be awaited.
    fn send<'py>(slf: &Bound<'py, Self>, message: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let this = slf.get();
        let Some(kind) = item(message, intern!(py, "type"))? else {
            return this.inner_send.bind(py).call1((message,));
        };
        match kind.cast::<PyString>()?.to_str()? {
            "http.response.body" => {
                let more = item(message, intern!(py, "more_body"))?;
                let is_last = match more {
                    Some(more) => !more.is_truthy()?,
                    None => true,
                };
                this.sent.fetch_add(body_bytes(message)?, Relaxed);
                let send = if is_last { &this.awaiting().send_last } else { &this.awaiting().send_part };
                send.bind(py).call1((slf, &this.inner_send, message))
            }
            "http.response.pathsend" => {
                this.awaiting().send_last.bind(py).call1((slf, &this.inner_send, message))
            }
            kind => {
                if kind == "http.response.start" {
                    this.status.store(message.get_item(intern!(py, "status"))?.extract()?, Relaxed);
                    this.answered.store(true, Relaxed);
                    if this.shared.get().until_head {
                        this.head.get_or_init(|| this.start.elapsed());
                    }
                }
                this.inner_send.bind(py).call1((message,))
            }
        }
    }

    /// Sends a message of the application to a websocket; returns what is to be awaited.
    fn send_websocket<'py>(
        slf: &Bound<'py, Self>,
        message: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let this = slf.get();
        this.awaiting().send_websocket.bind(slf.py()).call1((slf, &this.inner_send, message))
    }

    /// Adds the bytes of a message of the server.
    fn add_received(&self, message: &Bound<'_, PyAny>) -> PyResult<()> {
        self.received.fetch_add(body_bytes(message)?, Relaxed);
        Ok(())
    }

    /// Ends the request with a status, or with that of its response; only the first end counts.
    #[pyo3(signature = (status=None))]
    fn end(slf: &Bound<'_, Self>, status: Option<u16>) -> PyResult<()> {
        let py = slf.py();
        let this = slf.get();
        if this.done.swap(true, Relaxed) {
            return Ok(());
        }
        let took = this.head.get().copied().unwrap_or_else(|| this.start.elapsed());
        let status = status.unwrap_or_else(|| this.status.load(Relaxed));
        Gauge::dec(this.in_progress.bind(py), 1.0)?;
        let shared = this.shared.get();
        if !shared.count(this, py, status, took)? {
            let (scope, root, method) = (&this.scope, &this.root, &this.method);
            shared.ended.call1(py, (slf, scope, root, method, status, took.as_secs_f64()))?;
        }
        Ok(())
    }

    // The scope may lead back to whoever holds this.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.shared)?;
        visit.call(&self.scope)?;
        visit.call(&self.inner_receive)?;
        visit.call(&self.inner_send)?;
        visit.call(&self.in_progress)
    }

    #[getter]
    fn request_bytes(&self) -> u64 {
        self.received.load(Relaxed)
    }

    #[getter]
    fn response_bytes(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    #[getter]
    fn status(&self) -> u16 {
        self.status.load(Relaxed)
    }

    #[setter]
    fn set_status(&self, status: u16) {
        self.status.store(status, Relaxed);
    }

    #[getter]
    fn answered(&self) -> bool {
        self.answered.load(Relaxed)
    }

    #[getter]
    fn done(&self) -> bool {
        self.done.load(Relaxed)
    }

    #[getter]
    fn disconnected(&self) -> bool {
        self.disconnected.load(Relaxed)
    }

    #[setter]
    fn set_disconnected(&self, disconnected: bool) {
        self.disconnected.store(disconnected, Relaxed);
    }
}

impl Request {
    fn awaiting(&self) -> &Awaiting {
        &self.shared.get().awaiting
    }

    /// Finds what stands for the route: FastAPI's context of an included router, or the route itself.
    ///
    /// There is none where nothing matched, and where a mount left its path in `root_path`: the route alone says too
    /// little then.
    fn route<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let scope = self.scope.bind(py);
        let Some(route) = item(scope, intern!(py, "route"))? else { return Ok(None) };
        if let Some(own) = item(scope, intern!(py, "root_path"))?
            && !own.is(&self.root)
            && !own.eq(&self.root)?
        {
            return Ok(None);
        }
        let context = match item(scope, intern!(py, "fastapi"))? {
            Some(fastapi) => item(&fastapi, intern!(py, "effective_route_context"))?,
            None => None,
        };
        Ok(Some(match context {
            Some(context)
                if context.getattr(intern!(py, "original_route")).is_ok_and(|own| own.is(&route)) =>
            {
                context
            }
            _ => route,
        }))
    }

    fn used_credits(&self, py: Python<'_>) -> PyResult<bool> {
        let Some(state) = item(self.scope.bind(py), intern!(py, "state"))? else { return Ok(false) };
        Ok(item(&state, intern!(py, "credits_used"))?.is_some())
    }
}

/// Returns the length of a message's body; that of what has none is 0.
fn body_bytes(message: &Bound<'_, PyAny>) -> PyResult<u64> {
    let body = item(message, intern!(message.py(), "body"))?;
    Ok(body.and_then(|body| body.len().ok()).unwrap_or(0) as u64)
}

/// Reads an entry of what should be a dictionary, and may be another mapping; of anything else there is none.
fn item<'py>(mapping: &Bound<'py, PyAny>, key: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyAny>>> {
    match mapping.cast::<PyDict>() {
        Ok(dictionary) => dictionary.get_item(key),
        Err(_) => Ok(mapping.get_item(key).ok()),
    }
}
