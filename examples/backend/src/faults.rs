//! Faults that can be switched on, each noticed by other alerts.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::extract::{ConnectInfo, Path, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::App;

/// The names of the faults.
pub const NAMES: [&str; 4] = ["errors", "latency", "credits", "consumer"];

/// While errors are on, so many requests fail.
const ERROR_SHARE: f64 = 0.4;

/// Which faults are on.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    on: [AtomicBool; NAMES.len()],
}

impl Faults {
    /// Says whether a fault is on.
    ///
    /// Panics: when there is no such fault.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        let index = NAMES.iter().position(|n| *n == name).expect("BUG: no such fault");
        self.on[index].load(Ordering::Relaxed)
    }

    fn all(&self) -> BTreeMap<&'static str, bool> {
        NAMES.iter().map(|name| (*name, self.is_on(name))).collect()
    }
}

/// Lets requests fail or wait while those faults are on.
pub(crate) async fn inject(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if app.faults.is_on("latency") {
        tokio::time::sleep(app.random.millis(1500, 2400)).await;
    }
    if app.faults.is_on("errors") && app.random.chance(ERROR_SHARE) {
        return failure(StatusCode::INTERNAL_SERVER_ERROR, "the fault \"errors\" is on");
    }
    next.run(request).await
}

/// Answers with a message.
pub(crate) fn failure(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}

/// Refuses whoever is not on this machine.
fn refuse_remote(peer: SocketAddr) -> Option<Response> {
    let refused = || failure(StatusCode::FORBIDDEN, "faults are switched from this machine only");
    (!peer.ip().to_canonical().is_loopback()).then(refused)
}

/// `GET /_faults`
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
) -> Response {
    refuse_remote(peer).unwrap_or_else(|| Json(app.faults.all()).into_response())
}

/// `POST /_faults/{name}?on=true`
pub(crate) async fn switch(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(name): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    if let Some(refused) = refuse_remote(peer) {
        return refused;
    }
    let Some(index) = NAMES.iter().position(|n| *n == name) else {
        let message = format!("unknown fault {name:?}: expected one of {}", NAMES.join(", "));
        return failure(StatusCode::NOT_FOUND, &message);
    };
    let on = match query.get("on").map(String::as_str) {
        Some("true") => true,
        Some("false") => false,
        other => {
            let message = format!("invalid value {:?} of on: expected true or false", other.unwrap_or(""));
            return failure(StatusCode::BAD_REQUEST, &message);
        }
    };
    app.faults.on[index].store(on, Ordering::Relaxed);
    Json(app.faults.all()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_may_switch() {
        for (peer, refused) in [
            ("127.0.0.1:1", false),
            ("[::1]:1", false),
            ("[::ffff:127.0.0.1]:1", false),
            ("10.0.0.1:1", true),
        ] {
            assert_eq!(refuse_remote(peer.parse().unwrap()).is_some(), refused, "{peer}");
        }
    }
}
