//! The backend over real HTTP: its routes, its metrics, and that each fault shows in the metrics that alerts read.

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use promflow::config::Settings;
use promflow_exposition::{Entry, Format, Mode, Parser};
use promflow_testkit::{Peer, program};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, MutexGuard, oneshot};
use tokio::task::JoinHandle;

/// The metrics stand in the registry of the process, so tests that compare them run one after another.
static ALONE: Mutex<()> = Mutex::const_new(());

struct Backend {
    url: String,
    client: Client<HttpConnector, Full<Bytes>>,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<std::io::Result<()>>,
    _alone: MutexGuard<'static, ()>,
}

impl Backend {
    async fn start() -> Self {
        Self::start_with(None).await
    }

    async fn start_with(redis: Option<String>) -> Self {
        let alone = ALONE.lock().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move { stopped.await.unwrap_or(()) };
        let options = backend::Options { accounts: 4, paid_apis_url: None, redis };
        let server = tokio::spawn(backend::serve(Settings::default(), listener, options, shutdown));
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { url, client, stop: Some(stop), server, _alone: alone }
    }

    async fn send(&self, method: Method, path: &str, body: &str) -> (u16, String) {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.to_owned())))
            .unwrap();
        let response = self.client.request(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    async fn get(&self, path: &str) -> (u16, String) {
        self.send(Method::GET, path, "").await
    }

    async fn post(&self, path: &str, body: &str) -> (u16, String) {
        self.send(Method::POST, path, body).await
    }

    async fn switch(&self, fault: &str, on: bool) {
        let (status, body) = self.post(&format!("/_faults/{fault}?on={on}"), "").await;
        let faults: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, faults[fault].as_bool()), (200, Some(on)));
    }

    /// Reads a series from the page; 0 when it is not there.
    async fn value(&self, series: &str) -> f64 {
        let (status, page) = self.get("/metrics").await;
        assert_eq!(status, 200);
        Parser::new(page.as_bytes(), Format::Text, Mode::Strict)
            .find_map(|entry| match entry.unwrap() {
                Entry::Sample(sample) if sample.series() == series.as_bytes() => Some(sample.value),
                _ => None,
            })
            .unwrap_or(0.0)
    }

    /// Waits until a series has risen above a value.
    async fn rises(&self, series: &str, above: f64) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.value(series).await <= above {
            assert!(Instant::now() < deadline, "{series} does not rise above {above}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.server.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn page_has_what_the_rules_read_before_anything_happened() {
    let backend = Backend::start().await;
    let (_, page) = backend.get("/metrics").await;
    for line in [
        "# TYPE app_build_info gauge",
        "# TYPE process_resident_memory_bytes gauge",
        "# TYPE system_cpu_usage_percent gauge",
        "credits_remaining{user=\"user-1\",type=\"voice\"}",
        "celery_tasks_total{task=\"export\",state=\"failure\"}",
        "stripe_api_calls_total{operation=\"create_charge\",outcome=\"rate_limited\"}",
        "vapi_api_calls_total{operation=\"create_call\",outcome=\"error\"}",
        "pulsar_dlq_messages_total{topic=\"account-events\"}",
        "exports_total{format=\"json\"}",
        "account_topups_total{type=\"api\"}",
    ] {
        assert!(page.contains(line), "{line} is not in\n{page}");
    }
    backend.stop().await;
}

#[tokio::test]
async fn actions_use_credits_and_reach_every_part() {
    let backend = Backend::start().await;
    let call = "vapi_api_calls_total{operation=\"create_call\",outcome=\"success\"}";
    let voice = "credits_used_total{user=\"user-1\",type=\"voice\"}";
    let exports = "exports_total{format=\"csv\"}";
    let topups = "account_topups_total{type=\"voice\"}";
    let processed = "pulsar_messages_processed_total{topic=\"account-events\",outcome=\"success\"}";
    let before = [
        backend.value(call).await,
        backend.value(voice).await,
        backend.value(exports).await,
        backend.value(topups).await,
        backend.value(processed).await,
    ];
    // One in a hundred calls to a paid API is refused twice; then the caller tries again.
    while backend.post("/calls", r#"{"account":1,"number":"+1","minutes":2}"#).await.0 != 201 {}
    while backend.post("/accounts/1/topup", r#"{"type":"voice"}"#).await.0 != 200 {}
    assert_eq!(backend.post("/messages", r#"{"account":1,"text":"x"}"#).await.0, 201);
    assert_eq!(backend.post("/exports", r#"{"account":1,"format":"csv"}"#).await.0, 202);
    backend.rises(call, before[0]).await;
    assert_eq!(backend.value(voice).await, before[1] + 2.0);
    backend.rises(exports, before[2]).await;
    backend.rises(topups, before[3]).await;
    backend.rises(processed, before[4] + 3.0).await;
    let (_, credits) = backend.get("/accounts/1/credits").await;
    let credits: Value = serde_json::from_str(&credits).unwrap();
    assert_eq!((credits["voice"].as_f64(), credits["api"].as_f64()), (Some(398.0), Some(999.0)));
    backend.stop().await;
}

#[tokio::test]
async fn redis_is_measured_and_may_be_gone() {
    let redis = Peer::redis();
    let address = redis.address();
    let backend = Backend::start_with(Some(address.clone())).await;
    let got = "redis_client_commands_total{command=\"get\",outcome=\"success\"}";
    let set = "redis_client_commands_total{command=\"set\",outcome=\"success\"}";
    let failed = "redis_client_commands_total{command=\"get\",outcome=\"error\"}";
    let first = backend.get("/accounts/1").await;
    assert_eq!(backend.get("/accounts/1").await, first);
    assert_eq!((backend.value(got).await, backend.value(set).await), (2.0, 1.0));
    assert_eq!(backend.value("redis_client_pool_connections{state=\"idle\"}").await, 1.0);
    drop(redis);
    assert_eq!(backend.get("/accounts/1").await, first);
    assert_eq!(backend.value(failed).await, 1.0);
    backend.stop().await;
}

#[tokio::test]
async fn page_is_accepted_by_promtool() {
    let backend = Backend::start().await;
    backend.get("/accounts/1").await;
    let (_, page) = backend.get("/metrics").await;
    let mut promtool = std::process::Command::new(program("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let complaints = String::from_utf8(output.stderr).unwrap();
    // The one name that the linter dislikes is given.
    assert!(complaints.lines().all(|line| line.starts_with("system_cpu_usage_percent ")), "{complaints}");
    backend.stop().await;
}

#[tokio::test]
async fn bad_requests_are_refused_with_a_reason() {
    let backend = Backend::start().await;
    for (path, body, status, reason) in [
        (
            "/accounts/1/topup",
            r#"{"type":"gold"}"#,
            400,
            "unknown type \\\"gold\\\": expected one of api, voice",
        ),
        ("/accounts/9/topup", r#"{"type":"api"}"#, 404, "no account 9"),
        ("/calls", r#"{"account":1,"number":"1","minutes":-1}"#, 400, "minutes must be above 0"),
        ("/messages", r#"{"account":9,"text":""}"#, 404, "no account 9"),
        ("/exports", r#"{"account":1,"format":"pdf"}"#, 400, "expected csv or json"),
        ("/_faults/fire?on=true", "", 404, "expected one of errors, latency, credits, consumer"),
        ("/_faults/errors?on=yes", "", 400, "expected true or false"),
        ("/_faults/errors", "", 400, "expected true or false"),
    ] {
        let (found, message) = backend.post(path, body).await;
        assert_eq!(found, status, "{path}: {message}");
        assert!(message.contains(reason), "{path}: {message}");
    }
    assert_eq!(backend.get("/_faults").await.0, 200);
    backend.stop().await;
}

#[tokio::test]
async fn errors_fault_makes_requests_fail() {
    let backend = Backend::start().await;
    let failed = "http_requests_total{method=\"GET\",endpoint=\"/accounts/{id}\",status=\"500\"}";
    let before = backend.value(failed).await;
    for _ in 0..50 {
        assert_eq!(backend.get("/accounts/1").await.0, 200);
    }
    backend.switch("errors", true).await;
    for _ in 0..50 {
        backend.get("/accounts/1").await;
    }
    backend.switch("errors", false).await;
    let failures = backend.value(failed).await - before;
    assert!((5.0..45.0).contains(&failures), "{failures}");
    assert_eq!(backend.get("/accounts/1").await.0, 200);
    backend.stop().await;
}

#[tokio::test]
async fn latency_fault_makes_requests_slower_than_a_second() {
    let backend = Backend::start().await;
    let fast =
        "http_request_duration_seconds_bucket{method=\"GET\",endpoint=\"/accounts/{id}/credits\",le=\"1\"}";
    let all = "http_request_duration_seconds_count{method=\"GET\",endpoint=\"/accounts/{id}/credits\"}";
    backend.get("/accounts/1/credits").await;
    let before = (backend.value(fast).await, backend.value(all).await);
    backend.switch("latency", true).await;
    assert_eq!(backend.get("/accounts/1/credits").await.0, 200);
    assert_eq!(backend.value(fast).await, before.0);
    assert_eq!(backend.value(all).await, before.1 + 1.0);
    backend.stop().await;
}

#[tokio::test]
async fn credits_fault_makes_accounts_run_low_until_it_ends() {
    let backend = Backend::start().await;
    let low = "credits_accounts{type=\"api\",bucket=\"low\"}";
    let before = backend.value(low).await;
    backend.switch("credits", true).await;
    for _ in 0..3 {
        backend.post("/messages", r#"{"account":2,"text":"x"}"#).await;
    }
    assert_eq!(backend.value(low).await, before + 1.0);
    assert_eq!(backend.post("/messages", r#"{"account":2,"text":"x"}"#).await.0, 402);
    backend.switch("credits", false).await;
    backend.post("/messages", r#"{"account":2,"text":"x"}"#).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while backend.value(low).await > before {
        assert!(Instant::now() < deadline, "the account is not charged again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    backend.stop().await;
}

#[tokio::test]
async fn consumer_fault_grows_the_queue_and_gives_messages_up() {
    let backend = Backend::start().await;
    let dead = "pulsar_dlq_messages_total{topic=\"account-events\"}";
    let before = backend.value(dead).await;
    backend.switch("consumer", true).await;
    for _ in 0..30 {
        backend.post("/messages", r#"{"account":3,"text":"x"}"#).await;
    }
    assert!(backend.value("pulsar_consumer_queue_size{topic=\"account-events\"}").await > 0.0);
    backend.rises(dead, before).await;
    assert!(backend.get("/dead-letters").await.1.contains("message of account 3"));
    backend.stop().await;
}

#[tokio::test]
async fn traffic_reaches_every_kind_of_route_and_stays_bounded() {
    let backend = Backend::start().await;
    let unmatched = "http_requests_total{method=\"GET\",endpoint=\"__unmatched__\",status=\"404\"}";
    let before = backend.value(unmatched).await;
    let (stop, stopped) = oneshot::channel::<()>();
    let url = backend.url.clone();
    let traffic = tokio::spawn(async move {
        backend::traffic::run(&url, 200.0, async move { stopped.await.unwrap_or(()) }).await;
    });
    backend.rises(unmatched, before).await;
    backend.rises("http_requests_total{method=\"POST\",endpoint=\"/calls\",status=\"201\"}", 0.0).await;
    backend.rises("celery_tasks_total{task=\"export\",state=\"success\"}", 0.0).await;
    assert!(!backend.get("/metrics").await.1.contains("wp-admin"));
    stop.send(()).unwrap();
    traffic.await.unwrap();
    backend.stop().await;
}
