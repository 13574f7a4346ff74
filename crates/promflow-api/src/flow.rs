//! The flow chart in every format, and the questions it answers.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};

use crate::params::Params;
use crate::respond::{ApiError, success_json};
use crate::state::{ApiState, FlowError, FlowFormat, FlowQuestion};

/// How many metrics and labels an answer about cardinality names when the request does not say.
const CARDINALITY_LIMIT: usize = 20;

/// How many it names at most.
const CARDINALITY_LIMIT_MAX: usize = 1_000;

pub(crate) async fn chart(State(state): State<Arc<ApiState>>, params: Params) -> Result<Response, ApiError> {
    let format = match params.get("format") {
        "" | "json" => FlowFormat::Json,
        "svg" => FlowFormat::Svg,
        "png" => FlowFormat::Png,
        "html" => FlowFormat::Html,
        "mermaid" => FlowFormat::Mermaid,
        "dot" => FlowFormat::Dot,
        "text" => FlowFormat::Text,
        other => {
            let text = format!("{other:?} is none of json, svg, png, html, mermaid, dot, text");
            return Err(ApiError::invalid("format", &text));
        }
    };
    let select = params.get("select").to_owned();
    let chart = tokio::task::spawn_blocking(move || state.flow.draw(format, &select))
        .await
        .map_err(|e| ApiError::internal(format!("drawing the chart panicked: {e}")))?
        .map_err(|e| refused("select", e))?;
    let content_type = match format {
        FlowFormat::Json => {
            let text = String::from_utf8(chart.bytes).map_err(|e| ApiError::internal(e.to_string()))?;
            return Ok(success_json(&text, &chart.problems, &[]));
        }
        FlowFormat::Svg => "image/svg+xml",
        FlowFormat::Png => "image/png",
        FlowFormat::Html => "text/html; charset=utf-8",
        FlowFormat::Mermaid | FlowFormat::Dot | FlowFormat::Text => "text/plain; charset=utf-8",
    };
    let mut response = ([(CONTENT_TYPE, content_type)], chart.bytes).into_response();
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

pub(crate) async fn feeds(State(state): State<Arc<ApiState>>, params: Params) -> Result<Response, ApiError> {
    let alert = required(&params, "alert")?;
    ask(state, "alert", FlowQuestion::Feeds(alert)).await
}

pub(crate) async fn breaks(State(state): State<Arc<ApiState>>, params: Params) -> Result<Response, ApiError> {
    let name = required(&params, "name")?;
    ask(state, "name", FlowQuestion::Breaks(name)).await
}

pub(crate) async fn missing(State(state): State<Arc<ApiState>>) -> Result<Response, ApiError> {
    ask(state, "", FlowQuestion::Missing).await
}

pub(crate) async fn prune(State(state): State<Arc<ApiState>>) -> Result<Response, ApiError> {
    ask(state, "", FlowQuestion::Prune).await
}

/// What changed since a revision; with `to`, up to another, else up to the files as they are now.
pub(crate) async fn diff(State(state): State<Arc<ApiState>>, params: Params) -> Result<Response, ApiError> {
    let since = match params.get("since") {
        "" => return Err(ApiError::invalid("since", "a revision is missing")),
        revision => revision.to_owned(),
    };
    let to = params.get("to").to_owned();
    ask(state, "since", FlowQuestion::Diff { since, to }).await
}

pub(crate) async fn revisions(State(state): State<Arc<ApiState>>) -> Result<Response, ApiError> {
    ask(state, "", FlowQuestion::Revisions).await
}

pub(crate) async fn cardinality(
    State(state): State<Arc<ApiState>>,
    params: Params,
) -> Result<Response, ApiError> {
    let limit = match params.get("limit") {
        "" => CARDINALITY_LIMIT,
        text => match text.parse() {
            Ok(limit) if (1..=CARDINALITY_LIMIT_MAX).contains(&limit) => limit,
            _ => {
                let text = format!("{text:?} is no number from 1 to {CARDINALITY_LIMIT_MAX}");
                return Err(ApiError::invalid("limit", &text));
            }
        },
    };
    ask(state, "limit", FlowQuestion::Cardinality(limit)).await
}

fn required(params: &Params, name: &str) -> Result<String, ApiError> {
    match params.get(name) {
        "" => Err(ApiError::invalid(name, "a name is missing")),
        value => Ok(value.to_owned()),
    }
}

async fn ask(
    state: Arc<ApiState>,
    parameter: &'static str,
    question: FlowQuestion,
) -> Result<Response, ApiError> {
    let answer = tokio::task::spawn_blocking(move || state.flow.ask(&question))
        .await
        .map_err(|e| ApiError::internal(format!("answering panicked: {e}")))?
        .map_err(|e| refused(parameter, e))?;
    Ok(success_json(&answer, &[], &[]))
}

fn refused(parameter: &str, error: FlowError) -> ApiError {
    match error {
        FlowError::Request(text) => ApiError::invalid(parameter, &text),
        FlowError::Absent(text) => ApiError::not_found(text),
        FlowError::Server(text) => ApiError::internal(text),
    }
}
