//! Groups driven at chosen times over chosen samples.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use promflow_config::{RuleFile, ValidationScheme};
use promflow_model::{Alert, AlertSink, Clock, Labels, is_stale_nan};
use promflow_promql::{Engine, EngineOptions};
use promflow_registry::Registry;
use promflow_rules::{
    AlertState, Group, GroupDefaults, Health, Manager, ManagerOptions, RuleContext, RuleMetrics,
};
use promflow_storage::fake::FakeStorage;
use promflow_testkit::wait_until;

const S: i64 = 1000;

#[derive(Default)]
struct Outbox(Mutex<Vec<Alert>>);

impl AlertSink for Outbox {
    fn send(&self, alerts: Vec<Alert>) {
        self.0.lock().expect("no panic").extend(alerts);
    }
}

struct Fixture {
    storage: Arc<FakeStorage>,
    outbox: Arc<Outbox>,
    context: RuleContext,
}

impl Fixture {
    fn new() -> Self {
        let storage = Arc::new(FakeStorage::new());
        let outbox = Arc::new(Outbox::default());
        let context = RuleContext {
            engine: Arc::new(Engine::new(EngineOptions::default())),
            queryable: storage.clone(),
            appendable: storage.clone(),
            alerts: outbox.clone(),
            metrics: RuleMetrics::new(&Registry::new()),
            external_labels: Labels::from_pairs([("cluster", "eu")]),
            external_url: "http://promflow:9090".to_owned(),
            resend_delay_ms: 60_000,
            query_timeout: Duration::from_secs(60),
        };
        Self { storage, outbox, context }
    }

    fn add(&self, series: &str, samples: &[(i64, f64)]) {
        let labels = promflow_syntax::parse_metric(series).expect("a series");
        self.storage.add(&labels, samples.iter().copied());
    }

    /// Returns a series' samples as text, `stale` for the marker.
    fn samples(&self, series: &str) -> Vec<String> {
        let labels = promflow_syntax::parse_metric(series).expect("a series");
        let found = self.storage.dump().into_iter().find(|(l, _)| *l == labels);
        let text = |(t_ms, v): (i64, f64)| {
            let value = if is_stale_nan(v) { "stale".to_owned() } else { v.to_string() };
            format!("{}s {value}", t_ms / S)
        };
        found.map_or_else(Vec::new, |(_, samples)| samples.into_iter().map(text).collect())
    }

    fn sent(&self) -> Vec<Alert> {
        std::mem::take(&mut *self.outbox.0.lock().expect("no panic"))
    }
}

fn rule_file(yaml: &str) -> RuleFile {
    RuleFile::parse("rules.yml", yaml, ValidationScheme::Utf8).unwrap_or_else(|errors| {
        panic!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })
}

fn group(yaml: &str) -> Group {
    Group::new("rules.yml", Arc::new(rule_file(yaml).groups.remove(0)), 60 * S, 0)
}

#[test]
fn a_recording_is_read_by_the_next_rule_of_the_same_evaluation() {
    let fixture = Fixture::new();
    fixture.add("m{a=\"1\"}", &[(60 * S, 2.0)]);
    fixture.add("m{a=\"2\"}", &[(60 * S, 3.0)]);
    let mut group = group(
        "groups: [{name: g, rules: [{record: 'm:sum', expr: sum(m), labels: {team: x}}, {record: 'm:double', expr: '2 * m:sum'}]}]",
    );
    group.eval(&fixture.context, 60 * S);
    assert_eq!(fixture.samples("m:sum{team=\"x\"}"), ["60s 5"]);
    assert_eq!(fixture.samples("m:double{team=\"x\"}"), ["60s 10"]);
}

