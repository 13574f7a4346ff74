//! Tower layers that measure every route of a service: by route template, method and status, to the last byte of its
//! response, whatever ends it.
//!
//! The layer stands outside of everything that answers. It resolves the series of a method and route once, so that a
//! request costs two readings of the clock and a few atomic additions, and it never buffers, spawns or waits. What it
//! counts as:
//!
//! | what happens | status |
//! |---|---|
//! | the body was sent to its end | that of the response |
//! | the client went away, before the response or in the midst of its body | 499 |
//! | a panic, an error of the service, an error of the body | 500 |
//!
//! With axum, [`Prometheus::instrument`] does everything. Any other tower service gets the layer alone, and says what
//! its routes are: by [`Builder::route`], or by a [`RouteTemplate`] in the extensions of the request.

use std::fmt;
use std::sync::Arc;

use http::Method;
use http::request::Parts;
use promflow_registry::{RegisterError, Registry};

use crate::config::Settings;
use crate::credits::Credits;
use crate::page::{Bridge, Page};
use crate::{process, system};

#[cfg(feature = "axum")]
mod axum_router;
mod body;
mod families;
mod layer;
mod preset;
mod routes;
mod running;
mod trace;

#[cfg(feature = "axum")]
pub use axum_router::page;
pub use body::MeasuredBody;
pub use layer::{PrometheusLayer, PrometheusService, ResponseFuture};
pub use preset::Preset;
pub use trace::trace_id;

use layer::{OfRequest, Shared, TraceOf};
use routes::{Exclude, MethodLabel, Routes};

/// The endpoint of requests that match no route: their paths are the visitors' choice and never become a label.
pub const UNMATCHED: &str = "__unmatched__";

/// The status counted for a request that was given up before its response, as nginx logs it.
const STATUS_CLIENT_CLOSED: u16 = 499;
const STATUS_INTERNAL_ERROR: u16 = 500;

/// Credits that a request used: a handler puts it into the extensions of its response, alone or as a `Vec`, and the
/// layer counts it in `credits_used_total`.
///
/// ```
/// # #[cfg(feature = "axum")]
/// # mod m {
/// use axum::{Extension, response::IntoResponse};
/// use promflow::middleware::CreditsUsed;
///
/// async fn call() -> impl IntoResponse {
///     (Extension(CreditsUsed::new("ann", "voice", 2.5)), "ringing")
/// }
/// # }
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

/// The template of the route that a request matched (`/users/{id}`), in its extensions: for services without axum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteTemplate(pub Arc<str>);

/// When the time of a request ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Until {
    /// With the last byte of the response.
    #[default]
    LastByte,
    /// With the head of the response: for streams that are meant to stay open.
    Head,
}

/// What happens when a handler panics, once it is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnPanic {
    /// The panic goes on, and ends the connection.
    #[default]
    Resume,
    /// The panic ends here, and the client gets an empty answer with the status 500.
    Respond,
}

/// Measures a service as its settings say.
#[derive(Clone)]
pub struct Prometheus {
    metrics_path: String,
    page: Page,
    /// Absent when nothing is to be measured.
    shared: Option<Arc<Shared>>,
}

impl fmt::Debug for Prometheus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { metrics_path, page, shared } = self;
        let mut debug = f.debug_struct("Prometheus");
        debug.field("enabled", &shared.is_some()).field("metrics_path", metrics_path).field("page", page);
        debug.finish_non_exhaustive()
    }
}

/// Chooses how a service is measured: [`Prometheus::builder`].
///
/// ```
/// use promflow::config::Settings;
/// use promflow::middleware::{OnPanic, Preset, Prometheus};
///
/// let registry = promflow::Registry::new();
/// let prometheus = Prometheus::builder(&Settings::default(), &registry)
///     .preset(Preset::Otel)
///     .sizes(true)
///     .exclude(["/health", "/internal/*"])
///     .on_panic(OnPanic::Respond)
///     .build()?;
/// # let _ = prometheus;
/// # Ok::<(), promflow::RegisterError>(())
/// ```
#[must_use = "a builder measures nothing until it is built"]
pub struct Builder<'a> {
    settings: &'a Settings,
    registry: &'a Registry,
    preset: Preset,
    sizes: Option<bool>,
    exclude: Exclude,
    until: Until,
    on_panic: OnPanic,
    route_of: Option<Box<OfRequest>>,
    trace_of: TraceOf,
    app_name: String,
    credits: Option<Credits>,
    bridges: Vec<Arc<dyn Bridge>>,
}

impl fmt::Debug for Builder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Builder");
        debug.field("preset", &self.preset).field("sizes", &self.sizes).field("exclude", &self.exclude);
        debug.finish_non_exhaustive()
    }
}

