//! Groups as they stand, for the API and the flow chart.

use promflow_config::RuleKind;
use promflow_model::Labels;

use crate::alerting::ActiveAlert;
use crate::group::Group;
use crate::rule::{Health, Rule, RuleBody};

/// A group after its last evaluation.
#[derive(Clone, Debug)]
pub struct GroupSnapshot {
    /// The group's name.
    pub name: String,
    /// The file it stands in.
    pub file: String,
    /// How often it is evaluated, in milliseconds.
    pub interval_ms: i64,
    /// The most series or alerts a rule may return; 0 for no limit.
    pub limit: usize,
    /// When it was last evaluated, in milliseconds since the epoch; 0 before the first time.
    pub last_evaluation_ms: i64,
    /// How long that took, in seconds.
    pub evaluation_seconds: f64,
    /// Its rules, in their order.
    pub rules: Vec<RuleSnapshot>,
}

/// A rule after its last evaluation.
#[derive(Clone, Debug)]
pub struct RuleSnapshot {
    /// What it makes.
    pub kind: RuleKind,
    /// The recorded metric's or the alert's name.
    pub name: String,
    /// The expression, as Prometheus prints it.
    pub query: String,
    /// The rule's labels, as written.
    pub labels: Labels,
    /// An alert's annotations, as written.
    pub annotations: Labels,
    /// An alert's `for`, in milliseconds.
    pub for_ms: i64,
    /// An alert's `keep_firing_for`, in milliseconds.
    pub keep_firing_for_ms: i64,
    /// The alerts that are pending or firing.
    pub alerts: Vec<ActiveAlert>,
    /// When an alert fired last, in milliseconds since the epoch; `None` when none did since the server started.
    pub last_fired_ms: Option<i64>,
    /// Whether the last evaluation went well.
    pub health: Health,
    /// What went wrong.
    pub last_error: Option<String>,
    /// When it was last evaluated, in milliseconds since the epoch; 0 before the first time.
    pub last_evaluation_ms: i64,
    /// How long that took, in seconds.
    pub evaluation_seconds: f64,
    /// How many samples it appended.
    pub samples: usize,
}

impl GroupSnapshot {
    pub(crate) fn of(group: &Group) -> Self {
        Self {
            name: group.name.clone(),
            file: group.file.clone(),
            interval_ms: group.interval_ms,
            limit: group.limit,
            last_evaluation_ms: group.last_t_ms,
            evaluation_seconds: group.last_seconds,
            rules: group.rules.iter().map(RuleSnapshot::of).collect(),
        }
    }
}

impl RuleSnapshot {
    fn of(rule: &Rule) -> Self {
        let (annotations, for_ms, keep_firing_for_ms, alerts, last_fired_ms) = match &rule.body {
            RuleBody::Recording(_) => (Labels::empty(), 0, 0, Vec::new(), None),
            RuleBody::Alerting(alerting) => (
                alerting.annotations.clone(),
                alerting.times.for_ms,
                alerting.times.keep_firing_for_ms,
                alerting.active(),
                alerting.last_fired_ms,
            ),
        };
        Self {
            kind: rule.kind(),
            name: rule.name().to_owned(),
            query: rule.expr().to_string(),
            labels: rule.labels().clone(),
            annotations,
            for_ms,
            keep_firing_for_ms,
            alerts,
            last_fired_ms,
            health: rule.last.health,
            last_error: rule.last.error.clone(),
            last_evaluation_ms: rule.last.t_ms,
            evaluation_seconds: rule.last.seconds,
            samples: rule.last.samples,
        }
    }
}
