//! The flow chart in every format.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::params::Params;
use crate::respond::{ApiError, success_json};
use crate::state::{ApiState, FlowFormat};

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
    Ok(match format {
        FlowFormat::Json => success_json(&chart, &[], &[]),
        FlowFormat::Svg => ([(CONTENT_TYPE, "image/svg+xml")], chart).into_response(),
        FlowFormat::Mermaid | FlowFormat::Dot => {
            ([(CONTENT_TYPE, "text/plain; charset=utf-8")], chart).into_response()
        }
    })
}