#[test]
fn a_series_that_a_rule_no_longer_returns_is_marked_stale() {
    let fixture = Fixture::new();
    fixture.add("m{a=\"1\"}", &[(60 * S, 2.0), (120 * S, 0.0)]);
    let mut group = group("groups: [{name: g, rules: [{record: 'm:high', expr: m > 1}]}]");
    group.eval(&fixture.context, 60 * S);
    group.eval(&fixture.context, 120 * S);
    assert_eq!(fixture.samples("m:high{a=\"1\"}"), ["60s 2", "120s stale"]);
}

#[test]
fn two_series_with_one_label_set_are_an_error_and_the_rest_goes_on() {
    let fixture = Fixture::new();
    fixture.add("m{a=\"1\"}", &[(60 * S, 2.0)]);
    fixture.add("m{a=\"2\"}", &[(60 * S, 3.0)]);
    let mut group = group(
        "groups: [{name: g, rules: [{record: r, expr: m, labels: {a: same}}, {record: s, expr: sum(m)}]}]",
    );
    group.eval(&fixture.context, 60 * S);
    let snapshot = group.snapshot();
    assert_eq!(snapshot.rules[0].health, Health::Bad);
    assert_eq!(
        snapshot.rules[0].last_error.as_deref(),
        Some("vector contains metrics with the same labelset after applying rule labels")
    );
    assert_eq!(snapshot.rules[1].health, Health::Good);
    assert_eq!(fixture.samples("s"), ["60s 5"]);
}

#[test]
fn a_limit_discards_all_output() {
    let fixture = Fixture::new();
    fixture.add("m{a=\"1\"}", &[(60 * S, 2.0)]);
    fixture.add("m{a=\"2\"}", &[(60 * S, 3.0)]);
    let mut group =
        group("groups: [{name: g, limit: 1, rules: [{record: r, expr: m}, {alert: A, expr: m > 0}]}]");
    group.eval(&fixture.context, 60 * S);
    let snapshot = group.snapshot();
    assert_eq!(snapshot.rules[0].last_error.as_deref(), Some("exceeded limit of 1 with 2 series"));
    assert_eq!(snapshot.rules[1].last_error.as_deref(), Some("exceeded limit of 1 with 2 alerts"));
    assert!(fixture.samples("r{a=\"1\"}").is_empty());
    assert!(snapshot.rules[1].alerts.is_empty());
}

const ALERT: &str = "
groups:
  - name: g
    rules:
      - alert: High
        expr: m > 1
        for: 2m
        keep_firing_for: 1m
        labels: {severity: '{{ if gt $value 5.0 }}critical{{ else }}warning{{ end }}'}
        annotations: {summary: '{{ $labels.a }} is {{ $value }} in {{ $externalLabels.cluster }}'}
";

const RISE_AND_FALL: [(i64, f64); 7] =
    [(60, 2.0), (120, 2.0), (180, 3.0), (240, 0.0), (300, 0.0), (360, 0.0), (420, 0.0)];

#[test]
fn an_alert_goes_pending_firing_kept_and_resolved() {
    let fixture = Fixture::new();
    fixture.add("m{a=\"x\"}", &RISE_AND_FALL.map(|(t, v)| (t * S, v)));
    let mut group = group(ALERT);
    let (mut states, mut last_fired) = (Vec::new(), Vec::new());
    for t in [60, 120, 180, 240, 300, 360] {
        group.eval(&fixture.context, t * S);
        let rule = group.snapshot().rules.swap_remove(0);
        states.push(rule.alerts.first().map(|a| a.state));
        last_fired.push(rule.last_fired_ms.map(|t_ms| t_ms / S));
    }
    let (pending, firing) = (Some(AlertState::Pending), Some(AlertState::Firing));
    assert_eq!(states, [pending, pending, firing, firing, None, None]);
    assert_eq!(last_fired, [None, None, Some(180), Some(240), Some(240), Some(240)]);

    let series = |state| {
        format!(
            "ALERTS{{alertname=\"High\",alertstate=\"{state}\",a=\"x\",severity=\"{{{{ if gt $value 5.0 }}}}critical{{{{ else }}}}warning{{{{ end }}}}\"}}"
        )
    };
    assert!(fixture.samples(&series("pending")).is_empty(), "the label is the expanded one");
    let series =
        |state| format!("ALERTS{{alertname=\"High\",alertstate=\"{state}\",a=\"x\",severity=\"warning\"}}");
    assert_eq!(fixture.samples(&series("pending")), ["60s 1", "120s 1", "180s stale"]);
    assert_eq!(fixture.samples(&series("firing")), ["180s 1", "240s 1", "300s stale"]);
    assert_eq!(
        fixture.samples("ALERTS_FOR_STATE{alertname=\"High\",a=\"x\",severity=\"warning\"}"),
        ["60s 60", "120s 60", "180s 60", "240s 60", "300s stale"]
    );
}

