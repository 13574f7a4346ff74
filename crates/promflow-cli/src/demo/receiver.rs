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

use crate::output::say;

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

    fn annotation(&self, name: &str) -> &str {
        self.annotations.get(name).map_or("", String::as_str)
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
    let news = receiver.note(posted);
    for line in news.lines() {
        say(&line);
    }
    StatusCode::OK
}

impl Receiver {
    /// Enters a batch and returns what it changed.
    fn note(&self, posted: Vec<PostedAlert>) -> News {
        let now_ms = self.clock.now_ms();
        let mut news = News::default();
        let mut alerts = self.alerts.lock().expect("BUG: a handler panicked while it held the alerts");
        for alert in posted {
            let was_firing = alerts.get(&alert.labels).is_some_and(|known| !known.is_resolved(now_ms));
            // The watchdog always fires: that is its job, and no news.
            let is_news = alert.label("severity") != "none";
            if alert.is_resolved(now_ms) {
                if was_firing && is_news {
                    news.resolved.push(alert.clone());
                }
                alerts.remove(&alert.labels);
                continue;
            }
            if !was_firing && is_news {
                news.firing.push(alert.clone());
            }
            if alerts.len() < ALERTS_MAX || alerts.contains_key(&alert.labels) {
                alerts.insert(alert.labels.clone(), alert);
            }
        }
        news
    }
}

/// What a batch changed.
#[derive(Default)]
struct News {
    firing: Vec<PostedAlert>,
    resolved: Vec<PostedAlert>,
}

impl News {
    /// Writes the alerts of one name together: the first one whole, the others counted.
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (what, alerts) in [("FIRING", &self.firing), ("resolved", &self.resolved)] {
            let mut by_name: BTreeMap<&str, Vec<&PostedAlert>> = BTreeMap::new();
            for alert in alerts {
                by_name.entry(alert.label("alertname")).or_default().push(alert);
            }
            for (name, alerts) in by_name {
                let first = alerts[0];
                let severity = first.label("severity");
                lines.push(format!("{what:<9} {name} ({severity}): {}", first.annotation("summary")));
                if !first.annotation("description").is_empty() {
                    lines.push(format!("          {}", first.annotation("description")));
                }
                if alerts.len() > 1 {
                    lines.push(format!("          and {} more", alerts.len() - 1));
                }
            }
        }
        lines
    }
}

async fn list(State(receiver): State<Receiver>) -> Json<Vec<PostedAlert>> {
    let alerts = receiver.alerts.lock().expect("BUG: a handler panicked while it held the alerts");
    Json(alerts.values().cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct FixedClock;

    impl Clock for FixedClock {
        fn now_ms(&self) -> i64 {
            100_000
        }
    }

    fn posted(name: &str, user: &str, ends_at_ms: i64) -> PostedAlert {
        let labels = [("alertname", name), ("severity", "warning"), ("user", user)];
        PostedAlert {
            labels: labels.map(|(n, v)| (n.to_owned(), v.to_owned())).into(),
            annotations: [("summary".to_owned(), "low".to_owned())].into(),
            starts_at: String::new(),
            ends_at: time::format_rfc3339(ends_at_ms),
        }
    }

    #[test]
    fn alerts_of_one_name_are_one_piece_of_news_and_told_once() {
        let receiver = Receiver { clock: Arc::new(FixedClock), alerts: Arc::default() };
        let firing = vec![posted("Low", "a", 200_000), posted("Low", "b", 200_000)];
        assert_eq!(
            receiver.note(firing.clone()).lines(),
            ["FIRING    Low (warning): low", "          and 1 more"]
        );
        assert!(receiver.note(firing).lines().is_empty());
        let resolved = receiver.note(vec![posted("Low", "a", 50_000)]);
        assert_eq!(resolved.lines(), ["resolved  Low (warning): low"]);
    }
}
