//! A request under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::Response;

use super::families::EndedRequest;
use super::routes::{Entered, Route};
use super::{CreditsUsed, STATUS_CLIENT_CLOSED, STATUS_INTERNAL_ERROR, Until};

/// How large the body of the request is.
#[derive(Debug)]
pub(super) enum RequestSize {
    Known(u64),
    /// Counted while the handler reads it.
    #[cfg_attr(not(feature = "axum"), expect(dead_code, reason = "only bodies of axum can be wrapped"))]
    Counted(Arc<AtomicU64>),
    Unknown,
}

/// A request under way. What ends it early, a panic or a client that went away, drops it.
#[derive(Debug)]
pub(super) struct Running {
    route: Arc<Route>,
    entered: Entered,
    /// Of the exemplar.
    trace_id: Option<Box<str>>,
    start: Instant,
    until: Until,
    /// Time to the head of the response.
    head: Option<Duration>,
    status: u16,
    request_size: RequestSize,
    response_bytes: u64,
    /// Whether the service or body below is being called: a drop meanwhile comes from a panic.
    calling: bool,
    counted: bool,
}

impl Running {
    pub(super) fn start(route: Arc<Route>, until: Until, trace_id: Option<Box<str>>) -> Self {
        let entered = route.enter();
        Self {
            route,
            entered,
            trace_id,
            start: Instant::now(),
            until,
            head: None,
            status: STATUS_CLIENT_CLOSED,
            request_size: RequestSize::Unknown,
            response_bytes: 0,
            calling: false,
            counted: false,
        }
    }

    pub(super) fn measures_request_size(&self) -> bool {
        self.route.families().request_size.is_some()
    }

    pub(super) fn set_request_size(&mut self, size: RequestSize) {
        self.request_size = size;
    }

    /// Says that the service or body below is called, or that the call returned.
    pub(super) fn calling(&mut self, calling: bool) {
        self.calling = calling;
    }

    /// Notes the head of the response, and counts the credits that it reports.
    pub(super) fn head<R>(&mut self, response: &Response<R>) {
        self.status = response.status().as_u16();
        if self.until == Until::Head {
            self.head = Some(self.start.elapsed());
        }
        let extensions = response.extensions();
        if extensions.is_empty() {
            return;
        }
        let one = extensions.get::<CreditsUsed>();
        let many = extensions.get::<Vec<CreditsUsed>>();
        for used in one.into_iter().chain(many.into_iter().flatten()) {
            self.route.families().credits.count_used(&used.user, &used.kind, used.amount);
        }
    }

    pub(super) fn add_response_bytes(&mut self, bytes: u64) -> u64 {
        self.response_bytes += bytes;
        self.response_bytes
    }

    /// Ends the request as the head of its response said.
    pub(super) fn finish(mut self) {
        let status = self.status;
        self.count(status);
    }

    /// Ends the request with an error of the service.
    pub(super) fn fail(mut self) {
        self.count(STATUS_INTERNAL_ERROR);
    }

    fn count(&mut self, status: u16) {
        self.counted = true;
        let took = self.head.unwrap_or_else(|| self.start.elapsed());
        let request_bytes = match &self.request_size {
            RequestSize::Known(bytes) => Some(*bytes),
            RequestSize::Counted(bytes) => Some(bytes.load(Ordering::Relaxed)),
            RequestSize::Unknown => None,
        };
        let (response_bytes, trace_id) = (self.response_bytes, self.trace_id.as_deref());
        self.route.count(status, &EndedRequest { took, request_bytes, response_bytes, trace_id });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.counted {
            self.count(if self.calling { STATUS_INTERNAL_ERROR } else { STATUS_CLIENT_CLOSED });
        }
        self.route.leave(&self.entered);
    }
}