impl Builder<'_> {
    /// Chooses names and labels.
    pub fn preset(mut self, preset: Preset) -> Self {
        self.preset = preset;
        self
    }

    /// Says whether the sizes of bodies are measured; only `Preset::FastapiInstrumentator` does unless told.
    ///
    /// A body of unknown length counts as it is read, or sent; that of a request only in axum.
    pub fn sizes(mut self, measured: bool) -> Self {
        self.sizes = Some(measured);
        self
    }

    /// Leaves routes out, by template, or by path where none matches; a `*` at the end stands for all that begin so.
    ///
    /// The page itself is always left out: a service without visitors must look like one.
    pub fn exclude<'p>(mut self, routes: impl IntoIterator<Item = &'p str>) -> Self {
        routes.into_iter().for_each(|route| self.exclude.add(route));
        self
    }

    /// Says when the time of a request ends.
    pub fn until(mut self, until: Until) -> Self {
        self.until = until;
        self
    }

    /// Says what happens when a handler panics.
    pub fn on_panic(mut self, on_panic: OnPanic) -> Self {
        self.on_panic = on_panic;
        self
    }

    /// Names the route of a request, for services without axum; `None` falls back to what else is known.
    ///
    /// It must return one of few templates, never a path.
    pub fn route(mut self, route_of: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static) -> Self {
        self.route_of = Some(Box::new(route_of));
        self
    }

    /// Sets the label `app_name` of `Preset::Starlette`; `starlette` unless told.
    pub fn app_name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.app_name);
        self
    }

    /// Says whether a request of a trace becomes the exemplar of the request counter and of its bucket of the duration:
    /// by default, with the trace id of the header `traceparent`, when that says that the trace is recorded.
    ///
    /// Exemplars stand on pages of OpenMetrics and protobuf, and in Prometheus where it stores them.
    pub fn exemplars(mut self, kept: bool) -> Self {
        self.trace_of = if kept { TraceOf::Header } else { TraceOf::Nothing };
        self
    }

    /// Says of which trace a request is, in place of the header; a request of none, or whose id is longer than 120
    /// characters, becomes no exemplar.
    ///
    /// It is asked before the request goes on: a layer that begins the trace stands outside of this one.
    ///
    /// ```
    /// use promflow::{config::Settings, middleware::Prometheus};
    ///
    /// #[derive(Clone)]
    /// struct RequestId(String);
    ///
    /// let registry = promflow::Registry::new();
    /// let prometheus = Prometheus::builder(&Settings::default(), &registry)
    ///     .trace_id(|parts| parts.extensions.get::<RequestId>().map(|id| id.0.clone()))
    ///     .build()?;
    /// # let _ = prometheus;
    /// # Ok::<(), promflow::RegisterError>(())
    /// ```
    pub fn trace_id(mut self, trace_of: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static) -> Self {
        self.trace_of = TraceOf::Function(Box::new(trace_of));
        self
    }

    /// Counts the credits that responses report ([`CreditsUsed`]) in these metrics, rather than in those that show the
    /// users who use most.
    pub fn credits(mut self, credits: &Credits) -> Self {
        self.credits = Some(credits.clone());
        self
    }

    /// Puts metrics on the page that another library counts.
    pub fn bridge(mut self, bridge: impl Bridge + 'static) -> Self {
        self.bridges.push(Arc::new(bridge));
        self
    }

    /// Puts the default labels and the metrics of requests, process and machine into the registry.
    ///
    /// Errors: a metric of the registry has a label that is also a default label.
    /// Panics: when the registry has metrics of these names that differ.
    pub fn build(mut self) -> Result<Prometheus, RegisterError> {
        let Self { settings, registry, .. } = self;
        let sizes = self.sizes.unwrap_or(self.preset.measures_sizes());
        let credits = self.credits.unwrap_or_else(|| Credits::new(registry));
        let families = self.preset.register(registry, sizes, &self.app_name, credits);
        let page = Page::with_default_labels(registry, &settings.default_labels)?;
        for bridge in self.bridges {
            page.add_bridge(bridge);
        }
        let shared = settings.enabled.then(|| {
            process::register(registry);
            system::register(registry);
            self.exclude.add(&settings.metrics_path);
            let (until, on_panic) = (self.until, self.on_panic);
            let (route_of, trace_of) = (self.route_of, self.trace_of);
            let routes = Routes::new(families, self.exclude);
            Arc::new(Shared { routes, until, on_panic, route_of, trace_of })
        });
        if let Some(shared) = &shared {
            for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                shared.routes.init(MethodLabel::of(&method));
            }
        }
        Ok(Prometheus { metrics_path: settings.metrics_path.clone(), page, shared })
    }
}

impl Prometheus {
    /// Measures under the names of the guide.
    ///
    /// Errors: as [`Builder::build`].
    pub fn new(settings: &Settings, registry: &Registry) -> Result<Self, RegisterError> {
        Self::builder(settings, registry).build()
    }

    /// Starts to choose how a service is measured.
    pub fn builder<'a>(settings: &'a Settings, registry: &'a Registry) -> Builder<'a> {
        Builder {
            settings,
            registry,
            preset: Preset::default(),
            sizes: None,
            exclude: Exclude::default(),
            until: Until::default(),
            on_panic: OnPanic::default(),
            route_of: None,
            trace_of: TraceOf::Header,
            app_name: "starlette".to_owned(),
            credits: None,
            bridges: Vec::new(),
        }
    }

    /// Returns the layer alone; it lets everything through with `PROMETHEUS_ENABLED=false`.
    ///
    /// With axum it belongs on the router (`Router::layer`), where the route is known.
    pub fn layer(&self) -> PrometheusLayer {
        PrometheusLayer { shared: self.shared.clone() }
    }

    /// Returns the page, for a service that shows it itself.
    pub fn metrics_page(&self) -> &Page {
        &self.page
    }

    /// Returns the path at which the page is to be found.
    pub fn metrics_path(&self) -> &str {
        &self.metrics_path
    }
}

#[cfg(all(test, feature = "axum"))]
mod tests;
