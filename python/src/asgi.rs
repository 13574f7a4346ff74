//! A request under way, as the ASGI middleware measures it: what is the same for nearly every one.
//!
//! The steps themselves are few. But an application runs its own code between two of them, so that each finds the
//! interpreter cold, and costs several times what it costs in a loop. What awaits stays in Python: coroutines that are
//! called with the [`Request`]. A middleware whole in Rust was rejected, as it would only imitate Python's coroutines.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use promflow_registry::{Cells, add_f64};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyString};

use crate::types::{Counter, Gauge, Histogram, VALUE, observe_in};

/// The methods that stand for themselves; others share one place behind them.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
/// The place of the method that a websocket begins with.
const GET: usize = 0;
const OK: u16 = 200;

/// A route, or what stands for it, the place of a method, and a status. A route is known by where it is: what is learnt
/// keeps it alive.
type Key = (usize, usize, u16);

/// What counts requests that ended alike, with the cells where all processes count in the same.
struct Series {
    total: Option<Py<Counter>>,
    total_cells: Option<Cells>,
    duration: Py<Histogram>,
    duration_cells: Option<(Cells, Box<[f64]>)>,
    _keep: Py<PyAny>,
}

/// A gauge, with its cell where all processes count in one.
struct Running(Py<Gauge>, Option<Cells>);

impl Running {
    fn of(gauge: Bound<'_, Gauge>) -> Self {
        let cells = gauge.as_super().get().direct().cloned();
        Self(gauge.unbind(), cells)
    }

    fn add(&self, py: Python<'_>, amount: f64) -> PyResult<()> {
        match &self.1 {
            Some(cells) => {
                add_f64(&cells.head()[VALUE], amount);
                Ok(())
            }
            None => Gauge::inc(self.0.bind(py), amount),
        }
    }
}

/// What the requests of a middleware share.
#[pyclass(frozen, module = "promflow._core")]
pub(crate) struct Requests {
    /// Objects that messages were seen to have, which nearly every message has again.
    start: OnceLock<Py<PyString>>,
    body: OnceLock<Py<PyString>>,
    ok: OnceLock<Py<PyAny>>,
    until_head: bool,
    with_sizes: bool,
    awaiting: Awaiting,
    /// The gauge of requests under way by method, where it depends on nothing else.
    running: Option<[OnceLock<Running>; METHODS.len() + 1]>,
    /// The methods by their places.
    methods: Vec<Py<PyString>>,
    find_running: Py<PyAny>,
    /// Counts what is not learnt.
    ended: Py<PyAny>,
    // Held for a look-up and for counting, never while Python code runs.
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
    #[pyo3(signature = (other_method, find_running, ended, *, running_by_method, until_head, with_sizes, receive, send_part, send_last, send_websocket))]
    #[expect(clippy::too_many_arguments, reason = "it takes all that a middleware chose, from one place")]
    fn new(
        py: Python<'_>,
        other_method: Py<PyString>,
        find_running: Py<PyAny>,
        ended: Py<PyAny>,
        running_by_method: bool,
        until_head: bool,
        with_sizes: bool,
        receive: Py<PyAny>,
        send_part: Py<PyAny>,
        send_last: Py<PyAny>,
        send_websocket: Py<PyAny>,
    ) -> Self {
        let own = METHODS.into_iter().map(|name| PyString::new(py, name).unbind());
        Self {
            start: OnceLock::new(),
            body: OnceLock::new(),
            ok: OnceLock::new(),
            until_head,
            with_sizes,
            awaiting: Awaiting { receive, send_part, send_last, send_websocket },
            running: running_by_method.then(Default::default),
            methods: own.chain([other_method]).collect(),
            find_running,
            ended,
            known: Mutex::default(),
        }
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
        let method = match item(&scope, intern!(py, "method"))? {
            Some(method) => place_of(&method),
            None => GET,
        };
        let running = match requests.running(method) {
            Some(running) => {
                running.add(py, 1.0)?;
                None
            }
            None => {
                let gauge =
                    requests.find_running.bind(py).call1((&requests.methods[method], &scope, &root))?;
                let running = Running::of(gauge.cast_into::<Gauge>()?);
                running.add(py, 1.0)?;
                match &requests.running {
                    Some(all) => {
                        // Another thread may have been faster: it is the same gauge.
                        let _ = all[method].set(running);
                        None
                    }
                    None => Some(running),
                }
            }
        };
        Ok(Request {
            scope: scope.unbind(),
            root: root.unbind(),
            inner_receive: receive,
            inner_send: send,
            shared: slf.unbind(),
            method,
            running,
            start: Instant::now(),
            head: OnceLock::new(),
            status: AtomicU16::new(500),
            answered: AtomicBool::new(false),
            disconnected: AtomicBool::new(false),
            done: AtomicBool::new(false),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
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
        let key = (route.as_ptr() as usize, request.method, status);
        let total_cells = total.as_ref().and_then(|total| total.bind(py).as_super().get().direct().cloned());
        let histogram = duration.bind(py).as_super().get();
        let bounds: Box<[f64]> = histogram.state()?.family.desc.bounds[..].into();
        let duration_cells = histogram.direct().map(|cells| (cells.clone(), bounds));
        let series = Series { total, total_cells, duration, duration_cells, _keep: route.unbind() };
        let replaced = self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(key, series);
        // What is dropped may be the last reference, and run code: not under the lock.
        drop(replaced);
        Ok(())
    }

    // The recorder that has this is what its methods are bound to: a cycle, which the collector is to see. Whoever is
    // cleared for it is one of Python's.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.find_running)?;
        visit.call(&self.ended)?;
        for running in self.running.iter().flatten().filter_map(OnceLock::get) {
            visit.call(&running.0)?;
        }
        let Ok(known) = self.known.try_lock() else { return Ok(()) };
        for series in known.values() {
            visit.call(&series.total)?;
            visit.call(&series.duration)?;
            visit.call(&series._keep)?;
        }
        Ok(())
    }
}

impl Requests {
    fn running(&self, method: usize) -> Option<&Running> {
        self.running.as_ref()?[method].get()
    }

