//! The rule loop beside stock Prometheus: the same rules over the same samples at the same times.
//!
//! Stock Prometheus runs for a while on the shipped rules and some quick ones of this test's own. What it scraped is
//! read back and given to promflow's groups, driven at the times at which stock evaluated its groups; what both
//! recorded must be the same. A heartbeat recorded in each group tells those times.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use promflow_config::{OsFileSystem, RuleFile, ValidationScheme};
use promflow_model::{Alert, AlertSink, Labels, METRIC_NAME, is_stale_nan};
use promflow_promql::{Engine, EngineOptions};
use promflow_registry::Registry;
use promflow_rules::{Group, RuleContext, RuleMetrics};
use promflow_storage::fake::FakeStorage;
use promflow_testkit::{Peer, Script, ScriptedServer, http_get};
use serde_json::Value;
use support::root;

/// How long stock Prometheus runs.
const RUN: Duration = Duration::from_secs(45);
/// Stock may not have committed a scrape that began this shortly before an evaluation: such evaluations are not judged.
const COMMIT_MS: i64 = 40;
/// Stock writes no alert series before it has tried to restore them: evaluations of each group that are not judged.
const BEFORE_RESTORE: usize = 2;

const QUICK_RULES: &str = r#"
groups:
  - name: quick
    rules:
      - record: job:http_requests:rate10s
        expr: sum by (job, status) (rate(http_requests_total[10s]))
      - record: job:http_request_duration_seconds:p90_rate10s
        expr: histogram_quantile(0.9, sum by (job, le) (rate(http_request_duration_seconds_bucket[10s])))
      - record: wave:rising
        expr: wave > 0
      - alert: WaveHigh
        expr: wave:rising > 3
        for: 3s
        keep_firing_for: 4s
        labels: {severity: '{{ if gt $value 4.5 }}critical{{ else }}warning{{ end }}'}
        annotations: {summary: 'wave is {{ $value | humanize }}'}
      - alert: ErrorsAtOnce
        expr: sum by (job) (increase(http_requests_total{status="500"}[8s])) > 1
        for: 2s
"#;

/// A page that moves: counters that rise at changing speed, a histogram, and a gauge that comes and goes in waves.
fn page(elapsed: f64) -> String {
    let steady = (elapsed * 7.0).floor();
    let bursts = (elapsed / 15.0).floor() * 20.0 + (elapsed % 15.0).min(5.0) * 4.0;
    let fast = (elapsed * 5.0).floor();
    let slow = (elapsed * 2.0).floor();
    format!(
        "# TYPE http_requests_total counter\n\
         http_requests_total{{method=\"GET\",endpoint=\"/a\",status=\"200\"}} {steady}\n\
         http_requests_total{{method=\"GET\",endpoint=\"/a\",status=\"500\"}} {}\n\
         # TYPE http_request_duration_seconds histogram\n\
         http_request_duration_seconds_bucket{{method=\"GET\",endpoint=\"/a\",le=\"0.1\"}} {fast}\n\
         http_request_duration_seconds_bucket{{method=\"GET\",endpoint=\"/a\",le=\"0.5\"}} {}\n\
         http_request_duration_seconds_bucket{{method=\"GET\",endpoint=\"/a\",le=\"+Inf\"}} {}\n\
         http_request_duration_seconds_sum{{method=\"GET\",endpoint=\"/a\"}} {}\n\
         http_request_duration_seconds_count{{method=\"GET\",endpoint=\"/a\"}} {}\n\
         # TYPE wave gauge\nwave {}\n\
         # TYPE credits_remaining gauge\ncredits_remaining{{user=\"u1\",type=\"api\"}} {}\n\
         # TYPE redis_up gauge\nredis_up 0\n\
         # TYPE app_build_info gauge\napp_build_info{{version=\"1\",revision=\"\"}} 1\n",
        bursts.floor(),
        fast + slow / 2.0,
        fast + slow,
        fast * 0.05 + slow * 0.4,
        fast + slow,
        5.0 * (elapsed / 5.0).sin(),
        50.0 - elapsed,
    )
}

struct Discard;

impl AlertSink for Discard {
    fn send(&self, _: Vec<Alert>) {}
}

