//! Normal traffic over real HTTP: people who look at accounts, send messages, make calls and ask for exports.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;

use crate::http_client::HttpClient;
use crate::random::Random;

/// So many requests may be under way; when the backend is slower, the next ones are left out.
const REQUESTS_MAX: usize = 200;
/// The backend is asked so often whether it is there.
const START_WAIT: Duration = Duration::from_millis(200);

/// Sends requests at a steady rate until `shutdown` is done, whatever the answers; waits for the backend to come up.
///
/// Units: `rate` in requests per second.
///
/// Panics: when the rate is not above zero.
pub async fn run(base_url: &str, rate: f64, shutdown: impl Future<Output = ()>) {
    let traffic = async {
        let client = HttpClient::new(base_url);
        let accounts: Arc<[u64]> = accounts(&client).await.into();
        send_all(client, accounts, rate).await;
    };
    tokio::select! {
        () = traffic => {}
        () = shutdown => {}
    }
}

async fn send_all(client: HttpClient, accounts: Arc<[u64]>, rate: f64) {
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let random = Random::default();
    let permits = Arc::new(Semaphore::new(REQUESTS_MAX));
    loop {
        ticks.tick().await;
        let Ok(permit) = permits.clone().try_acquire_owned() else { continue };
        let (method, path, body) = next_request(&random, accounts[random.below(accounts.len())]);
        let client = client.clone();
        tokio::spawn(async move {
            // A backend that is down or slow is what its metrics are to show; traffic goes on.
            let _ = client.send(method, &path, body).await;
            drop(permit);
        });
    }
}

/// Asks for the accounts until the backend answers with some.
async fn accounts(client: &HttpClient) -> Vec<u64> {
    loop {
        if let Ok(answer) = client.send(Method::GET, "/accounts", None).await {
            let ids: Vec<u64> =
                answer.body["accounts"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
            if !ids.is_empty() {
                return ids;
            }
        }
        tokio::time::sleep(START_WAIT).await;
    }
}

/// Chooses what a person does next.
fn next_request(random: &Random, account: u64) -> (Method, String, Option<Value>) {
    let get = |path: String| (Method::GET, path, None);
    let post = |path: &str, body| (Method::POST, path.to_owned(), Some(body));
    match random.below(100) {
        0..30 => get(format!("/accounts/{account}")),
        30..45 => get(format!("/accounts/{account}/credits")),
        45..48 => get("/accounts".to_owned()),
        48..73 => post("/messages", json!({ "account": account, "text": "hello" })),
        73..86 => {
            let minutes = 1 + random.below(3);
            post("/calls", json!({ "account": account, "number": "+15550100", "minutes": minutes }))
        }
        86..95 => {
            let format = if random.chance(0.5) { "csv" } else { "json" };
            post("/exports", json!({ "account": account, "format": format }))
        }
        95..97 => get("/accounts/999999".to_owned()),
        // Whoever scans for holes.
        97 => get(format!("/wp-admin/{}.php", random.below(1_000_000))),
        98 => get("/health".to_owned()),
        _ => {
            let kind = ["api", "voice", "export"][random.below(3)];
            (Method::POST, format!("/accounts/{account}/topup"), Some(json!({ "type": kind })))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_gets_traffic() {
        let random = Random::default();
        let mut paths: Vec<String> = (0..2000).map(|_| next_request(&random, 7).1).collect();
        paths.retain(|path| !path.starts_with("/wp-admin/"));
        paths.sort();
        paths.dedup();
        assert_eq!(
            paths,
            [
                "/accounts",
                "/accounts/7",
                "/accounts/7/credits",
                "/accounts/7/topup",
                "/accounts/999999",
                "/calls",
                "/exports",
                "/health",
                "/messages"
            ]
        );
    }
}
