//! `/-/healthy`, `/-/ready`, `/-/reload`, `/-/quit`, and the server's own `/metrics`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use promflow_exposition::{Negotiated, Writer};

use crate::state::ApiState;

pub(crate) async fn healthy() -> &'static str {
    "promflow is healthy.\n"
}

pub(crate) async fn ready(State(state): State<Arc<ApiState>>) -> Response {
    if state.control.is_ready() {
        "promflow is ready.\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable").into_response()
    }
}

pub(crate) async fn reload(State(state): State<Arc<ApiState>>) -> Response {
    if !state.control.lifecycle_enabled() {
        return refused();
    }
    let outcome = tokio::task::spawn_blocking(move || state.control.reload()).await;
    match outcome {
        Ok(Ok(())) => StatusCode::OK.into_response(),
        Ok(Err(e)) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("failed to reload config: {e}\n")).into_response()
        }
        Err(e) => (StatusCode::INTERNAL_SERVER_ERROR, format!("reloading panicked: {e}\n")).into_response(),
    }
}

pub(crate) async fn quit(State(state): State<Arc<ApiState>>) -> Response {
    if !state.control.lifecycle_enabled() {
        return refused();
    }
    state.control.quit();
    "Requesting termination... Goodbye!".into_response()
}

fn refused() -> Response {
    (StatusCode::FORBIDDEN, "Lifecycle API is not enabled.").into_response()
}

pub(crate) async fn metrics(State(state): State<Arc<ApiState>>, headers: HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let negotiated = Negotiated::from_accept(accept);
    let page = state.registry.encode_into(Writer::negotiated(&negotiated));
    ([(CONTENT_TYPE, negotiated.content_type())], page).into_response()
}