/// Copies the rule files, with a heartbeat as the first rule of each group.
fn write_rules(to: &Path) {
    let mut texts: Vec<(String, String)> = vec![("quick.yml".to_owned(), QUICK_RULES.to_owned())];
    for entry in fs::read_dir(root().join("monitoring/rules")).expect("readable") {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|e| e == "yml") {
            let name = path.file_name().expect("a file").to_string_lossy().into_owned();
            texts.push((name, fs::read_to_string(&path).expect("readable")));
        }
    }
    for (name, text) in texts {
        let mut out = String::new();
        let mut group = String::new();
        for line in text.lines() {
            out.push_str(line);
            out.push('\n');
            if let Some(found) = line.strip_prefix("  - name: ") {
                group = found.trim().to_owned();
            }
            if line == "    rules:" {
                out.push_str(&format!(
                    "      - record: test:heartbeat\n        expr: vector(1)\n        labels: {{group: '{name};{group}'}}\n"
                ));
            }
        }
        fs::write(to.join(name), out).expect("cannot write");
    }
}

/// Everything that stock Prometheus has stored.
fn read_back(peer: &Peer) -> Vec<(Labels, Vec<(i64, f64)>)> {
    let selector: String = url::form_urlencoded::byte_serialize(br#"{__name__=~".+"}[10m]"#).collect();
    let (_, body) = http_get(&peer.url(&format!("/api/v1/query?query={selector}"))).expect("no answer");
    let answer: Value = serde_json::from_str(&body).expect("no JSON");
    let series = answer["data"]["result"].as_array().expect("series");
    series
        .iter()
        .map(|series| {
            let metric = series["metric"].as_object().expect("labels");
            let labels = Labels::from_pairs(
                metric.iter().map(|(n, v)| (n.clone(), v.as_str().expect("text").to_owned())),
            );
            let samples = series["values"].as_array().expect("samples").iter().map(|pair| {
                let t_ms = (pair[0].as_f64().expect("time") * 1000.0).round() as i64;
                (t_ms, pair[1].as_str().expect("text").parse::<f64>().expect("number"))
            });
            (labels, samples.collect())
        })
        .collect()
}

fn load_groups(rules: &Path) -> BTreeMap<String, Group> {
    let mut groups = BTreeMap::new();
    for entry in fs::read_dir(rules).expect("readable") {
        let path = entry.expect("readable").path();
        let file = RuleFile::load(&path, &OsFileSystem, ValidationScheme::Utf8).expect("the rules are fine");
        for definition in file.groups {
            let name = path.file_name().expect("a file").to_string_lossy();
            let key = format!("{name};{}", definition.name);
            groups.insert(key, Group::new(&file.path, Arc::new(definition), 1000, 0));
        }
    }
    groups
}

fn recorded_names(groups: &BTreeMap<String, Group>) -> BTreeMap<String, BTreeSet<String>> {
    groups
        .iter()
        .map(|(key, group)| {
            let names = group.snapshot().rules.into_iter().map(|rule| rule.name);
            (key.clone(), names.filter(|name| name != "test:heartbeat").collect())
        })
        .collect()
}

/// Returns the group that records a series: by its name, or by the alert's.
fn group_of<'a>(names: &'a BTreeMap<String, BTreeSet<String>>, labels: &Labels) -> Option<&'a str> {
    let name = match labels.metric_name() {
        "ALERTS" | "ALERTS_FOR_STATE" => labels.get("alertname"),
        name => name,
    };
    names.iter().find(|(_, set)| set.contains(name)).map(|(key, _)| key.as_str())
}

