//! A tower layer that measures every route of an axum service, and the page of metrics.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::Router;
use axum::extract::MatchedPath;
use axum::response::IntoResponse;
use axum::routing::get;
use http::header::{ACCEPT, CONTENT_TYPE, VARY};
use http::{HeaderMap, Method, Request, Response};
use pin_project_lite::pin_project;
use promflow_registry::{Format, OVERFLOW, RegisterError, Registry};
use tower_layer::Layer;
use tower_service::Service;

use crate::config::Settings;
use crate::{credits, metrics, process, system};

/// The endpoint of requests that match no route: their paths are the visitors' choice and never become a label.
pub const UNMATCHED: &str = "__unmatched__";

/// The status counted for a request that was given up before its response, as nginx logs it.
const STATUS_CLIENT_CLOSED: &str = "499";
const STATUS_INTERNAL_ERROR: &str = "500";

/// Credits that a request used: a handler puts it into the extensions of its response, alone or as a `Vec`, and the
/// layer counts it in `credits_used_total`.
///
/// ```
/// use axum::{Extension, response::IntoResponse};
/// use promflow::middleware::CreditsUsed;
///
/// async fn call() -> impl IntoResponse {
///     (Extension(CreditsUsed::new("ann", "voice", 2.5)), "ringing")
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CreditsUsed {
    /// Who used them.
    pub user: String,
    /// Of which type: the label `type`.
    pub kind: String,
    /// How many.
    pub amount: f64,
}

impl CreditsUsed {
    /// Makes the record.
    pub fn new(user: impl Into<String>, kind: impl Into<String>, amount: f64) -> Self {
        Self { user: user.into(), kind: kind.into(), amount }
    }
}

/// Measures a service as its settings say.
#[derive(Clone, Debug)]
pub struct Prometheus {
    enabled: bool,
    metrics_path: String,
    registry: Registry,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct Metrics {
    http: metrics::Http,
    credits: metrics::Credits,
}

impl Prometheus {
    /// Puts the default labels and the metrics of requests, process and machine into a registry.
    ///
    /// Errors: a metric of the registry has a label that is also a default label.
    pub fn new(settings: &Settings, registry: &Registry) -> Result<Self, RegisterError> {
        let metrics =
            Metrics { http: metrics::Http::new(registry), credits: metrics::Credits::new(registry) };
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            metrics.http.in_progress.with(&[method_label(&method)]);
        }
        registry.set_default_labels(&settings.default_labels)?;
        if settings.enabled {
            process::register(registry);
            system::register(registry);
        }
        Ok(Self {
            enabled: settings.enabled,
            metrics_path: settings.metrics_path.clone(),
            registry: registry.clone(),
            metrics: Arc::new(metrics),
        })
    }

    /// Measures all routes of a router and adds the page, which is not measured itself. With
    /// `PROMETHEUS_ENABLED=false` the router stays as it is.
    ///
    /// Panics: when the router has a route at the path of the page.
    pub fn instrument<S: Clone + Send + Sync + 'static>(&self, router: Router<S>) -> Router<S> {
        if !self.enabled {
            return router;
        }
        router.merge(self.page()).layer(self.layer())
    }

    /// Returns the layer alone. It belongs on the router (`Router::layer`), where the route is known.
    pub fn layer(&self) -> PrometheusLayer {
        PrometheusLayer { metrics: self.metrics.clone(), page: self.metrics_path.as_str().into() }
    }

    /// Returns a router with the page alone.
    pub fn page<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let registry = self.registry.clone();
        Router::new().route(
            &self.metrics_path,
            get(move |headers: HeaderMap| std::future::ready(page(&registry, &headers))),
        )
    }
}

/// Answers with the page in the format that the `Accept` header asks for.
pub fn page(registry: &Registry, headers: &HeaderMap) -> impl IntoResponse + use<> {
    let accept: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|v| v.to_str().ok()).collect();
    let format = Format::from_accept(&accept.join(","));
    ([(CONTENT_TYPE, format.content_type()), (VARY, "accept")], registry.encode(format))
}

/// Measures the requests of the service below: see [`Prometheus::layer`].
#[derive(Clone, Debug)]
pub struct PrometheusLayer {
    metrics: Arc<Metrics>,
    page: Arc<str>,
}

impl<S> Layer<S> for PrometheusLayer {
    type Service = PrometheusService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        PrometheusService { inner, metrics: self.metrics.clone(), page: self.page.clone() }
    }
}

/// A service whose requests are measured.
#[derive(Clone, Debug)]
pub struct PrometheusService<S> {
    inner: S,
    metrics: Arc<Metrics>,
    page: Arc<str>,
}

impl<S, B, R> Service<Request<B>> for PrometheusService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // Scrapes are no traffic: a service without visitors must look like one.
        let route = request.extensions().get::<MatchedPath>();
        let is_page = route.is_some_and(|route| route.as_str() == &*self.page);
        let running = (!is_page).then(|| Running::start(&self.metrics, request.method(), route.cloned()));
        ResponseFuture { inner: self.inner.call(request), running }
    }
}

pin_project! {
    /// The response of a measured request; the time ends with its head.
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        running: Option<Running>,
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let result = ready!(this.inner.poll(cx));
        match (this.running, &result) {
            (Some(running), Ok(response)) => running.finish(response),
            (Some(running), Err(_)) => running.count(STATUS_INTERNAL_ERROR),
            (None, _) => {}
        }
        Poll::Ready(result)
    }
}

/// A request under way. What ends it without a response, a panic or a client that went away, drops it.
struct Running {
    metrics: Arc<Metrics>,
    method: &'static str,
    route: Option<MatchedPath>,
    start: Instant,
    counted: bool,
}

impl Running {
    fn start(metrics: &Arc<Metrics>, method: &Method, route: Option<MatchedPath>) -> Self {
        let method = method_label(method);
        metrics.http.in_progress.with(&[method]).inc();
        Self { metrics: metrics.clone(), method, route, start: Instant::now(), counted: false }
    }

    fn finish<R>(&mut self, response: &Response<R>) {
        self.count(response.status().as_str());
        let one = response.extensions().get::<CreditsUsed>();
        let many = response.extensions().get::<Vec<CreditsUsed>>();
        for used in one.into_iter().chain(many.into_iter().flatten()) {
            credits::count_used(&self.metrics.credits, &used.user, &used.kind, used.amount);
        }
    }

    fn count(&mut self, status: &str) {
        self.counted = true;
        let endpoint = self.route.as_ref().map_or(UNMATCHED, MatchedPath::as_str);
        let http = &self.metrics.http;
        let duration = http.duration.with(&[self.method, endpoint]);
        if duration.count() == 0 {
            // The share of errors of a new route is zero, rather than absent until its first error.
            http.requests.with(&[self.method, endpoint, STATUS_INTERNAL_ERROR]);
        }
        duration.observe_duration(self.start.elapsed());
        http.requests.with(&[self.method, endpoint, status]).inc();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.counted {
            let panics = std::thread::panicking();
            self.count(if panics { STATUS_INTERNAL_ERROR } else { STATUS_CLIENT_CLOSED });
        }
        self.metrics.http.in_progress.with(&[self.method]).dec();
    }
}

/// Returns the label of a method: clients may invent others, which share one value.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => OVERFLOW,
    }
}

#[cfg(test)]
mod tests;
