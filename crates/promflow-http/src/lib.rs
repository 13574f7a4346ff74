//! The HTTP client: TLS, authentication, redirects, limits.
//!
//! The problem: a scrape has to name the server it expects in TLS, to read credentials anew when their file changes,
//! to stop a page that does not end, and to say in Prometheus's words what went wrong.
//!
//! The model: [`HttpClient`] is hyper's pooling client over rustls, set up from a
//! [`HttpClientConfig`](promflow_config::HttpClientConfig). A body is streamed into the caller's buffer, unpacked on
//! the way, and counted after unpacking, so that neither a long page nor a small one that unpacks to gigabytes gets
//! past the limit. [`ApiClient`] asks a server that speaks Prometheus's API.
//!
//! Rejected: reqwest, which cannot name a server that differs from the URL's host, and brings 70 crates more.

mod api;
mod client;
mod credentials;
mod error;
mod request;
mod sink;
mod tls;

#[cfg(test)]
mod tests;

pub use api::{
    ActiveTarget, Alert, Alerts, Answer, ApiClient, BuildInfo, DroppedTarget, MatrixSeries, MetricMetadata,
    QueryData, Rule, RuleGroup, Rules, ServerConfig, Targets, VectorSample,
};
pub use client::HttpClient;
pub use error::{HttpError, HttpErrorKind};
pub use request::{Request, Response};

/// What the client calls itself.
pub const USER_AGENT: &str = concat!("promflow/", env!("CARGO_PKG_VERSION"));
