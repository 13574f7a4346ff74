//! The routes.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router, middleware};
use promflow::middleware::CreditsUsed;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::App;
use crate::accounts::{self, API, CREDIT_KINDS, CreditKind, EXPORT, Use, VOICE, credit_kind};
use crate::faults::{self, failure};
use crate::tasks::{Job, top_up};

const LIST_MAX: usize = 100;
const CALL_MINUTES_MAX: f64 = 60.0;
/// While the fault `credits` is on, each use takes this share of a pack, whatever it should cost.
const FAULT_PACK_SHARE: f64 = 0.46;

type Shared = State<Arc<App>>;

/// Builds the router.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/accounts", get(list_accounts).post(open_account))
        .route("/accounts/{id}", get(account))
        .route("/accounts/{id}/credits", get(credits))
        .route("/accounts/{id}/topup", post(buy))
        .route("/messages", post(message))
        .route("/calls", post(call))
        .route("/exports", post(export))
        .route("/dead-letters", get(dead_letters))
        .layer(middleware::from_fn_with_state(app.clone(), faults::inject))
        .route("/health", get(|| async { "ok" }))
        .route("/_faults", get(faults::list))
        .route("/_faults/{name}", post(faults::switch))
        .with_state(app)
}

async fn list_accounts(State(app): Shared) -> Json<Value> {
    Json(json!({ "accounts": app.accounts.list(LIST_MAX) }))
}

async fn open_account(State(app): Shared) -> Response {
    match app.accounts.open() {
        Some(id) => (StatusCode::CREATED, Json(json!({ "id": id }))).into_response(),
        None => failure(StatusCode::TOO_MANY_REQUESTS, "there are too many accounts"),
    }
}

async fn account(State(app): Shared, Path(id): Path<u64>) -> Response {
    let key = format!("account:{id}");
    if let Some(cache) = &app.cache
        && let Some(cached) = cache.get(&key).await
    {
        return ([(CONTENT_TYPE, "application/json")], cached).into_response();
    }
    if app.accounts.balance(id).is_none() {
        return no_account(id);
    }
    let account = json!({ "id": id, "user": accounts::user(id) });
    if let Some(cache) = &app.cache {
        cache.set(&key, &account.to_string()).await;
    }
    Json(account).into_response()
}

async fn credits(State(app): Shared, Path(id): Path<u64>) -> Response {
    let Some(balance) = app.accounts.balance(id) else { return no_account(id) };
    let names = CREDIT_KINDS.iter().map(|kind| kind.name);
    Json(Value::from_iter(names.zip(balance))).into_response()
}

fn no_account(id: u64) -> Response {
    failure(StatusCode::NOT_FOUND, &format!("no account {id}"))
}

#[derive(Deserialize)]
struct Purchase {
    r#type: String,
}

/// Buys a pack of credits.
async fn buy(State(app): Shared, Path(id): Path<u64>, Json(purchase): Json<Purchase>) -> Response {
    let Some(kind) = credit_kind(&purchase.r#type) else {
        let names = CREDIT_KINDS.map(|kind| kind.name).join(", ");
        let message = format!("unknown type {:?}: expected one of {names}", purchase.r#type);
        return failure(StatusCode::BAD_REQUEST, &message);
    };
    if app.accounts.balance(id).is_none() {
        return no_account(id);
    }
    match top_up(&app, id, kind).await {
        Ok(()) => credits(State(app), Path(id)).await,
        Err(message) => failure(StatusCode::BAD_GATEWAY, &message),
    }
}

/// Why credits are not taken.
enum Refusal {
    TooFew { account: u64, name: &'static str },
    NoAccount(u64),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::TooFew { account, name } => {
                let message = format!("account {account} has too few credits of type {name:?}");
                failure(StatusCode::PAYMENT_REQUIRED, &message)
            }
            Self::NoAccount(account) => no_account(account),
        }
    }
}

/// Takes credits for an action, and has more bought when few are left.
fn take(app: &App, account: u64, kind: usize, amount: f64) -> Result<CreditsUsed, Refusal> {
    let CreditKind { name, pack, .. } = CREDIT_KINDS[kind];
    let fault = app.faults.is_on("credits");
    let amount = if fault { pack * FAULT_PACK_SHARE } else { amount };
    let taken = app.accounts.take(account, kind, amount);
    if matches!(taken, Use::Taken { low: true } | Use::Refused) && !fault {
        app.tasks.push(Job::Recharge { account, kind });
    }
    match taken {
        Use::Taken { .. } => Ok(CreditsUsed::new(accounts::user(account), name, amount)),
        Use::Refused => Err(Refusal::TooFew { account, name }),
        Use::NoAccount => Err(Refusal::NoAccount(account)),
    }
}

#[derive(Deserialize)]
struct NewMessage {
    account: u64,
    text: String,
}

/// Publishes a message; it costs one credit.
async fn message(State(app): Shared, Json(new): Json<NewMessage>) -> Response {
    match take(&app, new.account, API, 1.0) {
        Ok(used) => {
            app.events.publish(format!("message of account {}: {} bytes", new.account, new.text.len()));
            (StatusCode::CREATED, Extension(used), Json(json!({ "sent": true }))).into_response()
        }
        Err(refused) => refused.into_response(),
    }
}

#[derive(Deserialize)]
struct NewCall {
    account: u64,
    number: String,
    minutes: f64,
}

/// Has VAPI make a call; it costs a credit a minute.
async fn call(State(app): Shared, Json(new): Json<NewCall>) -> Response {
    if !(new.minutes > 0.0 && new.minutes <= CALL_MINUTES_MAX) {
        return failure(StatusCode::BAD_REQUEST, "minutes must be above 0 and at most 60");
    }
    let used = match take(&app, new.account, VOICE, new.minutes) {
        Ok(used) => used,
        Err(refused) => return refused.into_response(),
    };
    match app.paid_apis.call(&new.number, new.minutes).await {
        Ok(call) => {
            app.events.publish(format!("call of account {}: {}", new.account, call["id"]));
            (StatusCode::CREATED, Extension(used), Json(call)).into_response()
        }
        Err(message) => {
            app.accounts.add(new.account, VOICE, used.amount);
            failure(StatusCode::BAD_GATEWAY, &message)
        }
    }
}

#[derive(Deserialize)]
struct NewExport {
    account: u64,
    format: String,
}

/// Has a background task write an export; it costs five credits.
async fn export(State(app): Shared, Json(new): Json<NewExport>) -> Response {
    let Some(format) = ["csv", "json"].into_iter().find(|format| *format == new.format) else {
        return failure(StatusCode::BAD_REQUEST, "unknown format: expected csv or json");
    };
    match take(&app, new.account, EXPORT, 5.0) {
        Ok(used) if app.tasks.push(Job::Export { account: new.account, format }) => {
            (StatusCode::ACCEPTED, Extension(used), Json(json!({ "queued": true }))).into_response()
        }
        Ok(used) => {
            app.accounts.add(new.account, EXPORT, used.amount);
            failure(StatusCode::SERVICE_UNAVAILABLE, "too many exports are waiting")
        }
        Err(refused) => refused.into_response(),
    }
}

/// Shows the newest dead letters.
async fn dead_letters(State(app): Shared) -> Json<Value> {
    Json(json!({ "messages": app.events.dead_letters(LIST_MAX) }))
}
