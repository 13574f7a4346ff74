//! A stand-in for Stripe and VAPI: the answers, delays and occasional refusals of theirs that the backend sees.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::random::Random;

/// One request in so many is refused because there were too many.
const RATE_LIMITED_SHARE: f64 = 0.01;
/// What a call costs.
///
/// Units: US dollars per minute.
const CALL_USD_PER_MINUTE: f64 = 0.001;

#[derive(Default)]
struct StandIn {
    random: Random,
    served: AtomicU64,
}

/// Serves the stand-in until `shutdown` is done.
///
/// Errors: serving fails.
pub async fn run(
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let router = Router::new()
        .route("/stripe/v1/charges", post(charge))
        .route("/vapi/call", post(call))
        .with_state(Arc::new(StandIn::default()));
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

impl StandIn {
    /// Waits as the real service makes one wait, then answers or refuses.
    async fn answer(&self, from_ms: u64, to_ms: u64, body: impl FnOnce(u64) -> Value) -> Response {
        tokio::time::sleep(self.random.millis(from_ms, to_ms)).await;
        if self.random.chance(RATE_LIMITED_SHARE) {
            let body = json!({ "error": { "type": "rate_limit_error" } });
            return (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response();
        }
        Json(body(self.served.fetch_add(1, Ordering::Relaxed))).into_response()
    }
}

async fn charge(State(stand_in): State<Arc<StandIn>>, Json(body): Json<Value>) -> Response {
    let Some(amount) = body["amount"].as_u64() else {
        let body = json!({ "error": { "type": "invalid_request_error", "param": "amount" } });
        return (StatusCode::BAD_REQUEST, Json(body)).into_response();
    };
    let answer = |n| json!({ "id": format!("ch_{n}"), "amount": amount, "status": "succeeded" });
    stand_in.answer(30, 120, answer).await
}

async fn call(State(stand_in): State<Arc<StandIn>>, Json(body): Json<Value>) -> Response {
    let minutes = body["maxDurationMinutes"].as_f64().unwrap_or(1.0);
    let cost = minutes * CALL_USD_PER_MINUTE;
    let answer = |n| json!({ "id": format!("call_{n}"), "status": "queued", "cost": cost });
    stand_in.answer(40, 200, answer).await
}
