//! Groups: rules that are evaluated one after the other at the same time.

use std::sync::Arc;
use std::time::Instant;

use promflow_config as config;
use promflow_model::Labels;

use crate::RuleContext;
use crate::alerting::{AlertTimes, AlertingRule};
use crate::metrics::GroupEvaluation;
use crate::recording::RecordingRule;
use crate::rule::{Health, LastEvaluation, Rule, RuleBody};
use crate::series::{Output, SeriesNames, append_output, mark_stale};
use crate::snapshot::GroupSnapshot;

/// A group with the state of its rules.
pub struct Group {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) interval_ms: i64,
    pub(crate) query_offset_ms: i64,
    pub(crate) limit: usize,
    pub(crate) rules: Vec<Rule>,
    /// The definition it was made of: a reload that does not change it leaves the group alone.
    pub(crate) definition: Arc<config::RuleGroup>,
    pub(crate) last_t_ms: i64,
    pub(crate) last_seconds: f64,
    /// Series of rules that a reload took away.
    ended: SeriesNames,
}

impl Group {
    /// Builds a group from its definition.
    ///
    /// Units: the intervals that stand in for what the group leaves out, in milliseconds.
    pub fn new(
        file: &str,
        definition: Arc<config::RuleGroup>,
        default_interval_ms: i64,
        default_query_offset_ms: i64,
    ) -> Self {
        let rules = definition.rules.iter().map(|rule| build_rule(&definition, rule)).collect();
        Self {
            name: definition.name.clone(),
            file: file.to_owned(),
            interval_ms: definition.interval_ms.unwrap_or(default_interval_ms),
            query_offset_ms: definition.query_offset_ms.unwrap_or(default_query_offset_ms),
            limit: usize::try_from(definition.limit).unwrap_or(usize::MAX),
            rules,
            definition,
            last_t_ms: 0,
            last_seconds: 0.0,
            ended: SeriesNames::default(),
        }
    }

    /// Returns the group's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the file it stands in.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Returns how often it is evaluated, in milliseconds.
    pub fn interval_ms(&self) -> i64 {
        self.interval_ms
    }

    /// Returns the group's key among metrics: `file;name`.
    pub(crate) fn key(&self) -> String {
        format!("{};{}", self.file, self.name)
    }

    /// Returns the latest time at or before `t_ms` at which the group is due: groups spread over their interval.
    ///
    /// Source: Prometheus rules.Group.EvalTimestamp.
    pub fn due_at_or_before(&self, t_ms: i64) -> i64 {
        let hash = Labels::from_pairs([("name", &self.name), ("file", &self.file)]).hash64();
        let offset_ms = (hash % (self.interval_ms as u64 * 1_000_000) / 1_000_000) as i64;
        t_ms - (t_ms - offset_ms).rem_euclid(self.interval_ms)
    }

    /// Evaluates every rule in order at a time; what one records, the next can read.
    ///
    /// Units: milliseconds since the epoch.
    /// Errors: none; a rule that fails keeps its error, and the rest goes on.
    pub fn eval(&mut self, context: &RuleContext, t_ms: i64) {
        let started = Instant::now();
        let key = self.key();
        let mut samples_total = 0;
        for rule in &mut self.rules {
            let rule_started = Instant::now();
            let place = Place { t_ms, sample_t_ms: t_ms - self.query_offset_ms, limit: self.limit };
            let outcome = eval_rule(rule, context, place);
            context.metrics.evaluated(&key, rule_started.elapsed().as_secs_f64(), outcome.is_err());
            let (health, error, samples) = match outcome {
                Ok(samples) => (Health::Good, None, samples),
                Err(e) => {
                    tracing::warn!(group = self.name, file = self.file, rule = rule.name(), error = %e,
                        "evaluating the rule failed");
                    (Health::Bad, Some(e), 0)
                }
            };
            samples_total += samples;
            rule.last = LastEvaluation {
                health,
                error,
                t_ms,
                seconds: rule_started.elapsed().as_secs_f64(),
                samples,
            };
            // An alert whose query fails is not renewed: it ends in Alertmanager when its time is over.
            if health == Health::Good
                && let RuleBody::Alerting(alerting) = &mut rule.body
            {
                let due = alerting.take_due(context, t_ms, self.interval_ms);
                if !due.is_empty() {
                    context.alerts.send(due);
                }
            }
        }
        self.end_series(context, t_ms - self.query_offset_ms);
        self.last_t_ms = t_ms;
        self.last_seconds = started.elapsed().as_secs_f64();
        let evaluation = GroupEvaluation {
            interval_ms: self.interval_ms,
            rules: self.rules.len(),
            t_ms,
            seconds: self.last_seconds,
            samples: samples_total,
        };
        context.metrics.group_done(&key, evaluation);
    }