#[test]
fn the_rule_loop_records_what_stock_prometheus_recorded() {
    let started = Instant::now();
    let target = ScriptedServer::start(move |_| Script::page(page(started.elapsed().as_secs_f64())));
    let dir = tempfile::tempdir().expect("no temporary directory");
    let rules = dir.path().join("rules");
    fs::create_dir(&rules).expect("cannot create");
    write_rules(&rules);
    let config = dir.path().join("prometheus.yml");
    let text = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\n\
         rule_files: ['{}/*.yml']\n\
         scrape_configs:\n  - job_name: backend\n    static_configs: [{{targets: ['{}']}}]\n",
        rules.display(),
        target.address()
    );
    fs::write(&config, text).expect("cannot write");
    let peer = Peer::prometheus(&config);
    std::thread::sleep(RUN);
    let stored = read_back(&peer);

    let mut groups = load_groups(&rules);
    let names = recorded_names(&groups);
    let (outputs, inputs): (Vec<_>, Vec<_>) = stored
        .into_iter()
        .filter(|(labels, _)| labels.metric_name() != "test:heartbeat" || labels.has("group"))
        .partition(|(labels, _)| {
            labels.metric_name() == "test:heartbeat" || group_of(&names, labels).is_some()
        });

    let mut evaluations: Vec<(i64, String)> = Vec::new();
    for (labels, samples) in outputs.iter().filter(|(l, _)| l.metric_name() == "test:heartbeat") {
        evaluations.extend(samples.iter().map(|(t_ms, _)| (*t_ms, labels.get("group").to_owned())));
    }
    evaluations.sort();
    let mut samples: Vec<(i64, usize, f64)> = Vec::new();
    for (i, (_, series)) in inputs.iter().enumerate() {
        samples.extend(series.iter().map(|(t_ms, value)| (*t_ms, i, *value)));
    }
    samples.sort_by_key(|(t_ms, i, _)| (*t_ms, *i));

    let storage = Arc::new(FakeStorage::new());
    let context = RuleContext {
        engine: Arc::new(Engine::new(EngineOptions::default())),
        queryable: storage.clone(),
        appendable: storage.clone(),
        alerts: Arc::new(Discard),
        metrics: RuleMetrics::new(&Registry::new()),
        external_labels: Labels::empty(),
        external_url: "http://promflow".to_owned(),
        resend_delay_ms: 60_000,
        query_timeout: Duration::from_secs(60),
    };
    let mut fed = 0;
    let mut judged: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (t_ms, key) in &evaluations {
        while fed < samples.len() && samples[fed].0 <= *t_ms {
            let (t, i, value) = samples[fed];
            storage.add(&inputs[i].0, [(t, value)]);
            fed += 1;
        }
        let racing = fed > 0 && samples[..fed].iter().rev().take(1).any(|(t, ..)| t_ms - t <= COMMIT_MS);
        let count = seen.entry(key.clone()).or_default();
        *count += 1;
        if !racing && *count > BEFORE_RESTORE {
            judged.entry(key.clone()).or_default().insert(*t_ms);
        }
        groups.get_mut(key).expect("the group is one of ours").eval(&context, *t_ms);
    }
    for (key, group) in &groups {
        for rule in group.snapshot().rules {
            assert!(rule.last_error.is_none(), "{key}: {}: {:?}", rule.name, rule.last_error);
        }
    }
    compare(&outputs, &storage, &names, &judged);
}

/// Compares series by series, time by time, where both were judged.
fn compare(
    theirs: &[(Labels, Vec<(i64, f64)>)],
    storage: &FakeStorage,
    names: &BTreeMap<String, BTreeSet<String>>,
    judged: &BTreeMap<String, BTreeSet<i64>>,
) {
    let mut ours: BTreeMap<Labels, BTreeMap<i64, f64>> = BTreeMap::new();
    for (labels, samples) in storage.dump() {
        if group_of(names, &labels).is_some() {
            ours.insert(labels, samples.into_iter().filter(|(_, v)| !is_stale_nan(*v)).collect());
        }
    }
    let mut expected: BTreeMap<Labels, BTreeMap<i64, f64>> = BTreeMap::new();
    for (labels, samples) in theirs.iter().filter(|(l, _)| l.metric_name() != "test:heartbeat") {
        expected.insert(labels.clone(), samples.iter().copied().collect());
    }
    let (mut compared, mut differences) = (0, Vec::new());
    let mut alerts_seen = BTreeSet::new();
    let empty = BTreeMap::new();
    for labels in ours.keys().chain(expected.keys()).collect::<BTreeSet<_>>() {
        let key = group_of(names, labels).expect("only recorded series are here");
        let (mine, stock) = (ours.get(labels).unwrap_or(&empty), expected.get(labels).unwrap_or(&empty));
        for t_ms in judged.get(key).into_iter().flatten() {
            compared += 1;
            if labels.get(METRIC_NAME) == "ALERTS" && stock.contains_key(t_ms) {
                alerts_seen.insert(labels.get("alertstate").to_owned());
            }
            match (mine.get(t_ms), stock.get(t_ms)) {
                (None, None) => compared -= 1,
                (Some(a), Some(b)) if same(*a, *b) => {}
                (a, b) => differences.push(format!("{labels} at {t_ms}: promflow {a:?}, stock {b:?}")),
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{} of {compared}:\n{}",
        differences.len(),
        differences[..differences.len().min(20)].join("\n")
    );
    assert!(compared > 500, "only {compared} samples were compared");
    assert!(alerts_seen.contains("pending") && alerts_seen.contains("firing"), "{alerts_seen:?}");
    println!("{compared} recorded samples agree with stock Prometheus");
}

fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}
