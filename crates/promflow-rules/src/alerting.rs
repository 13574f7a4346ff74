//! Alerting rules and the states of their alerts.

use hashbrown::{HashMap, HashSet};
use promflow_model::{ALERT_NAME, Alert, Labels, LabelsBuilder, METRIC_NAME};
use promflow_promql::VectorSample;
use promflow_syntax::Expr;
use promflow_template::Template;

use crate::RuleContext;
use crate::series::Output;

/// How long a resolved alert is kept, so that an Alertmanager that was away still hears of it.
const RESOLVED_RETENTION_MS: i64 = 15 * 60 * 1000;

/// The state of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertState {
    /// Was firing and is resolved, or never was.
    Inactive,
    /// Its condition holds, for less than `for`.
    Pending,
    /// Its condition has held for `for`.
    Firing,
}

impl AlertState {
    /// Returns the state as `ALERTS` and the API write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Firing => "firing",
        }
    }
}

/// An alert of a rule. Times are milliseconds since the epoch.
#[derive(Clone, Debug)]
pub struct ActiveAlert {
    /// Its state.
    pub state: AlertState,
    /// What identifies it, rule labels and name included.
    pub labels: Labels,
    /// What explains it.
    pub annotations: Labels,
    /// The expression's value at the last evaluation.
    pub value: f64,
    /// Since when its condition holds.
    pub active_at_ms: i64,
    /// Since when it fires.
    pub fired_at_ms: Option<i64>,
    /// When it was resolved.
    pub resolved_at_ms: Option<i64>,
    /// Since when only `keep_firing_for` keeps it firing.
    pub keep_firing_since_ms: Option<i64>,
    last_sent_at_ms: Option<i64>,
}

impl ActiveAlert {
    fn new(sample: &VectorSample, labels: Labels, annotations: Labels, t_ms: i64) -> Self {
        Self {
            state: AlertState::Pending,
            labels,
            annotations,
            value: sample.value,
            active_at_ms: t_ms,
            fired_at_ms: None,
            resolved_at_ms: None,
            keep_firing_since_ms: None,
            last_sent_at_ms: None,
        }
    }

    fn needs_sending(&self, t_ms: i64, resend_delay_ms: i64) -> bool {
        if self.state == AlertState::Pending {
            return false;
        }
        match (self.resolved_at_ms, self.last_sent_at_ms) {
            (_, None) => true,
            (Some(resolved), Some(sent)) if resolved > sent => true,
            (_, Some(sent)) => sent + resend_delay_ms < t_ms,
        }
    }

    /// Moves the alert on after an evaluation; returns false when it is to be forgotten.
    fn advance(&mut self, holds: bool, t_ms: i64, rule: &AlertTimes) -> bool {
        if holds {
            self.keep_firing_since_ms = None;
        } else {
            let keep_firing = self.state == AlertState::Firing
                && rule.keep_firing_for_ms > 0
                && t_ms - *self.keep_firing_since_ms.get_or_insert(t_ms) < rule.keep_firing_for_ms;
            let forget = self.state == AlertState::Pending
                || self.resolved_at_ms.is_some_and(|resolved| t_ms - resolved > RESOLVED_RETENTION_MS);
            if self.state != AlertState::Inactive && !keep_firing {
                self.state = AlertState::Inactive;
                self.resolved_at_ms = Some(t_ms);
            }
            if !keep_firing {
                return !forget;
            }
        }
        if self.state == AlertState::Pending && t_ms - self.active_at_ms >= rule.for_ms {
            self.state = AlertState::Firing;
            self.fired_at_ms = Some(t_ms);
        }
        true
    }
}

/// The times that a rule gives its alerts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AlertTimes {
    pub(crate) for_ms: i64,
    pub(crate) keep_firing_for_ms: i64,
}

/// An alerting rule.
pub(crate) struct AlertingRule {
    pub(crate) name: String,
    pub(crate) expr: Expr,
    pub(crate) times: AlertTimes,
    /// As written, templates not expanded.
    pub(crate) labels: Labels,
    /// As written, templates not expanded.
    pub(crate) annotations: Labels,
    label_templates: Vec<(String, Expansion)>,
    annotation_templates: Vec<(String, Expansion)>,
    active: HashMap<Labels, ActiveAlert, foldhash::fast::RandomState>,
    /// When an alert of it fired last, in milliseconds since the epoch.
    pub(crate) last_fired_ms: Option<i64>,
}

/// A text with a template, parsed once when the rule is loaded.
enum Expansion {
    Literal(String),
    Template(Template),
    /// The rule checker has reported it; the text says so wherever it would have stood.
    Broken(String),
}

impl Expansion {
    fn new(name: &str, text: &str) -> Self {
        if !text.contains("{{") {
            return Self::Literal(text.to_owned());
        }
        match Template::parse(name, text) {
            Ok(template) => Self::Template(template),
            Err(e) => Self::Broken(format!("<error expanding template: {e}>")),
        }
    }
}

fn expansions(rule: &str, labels: &Labels) -> Vec<(String, Expansion)> {
    let name = format!("__alert_{rule}");
    labels.iter().map(|(key, text)| (key.to_owned(), Expansion::new(&name, text))).collect()
}

impl AlertingRule {
    pub(crate) fn new(
        name: String,
        expr: Expr,
        times: AlertTimes,
        labels: Labels,
        annotations: Labels,
    ) -> Self {
        Self {
            label_templates: expansions(&name, &labels),
            annotation_templates: expansions(&name, &annotations),
            name,
            expr,
            times,
            labels,
            annotations,
            active: HashMap::default(),
            last_fired_ms: None,
        }
    }

