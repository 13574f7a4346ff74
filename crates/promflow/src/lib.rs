//! Prometheus metrics for Rust backends: settings, the usual metrics under fixed names, and a tower layer that
//! measures every route.
//!
//! # Add a metric in three steps
//!
//! Define it where you like, usually in a file `metrics.rs`; define it again and you get the same one:
//!
//! ```
//! use std::sync::LazyLock;
//! use promflow::CounterFamily;
//!
//! pub static NEW_FEATURE: LazyLock<CounterFamily> =
//!     LazyLock::new(|| promflow::counter("new_feature_total", "Uses of the new feature.", &["plan"]));
//!
//! // Count in your business logic:
//! NEW_FEATURE.with(&["pro"]).inc();
//!
//! // It is on the page, which the middleware serves:
//! let page = String::from_utf8(promflow::registry().encode(promflow::Format::Text)).unwrap();
//! assert!(page.contains("new_feature_total{plan=\"pro\"} 1\n"));
//! ```
//!
//! # Measure an axum service
//!
//! ```no_run
//! # #[cfg(feature = "axum")]
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! use axum::{Router, routing::get};
//! use promflow::{config::Settings, middleware::Prometheus};
//!
//! let settings = Settings::from_env()?;
//! let prometheus = Prometheus::new(&settings, promflow::registry())?;
//! let app = prometheus.instrument(Router::new().route("/users/{id}", get(|| async { "hello" })));
//! let listener = tokio::net::TcpListener::bind(("127.0.0.1", settings.port)).await?;
//! axum::serve(listener, app).await?;
//! # Ok(())
//! # }
//! ```
//!
//! More, for services without axum, workers, batch jobs and outgoing calls: [`guide`].
//!
//! # Parts
//!
//! Every part takes a [`Registry`], so that a test can have its own; [`registry`] is the one of the process. Metrics
//! are cells behind handles ([`promflow_registry`]): a handle that is kept counts with one atomic addition. A facade
//! with a recorder chosen at run time was rejected: it costs an indirect call and a lookup on every increment.
//!
//! | part | feature | metrics |
//! |---|---|---|
//! | `middleware` | `axum` (on by default), `tower` | `http_*` and the page |
//! | `client` | `tower` | calls to any API |
//! | [`tasks`] | | `celery_*` |
//! | [`credits`] | | `credits_*` |
//! | [`paid_api`] | | `stripe_*`, `vapi_*`, any other |
//! | [`pulsar`], [`redis`] | | clients of a broker and a cache |
//! | [`process`], [`system`] | | the process and its machine |
//! | [`page`] | | what is shown to a scraper |
//! | `server` | `server` | the page of a program without HTTP |
//! | `push` | `push` | the page of a program that ends |
//! | `bridge` | `metrics`, `opentelemetry`, `prometheus` | what other crates count |

#[cfg(any(feature = "metrics", feature = "opentelemetry", feature = "prometheus"))]
pub mod bridge;
#[cfg(feature = "tower")]
pub mod client;
pub mod config;
pub mod credits;
pub mod guide;
pub mod metrics;
#[cfg(feature = "tower")]
pub mod middleware;
pub mod page;
pub mod paid_api;
pub mod process;
pub mod pulsar;
#[cfg(feature = "push")]
pub mod push;
pub mod redis;
#[cfg(feature = "server")]
pub mod server;
pub mod system;
pub mod tasks;

use std::sync::LazyLock;

pub use promflow_exposition::Negotiated;
pub use promflow_registry::{
    Collector, Counter, CounterFamily, Family, Format, Gauge, GaugeFamily, Histogram, HistogramFamily,
    LabelGuard, Native, OVERFLOW, Options, RegisterError, RegisterErrorKind, Registry, Summary,
    SummaryFamily, Timer,
};

static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::new);

/// Returns the registry of the process, which [`counter`], [`gauge`] and [`histogram`] register in.
pub fn registry() -> &'static Registry {
    &REGISTRY
}

/// Registers a counter in the registry of the process, or returns the one registered alike.
///
/// Panics: when the name is taken by a metric that differs, or name, help or labels are unusable.
pub fn counter(name: &str, help: &str, labels: &[&str]) -> CounterFamily {
    REGISTRY.counter(name, help, labels)
}

/// Registers a gauge in the registry of the process, or returns the one registered alike.
///
/// Panics: as [`counter`].
pub fn gauge(name: &str, help: &str, labels: &[&str]) -> GaugeFamily {
    REGISTRY.gauge(name, help, labels)
}

/// Registers a histogram in the registry of the process, or returns the one registered alike.
///
/// Panics: as [`counter`], and when the buckets are not finite, increasing and at least one.
pub fn histogram(name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramFamily {
    REGISTRY.histogram(name, help, labels, buckets)
}
