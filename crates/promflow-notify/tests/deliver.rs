//! Alerts on their way to Alertmanagers that answer, refuse, or are away.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use promflow_config::{AlertmanagerConfig, Config, TargetGroup};
use promflow_model::{Alert, AlertSink, Clock, Labels};
use promflow_notify::{AlertmanagerSet, DeliveryObserver, Notifier, NotifierOptions, NotifyMetrics};
use promflow_registry::{Format, Registry};
use promflow_testkit::{Script, ScriptedServer, TestRequest, free_port, wait_until};
use serde_json::Value;
use tokio::runtime::Runtime;

const SOON: Duration = Duration::from_secs(20);

struct FixedClock;

impl Clock for FixedClock {
    fn now_ms(&self) -> i64 {
        1_000
    }
}

/// An Alertmanager's API as far as a notifier sees it.
struct Receiver {
    server: ScriptedServer,
    requests: Arc<Mutex<Vec<TestRequest>>>,
}

impl Receiver {
    fn start(status: u16) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = requests.clone();
        let server = ScriptedServer::start(move |request| {
            kept.lock().expect("no panic").push(request);
            Script::Answer { status, headers: Vec::new(), body: b"said the server".to_vec() }
        });
        Self { server, requests }
    }

    fn alerts(&self) -> Vec<Value> {
        let requests = self.requests.lock().expect("no panic");
        requests.iter().flat_map(|r| serde_json::from_str::<Vec<Value>>(&r.body).expect("JSON")).collect()
    }
}

/// Keeps what was delivered: where, the alerts' names, and whether it was taken.
#[derive(Default)]
struct Deliveries(Mutex<Vec<(String, Vec<String>, bool)>>);

impl DeliveryObserver for Deliveries {
    fn delivered(&self, alertmanager: &str, alerts: &[Alert], ok: bool) {
        let names = alerts.iter().map(|a| a.name().to_owned()).collect();
        self.0.lock().expect("no panic").push((alertmanager.to_owned(), names, ok));
    }
}

struct Fixture {
    runtime: Runtime,
    registry: Registry,
    deliveries: Arc<Deliveries>,
    notifier: Notifier,
}

impl Fixture {
    fn new(queue_capacity: usize) -> Self {
        let runtime = Runtime::new().expect("no runtime");
        let registry = Registry::new();
        let options = NotifierOptions { queue_capacity, ..NotifierOptions::default() };
        let metrics = NotifyMetrics::new(&registry);
        let deliveries = Arc::new(Deliveries::default());
        let (handle, observer) = (runtime.handle().clone(), deliveries.clone());
        let notifier = Notifier::new(options, metrics, Arc::new(FixedClock), handle, observer);
        Self { runtime, registry, deliveries, notifier }
    }

    fn page(&self) -> String {
        String::from_utf8(self.registry.encode(Format::Text)).expect("text")
    }
}

fn set(address: &str) -> AlertmanagerSet {
    let target = Labels::from_pairs([("__address__", address)]);
    AlertmanagerSet {
        config: AlertmanagerConfig::default(),
        groups: vec![TargetGroup { targets: vec![target], ..TargetGroup::default() }],
    }
}

fn alert(name: &str) -> Alert {
    Alert {
        labels: Labels::from_pairs([("alertname", name), ("severity", "page")]),
        annotations: Labels::from_pairs([("summary", "it broke")]),
        starts_at_ms: 0,
        ends_at_ms: 240_000,
        generator_url: "http://promflow/graph".to_owned(),
    }
}

