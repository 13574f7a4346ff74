//! The demo, from the command to the alert that is delivered.

mod support;

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use promflow_testkit::{Peer, Script, ScriptedServer, free_port, http_get, wait_until};
use serde_json::Value;
use support::{Promflow, START, copy_repository, root, run};

/// Long enough for a shortened window, a shortened `for`, and a machine that is busy.
const ALERT: Duration = Duration::from_secs(120);

/// A webhook that keeps what Alertmanager sends.
struct Webhook {
    server: ScriptedServer,
    received: Arc<Mutex<Vec<Value>>>,
}

impl Webhook {
    fn start() -> Self {
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = received.clone();
        let server = ScriptedServer::start(move |request| {
            let body: Value = serde_json::from_str(&request.body).expect("Alertmanager sends JSON");
            let alerts = body["alerts"].as_array().cloned().unwrap_or_default();
            kept.lock().expect("no panic").extend(alerts);
            Script::page("")
        });
        Self { server, received }
    }

    fn find(&self, alert: &str, status: &str) -> Option<Value> {
        let received = self.received.lock().expect("no panic");
        received.iter().find(|a| a["labels"]["alertname"] == alert && a["status"] == status).cloned()
    }
}

fn alertmanager(webhook: &Webhook) -> Peer {
    let dir = tempfile::tempdir().expect("no temporary directory");
    let config = dir.path().join("alertmanager.yml");
    let text = format!(
        "route: {{receiver: hook, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1h}}\n\
         receivers: [{{name: hook, webhook_configs: [{{url: '{}', send_resolved: true}}]}}]\n",
        webhook.server.url("/")
    );
    fs::write(&config, text).expect("cannot write");
    Peer::alertmanager(&config)
}