    /// Counts a request; `false`, and nothing is counted, where its route is not learnt, or it used credits.
    fn count(&self, request: &Request, py: Python<'_>, status: u16, took: Duration) -> PyResult<bool> {
        let Some(route) = request.route(py)? else { return Ok(false) };
        if request.used_credits(py)? {
            return Ok(false);
        }
        let key = (route.as_ptr() as usize, request.method, status);
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(series) = known.get(&key) else { return Ok(false) };
        let (total, duration, took) = (&series.total, &series.duration, took.as_secs_f64());
        let total = match &series.total_cells {
            Some(cells) => {
                add_f64(&cells.head()[VALUE], 1.0);
                None
            }
            None => total.as_ref().map(|total| total.clone_ref(py)),
        };
        let duration = match &series.duration_cells {
            Some((cells, bounds)) => {
                observe_in(cells, bounds, took);
                None
            }
            None => Some(duration.clone_ref(py)),
        };
        drop(known);
        if let Some(total) = total {
            Counter::inc(total.bind(py), 1.0, None)?;
        }
        if let Some(duration) = duration {
            Histogram::observe(duration.bind(py), took, None)?;
        }
        Ok(true)
    }

    /// Tells what a message of the application is.
    fn kind_of(&self, message: &Bound<'_, PyAny>) -> PyResult<Kind> {
        let py = message.py();
        let Some(text) = item(message, intern!(py, "type"))? else { return Ok(Kind::Other) };
        let is = |seen: &OnceLock<Py<PyString>>| seen.get().is_some_and(|seen| text.is(seen));
        if is(&self.start) {
            return Ok(Kind::Start);
        }
        if is(&self.body) {
            return Ok(Kind::Body);
        }
        let text = text.cast::<PyString>()?;
        let (seen, kind) = match text.to_str()? {
            "http.response.start" => (&self.start, Kind::Start),
            "http.response.body" => (&self.body, Kind::Body),
            "http.response.pathsend" => return Ok(Kind::File),
            _ => return Ok(Kind::Other),
        };
        if text.is_exact_instance_of::<PyString>() {
            let _ = seen.set(text.clone().unbind());
        }
        Ok(kind)
    }

