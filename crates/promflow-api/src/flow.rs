//! The flow chart: a page that shows it alive, and the chart itself in every format.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{Html, IntoResponse, Response};

use crate::params::Params;
use crate::respond::{ApiError, success_json};
use crate::state::{ApiState, FlowFormat};

pub(crate) async fn page() -> Html<&'static str> {
    Html(include_str!("flow.html"))
}

pub(crate) async fn chart(State(state): State<Arc<ApiState>>, params: Params) -> Result<Response, ApiError> {
    let format = match params.get("format") {
        "" | "json" => FlowFormat::Json,
        "svg" => FlowFormat::Svg,
        "mermaid" => FlowFormat::Mermaid,
        "dot" => FlowFormat::Dot,
        other => {
            let text = format!("{other:?} is none of json, svg, mermaid, dot");
            return Err(ApiError::invalid("format", &text));
        }
    };
    let chart = tokio::task::spawn_blocking(move || state.flow.draw(format))
        .await
        .map_err(|e| ApiError::internal(format!("drawing the chart panicked: {e}")))?
        .map_err(ApiError::internal)?;
    let content_type = match format {
        FlowFormat::Json => return Ok(success_json(&chart.text, &chart.problems, &[])),
        FlowFormat::Svg => "image/svg+xml",
        FlowFormat::Mermaid | FlowFormat::Dot => "text/plain; charset=utf-8",
    };
    let mut response = ([(CONTENT_TYPE, content_type)], chart.text).into_response();
    if let Some(problem) = chart.problems.first().and_then(|text| header_value(text)) {
        response.headers_mut().insert(PROBLEM, problem);
    }
    Ok(response)
}

/// Tells the page that the picture is not of the files as they are now.
const PROBLEM: HeaderName = HeaderName::from_static("x-promflow-problem");

fn header_value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_bytes(text.lines().next().unwrap_or_default().as_bytes()).ok()
}