fn states(promflow: &Promflow, alert: &str) -> Vec<String> {
    let alerts = promflow.json("/api/v1/alerts");
    let all = alerts["data"]["alerts"].as_array().cloned().unwrap_or_default();
    all.iter()
        .filter(|a| a["labels"]["alertname"] == alert)
        .map(|a| a["state"].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn every_rule_is_healthy(promflow: &Promflow) -> bool {
    let rules = promflow.json("/api/v1/rules");
    let groups = rules["data"]["groups"].as_array().cloned().unwrap_or_default();
    let all: Vec<Value> =
        groups.iter().flat_map(|g| g["rules"].as_array().cloned().unwrap_or_default()).collect();
    for rule in &all {
        assert_ne!(rule["health"], "err", "{rule}");
    }
    all.len() >= 25 && all.iter().all(|rule| rule["health"] == "ok")
}

#[test]
fn an_error_fault_fires_its_alert_and_a_real_alertmanager_delivers_it() {
    let webhook = Webhook::start();
    let alertmanager = alertmanager(&webhook);
    let mut promflow = Promflow::up(&root(), &["--alertmanager", &alertmanager.url("")]);
    promflow.printed_url("flow chart");
    let printed = Instant::now();
    http_get(&promflow.path("/api/promflow/v1/flow")).expect("no chart");
    println!("the first chart came {} ms after the addresses were printed", printed.elapsed().as_millis());

    wait_until("live request rates", START, || {
        !promflow.query(r#"sum(rate(http_requests_total{job="backend"}[10s])) > 1"#).is_empty()
    });
    wait_until("every rule to be evaluated", START, || every_rule_is_healthy(&promflow));
    let flags = promflow.json("/api/v1/status/flags");
    assert!(flags["data"].as_object().is_some_and(|flags| flags.len() >= 17), "{flags:#}");
    assert!(
        flags["data"]["config.file"].as_str().is_some_and(|file| file.ends_with("monitoring/prometheus.yml"))
    );
    let (status, page) = http_get(&promflow.path("/")).expect("no page");
    assert_eq!(status, 200);
    assert!(page.contains("<html"), "{page}");
    let (_, chart) = http_get(&promflow.path("/api/promflow/v1/flow?format=svg")).expect("no chart");
    assert!(chart.contains("HttpHighErrorRatio"), "{chart}");
    assert!(states(&promflow, "HttpHighErrorRatio").is_empty(), "nothing is wrong yet");
    let last_fired =
        || node(&promflow, "alert", "HttpHighErrorRatio").expect("in the chart")["lastFiredMs"].clone();
    assert!(last_fired().is_null(), "it never fired");

    let backend = promflow.printed_url("backend");
    let backend = backend.trim_end_matches("/metrics");
    let switched = run(&["fault", "errors", "on", "--backend", backend]);
    assert!(switched.status.success(), "{switched:?}");
    wait_until("the alert to be pending", ALERT, || {
        states(&promflow, "HttpHighErrorRatio").contains(&"pending".to_owned())
    });
    wait_until("the alert to fire", ALERT, || {
        states(&promflow, "HttpHighErrorRatio").contains(&"firing".to_owned())
    });
    wait_until("Alertmanager to deliver it", ALERT, || {
        webhook.find("HttpHighErrorRatio", "firing").is_some()
    });
    let delivered = webhook.find("HttpHighErrorRatio", "firing").expect("waited for it");
    assert_eq!(delivered["labels"]["severity"], "critical");
    assert_eq!(delivered["labels"]["job"], "backend");
    let description = delivered["annotations"]["description"].as_str().unwrap_or_default();
    assert!(description.contains('%') && !description.contains("{{"), "{description}");

    let switched = run(&["fault", "errors", "off", "--backend", backend]);
    assert!(switched.status.success(), "{switched:?}");
    wait_until("the alert to be resolved", ALERT, || {
        webhook.find("HttpHighErrorRatio", "resolved").is_some()
    });
    assert!(last_fired().is_i64(), "the chart remembers that it fired");

    promflow.signal("INT");
    assert_eq!(promflow.wait(Duration::from_secs(15)), Some(0), "Ctrl-C ends cleanly");
    assert!(http_get(&format!("{backend}/metrics")).is_err(), "the backend ended too");
}

#[test]
fn a_metric_and_an_alert_added_to_the_tree_appear_without_a_restart() {
    let tree = tempfile::tempdir().expect("no temporary directory");
    copy_repository(tree.path());
    let promflow = Promflow::up(tree.path(), &[]);
    wait_until("the first chart", START, || node(&promflow, "alert", "HttpHighErrorRatio").is_some());

    let metrics = tree.path().join("examples/backend/src/metrics.rs");
    let mut source = fs::read_to_string(&metrics).expect("the example defines its metrics there");
    source.push_str(
        "\n/// Counts what is new.\npub fn new_feature() -> promflow::CounterFamily {\n    \
         promflow::counter(\"new_feature_total\", \"Uses of the new feature\", &[\"label1\"])\n}\n",
    );
    fs::write(&metrics, source).expect("cannot write");
    let rules = tree.path().join("monitoring/rules/custom.yml");
    fs::write(
        &rules,
        "groups:\n  - name: custom\n    rules:\n      - alert: MyCustomAlert\n        \
         expr: rate(new_feature_total[5m]) > 100\n        for: 10m\n        labels: {severity: warning}\n        \
         annotations: {summary: Custom alert}\n",
    )
    .expect("cannot write");

    wait_until("the metric's definition in the chart", START, || {
        node(&promflow, "definition", "new_feature_total").is_some()
    });
    wait_until("the alert in the chart", START, || node(&promflow, "alert", "MyCustomAlert").is_some());
    let definition = node(&promflow, "definition", "new_feature_total").expect("waited for it");
    assert_eq!(definition["file"], "examples/backend/src/metrics.rs");
    assert!(definition["line"].as_u64().is_some_and(|line| line > 1), "{definition}");
    wait_until("the alert to be evaluated", START, || {
        promflow.json("/api/v1/rules?type=alert").to_string().contains("MyCustomAlert")
    });
}

fn node(promflow: &Promflow, kind: &str, name: &str) -> Option<Value> {
    let chart = promflow.json("/api/promflow/v1/flow");
    let nodes = chart["data"]["nodes"].as_array()?.clone();
    nodes.into_iter().find(|n| n["kind"] == kind && n["name"] == name)
}

#[test]
fn a_taken_port_is_named_with_a_hint() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", free_port())).expect("cannot bind");
    let address = listener.local_addr().expect("bound").to_string();
    let output = run(&["up", "--web.listen-address", &address]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(text.contains(&address) && text.contains("hint:"), "{text}");
}

#[test]
fn an_unknown_fault_is_answered_with_the_known_ones() {
    let promflow = Promflow::up(&root(), &[]);
    let backend = promflow.printed_url("backend");
    let output = run(&["fault", "gremlins", "on", "--backend", backend.trim_end_matches("/metrics")]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    for known in ["errors", "latency", "credits", "consumer"] {
        assert!(text.contains(known), "{text}");
    }
}