    /// Reads the status of a response.
    fn status_of(&self, message: &Bound<'_, PyAny>) -> PyResult<u16> {
        let py = message.py();
        let status = message.get_item(intern!(py, "status"))?;
        if self.ok.get().is_some_and(|ok| status.is(ok)) {
            return Ok(OK);
        }
        let code = status.extract()?;
        if code == OK && status.is_exact_instance_of::<PyInt>() {
            let _ = self.ok.set(status.unbind());
        }
        Ok(code)
    }
}

/// The messages that matter.
enum Kind {
    Start,
    Body,
    /// The body is a file.
    File,
    Other,
}

/// Returns the place of a method; what is no text shares that of unknown ones.
fn place_of(method: &Bound<'_, PyAny>) -> usize {
    let text = method.cast::<PyString>().ok().and_then(|method| method.to_str().ok());
    METHODS.iter().position(|own| text == Some(own)).unwrap_or(METHODS.len())
}

/// A request under way. It ends once: with its last byte, or with what comes before that.
#[pyclass(frozen, module = "promflow._core")]
pub(crate) struct Request {
    shared: Py<Requests>,
    scope: Py<PyAny>,
    root: Py<PyString>,
    inner_receive: Py<PyAny>,
    inner_send: Py<PyAny>,
    /// The place of its method.
    method: usize,
    /// The gauge that it is under way in, where its method does not say which.
    running: Option<Running>,
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
        let this = slf.get();
        this.shared.get().awaiting.receive.bind(slf.py()).call1((slf, &this.inner_receive))
    }

    /// Sends a message of the application; returns what is to be awaited.
    fn send<'py>(slf: &Bound<'py, Self>, message: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let this = slf.get();
        let shared = this.shared.get();
        match shared.kind_of(message)? {
            Kind::Body => {
                let is_last = match item(message, intern!(py, "more_body"))? {
                    Some(more) => !more.is_truthy()?,
                    None => true,
                };
                if shared.with_sizes {
                    this.sent.fetch_add(body_bytes(message)?, Relaxed);
                }
                let send = if is_last { &shared.awaiting.send_last } else { &shared.awaiting.send_part };
                return send.bind(py).call1((slf, &this.inner_send, message));
            }
            Kind::File => return shared.awaiting.send_last.bind(py).call1((slf, &this.inner_send, message)),
            Kind::Start => {
                this.status.store(shared.status_of(message)?, Relaxed);
                this.answered.store(true, Relaxed);
                if shared.until_head {
                    this.head.get_or_init(|| this.start.elapsed());
                }
            }
            Kind::Other => {}
        }
        this.inner_send.bind(py).call1((message,))
    }

    /// Sends a message of the application to a websocket; returns what is to be awaited.
    fn send_websocket<'py>(
        slf: &Bound<'py, Self>,
        message: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let this = slf.get();
        this.shared.get().awaiting.send_websocket.bind(slf.py()).call1((slf, &this.inner_send, message))
    }

    /// Adds the bytes of a message of the server.
    fn add_received(&self, message: &Bound<'_, PyAny>) -> PyResult<()> {
        if self.shared.get().with_sizes {
            self.received.fetch_add(body_bytes(message)?, Relaxed);
        }
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
        let shared = this.shared.get();
        if let Some(running) = this.running.as_ref().or_else(|| shared.running(this.method)) {
            running.add(py, -1.0)?;
        }
        if !shared.count(this, py, status, took)? {
            let (scope, root, method) = (&this.scope, &this.root, &shared.methods[this.method]);
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
        self.running.as_ref().map_or(Ok(()), |running| visit.call(&running.0))
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