    /// Says whether a reload left the group as it was.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        self.definition == other.definition
            && self.interval_ms == other.interval_ms
            && self.query_offset_ms == other.query_offset_ms
    }

    /// Takes over the state of the group before a reload; series of rules that are gone end at the next evaluation.
    pub(crate) fn take_state(&mut self, before: Self) {
        let mut old: Vec<Option<Rule>> = before.rules.into_iter().map(Some).collect();
        for rule in &mut self.rules {
            let same = |o: &Option<Rule>| {
                o.as_ref().is_some_and(|o| {
                    o.name() == rule.name() && o.labels() == rule.labels() && o.kind() == rule.kind()
                })
            };
            if let Some(found) = old.iter().position(same).and_then(|i| old[i].take()) {
                rule.take_state(found);
            }
        }
        self.ended = before.ended;
        self.ended.extend(old.into_iter().flatten().flat_map(|rule| rule.previous));
        self.last_t_ms = before.last_t_ms;
        self.last_seconds = before.last_seconds;
    }

    /// Marks every series of the group stale: the group is gone.
    pub(crate) fn end(&mut self, context: &RuleContext, t_ms: i64) {
        for rule in &mut self.rules {
            self.ended.extend(rule.previous.drain());
        }
        self.end_series(context, t_ms);
    }

    /// Returns the group as it stands, for those who show it.
    pub fn snapshot(&self) -> GroupSnapshot {
        GroupSnapshot::of(self)
    }

    fn end_series(&mut self, context: &RuleContext, t_ms: i64) {
        if self.ended.is_empty() {
            return;
        }
        let mut appender = context.appendable.appender();
        for series in self.ended.drain() {
            mark_stale(&mut *appender, &series, t_ms);
        }
        if let Err(e) = appender.commit() {
            tracing::warn!(group = self.name, error = %e, "cannot mark ended series stale");
        }
    }
}

/// When a rule is evaluated and how much it may return.
#[derive(Clone, Copy)]
struct Place {
    t_ms: i64,
    sample_t_ms: i64,
    limit: usize,
}

fn eval_rule(rule: &mut Rule, context: &RuleContext, place: Place) -> Result<usize, String> {
    let output: Output = match &mut rule.body {
        RuleBody::Recording(recording) => recording.eval(context, place.sample_t_ms, place.limit)?,
        RuleBody::Alerting(alerting) => alerting.eval(context, place.t_ms, place.sample_t_ms, place.limit)?,
    };
    let mut appender = context.appendable.appender();
    let appended = append_output(&mut *appender, &mut rule.previous, &output, place.sample_t_ms);
    appender.commit().map_err(|e| e.to_string())?;
    appended.map(|()| output.len())
}

fn build_rule(group: &config::RuleGroup, rule: &config::Rule) -> Rule {
    let set = |texts: &[config::RuleText]| -> Vec<(String, String)> {
        texts.iter().map(|text| (text.name.clone(), text.value.text.clone())).collect()
    };
    // A group's labels stand where the rule has none of that name.
    let labels = Labels::from_pairs(set(&group.labels).into_iter().chain(set(&rule.labels)));
    let (name, expr) = (rule.name.clone(), rule.expr.clone());
    Rule::new(match rule.kind {
        config::RuleKind::Recording => RuleBody::Recording(RecordingRule { name, expr, labels }),
        config::RuleKind::Alerting => {
            let times = AlertTimes { for_ms: rule.for_ms, keep_firing_for_ms: rule.keep_firing_for_ms };
            let annotations = Labels::from_pairs(set(&rule.annotations));
            RuleBody::Alerting(AlertingRule::new(name, expr, times, labels, annotations))
        }
    })
}
