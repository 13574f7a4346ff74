//! What the rule loop counts, under Prometheus's names.

use promflow_registry::{CounterFamily, GaugeFamily, Registry, SummaryFamily};

/// The rule loop's counters.
#[derive(Clone)]
pub struct RuleMetrics {
    evaluations: CounterFamily,
    failures: CounterFamily,
    rule_seconds: SummaryFamily,
    iterations: CounterFamily,
    missed: CounterFamily,
    interval: GaugeFamily,
    rules: GaugeFamily,
    last_t: GaugeFamily,
    last_seconds: GaugeFamily,
    last_samples: GaugeFamily,
}

impl RuleMetrics {
    /// Registers the counters.
    pub fn new(registry: &Registry) -> Self {
        let counter = |name, help| registry.counter(name, help, &["rule_group"]);
        let gauge = |name, help| registry.gauge(name, help, &["rule_group"]);
        Self {
            evaluations: counter(
                "prometheus_rule_evaluations_total",
                "The total number of rule evaluations.",
            ),
            failures: counter(
                "prometheus_rule_evaluation_failures_total",
                "The total number of rule evaluation failures.",
            ),
            rule_seconds: registry.summary(
                "prometheus_rule_evaluation_duration_seconds",
                "The duration for a rule to execute.",
                &[],
            ),
            iterations: counter(
                "prometheus_rule_group_iterations_total",
                "The total number of scheduled rule group evaluations, whether executed or missed.",
            ),
            missed: counter(
                "prometheus_rule_group_iterations_missed_total",
                "The total number of rule group evaluations missed due to slow rule group evaluation.",
            ),
            interval: gauge("prometheus_rule_group_interval_seconds", "The interval of a rule group."),
            rules: gauge("prometheus_rule_group_rules", "The number of rules."),
            last_t: gauge(
                "prometheus_rule_group_last_evaluation_timestamp_seconds",
                "The timestamp of the last rule group evaluation in seconds.",
            ),
            last_seconds: gauge(
                "prometheus_rule_group_last_duration_seconds",
                "The duration of the last rule group evaluation.",
            ),
            last_samples: gauge(
                "prometheus_rule_group_last_evaluation_samples",
                "The number of samples returned during the last rule group evaluation.",
            ),
        }
    }

    /// Makes a group's counters exist at zero: a counter born at its first failure shows no increase.
    pub(crate) fn group_added(&self, group: &str) {
        for family in [&self.evaluations, &self.failures, &self.iterations, &self.missed] {
            family.init(&[[group]]);
        }
    }

    /// Takes a group's series off the page: the group is gone.
    pub(crate) fn group_removed(&self, group: &str) {
        for family in [&self.evaluations, &self.failures, &self.iterations, &self.missed] {
            family.remove(&[group]);
        }
        for family in [&self.interval, &self.rules, &self.last_t, &self.last_seconds, &self.last_samples] {
            family.remove(&[group]);
        }
    }

    pub(crate) fn evaluated(&self, group: &str, seconds: f64, failed: bool) {
        self.evaluations.with(&[group]).inc();
        self.rule_seconds.with(&[]).observe(seconds);
        if failed {
            self.failures.with(&[group]).inc();
        }
    }

    pub(crate) fn group_done(&self, group: &str, evaluation: GroupEvaluation) {
        let group = [group];
        self.iterations.with(&group).inc();
        self.interval.with(&group).set(evaluation.interval_ms as f64 / 1000.0);
        self.rules.with(&group).set(evaluation.rules as f64);
        self.last_t.with(&group).set(evaluation.t_ms as f64 / 1000.0);
        self.last_seconds.with(&group).set(evaluation.seconds);
        self.last_samples.with(&group).set(evaluation.samples as f64);
    }

    pub(crate) fn missed(&self, group: &str, iterations: i64) {
        self.missed.with(&[group]).inc_by(iterations.unsigned_abs());
        self.iterations.with(&[group]).inc_by(iterations.unsigned_abs());
    }
}

/// An evaluation of a whole group.
#[derive(Clone, Copy)]
pub(crate) struct GroupEvaluation {
    pub(crate) interval_ms: i64,
    pub(crate) rules: usize,
    pub(crate) t_ms: i64,
    pub(crate) seconds: f64,
    pub(crate) samples: usize,
}