#[test]
fn a_firing_alert_is_sent_with_what_it_says_and_again_when_resolved() {
    let fixture = Fixture::new();
    fixture.add("m{a=\"x\"}", &RISE_AND_FALL.map(|(t, v)| (t * S, v)));
    let mut group = group(ALERT);
    group.eval(&fixture.context, 60 * S);
    group.eval(&fixture.context, 120 * S);
    assert!(fixture.sent().is_empty(), "pending alerts are not sent");

    group.eval(&fixture.context, 180 * S);
    let sent = fixture.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].labels.to_string(), r#"{a="x", alertname="High", severity="warning"}"#);
    assert_eq!(sent[0].annotations.get("summary"), "x is 3 in eu");
    assert_eq!(sent[0].starts_at_ms, 180 * S);
    assert_eq!(sent[0].ends_at_ms, 180 * S + 4 * 60 * S);
    assert_eq!(sent[0].generator_url, "http://promflow:9090/graph?g0.expr=m+%3E+1&g0.tab=1");

    group.eval(&fixture.context, 240 * S);
    assert!(fixture.sent().is_empty(), "within the resend delay");
    group.eval(&fixture.context, 300 * S);
    let sent = fixture.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].ends_at_ms, 300 * S, "resolved");
    group.eval(&fixture.context, 360 * S);
    group.eval(&fixture.context, 420 * S);
    assert_eq!(fixture.sent().len(), 1, "an Alertmanager that was away hears of it too");
}

#[test]
fn an_alert_whose_query_fails_is_not_sent_again() {
    let fixture = Fixture::new();
    fixture.add("m{a=\"1\"}", &[(60 * S, 2.0), (120 * S, 2.0), (180 * S, 2.0)]);
    fixture.add("n{b=\"1\"}", &[(180 * S, 2.0)]);
    fixture.add("n{b=\"2\"}", &[(180 * S, 2.0)]);
    let mut group =
        group("groups: [{name: g, rules: [{alert: A, expr: m > on () group_left () (n or m) - 1}]}]");
    group.eval(&fixture.context, 60 * S);
    assert_eq!(fixture.sent().len(), 1);
    group.eval(&fixture.context, 180 * S);
    let rule = &group.snapshot().rules[0];
    assert!(
        rule.last_error.as_deref().is_some_and(|e| e.contains("duplicate series")),
        "{:?}",
        rule.last_error
    );
    assert!(fixture.sent().is_empty(), "it is not known whether it still holds");
}

#[test]
fn a_sample_that_storage_refuses_is_the_rules_error_and_the_rest_is_kept() {
    let fixture = Fixture::new();
    let mut group = group(
        "groups: [{name: g, rules: [{record: same, expr: vector(1)}, {record: same, expr: vector(2)}, {record: other, expr: vector(3)}]}]",
    );
    group.eval(&fixture.context, 60 * S);
    let rules = group.snapshot().rules;
    assert_eq!(rules[1].health, Health::Bad);
    assert_eq!(rules[1].last_error.as_deref(), Some("duplicate sample for timestamp"));
    assert_eq!(fixture.samples("same"), ["60s 1"]);
    assert_eq!(fixture.samples("other"), ["60s 3"]);
}

