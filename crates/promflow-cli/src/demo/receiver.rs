//! A small receiver of Alertmanager's API v2: it prints each alert once it fires and once it is resolved.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use promflow_model::{Clock, time};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

/// How many alerts are remembered.
const ALERTS_MAX: usize = 1000;
/// The largest batch: 256 alerts of 4 KiB.
const BODY_BYTES_MAX: usize = 1 << 20;

/// An alert as the API takes it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct PostedAlert {
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    starts_at: String,
    #[serde(default)]
    ends_at: String,
}

impl PostedAlert {
    fn is_resolved(&self, now_ms: i64) -> bool {
        time::parse_rfc3339(&self.ends_at).is_some_and(|ends_ms| ends_ms <= now_ms)
    }

    fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

#[derive(Clone)]
struct Receiver {
    clock: Arc<dyn Clock>,
    alerts: Arc<Mutex<BTreeMap<BTreeMap<String, String>, PostedAlert>>>,
}

/// Serves the receiver until the runtime ends.
pub(crate) async fn serve(listener: TcpListener, clock: Arc<dyn Clock>) -> std::io::Result<()> {
    let receiver = Receiver { clock, alerts: Arc::default() };
    let router = Router::new()
        .route("/", get(list))
        .route("/-/ready", get(|| async { "OK" }))
        .route("/api/v2/alerts", post(take).get(list))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(receiver);
    axum::serve(listener, router).await
}

async fn take(State(receiver): State<Receiver>, Json(posted): Json<Vec<PostedAlert>>) -> StatusCode {
    let now_ms = receiver.clock.now_ms();
    let mut alerts = receiver.alerts.lock().expect("BUG: a handler panicked while it held the alerts");
    for alert in posted {
        let was_firing = alerts.get(&alert.labels).is_some_and(|known| !known.is_resolved(now_ms));
        if alert.is_resolved(now_ms) {
            if was_firing {
                print("resolved", &alert);
            }
            alerts.remove(&alert.labels);
            continue;
        }
        // The watchdog always fires: that is its job, and no news.
        if !was_firing && alert.label("severity") != "none" {
            print("FIRING", &alert);
        }
        if alerts.len() < ALERTS_MAX || alerts.contains_key(&alert.labels) {
            alerts.insert(alert.labels.clone(), alert);
        }
    }
    StatusCode::OK
}

async fn list(State(receiver): State<Receiver>) -> Json<Vec<PostedAlert>> {
    let alerts = receiver.alerts.lock().expect("BUG: a handler panicked while it held the alerts");
    Json(alerts.values().cloned().collect())
}

fn print(what: &str, alert: &PostedAlert) {
    let annotation = |name: &str| alert.annotations.get(name).map_or("", String::as_str);
    println!(
        "{what:<9} {} ({}): {}",
        alert.label("alertname"),
        alert.label("severity"),
        annotation("summary")
    );
    let description = annotation("description");
    if !description.is_empty() {
        println!("          {description}");
    }
}
