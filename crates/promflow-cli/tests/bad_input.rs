//! Bad input: each gets a clear message with its place, and the rest goes on.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use promflow_testkit::{Script, ScriptedServer, free_port, http_get, http_request, wait_until};
use serde_json::Value;
use support::{Promflow, command, query};

const SOON: Duration = Duration::from_secs(20);

fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, text).expect("cannot write");
    path
}

/// Starts `serve` on a configuration that it refuses, and returns what it says.
fn refused(config: &Path) -> String {
    let address = format!("127.0.0.1:{}", free_port());
    let output = command(&["serve", "--web.listen-address", &address, "--config.file"])
        .arg(config)
        .output()
        .expect("cannot start promflow");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_missing_file_is_named() {
    let dir = tempfile::tempdir().expect("no temporary directory");
    let said = refused(&dir.path().join("nothere.yml"));
    assert!(said.contains("nothere.yml") && said.to_lowercase().contains("no such file"), "{said}");
}

#[test]
fn every_mistake_of_a_configuration_is_named_with_its_place() {
    let dir = tempfile::tempdir().expect("no temporary directory");
    let config = write(
        dir.path(),
        "prometheus.yml",
        "global:\n  scrape_intervall: 15s\nscrape_configs:\n  - job_name: a\n    scrape_timeout: 5x\nremote_write:\n  - url: http://x\n",
    );
    let said = refused(&config);
    for part in [
        "prometheus.yml:2:3",
        "scrape_intervall",
        "hint:",
        "scrape_interval",
        "prometheus.yml:5:",
        "not supported yet: remote_write",
    ] {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
}

#[test]
fn broken_yaml_has_its_line() {
    let dir = tempfile::tempdir().expect("no temporary directory");
    let said = refused(&write(dir.path(), "prometheus.yml", "global:\n  scrape_interval: [15s\nx: y\n"));
    assert!(said.contains("prometheus.yml:"), "{said}");
}

#[test]
fn bad_promql_and_a_bad_template_in_a_rule_file_have_their_place() {
    let dir = tempfile::tempdir().expect("no temporary directory");
    let config = write(dir.path(), "prometheus.yml", "rule_files: [rules.yml]\n");
    write(
        dir.path(),
        "rules.yml",
        "groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: |\n          sum(\n            rate(x[5m)\n          )\n",
    );
    let said = refused(&config);
    assert!(said.contains("rules.yml:7:"), "the line inside the block: {said}");
    write(
        dir.path(),
        "rules.yml",
        "groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: up == 0\n        annotations:\n          d: '{{ $labels.x | nothere }}'\n",
    );
    let said = refused(&config);
    assert!(said.contains("rules.yml:7:") && said.contains("nothere"), "{said}");
}

#[test]
fn a_flag_that_is_not_there_yet_says_so() {
    let output = command(&["serve", "--web.config.file=web.yml"]).output().expect("cannot start");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("not supported yet: --web.config.file"), "{said}");
}

#[test]
fn a_reload_that_is_refused_keeps_the_old_configuration() {
    let dir = tempfile::tempdir().expect("no temporary directory");
    let good = "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs: [{job_name: a}]\n";
    let config = write(dir.path(), "prometheus.yml", good);
    let promflow = Promflow::serve(&config, &["--web.enable-lifecycle", "--config.auto-reload-interval=0"]);
    fs::write(&config, "nonsense: true\n").expect("cannot write");
    let (status, body) = http_request("POST", &promflow.path("/-/reload"), &[], "").expect("no answer");
    assert_eq!(status, 500);
    assert!(body.contains("nonsense") && body.contains("prometheus.yml:1:1"), "{body}");
    let shown = promflow.json("/api/v1/status/config")["data"]["yaml"].to_string();
    assert!(shown.contains("job_name: a"), "{shown}");
    let (_, own) = http_get(&promflow.path("/metrics")).expect("no page");
    assert!(own.contains("prometheus_config_last_reload_successful 0"), "{own}");

    fs::write(&config, good.replace("job_name: a", "job_name: b")).expect("cannot write");
    promflow.signal("HUP");
    wait_until("SIGHUP to reload", SOON, || {
        promflow.json("/api/v1/status/config").to_string().contains("job_name: b")
    });
}

#[test]
fn without_the_lifecycle_flag_reload_is_refused() {
    let dir = tempfile::tempdir().expect("no temporary directory");
    let promflow = Promflow::serve(&write(dir.path(), "prometheus.yml", "global: {}\n"), &[]);
    let (status, body) = http_request("POST", &promflow.path("/-/reload"), &[], "").expect("no answer");
    assert_eq!((status, body.as_str()), (403, "Lifecycle API is not enabled."));
}

#[test]
fn secrets_are_shown_nowhere() {
    let dir = tempfile::tempdir().expect("no temporary directory");
    let text = "scrape_configs:\n  - job_name: a\n    basic_auth: {username: u, password: hunter2}\n    static_configs: [{targets: ['127.0.0.1:1']}]\n";
    let promflow = Promflow::serve(&write(dir.path(), "prometheus.yml", text), &[]);
    let shown = promflow.json("/api/v1/status/config").to_string();
    assert!(shown.contains("<secret>") && !shown.contains("hunter2"), "{shown}");
    for path in ["/api/v1/targets", "/api/v1/status/flags", "/metrics", "/api/promflow/v1/flow"] {
        let (_, body) = http_get(&promflow.path(path)).expect("no answer");
        assert!(!body.contains("hunter2"), "{path}: {body}");
    }
    assert!(!promflow.log().contains("hunter2"));
}

/// Serves raw bytes to every connection.
fn raw_server(answer: impl Fn(&mut dyn Write) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("no port");
    let address = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0u8; 4096];
            let _ = stream.read(&mut request);
            answer(&mut stream);
        }
    });
    address
}

