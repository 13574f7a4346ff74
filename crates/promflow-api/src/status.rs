//! `status/*`, `metadata`, `alertmanagers`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use promflow_model::time;
use serde_json::{Value, json};

use crate::params::Params;
use crate::respond::{ApiError, success};
use crate::state::ApiState;

pub(crate) async fn config(State(state): State<Arc<ApiState>>) -> Response {
    success(json!({ "yaml": state.control.config_yaml() }))
}

pub(crate) async fn flags(State(state): State<Arc<ApiState>>) -> Response {
    success(state.control.flags())
}

pub(crate) async fn runtime_info(State(state): State<Arc<ApiState>>) -> Response {
    let info = state.control.runtime();
    let stats = state.head.stats();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let directory = std::env::current_dir().map(|d| d.display().to_string()).unwrap_or_default();
    success(json!({
        "startTime": time::format_rfc3339(info.started_ms),
        "CWD": directory,
        "hostname": host.trim(),
        "serverTime": time::format_rfc3339(state.clock.now_ms()),
        "reloadConfigSuccess": info.reload_succeeded,
        "lastConfigTime": time::format_rfc3339(info.last_config_ms),
        "corruptionCount": 0,
        "goroutineCount": 0,
        "GOMAXPROCS": std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        "GOMEMLIMIT": 0,
        "GOGC": "",
        "GODEBUG": "",
        "storageRetention": info.storage_retention,
        "headSeries": stats.series,
    }))
}

pub(crate) async fn build_info(State(state): State<Arc<ApiState>>) -> Response {
    let info = state.control.runtime();
    success(json!({
        "application": "promflow",
        "version": info.version,
        "revision": info.revision,
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    }))
}

pub(crate) async fn metadata(
    State(state): State<Arc<ApiState>>,
    params: Params,
) -> Result<Response, ApiError> {
    let limit = optional_limit(&params, "limit")?;
    let per_metric = optional_limit(&params, "limit_per_metric")?;
    let wanted = params.get("metric");
    let mut out: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (metric, metadata) in state.head.all_metadata() {
        if !wanted.is_empty() && metric != wanted {
            continue;
        }
        if limit.is_some_and(|limit| out.len() >= limit) && !out.contains_key(&metric) {
            break;
        }
        let entries = out.entry(metric).or_default();
        if per_metric.is_none_or(|limit| entries.len() < limit) {
            entries.push(json!({
                "type": metadata.kind.as_str(),
                "help": metadata.help,
                "unit": metadata.unit,
            }));
        }
    }
    Ok(success(out))
}

/// Reads a limit for which 0 is none at all, and a negative number or none given is no limit, as Prometheus does here.
fn optional_limit(params: &Params, name: &str) -> Result<Option<usize>, ApiError> {
    match params.get(name) {
        "" => Ok(None),
        text => match text.parse::<i64>() {
            Ok(limit) => Ok(usize::try_from(limit).ok()),
            Err(_) => Err(ApiError::bad_data(format!("{name} must be a number"))),
        },
    }
}

pub(crate) async fn alertmanagers(State(state): State<Arc<ApiState>>) -> Response {
    let active: Vec<Value> = state.notifier.alertmanagers().iter().map(|a| json!({ "url": a.url })).collect();
    success(json!({ "activeAlertmanagers": active, "droppedAlertmanagers": [] }))
}
