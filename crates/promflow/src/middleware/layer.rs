//! The layer, its service and its future.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{Extensions, HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::body::{MeasuredBody, announced_length, catch_panic, is_bodiless, is_head};
use super::routes::{MethodLabel, Route, Routes};
use super::running::{RequestSize, Running};
use super::trace::sampled_trace_id;
use super::{OnPanic, RouteTemplate, Until};

/// A function of the program's that reads something from a request: its route, or its trace.
pub(super) type OfRequest = dyn Fn(&Parts) -> Option<String> + Send + Sync;

/// Where the trace of a request is found.
pub(super) enum TraceOf {
    /// Nowhere: there are no exemplars.
    Nothing,
    /// In the header `traceparent`.
    Header,
    /// By a function of the program's.
    Function(Box<OfRequest>),
}

/// What all services of a layer share.
pub(super) struct Shared {
    pub(super) routes: Routes,
    pub(super) until: Until,
    pub(super) on_panic: OnPanic,
    pub(super) route_of: Option<Box<OfRequest>>,
    pub(super) trace_of: TraceOf,
}

impl Shared {
    /// Finds the series and the trace of a request; no series when it is excluded.
    fn inspect<B>(&self, request: Request<B>) -> (Request<B>, Option<Arc<Route>>, Option<Box<str>>) {
        let by_function = matches!(self.trace_of, TraceOf::Function(_));
        if self.route_of.is_none() && !by_function {
            let route = self.find(request.method(), request.uri(), request.extensions(), None);
            let trace_id = self.header_trace_id(request.headers());
            return (request, route, trace_id);
        }
        let (parts, body) = request.into_parts();
        let named = self.route_of.as_ref().and_then(|route_of| route_of(&parts));
        let route = self.find(&parts.method, &parts.uri, &parts.extensions, named.as_deref());
        let trace_id = match &self.trace_of {
            TraceOf::Function(trace_of) => trace_of(&parts).map(String::into_boxed_str),
            TraceOf::Nothing | TraceOf::Header => self.header_trace_id(&parts.headers),
        };
        (Request::from_parts(parts, body), route, trace_id)
    }

    fn header_trace_id(&self, headers: &HeaderMap) -> Option<Box<str>> {
        match self.trace_of {
            TraceOf::Header => sampled_trace_id(headers).map(Box::from),
            TraceOf::Nothing | TraceOf::Function(_) => None,
        }
    }

    fn find(
        &self,
        method: &Method,
        uri: &Uri,
        extensions: &Extensions,
        named: Option<&str>,
    ) -> Option<Arc<Route>> {
        let template = named
            .or_else(|| extensions.get::<RouteTemplate>().map(|route| &*route.0))
            .or_else(|| matched_path(extensions));
        let https = uri.scheme() == Some(&http::uri::Scheme::HTTPS);
        self.routes.find(MethodLabel::of(method), template, https, uri.path())
    }
}

#[cfg(feature = "axum")]
fn matched_path(extensions: &Extensions) -> Option<&str> {
    extensions.get::<axum::extract::MatchedPath>().map(axum::extract::MatchedPath::as_str)
}

#[cfg(not(feature = "axum"))]
fn matched_path(_: &Extensions) -> Option<&str> {
    None
}

/// Measures the requests of the service below: see [`super::Prometheus::layer`].
#[derive(Clone)]
pub struct PrometheusLayer {
    pub(super) shared: Option<Arc<Shared>>,
}

impl std::fmt::Debug for PrometheusLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrometheusLayer").field("enabled", &self.shared.is_some()).finish_non_exhaustive()
    }
}

impl<S> Layer<S> for PrometheusLayer {
    type Service = PrometheusService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        PrometheusService { inner, shared: self.shared.clone() }
    }
}

/// A service whose requests are measured.
#[derive(Clone)]
pub struct PrometheusService<S> {
    inner: S,
    shared: Option<Arc<Shared>>,
}

impl<S: std::fmt::Debug> std::fmt::Debug for PrometheusService<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrometheusService").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for PrometheusService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    B: Body + 'static,
    R: Body,
{
    type Response = Response<MeasuredBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(shared) = &self.shared else {
            return ResponseFuture::unmeasured(self.inner.call(request));
        };
        let (mut request, route, trace_id) = shared.inspect(request);
        let Some(route) = route else {
            return ResponseFuture::unmeasured(self.inner.call(request));
        };
        let mut running = Running::start(route, shared.until, trace_id);
        if running.measures_request_size() {
            running.set_request_size(request_size(&mut request));
        }
        let is_head = is_head(request.method());
        let catch = shared.on_panic == OnPanic::Respond;
        running.calling(true);
        let inner =
            if catch { catch_panic(|| self.inner.call(request)) } else { Some(self.inner.call(request)) };
        running.calling(false);
        ResponseFuture { inner, running: Some(running), is_head, catch }
    }
}

fn request_size<B: Body + 'static>(request: &mut Request<B>) -> RequestSize {
    if let Some(bytes) = request.body().size_hint().exact() {
        return RequestSize::Known(bytes);
    }
    #[cfg(feature = "axum")]
    return super::body::count_body(request.body_mut());
    #[cfg(not(feature = "axum"))]
    RequestSize::Unknown
}

pin_project! {
    /// The response of a measured request.
    pub struct ResponseFuture<F> {
        // Absent when the call panicked.
        #[pin]
        inner: Option<F>,
        running: Option<Running>,
        is_head: bool,
        catch: bool,
    }
}

impl<F> ResponseFuture<F> {
    fn unmeasured(inner: F) -> Self {
        Self { inner: Some(inner), running: None, is_head: false, catch: false }
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body,
{
    type Output = Result<Response<MeasuredBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let inner = this.inner.as_mut().as_pin_mut();
        if let Some(running) = this.running {
            running.calling(true);
        }
        let polled = match inner {
            Some(inner) if *this.catch => catch_panic(|| inner.poll(cx)),
            Some(inner) => Some(inner.poll(cx)),
            None => None,
        };
        if let Some(running) = this.running {
            running.calling(false);
        }
        match polled {
            None => {
                this.inner.set(None);
                this.running.take().into_iter().for_each(Running::fail);
                let mut response = Response::new(MeasuredBody::empty());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                Poll::Ready(Ok(response))
            }
            Some(Poll::Pending) => Poll::Pending,
            Some(Poll::Ready(Err(error))) => {
                this.running.take().into_iter().for_each(Running::fail);
                Poll::Ready(Err(error))
            }
            Some(Poll::Ready(Ok(response))) => {
                Poll::Ready(Ok(measure(response, this.running.take(), *this.is_head)))
            }
        }
    }
}

/// Lets the request run on to the end of the body, or ends it where there will be none.
fn measure<R: Body>(
    response: Response<R>,
    running: Option<Running>,
    is_head: bool,
) -> Response<MeasuredBody<R>> {
    let Some(mut running) = running else {
        return response.map(MeasuredBody::unmeasured);
    };
    running.head(&response);
    if is_bodiless(is_head, response.status()) || response.body().is_end_stream() {
        running.finish();
        return response.map(MeasuredBody::unmeasured);
    }
    let length = announced_length(response.headers());
    response.map(|body| MeasuredBody::new(body, running, length))
}