#[test]
fn alerts_are_posted_with_external_labels_and_after_relabelling() {
    let receiver = Receiver::start(200);
    let fixture = Fixture::new(10);
    let text = "alerting:\n  alert_relabel_configs:\n  - {action: labeldrop, regex: severity}\n  - {action: drop, source_labels: [alertname], regex: Quiet}\n";
    let config = Config::parse("a.yml", text, &|_| None).expect("valid");
    let external = Labels::from_pairs([("cluster", "eu"), ("alertname", "never wins")]);
    fixture
        .notifier
        .apply(external, config.alerting.alert_relabel_configs, &[set(&receiver.server.address())])
        .expect("applied");
    fixture.notifier.send(vec![alert("Loud"), alert("Quiet")]);
    wait_until("the delivery", SOON, || !receiver.alerts().is_empty());

    let sent = receiver.alerts();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0]["labels"], serde_json::json!({"alertname": "Loud", "cluster": "eu"}));
    assert_eq!(sent[0]["annotations"]["summary"], "it broke");
    assert_eq!(sent[0]["startsAt"], "1970-01-01T00:00:00Z");
    assert_eq!(sent[0]["endsAt"], "1970-01-01T00:04:00Z");
    assert_eq!(sent[0]["generatorURL"], "http://promflow/graph");
    assert_eq!(receiver.requests.lock().expect("no panic")[0].path, "/api/v2/alerts");
    wait_until("the status", SOON, || fixture.notifier.alertmanagers()[0].sent_total == 1);
    assert_eq!(fixture.notifier.alertmanagers()[0].last_success_ms, Some(1_000));
    let delivered = fixture.deliveries.0.lock().expect("no panic").clone();
    assert_eq!(delivered, [(receiver.server.url("/api/v2/alerts"), vec!["Loud".to_owned()], true)]);
}

#[test]
fn one_that_is_away_does_not_hold_up_the_other() {
    let receiver = Receiver::start(200);
    let fixture = Fixture::new(10);
    let away = format!("127.0.0.1:{}", free_port());
    fixture
        .notifier
        .apply(Labels::empty(), Vec::new(), &[set(&away), set(&receiver.server.address())])
        .expect("applied");
    fixture.notifier.send(vec![alert("A")]);
    wait_until("the delivery", SOON, || receiver.alerts().len() == 1);
    wait_until("the failure", SOON, || fixture.notifier.alertmanagers().iter().any(|a| a.failed_total == 1));
    let statuses = fixture.notifier.alertmanagers();
    let failed = statuses.iter().find(|a| a.url.contains(&away)).expect("it is listed");
    assert!(failed.last_error.as_deref().is_some_and(|e| e.contains("refused")), "{failed:?}");
    let page = fixture.page();
    assert!(page.contains("prometheus_notifications_alertmanagers_discovered 2\n"), "{page}");
    assert!(
        page.contains(&format!(
            "prometheus_notifications_errors_total{{alertmanager=\"http://{away}/api/v2/alerts\"}} 1\n"
        )),
        "{page}"
    );
}

#[test]
fn a_refusal_is_kept_with_the_reason() {
    let receiver = Receiver::start(400);
    let fixture = Fixture::new(10);
    fixture.notifier.apply(Labels::empty(), Vec::new(), &[set(&receiver.server.address())]).expect("applied");
    fixture.notifier.send(vec![alert("A")]);
    wait_until("the refusal", SOON, || fixture.notifier.alertmanagers()[0].failed_total == 1);
    let error = fixture.notifier.alertmanagers()[0].last_error.clone().expect("an error");
    assert!(error.contains("400") && error.contains("said the server"), "{error}");
}

#[test]
fn what_is_queued_is_sent_before_the_end() {
    let receiver = Receiver::start(200);
    let fixture = Fixture::new(1000);
    fixture.notifier.apply(Labels::empty(), Vec::new(), &[set(&receiver.server.address())]).expect("applied");
    for i in 0..500 {
        fixture.notifier.send(vec![alert(&format!("A{i}"))]);
    }
    assert_eq!(fixture.runtime.block_on(fixture.notifier.drain()), 0);
    assert_eq!(receiver.alerts().len(), 500);
}

#[test]
fn an_alertmanager_that_stays_keeps_its_queue_and_one_that_goes_is_forgotten() {
    let receiver = Receiver::start(200);
    let fixture = Fixture::new(10);
    let one = set(&receiver.server.address());
    fixture.notifier.apply(Labels::empty(), Vec::new(), std::slice::from_ref(&one)).expect("applied");
    fixture.notifier.send(vec![alert("A")]);
    wait_until("the delivery", SOON, || fixture.notifier.alertmanagers()[0].sent_total == 1);
    fixture.notifier.apply(Labels::empty(), Vec::new(), &[one]).expect("applied");
    assert_eq!(fixture.notifier.alertmanagers()[0].sent_total, 1, "it is the same one");
    fixture.notifier.apply(Labels::empty(), Vec::new(), &[]).expect("applied");
    assert!(fixture.notifier.alertmanagers().is_empty());
    assert!(!fixture.page().contains(&receiver.server.address()), "its series are gone too");
}
