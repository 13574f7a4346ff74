//! `rules` and `alerts`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use promflow_config::RuleKind;
use promflow_model::{Labels, Matcher, float, time};
use promflow_rules::{ActiveAlert, AlertState, GroupSnapshot, RuleSnapshot};
use serde_json::{Value, json};

use crate::params::Params;
use crate::respond::{ApiError, NEVER, success};
use crate::state::ApiState;

pub(crate) async fn rules(State(state): State<Arc<ApiState>>, params: Params) -> Result<Response, ApiError> {
    let filter = Filter::new(&params)?;
    let groups: Vec<Value> = state
        .rules
        .groups()
        .iter()
        .filter(|group| filter.takes_group(group))
        .filter_map(|group| group_json(group, &filter))
        .collect();
    Ok(success(json!({ "groups": groups })))
}

pub(crate) async fn alerts(State(state): State<Arc<ApiState>>) -> Response {
    let mut all = Vec::new();
    for group in state.rules.groups() {
        for rule in &group.rules {
            all.extend(rule.alerts.iter().map(alert_json));
        }
    }
    success(json!({ "alerts": all }))
}

/// What the request wants to see.
struct Filter {
    kind: Option<RuleKind>,
    names: Vec<String>,
    groups: Vec<String>,
    files: Vec<String>,
    selectors: Vec<Vec<Matcher>>,
    exclude_alerts: bool,
}

impl Filter {
    fn new(params: &Params) -> Result<Self, ApiError> {
        for name in ["group_limit", "group_next_token"] {
            if !params.get(name).is_empty() {
                return Err(ApiError::not_supported(name));
            }
        }
        let kind = match params.get("type") {
            "" => None,
            "alert" => Some(RuleKind::Alerting),
            "record" => Some(RuleKind::Recording),
            other => {
                return Err(ApiError::invalid(
                    "type",
                    &format!("not supported value {}", promflow_model::quote::quote(other)),
                ));
            }
        };
        let exclude_alerts = match params.get("exclude_alerts") {
            "" | "false" | "0" => false,
            "true" | "1" => true,
            other => return Err(ApiError::invalid("exclude_alerts", &format!("not a boolean: {other:?}"))),
        };
        let all = |name| params.all(name).map(str::to_owned).collect();
        Ok(Self {
            kind,
            names: all("rule_name[]"),
            groups: all("rule_group[]"),
            files: all("file[]"),
            selectors: params.selectors()?,
            exclude_alerts,
        })
    }

    fn takes_group(&self, group: &GroupSnapshot) -> bool {
        (self.groups.is_empty() || self.groups.contains(&group.name))
            && (self.files.is_empty() || self.files.contains(&group.file))
    }

    fn takes_rule(&self, rule: &RuleSnapshot) -> bool {
        let matches = |labels: &Labels| {
            self.selectors.iter().any(|selector| selector.iter().all(|m| m.matches(labels.get(&m.name))))
        };
        self.kind.is_none_or(|kind| kind == rule.kind)
            && (self.names.is_empty() || self.names.contains(&rule.name))
            && (self.selectors.is_empty() || matches(&rule.labels))
    }
}

fn group_json(group: &GroupSnapshot, filter: &Filter) -> Option<Value> {
    let rules: Vec<Value> = group
        .rules
        .iter()
        .filter(|rule| filter.takes_rule(rule))
        .map(|rule| rule_json(rule, filter.exclude_alerts))
        .collect();
    let filtered = filter.kind.is_some() || !filter.names.is_empty() || !filter.selectors.is_empty();
    if rules.is_empty() && filtered {
        return None;
    }
    Some(json!({
        "name": group.name,
        "file": group.file,
        "rules": rules,
        "interval": group.interval_ms as f64 / 1000.0,
        "limit": group.limit,
        "evaluationTime": group.evaluation_seconds,
        "lastEvaluation": evaluated_at(group.last_evaluation_ms),
    }))
}

fn rule_json(rule: &RuleSnapshot, exclude_alerts: bool) -> Value {
    let mut out = json!({
        "name": rule.name,
        "query": rule.query,
        "labels": labels_json(&rule.labels),
        "health": rule.health.as_str(),
        "evaluationTime": rule.evaluation_seconds,
        "lastEvaluation": evaluated_at(rule.last_evaluation_ms),
    });
    if let Some(error) = &rule.last_error {
        out["lastError"] = json!(error);
    }
    match rule.kind {
        RuleKind::Recording => out["type"] = json!("recording"),
        RuleKind::Alerting => {
            out["type"] = json!("alerting");
            out["state"] = json!(rule_state(rule).as_str());
            out["duration"] = json!(rule.for_ms as f64 / 1000.0);
            out["keepFiringFor"] = json!(rule.keep_firing_for_ms as f64 / 1000.0);
            out["annotations"] = labels_json(&rule.annotations);
            let shown: &[ActiveAlert] = if exclude_alerts { &[] } else { &rule.alerts };
            out["alerts"] = shown.iter().map(alert_json).collect();
        }
    }
    out
}

/// The highest state among a rule's alerts.
fn rule_state(rule: &RuleSnapshot) -> AlertState {
    rule.alerts.iter().map(|alert| alert.state).max().unwrap_or(AlertState::Inactive)
}

fn alert_json(alert: &ActiveAlert) -> Value {
    let mut out = json!({
        "labels": labels_json(&alert.labels),
        "annotations": labels_json(&alert.annotations),
        "state": alert.state.as_str(),
        "activeAt": time::format_rfc3339(alert.active_at_ms),
        "value": float::format_e(alert.value),
    });
    if let Some(since) = alert.keep_firing_since_ms {
        out["keepFiringSince"] = json!(time::format_rfc3339(since));
    }
    out
}

pub(crate) fn labels_json(labels: &Labels) -> Value {
    Value::Object(labels.iter().map(|(n, v)| (n.to_owned(), json!(v))).collect())
}

fn evaluated_at(t_ms: i64) -> String {
    if t_ms == 0 { NEVER.to_owned() } else { time::format_rfc3339(t_ms) }
}
