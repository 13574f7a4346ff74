//! The envelope of every answer.

use axum::http::{StatusCode, header::CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use promflow_promql::{QueryError, QueryErrorKind};
use promflow_storage::SelectError;
use serde::Serialize;
use serde_json::json;

/// Go's zero time: what Prometheus writes for what has not happened.
pub(crate) const NEVER: &str = "0001-01-01T00:00:00Z";

/// An error as the API answers it.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

impl ApiError {
    pub(crate) fn bad_data(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, kind: "bad_data", message: message.into() }
    }

    pub(crate) fn invalid(parameter: &str, message: &str) -> Self {
        Self::bad_data(format!("invalid parameter \"{parameter}\": {message}"))
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, kind: "internal", message: message.into() }
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, kind: "not_found", message: message.into() }
    }

    pub(crate) fn timeout(message: impl Into<String>) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, kind: "timeout", message: message.into() }
    }

    pub(crate) fn not_supported(name: &str) -> Self {
        Self {
            status: StatusCode::NOT_IMPLEMENTED,
            kind: "not_supported",
            message: format!("not supported yet: {name}"),
        }
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        let (status, kind) = match error.kind() {
            QueryErrorKind::BadQuery => (StatusCode::BAD_REQUEST, "bad_data"),
            QueryErrorKind::Timeout => (StatusCode::SERVICE_UNAVAILABLE, "timeout"),
            // 499: the client closed the connection; there is no name for it.
            QueryErrorKind::Canceled => (client_closed(), "canceled"),
            QueryErrorKind::Storage => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
            _ => (StatusCode::UNPROCESSABLE_ENTITY, "execution"),
        };
        Self { status, kind, message: error.to_string() }
    }
}

fn client_closed() -> StatusCode {
    StatusCode::from_u16(499).expect("BUG: 499 is a valid status code")
}

impl From<SelectError> for ApiError {
    fn from(error: SelectError) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, kind: "execution", message: error.to_string() }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({"status": "error", "errorType": self.kind, "error": self.message});
        (self.status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
    }
}

/// Answers with data that serializes.
pub(crate) fn success(data: impl Serialize) -> Response {
    success_with(data, &[], &[])
}

/// Answers with data, warnings and infos.
pub(crate) fn success_with(data: impl Serialize, warnings: &[String], infos: &[String]) -> Response {
    match serde_json::to_string(&data) {
        Ok(data) => success_json(&data, warnings, infos),
        Err(e) => ApiError::internal(format!("error marshaling json response: {e}")).into_response(),
    }
}

/// Answers with data that is JSON already.
pub(crate) fn success_json(data: &str, warnings: &[String], infos: &[String]) -> Response {
    let mut body = String::with_capacity(data.len() + 64);
    body.push_str("{\"status\":\"success\",\"data\":");
    body.push_str(data);
    for (key, texts) in [("warnings", warnings), ("infos", infos)] {
        if !texts.is_empty() {
            body.push_str(&format!(",\"{key}\":{}", serde_json::Value::from(texts)));
        }
    }
    body.push('}');
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}
