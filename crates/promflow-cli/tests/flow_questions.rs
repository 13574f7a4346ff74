//! The questions to the flow chart, as commands and over the API, on the shipped setup and on broken copies of it.

mod support;

use std::fs;
use std::path::Path;
use std::process::Output;

use promflow_testkit::{Peer, http_get, wait_until};
use serde_json::Value;
use support::{Promflow, START, change, command, copied, copy_sources, root};

fn run_in(tree: &Path, arguments: &[&str]) -> Output {
    command(arguments).current_dir(tree).output().expect("cannot start promflow")
}

fn json_in(tree: &Path, arguments: &[&str]) -> Value {
    let output = run_in(tree, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{arguments:?} printed no JSON: {e}"))
}

fn text_in(tree: &Path, arguments: &[&str]) -> String {
    let output = run_in(tree, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Returns the Rust file that defines a metric.
fn file_of(metric: &str) -> String {
    let feeds = json_in(&root(), &["flow", "breaks", metric, "--json"]);
    let nodes = feeds["nodes"].as_array().expect("nodes").iter();
    let files = nodes.filter(|node| node["kind"] == "definition").filter_map(|node| node["file"].as_str());
    files.into_iter().find(|file| file.ends_with(".rs")).expect("it is defined in a file").to_owned()
}

#[test]
fn nothing_is_broken_in_the_intact_tree() {
    let output = run_in(&root(), &["flow", "--fail-on", "broken", "--format", "text"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("nothing is broken"));
    let missing = json_in(&root(), &["flow", "missing", "--json"]);
    assert_eq!(missing["missing"], Value::Array(Vec::new()));
}

/// A copy of one example, with the monitoring setup and the library it is written with.
fn example(parts: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for part in parts.iter().chain(&["monitoring"]) {
        copy_sources(&root().join(part), &dir.path().join(part));
    }
    let manifest = "Cargo.toml";
    if parts.contains(&"crates") {
        fs::copy(root().join(manifest), dir.path().join(manifest)).expect("the manifest can be copied");
    }
    dir
}

/// What is changed in a copy, and what is told of it.
struct Fault {
    file: String,
    from: &'static str,
    to: &'static str,
    state: &'static str,
    reason: &'static str,
    nearest: &'static str,
}

/// The faults that can be planted in an example: its code, its job, and the rules that all share.
fn faults(code: &str, job: &'static str, relabelled: &'static str) -> Vec<Fault> {
    let fault = |file: &str, from, to, state, reason, nearest| Fault {
        file: file.to_owned(),
        from,
        to,
        state,
        reason,
        nearest,
    };
    let (alerts, config) = ("monitoring/rules/alerts.yml", "monitoring/prometheus.yml");
    vec![
        fault(
            code,
            "\"http_requests_total\"",
            "\"http_request_total\"",
            "never_seen",
            "is one letter away",
            "http_request_total",
        ),
        fault(
            config,
            job,
            relabelled,
            "mismatch",
            "removes the label `status` from `http_requests_total`",
            "",
        ),
        fault(
            alerts,
            "  - name: http\n",
            "  - name: planted\n    rules:\n      - {alert: Planted, expr: 'job:http_request_duration_seconds:p95_rate5m > 9000'}\n  - name: http\n",
            "mismatch",
            "the highest bucket of `http_request_duration_seconds`",
            "10",
        ),
        fault(
            alerts,
            "and job:http_requests:rate5m > 0.1",
            "and job:http_request:rate5m > 0.1",
            "never_seen",
            "`job:http_request:rate5m` is defined nowhere",
            "job:http_requests:rate5m",
        ),
    ]
}

/// Checks that nothing is broken in a copy of an example, and that each fault in one is told and fails the command.
#[track_caller]
fn check_faults(parts: &[&str], faults: &[Fault]) {
    let intact = run_in(example(parts).path(), &["flow", "--fail-on", "broken", "--format", "text"]);
    assert!(intact.status.success(), "{}", String::from_utf8_lossy(&intact.stderr));
    for Fault { file, from, to, state, reason, nearest } in faults {
        let tree = example(parts);
        change(tree.path(), file, from, to);
        let output = run_in(tree.path(), &["flow", "--fail-on", "broken", "--format", "json"]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{file}: {to}\n{told}");
        assert!(told.contains(reason), "{told}");
        let missing = json_in(tree.path(), &["flow", "missing", "--json"]);
        let all = missing["missing"].as_array().expect("a list");
        let found =
            all.iter().find(|entry| entry["reason"].as_str().is_some_and(|text| text.contains(reason)));
        let found = found.unwrap_or_else(|| panic!("{missing:#}"));
        assert_eq!(found["state"], *state, "{found:#}");
        assert!(nearest.is_empty() || found["nearest"] == *nearest, "{found:#}");
    }
}

/// Takes the jobs between two lines out of the configuration and checks that what nobody scrapes is told.
#[track_caller]
fn check_jobs_removed(parts: &[&str], between: [&str; 2], reason: &str) {
    let tree = example(parts);
    let path = tree.path().join("monitoring/prometheus.yml");
    let text = fs::read_to_string(&path).expect("readable");
    let [start, end] = between.map(|line| text.find(line).unwrap_or_else(|| panic!("no line {line:?}")));
    fs::write(&path, format!("{}{}", &text[..start], &text[end..])).expect("written");
    let output = run_in(tree.path(), &["flow", "--fail-on", "broken"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains(reason), "{told}");
}

const PYTHON: [&str; 2] = ["examples/fastapi_backend", "python"];

#[test]
fn faults_planted_in_the_rust_example_are_told_with_reason_and_nearest_name() {
    let code = file_of("http_requests_total");
    let parts = ["examples/backend", "crates"];
    let relabelled =
        "  - job_name: backend\n    metric_relabel_configs: [{regex: status, action: labeldrop}]\n";
    check_faults(&parts, &faults(&code, "  - job_name: backend\n", relabelled));
    let jobs = ["  # What is always there.", "  # Optional parts."];
    check_jobs_removed(&parts, jobs, "[dropped] no job scrapes `promflow`");
}

#[test]
fn faults_planted_in_the_python_example_are_told_with_reason_and_nearest_name() {
    let relabelled =
        "  - job_name: fastapi\n    metric_relabel_configs: [{regex: status, action: labeldrop}]\n";
    let code = "python/promflow/backend/metrics.py";
    check_faults(&PYTHON, &faults(code, "  - job_name: fastapi\n", relabelled));
    let jobs = ["  # FastAPI, measured by", "  # Workers and other programs"];
    check_jobs_removed(&PYTHON, jobs, "[dropped] no job scrapes `fastapi-backend`");
}

#[test]
fn a_project_whose_library_is_installed_elsewhere_has_nothing_broken() {
    let tree = example(&["examples/fastapi_backend"]);
    let output = run_in(tree.path(), &["flow", "--fail-on", "broken", "--format", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let graph: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let edges = graph["edges"].as_array().expect("edges");
    let of_library = |edge: &&Value| {
        edge["reason"].as_str().is_some_and(|reason| reason.contains("comes from the library `promflow`"))
    };
    assert!(edges.iter().any(|edge| of_library(&edge)), "what the library writes is not judged");
}

#[test]
fn the_commands_answer_in_words_and_name_the_nearest() {
    let feeds = text_in(&root(), &["flow", "feeds", "HttpHighErrorRatio"]);
    assert!(feeds.starts_with("alert HttpHighErrorRatio  monitoring/rules/alerts.yml:"), "{feeds}");
    assert!(feeds.contains("definition http_requests_total  "), "{feeds}");
    let breaks = text_in(&root(), &["flow", "breaks", "http_requests_total"]);
    assert!(breaks.contains("HttpHighErrorRatio") && breaks.contains("who is no longer told"), "{breaks}");
    let wrong = run_in(&root(), &["flow", "feeds", "HttpHighErorRatio"]);
    assert_eq!(wrong.status.code(), Some(1));
    let told = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(told.contains("did you mean `HttpHighErrorRatio`?"), "{told}");
    let wrong = run_in(&root(), &["flow", "--select", "kind:alrt"]);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("1:6: `alrt` is no kind"), "{wrong:?}");
    let part = json_in(&root(), &["flow", "--select", "+HttpHighErrorRatio", "--json"]);
    let alerts =
        part["nodes"].as_array().expect("nodes").iter().filter(|node| node["kind"] == "alert").count();
    assert_eq!(alerts, 1);
    let prune = json_in(&root(), &["prune", "--json"]);
    assert_eq!(prune["deadAlerts"], Value::Array(Vec::new()));
    assert!(prune["unread"].as_array().is_some_and(|unread| unread.iter().all(|m| m["file"].is_string())));
}

#[test]
fn exports_are_the_same_each_time() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for format in ["svg", "png", "html", "text", "mermaid", "dot", "json"] {
        let files = ["one", "two"].map(|name| dir.path().join(format!("{name}.{format}")));
        for file in &files {
            text_in(&root(), &["flow", "--format", format, "-o", &file.display().to_string()]);
        }
        let [one, two] = files.map(|file| fs::read(file).expect("it was written"));
        assert!(!one.is_empty() && one == two, "{format}");
        if format == "png" {
            assert_eq!(&one[..8], b"\x89PNG\r\n\x1a\n");
        }
    }
    let parts = format!("{}/parts/", dir.path().display());
    text_in(&root(), &["flow", "-o", &parts]);
    for entry in fs::read_dir(&parts).expect("parts were written") {
        let text = fs::read_to_string(entry.expect("an entry").path()).expect("readable");
        assert!(text.starts_with("flowchart LR") && text.len() < 50_000, "{} bytes", text.len());
    }
}

#[test]
fn two_revisions_are_compared_without_touching_the_work_tree() {
    let tree = copied();
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=Test", "-c", "user.email=test@localhost"];
        let all = identity.iter().chain(arguments).copied();
        let output =
            std::process::Command::new("git").args(all).current_dir(tree.path()).output().expect("git");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "before"]);
    git(&["tag", "before"]);
    change(
        tree.path(),
        "monitoring/rules/alerts.yml",
        "            and job:http_requests:rate5m > 0.1\n        for: 5m",
        "            and job:http_request:rate5m > 0.1\n        for: 5m",
    );
    git(&["commit", "-qam", "after"]);
    fs::write(tree.path().join("monitoring/rules/alerts.yml"), "not committed").expect("written");
    let diff = json_in(tree.path(), &["flow", "diff", "before..HEAD", "--json"]);
    assert_eq!(diff["nodes"]["changed"][0]["name"], "HttpHighErrorRatio");
    assert_eq!(diff["edges"]["broken"][0]["nearest"], "job:http_requests:rate5m");
    let text = text_in(tree.path(), &["flow", "diff", "before..HEAD"]);
    assert!(text.contains("**Breaks**"), "{text}");
    assert!(text_in(tree.path(), &["flow", "diff", "before..before"]).contains("Nothing differs."));
    let left = fs::read_to_string(tree.path().join("monitoring/rules/alerts.yml")).expect("readable");
    assert_eq!(left, "not committed");
    let wrong = run_in(tree.path(), &["flow", "diff", "nowhere..HEAD"]);
    assert!(
        String::from_utf8_lossy(&wrong.stderr).contains("git knows no revision \"nowhere\""),
        "{wrong:?}"
    );
}

#[test]
fn the_api_gives_what_the_commands_give() {
    let tree = copied();
    change(
        tree.path(),
        "monitoring/rules/alerts.yml",
        "            and job:http_requests:rate5m > 0.1\n        for: 5m",
        "            and job:http_request:rate5m > 0.1\n        for: 5m",
    );
    let config = tree.path().join("monitoring/prometheus.yml");
    let source = tree.path().display().to_string();
    let promflow = Promflow::serve(&config, &["--source", &source]);
    let data = |path: &str| {
        let answer = promflow.json(path);
        assert_eq!(answer["status"], "success", "{path}: {answer:#}");
        answer["data"].clone()
    };
    let missing = data("/api/promflow/v1/flow/missing");
    let entries = missing["missing"].as_array().expect("a list");
    assert!(entries.iter().any(|entry| entry["nearest"] == "job:http_requests:rate5m"), "{missing:#}");
    let feeds = data("/api/promflow/v1/flow/feeds?alert=HttpHighErrorRatio");
    assert!(
        feeds["definitions"].as_array().is_some_and(|d| d.iter().any(|d| d["name"] == "http_requests_total"))
    );
    let breaks = data("/api/promflow/v1/flow/breaks?name=status");
    assert_eq!(breaks["kinds"][0], "label");
    assert!(data("/api/promflow/v1/flow/prune")["unread"].is_array());
    let part = data("/api/promflow/v1/flow?select=state:broken,kind:alert");
    assert_eq!(part["nodes"].as_array().map(Vec::len), Some(1), "{part:#}");
    assert!(data("/api/promflow/v1/cardinality")["metrics"].is_array());
    for (path, told) in [
        ("/api/promflow/v1/flow?select=kind:alrt", "1:6: `alrt` is no kind"),
        ("/api/promflow/v1/flow/feeds?alert=HttpHighErorRatio", "did you mean `HttpHighErrorRatio`?"),
        ("/api/promflow/v1/flow/breaks", "a name is missing"),
        ("/api/promflow/v1/cardinality?limit=0", "is no number from 1 to 1000"),
    ] {
        let answer = promflow.json(path);
        assert_eq!(answer["errorType"], "bad_data", "{answer:#}");
        assert!(answer["error"].as_str().is_some_and(|text| text.contains(told)), "{answer:#}");
    }
}

#[test]
fn prune_and_cardinality_work_against_stock_prometheus() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let config = dir.path().join("prometheus.yml");
    let targets = dir.path().join("targets.json");
    fs::write(
        &config,
        format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: ['{0}/rules.yml']\nscrape_configs:\n  - job_name: prometheus\n    \
             file_sd_configs: [{{files: ['{0}/targets.json'], refresh_interval: 1s}}]\n",
            dir.path().display()
        ),
    )
    .expect("written");
    fs::write(
        dir.path().join("rules.yml"),
        "groups:\n  - name: g\n    rules:\n      - {alert: Slow, expr: 'prometheus_engine_queries > 100'}\n      - {alert: Always, expr: 'vector(1)'}\n",
    )
    .expect("written");
    let peer = Peer::prometheus(&config);
    fs::write(&targets, format!("[{{\"targets\": [\"{}\"]}}]", peer.address())).expect("written");
    let is_scraped = || {
        let query = peer.url("/api/v1/query?query=count(prometheus_engine_queries)");
        http_get(&query).is_ok_and(|(_, body)| body.contains("\"value\""))
    };
    wait_until("Prometheus to scrape itself", START, is_scraped);
    let url = peer.url("");
    let counted = json_in(dir.path(), &["cardinality", "--url", &url, "--limit", "5", "--json"]);
    assert!(counted["series"].as_u64().is_some_and(|series| series > 100), "{counted:#}");
    assert_eq!(counted["metrics"].as_array().map(Vec::len), Some(5));
    assert_eq!(counted["jobs"][0]["name"], "prometheus");
    assert!(counted["limits"][0]["sampleLimit"].as_u64().is_some_and(|limit| limit >= 200), "{counted:#}");
    assert!(text_in(dir.path(), &["cardinality", "--url", &url]).contains("sample_limit: "));
    let config = config.display().to_string();
    let source = dir.path().display().to_string();
    let from = ["--url", &url, "--config.file", &config, "--source", &source];
    let last_fired = |alert: &str| {
        let chart = json_in(dir.path(), &[&["flow", "--format", "json"], &from[..]].concat());
        let nodes = chart["nodes"].as_array().expect("a list").iter();
        nodes.filter(|node| node["name"] == alert).find_map(|node| node["lastFiredMs"].as_i64())
    };
    wait_until("the chart to say when an alert fired", START, || last_fired("Always").is_some());
    assert_eq!(last_fired("Slow"), None, "it never fired");
    let arguments = [&["prune", "--json"], &from[..]].concat();
    let prune = json_in(dir.path(), &arguments);
    let unread: Vec<&str> = prune["unread"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|metric| metric["name"].as_str())
        .collect();
    assert!(unread.contains(&"prometheus_tsdb_head_series"), "{unread:?}");
    assert!(!unread.contains(&"prometheus_engine_queries") && !unread.contains(&"up"), "{unread:?}");
    assert!(prune["drops"][0]["yaml"].as_str().is_some_and(|yaml| yaml.contains("action: drop")));
}