fn head(content: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n{content}\r\n\r\n")
}

#[test]
fn targets_that_misbehave_have_their_error_and_the_rest_goes_on() {
    let good = ScriptedServer::start(|_| Script::page("good_metric 42\n"));
    let garbage = ScriptedServer::start(|_| Script::page("fine_metric 1\nthis is { not a metric\n"));
    let failing = ScriptedServer::start(|_| Script::Answer {
        status: 500,
        headers: Vec::new(),
        body: b"boom".to_vec(),
    });
    let half = raw_server(|out| {
        let _ = out.write_all(format!("{}half_metric 1\n", head("Content-Length: 1000")).as_bytes());
    });
    let nothing = raw_server(|_| {});
    let huge = raw_server(|out| {
        let _ = out.write_all(head("Connection: close").as_bytes());
        let block = "x".repeat(1 << 20);
        for _ in 0..1024 {
            if out.write_all(block.as_bytes()).is_err() {
                return;
            }
        }
    });
    let away = format!("127.0.0.1:{}", free_port());
    let jobs = [
        ("good", good.address(), ""),
        ("garbage", garbage.address(), "2:"),
        ("failing", failing.address(), "server returned HTTP status 500"),
        ("half", half, "unexpected EOF"),
        ("nothing", nothing, "EOF"),
        ("huge", huge, "body size limit"),
        ("away", away, "connection refused"),
    ];
    let dir = tempfile::tempdir().expect("no temporary directory");
    let mut text =
        "global: {scrape_interval: 5s, scrape_timeout: 5s, body_size_limit: 10MB}\nscrape_configs:\n"
            .to_owned();
    for (job, address, _) in &jobs {
        text.push_str(&format!("  - {{job_name: {job}, static_configs: [{{targets: ['{address}']}}]}}\n"));
    }
    let promflow = Promflow::serve(&write(dir.path(), "prometheus.yml", &text), &[]);
    for (job, _, expected) in &jobs {
        let mut target = Value::Null;
        wait_until(&format!("the job {job}"), Duration::from_secs(40), || {
            target = target_of(&promflow, job);
            !matches!(target["health"].as_str(), None | Some("unknown"))
        });
        let error = target["lastError"].as_str().unwrap_or_default();
        if expected.is_empty() {
            assert_eq!(target["health"], "up", "{job}: {error}");
        } else {
            assert_eq!(target["health"], "down", "{job}");
            assert!(error.contains(expected), "{job}: {expected:?} is not in {error:?}");
        }
    }
    assert_eq!(query(&promflow.url, "good_metric")[0]["value"][1], "42");
    assert!(query(&promflow.url, "fine_metric").is_empty(), "a page with an error is refused as a whole");
    assert_eq!(query(&promflow.url, "count(up == 0)")[0]["value"][1], "6");
}

fn target_of(promflow: &Promflow, job: &str) -> Value {
    let targets = promflow.json("/api/v1/targets");
    let all = targets["data"]["activeTargets"].as_array().cloned().unwrap_or_default();
    all.into_iter().find(|t| t["scrapePool"] == job).unwrap_or(Value::Null)
}

#[test]
fn requests_that_are_wrong_are_answered_as_prometheus_answers_them() {
    let dir = tempfile::tempdir().expect("no temporary directory");
    let promflow = Promflow::serve(&write(dir.path(), "prometheus.yml", "global: {}\n"), &[]);
    for (path, status, kind, error) in [
        (
            "/api/v1/query?query=sum(",
            400,
            "bad_data",
            "invalid parameter \"query\": 1:5: parse error: unclosed left parenthesis",
        ),
        (
            "/api/v1/query?query=up&time=x",
            400,
            "bad_data",
            "invalid parameter \"time\": Invalid time value for 'time': cannot parse \"x\" to a valid timestamp",
        ),
        (
            "/api/v1/query_range?query=up&start=2&end=1&step=1",
            400,
            "bad_data",
            "invalid parameter \"end\": end timestamp must not be before start time",
        ),
        (
            "/api/v1/query_range?query=up&start=0&end=1&step=0",
            400,
            "bad_data",
            "zero or negative query resolution step",
        ),
        (
            "/api/v1/query_range?query=up&start=0&end=20000&step=1",
            400,
            "bad_data",
            "exceeded maximum resolution of 11,000 points",
        ),
        ("/api/v1/series", 400, "bad_data", "no match[] parameter provided"),
        (
            "/api/v1/query_exemplars?query=up",
            501,
            "not_supported",
            "not supported yet: /api/v1/query_exemplars",
        ),
    ] {
        let (got, body) = http_get(&promflow.path(path)).expect("no answer");
        let answer: Value = serde_json::from_str(&body).unwrap_or_else(|e| panic!("{path}: {e}: {body}"));
        assert_eq!(got, status, "{path}: {body}");
        assert_eq!(answer["status"], "error", "{path}");
        assert_eq!(answer["errorType"], kind, "{path}: {body}");
        assert!(answer["error"].as_str().unwrap_or_default().contains(error), "{path}: {body}");
    }
}
