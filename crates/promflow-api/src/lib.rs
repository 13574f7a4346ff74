//! The HTTP API in Prometheus's shapes, promflow's own routes beside it, and the pages.
//!
//! The only crate that serves JSON: what the engine, the loops and the store hold keeps its own types, and each
//! handler writes the shape that Prometheus's clients expect. Results of queries are written straight into one
//! string; everything small goes through serde. Routes that Prometheus has and promflow has not yet answer 501 and
//! name themselves, so that no client mistakes them for an empty result.

mod flow;
mod json;
mod lifecycle;
mod params;
mod query;
mod respond;
mod rules;
mod series;
mod state;
mod status;
mod targets;
mod ui;

use std::sync::Arc;

use axum::Router;
use axum::http::Uri;
use axum::response::{IntoResponse, Redirect};
use axum::routing::{any, get, post};

pub use state::{
    ApiLimits, ApiState, Control, FlowChart, FlowError, FlowFormat, FlowQuestion, FlowSource, RuntimeInfo,
};

use respond::ApiError;

/// Routes that Prometheus has and promflow does not have yet.
const NOT_YET: [&str; 24] = [
    "/api/v1/query_exemplars",
    "/api/v1/parse_query",
    "/api/v1/targets/metadata",
    "/api/v1/targets/relabel_steps",
    "/api/v1/scrape_pools",
    "/api/v1/scrape_pools/config",
    "/api/v1/search/label_names",
    "/api/v1/search/label_values",
    "/api/v1/search/metric_names",
    "/api/v1/status/tsdb",
    "/api/v1/status/tsdb/blocks",
    "/api/v1/status/walreplay",
    "/api/v1/status/self_metrics",
    "/api/v1/features",
    "/api/v1/notifications",
    "/api/v1/notifications/live",
    "/api/v1/admin/tsdb/delete_series",
    "/api/v1/admin/tsdb/clean_tombstones",
    "/api/v1/admin/tsdb/snapshot",
    "/api/v1/read",
    "/api/v1/write",
    "/api/v1/otlp/v1/metrics",
    "/federate",
    "/consoles/",
];

/// Builds the routes.
pub fn router(state: Arc<ApiState>) -> Router {
    let mut router = Router::new()
        .route("/", get(ui::page))
        .route("/icon.svg", get(ui::icon))
        .route("/licenses.txt", get(ui::licenses))
        .route("/assets/{name}", get(ui::asset))
        // Where alerts link to, as Prometheus's do.
        .route("/graph", get(|| async { Redirect::temporary("/") }))
        .route("/metrics", get(lifecycle::metrics))
        .route("/-/healthy", get(lifecycle::healthy))
        .route("/-/ready", get(lifecycle::ready))
        .route("/-/reload", post(lifecycle::reload).put(lifecycle::reload))
        .route("/-/quit", post(lifecycle::quit).put(lifecycle::quit))
        .route("/api/promflow/v1/flow", get(flow::chart))
        .route("/api/promflow/v1/flow/feeds", get(flow::feeds))
        .route("/api/promflow/v1/flow/breaks", get(flow::breaks))
        .route("/api/promflow/v1/flow/missing", get(flow::missing))
        .route("/api/promflow/v1/flow/prune", get(flow::prune))
        .route("/api/promflow/v1/flow/diff", get(flow::diff))
        .route("/api/promflow/v1/flow/revisions", get(flow::revisions))
        .route("/api/promflow/v1/cardinality", get(flow::cardinality))
        .route("/api/v1/query", get(query::instant).post(query::instant))
        .route("/api/v1/query_range", get(query::range).post(query::range))
        .route("/api/v1/format_query", get(query::format).post(query::format))
        .route("/api/v1/series", get(series::series).post(series::series))
        .route("/api/v1/labels", get(series::names).post(series::names))
        .route("/api/v1/label/{name}/values", get(series::values))
        .route("/api/v1/targets", get(targets::targets))
        .route("/api/v1/rules", get(rules::rules))
        .route("/api/v1/alerts", get(rules::alerts))
        .route("/api/v1/alertmanagers", get(status::alertmanagers))
        .route("/api/v1/metadata", get(status::metadata))
        .route("/api/v1/status/config", get(status::config))
        .route("/api/v1/status/flags", get(status::flags))
        .route("/api/v1/status/runtimeinfo", get(status::runtime_info))
        .route("/api/v1/status/buildinfo", get(status::build_info));
    for path in NOT_YET {
        router = router.route(path, any(not_yet));
    }
    router.with_state(state)
}

async fn not_yet(uri: Uri) -> impl IntoResponse {
    ApiError::not_supported(uri.path())
}
