//! Alerts as Alertmanager's API v2 takes them.

use promflow_model::{Alert, Labels, time};
use serde_json::{Map, Value, json};

/// Writes a batch as the body of `POST /api/v2/alerts`.
///
/// Source: Alertmanager api/v2/openapi.yaml, `postableAlerts`.
pub(crate) fn body<'a>(alerts: impl IntoIterator<Item = &'a Alert>) -> String {
    Value::Array(alerts.into_iter().map(alert_json).collect()).to_string()
}

fn alert_json(alert: &Alert) -> Value {
    json!({
        "labels": object(&alert.labels),
        "annotations": object(&alert.annotations),
        "startsAt": time::format_rfc3339(alert.starts_at_ms),
        "endsAt": time::format_rfc3339(alert.ends_at_ms),
        "generatorURL": alert.generator_url,
    })
}

fn object(labels: &Labels) -> Map<String, Value> {
    labels.iter().map(|(name, value)| (name.to_owned(), json!(value))).collect()
}
