//! `targets`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use promflow_model::{duration, time};
use promflow_scrape::{ActiveTarget, DroppedTarget};
use serde_json::{Value, json};

use crate::params::Params;
use crate::respond::{NEVER, success};
use crate::rules::labels_json;
use crate::state::ApiState;

pub(crate) async fn targets(State(state): State<Arc<ApiState>>, params: Params) -> Response {
    let (with_active, with_dropped) = match params.get("state").to_ascii_lowercase().as_str() {
        "" | "any" => (true, true),
        "active" => (true, false),
        "dropped" => (false, true),
        // As Prometheus: a state that there is not has no targets.
        _ => (false, false),
    };
    let pool = params.get("scrapePool");
    let in_pool = |name: &str| pool.is_empty() || name == pool;
    let snapshot = state.scrape.targets();
    let active: Vec<Value> =
        snapshot.active.iter().filter(|t| with_active && in_pool(&t.scrape_pool)).map(active_json).collect();
    let dropped: Vec<Value> = snapshot
        .dropped
        .iter()
        .filter(|t| with_dropped && in_pool(&t.scrape_pool))
        .map(dropped_json)
        .collect();
    let counts = if with_dropped { json!(snapshot.dropped_counts) } else { Value::Null };
    success(json!({
        "activeTargets": active,
        "droppedTargets": dropped,
        "droppedTargetCounts": counts,
    }))
}

fn active_json(target: &ActiveTarget) -> Value {
    json!({
        "discoveredLabels": labels_json(&target.discovered_labels),
        "labels": labels_json(&target.labels),
        "scrapePool": target.scrape_pool,
        "scrapeUrl": target.scrape_url,
        "globalUrl": target.scrape_url,
        "lastError": target.last_error,
        "lastScrape": target.last_scrape_ms.map_or_else(|| NEVER.to_owned(), time::format_rfc3339),
        "lastScrapeDuration": target.last_scrape_duration_seconds,
        "health": target.health.as_str(),
        "scrapeInterval": duration::format(target.scrape_interval_ms),
        "scrapeTimeout": duration::format(target.scrape_timeout_ms),
    })
}

fn dropped_json(target: &DroppedTarget) -> Value {
    json!({
        "discoveredLabels": labels_json(&target.discovered_labels),
        "scrapePool": target.scrape_pool,
    })
}
