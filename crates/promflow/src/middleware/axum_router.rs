//! The layer and the page in an axum router.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue};
use promflow_registry::Registry;

use super::Prometheus;
use crate::page::{Answer, Page};

impl Prometheus {
    /// Measures all routes of a router and adds the page, which is not measured itself. With
    /// `PROMETHEUS_ENABLED=false` the router stays as it is.
    ///
    /// Panics: when the router has a route at the path of the page.
    pub fn instrument<S: Clone + Send + Sync + 'static>(&self, router: Router<S>) -> Router<S> {
        if self.shared.is_none() {
            return router;
        }
        router.merge(self.page()).layer(self.layer())
    }

    /// Returns a router with the page alone.
    pub fn page<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let page = self.page.clone();
        let answer = move |headers: HeaderMap| async move { page.answer_async(&headers).await };
        Router::new().route(&self.metrics_path, get(answer))
    }
}

/// Answers with the page of a registry, as [`Page::answer`] does.
pub fn page(registry: &Registry, headers: &HeaderMap) -> impl IntoResponse + use<> {
    Page::new(registry).answer(headers)
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = self.body.into_response();
        let headers = response.headers_mut();
        if let Ok(content_type) = HeaderValue::try_from(self.content_type) {
            headers.insert(CONTENT_TYPE, content_type);
        }
        headers.insert(VARY, HeaderValue::from_static(Self::VARY));
        if let Some(encoding) = self.content_encoding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
    }
}