#[test]
fn a_template_that_fails_says_so_where_its_text_would_stand() {
    let fixture = Fixture::new();
    fixture.add("m", &[(60 * S, 2.0)]);
    let mut group = group(
        "groups: [{name: g, rules: [{alert: A, expr: m > 1, annotations: {d: '{{ query \"sum(\" | first }}'}}]}]",
    );
    group.eval(&fixture.context, 60 * S);
    let snapshot = group.snapshot();
    let text = snapshot.rules[0].alerts[0].annotations.get("d").to_owned();
    assert!(text.starts_with("<error expanding template:"), "{text}");
    assert_eq!(snapshot.rules[0].health, Health::Good);
}

#[test]
fn groups_spread_over_their_interval_and_keep_their_place() {
    let group = group("groups: [{name: g, rules: [{record: r, expr: m}]}]");
    let due = group.due_at_or_before(1_000_000 * S);
    assert!((999_940 * S..=1_000_000 * S).contains(&due));
    assert_eq!(group.due_at_or_before(due), due);
    assert_eq!(group.due_at_or_before(due + 59 * S), due);
    assert_eq!(group.due_at_or_before(due + 60 * S), due + 60 * S);
}

/// A clock that the test moves.
#[derive(Default)]
struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

struct Loop {
    manager: Manager,
    clock: Arc<TestClock>,
}

impl Loop {
    fn start(fixture: &Fixture) -> Self {
        let clock = Arc::new(TestClock::default());
        let manager = Manager::start(fixture.context.clone(), clock.clone(), ManagerOptions::default());
        Self { manager, clock }
    }

    fn apply(&self, yaml: Option<&str>) {
        let files: Vec<RuleFile> = yaml.map(rule_file).into_iter().collect();
        self.manager.apply(&files, GroupDefaults { interval_ms: S, query_offset_ms: 0 }, |_| {});
    }

    /// Moves the clock second by second until the condition holds.
    fn run_until(&self, what: &str, condition: impl Fn() -> bool) {
        wait_until(what, Duration::from_secs(20), || {
            self.clock.0.fetch_add(S, Ordering::SeqCst);
            self.manager.wake();
            condition()
        });
    }
}

#[test]
fn a_reload_keeps_alert_state_and_ends_the_series_of_rules_that_are_gone() {
    let fixture = Fixture::new();
    fixture.add("m{a=\"x\"}", &[(1, 2.0)]);
    let rules = Loop::start(&fixture);
    rules.apply(Some("groups: [{name: g, rules: [{record: r, expr: m}, {alert: A, expr: m > 1, for: 1h}]}]"));
    rules.run_until("the alert", || !rules.manager.groups()[0].rules[1].alerts.is_empty());
    let active_at = rules.manager.groups()[0].rules[1].alerts[0].active_at_ms;

    rules.apply(Some("groups: [{name: g, rules: [{alert: A, expr: m > 1.5, for: 1h}]}]"));
    rules.run_until("the stale marker", || {
        fixture.samples("r{a=\"x\"}").last().is_some_and(|last| last.ends_with("stale"))
    });
    let group = rules.manager.groups()[0].clone();
    assert_eq!(group.rules[0].query, "m > 1.5");
    assert_eq!(group.rules[0].alerts[0].active_at_ms, active_at, "since when is not forgotten");
}

#[test]
fn a_group_that_is_gone_ends_its_series() {
    let fixture = Fixture::new();
    fixture.add("m", &[(1, 2.0)]);
    let rules = Loop::start(&fixture);
    rules.apply(Some("groups: [{name: g, rules: [{record: r, expr: m}]}]"));
    rules.run_until("the recording", || !fixture.samples("r").is_empty());
    rules.clock.0.fetch_add(5 * S, Ordering::SeqCst);
    rules.apply(None);
    rules.run_until("the stale marker", || {
        fixture.samples("r").last().is_some_and(|last| last.ends_with("stale"))
    });
    assert!(rules.manager.groups().is_empty());
}
