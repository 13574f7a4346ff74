//! Bodies that are measured to their end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, StatusCode};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::running::Running;

pin_project! {
    /// The body of a measured response: the request ends with it.
    ///
    /// A body that is dropped before its end was not wanted any more: the client went away.
    pub struct MeasuredBody<B> {
        // Absent in the answer to a panic.
        #[pin]
        inner: Option<B>,
        running: Option<Running>,
        // After so many bytes the server asks for no more, and never sees the end.
        length: Option<u64>,
    }
}

impl<B> MeasuredBody<B> {
    /// Makes the empty body of the answer to a panic.
    pub(super) fn empty() -> Self {
        Self { inner: None, running: None, length: Some(0) }
    }

    /// Lets a body through.
    pub(super) fn unmeasured(inner: B) -> Self {
        Self { inner: Some(inner), running: None, length: None }
    }
}

impl<B: Body> MeasuredBody<B> {
    /// Measures a body.
    pub(super) fn new(inner: B, running: Running, length: Option<u64>) -> Self {
        let length = length.or_else(|| inner.size_hint().exact());
        Self { inner: Some(inner), running: Some(running), length }
    }
}

/// Tells whether the server sends no body with such an answer, and drops the one that it has.
pub(super) fn is_bodiless(method_is_head: bool, status: StatusCode) -> bool {
    method_is_head
        || status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
}

/// Tells whether the method is one whose answers have no body.
pub(super) fn is_head(method: &Method) -> bool {
    *method == Method::HEAD
}

/// Reads the length that a response announces.
pub(super) fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl<B: Body> Body for MeasuredBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Some(mut inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let Some(running) = this.running.as_mut() else {
            return inner.poll_frame(cx);
        };
        running.calling(true);
        let polled = inner.as_mut().poll_frame(cx);
        running.calling(false);
        let frame = ready!(polled);
        match &frame {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, |data| data.remaining() as u64);
                let so_far = running.add_response_bytes(bytes);
                if this.length.is_some_and(|length| so_far >= length) || inner.is_end_stream() {
                    this.running.take().into_iter().for_each(Running::finish);
                }
            }
            Some(Err(_)) => this.running.take().into_iter().for_each(Running::fail),
            None => this.running.take().into_iter().for_each(Running::finish),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or(SizeHint::with_exact(0), B::size_hint)
    }
}

/// Calls something, and returns `None` when it panicked.
pub(super) fn catch_panic<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).ok()
}

#[cfg(feature = "axum")]
mod request {
    use std::any::Any;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::middleware::running::RequestSize;

    pin_project! {
        struct CountedBody {
            #[pin]
            inner: axum::body::Body,
            bytes: Arc<AtomicU64>,
        }
    }

    impl Body for CountedBody {
        type Data = bytes::Bytes;
        type Error = axum::Error;

        fn poll_frame(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
            let this = self.project();
            let frame = ready!(this.inner.poll_frame(cx));
            if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
                this.bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
            }
            Poll::Ready(frame)
        }

        fn is_end_stream(&self) -> bool {
            self.inner.is_end_stream()
        }

        fn size_hint(&self) -> SizeHint {
            self.inner.size_hint()
        }
    }

    /// Counts a body of axum as it is read; another type of body cannot be exchanged for one that counts.
    pub(in crate::middleware) fn count_body<B: 'static>(body: &mut B) -> RequestSize {
        let Some(body) = (body as &mut dyn Any).downcast_mut::<axum::body::Body>() else {
            return RequestSize::Unknown;
        };
        let bytes = Arc::new(AtomicU64::new(0));
        let inner = std::mem::take(body);
        *body = axum::body::Body::new(CountedBody { inner, bytes: bytes.clone() });
        RequestSize::Counted(bytes)
    }
}

#[cfg(feature = "axum")]
pub(super) use request::count_body;