    pub(crate) fn take_state(&mut self, before: Self) {
        self.active = before.active;
        self.last_fired_ms = before.last_fired_ms;
    }

    /// Evaluates the rule: moves its alerts on and returns `ALERTS` and `ALERTS_FOR_STATE`.
    ///
    /// Errors: the query's, equal label sets, or more alerts than the limit (0 for none), which forgets them all.
    pub(crate) fn eval(
        &mut self,
        context: &RuleContext,
        t_ms: i64,
        query_t_ms: i64,
        limit: usize,
    ) -> Result<Output, String> {
        let vector = context.query(&self.expr, query_t_ms)?;
        let holding = self.renew(context, &vector, t_ms)?;
        let times = self.times;
        self.active.retain(|labels, alert| alert.advance(holding.contains(labels), t_ms, &times));

        let counted = self.active.values().filter(|a| a.state != AlertState::Inactive).count();
        if limit > 0 && counted > limit {
            self.active.clear();
            return Err(format!("exceeded limit of {limit} with {counted} alerts"));
        }
        if self.active.values().any(|a| a.state == AlertState::Firing) {
            self.last_fired_ms = Some(t_ms);
        }
        Ok(self.state_series())
    }

    /// Enters new alerts and updates those there are; returns the label sets whose condition holds.
    fn renew(
        &mut self,
        context: &RuleContext,
        vector: &[VectorSample],
        t_ms: i64,
    ) -> Result<HashSet<Labels, foldhash::fast::RandomState>, String> {
        let mut holding = HashSet::default();
        let mut fresh = Vec::with_capacity(vector.len());
        for sample in vector {
            let (labels, annotations) = self.expand(context, sample, t_ms);
            if !holding.insert(labels.clone()) {
                return Err(
                    "vector contains metrics with the same labelset after applying alert labels".to_owned()
                );
            }
            fresh.push(ActiveAlert::new(sample, labels, annotations, t_ms));
        }
        for alert in fresh {
            match self.active.get_mut(&alert.labels) {
                Some(known) if known.state != AlertState::Inactive => {
                    known.value = alert.value;
                    known.annotations = alert.annotations;
                }
                _ => {
                    self.active.insert(alert.labels.clone(), alert);
                }
            }
        }
        Ok(holding)
    }

    fn expand(&self, context: &RuleContext, sample: &VectorSample, t_ms: i64) -> (Labels, Labels) {
        let text = |expansion: &Expansion| match expansion {
            Expansion::Literal(text) | Expansion::Broken(text) => text.clone(),
            Expansion::Template(template) => context.expand(template, sample, t_ms).unwrap_or_else(|e| {
                tracing::warn!(alert = self.name, error = %e, "cannot expand the template");
                format!("<error expanding template: {e}>")
            }),
        };
        let mut labels = LabelsBuilder::new(&sample.labels);
        labels.remove(METRIC_NAME);
        for (name, expansion) in &self.label_templates {
            labels.set(name, &text(expansion));
        }
        labels.set(ALERT_NAME, &self.name);
        let annotations = Labels::from_pairs(self.annotation_templates.iter().map(|(n, e)| (n, text(e))));
        (labels.labels(), annotations)
    }

    fn state_series(&self) -> Output {
        let mut output = Vec::with_capacity(2 * self.active.len());
        for alert in self.active.values().filter(|a| a.state != AlertState::Inactive) {
            let mut labels = LabelsBuilder::new(&self.labels);
            for (name, value) in &alert.labels {
                labels.set(name, value);
            }
            labels.set(ALERT_NAME, &self.name);
            labels.set(METRIC_NAME, "ALERTS_FOR_STATE");
            output.push((labels.labels(), (alert.active_at_ms / 1000) as f64));
            labels.set(METRIC_NAME, "ALERTS").set("alertstate", alert.state.as_str());
            output.push((labels.labels(), 1.0));
        }
        output.sort_by(|(a, _), (b, _)| a.cmp(b));
        output
    }

    /// Returns the alerts that are due to be sent, and notes that they are.
    pub(crate) fn take_due(&mut self, context: &RuleContext, t_ms: i64, interval_ms: i64) -> Vec<Alert> {
        let generator_url = table_link(&context.external_url, &self.expr.to_string());
        let valid_ms = 4 * context.resend_delay_ms.max(interval_ms);
        let mut due = Vec::new();
        for alert in self.active.values_mut().filter(|a| a.needs_sending(t_ms, context.resend_delay_ms)) {
            alert.last_sent_at_ms = Some(t_ms);
            due.push(Alert {
                labels: alert.labels.clone(),
                annotations: alert.annotations.clone(),
                starts_at_ms: alert.fired_at_ms.unwrap_or(alert.active_at_ms),
                ends_at_ms: alert.resolved_at_ms.unwrap_or(t_ms + valid_ms),
                generator_url: generator_url.clone(),
            });
        }
        due.sort_by(|a, b| a.labels.cmp(&b.labels));
        due
    }

    /// Returns the alerts that are pending or firing, sorted by label set.
    pub(crate) fn active(&self) -> Vec<ActiveAlert> {
        let mut all: Vec<ActiveAlert> =
            self.active.values().filter(|a| a.state != AlertState::Inactive).cloned().collect();
        all.sort_by(|a, b| a.labels.cmp(&b.labels));
        all
    }
}

/// Returns the address of an expression's table in the UI.
///
/// Source: Prometheus util/strutil.TableLinkForExpression.
fn table_link(external_url: &str, expr: &str) -> String {
    let encoded: String = url::form_urlencoded::byte_serialize(expr.as_bytes()).collect();
    format!("{external_url}/graph?g0.expr={encoded}&g0.tab=1")
}
