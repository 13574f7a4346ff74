//! Clients of Stripe and VAPI, measured.

use std::time::Duration;

use http::Method;
use promflow::Registry;
use promflow::paid_api::{Operation, Outcome};
use serde_json::{Value, json};

use crate::http_client::{Answer, HttpClient, RequestError};

/// What a purchase costs in fees.
///
/// Units: US dollars.
const CHARGE_FEE_USD: f64 = 0.01;
/// A call that was refused because there were too many is tried once more after this.
const RATE_LIMIT_WAIT: Duration = Duration::from_millis(100);

/// The clients of both.
pub(crate) struct PaidApis {
    client: HttpClient,
    create_charge: Operation,
    create_call: Operation,
}

impl PaidApis {
    /// Makes clients for a server that plays both.
    pub(crate) fn new(registry: &Registry, base_url: &str) -> Self {
        Self {
            client: HttpClient::new(base_url),
            create_charge: Operation::stripe(registry, "create_charge"),
            create_call: Operation::vapi(registry, "create_call"),
        }
    }

    /// Has Stripe charge a customer.
    ///
    /// Errors: what Stripe answered, or that it did not.
    pub(crate) async fn charge(&self, customer: &str, amount_usd: f64) -> Result<Value, String> {
        let body = json!({ "amount": (amount_usd * 100.0) as u64, "currency": "usd", "customer": customer });
        let charge = self.post(&self.create_charge, "/stripe/v1/charges", body).await?;
        self.create_charge.spent_usd(CHARGE_FEE_USD);
        Ok(charge)
    }

    /// Has VAPI make a phone call.
    ///
    /// Errors: what VAPI answered, or that it did not.
    pub(crate) async fn call(&self, number: &str, minutes: f64) -> Result<Value, String> {
        let body = json!({ "customer": { "number": number }, "maxDurationMinutes": minutes });
        let call = self.post(&self.create_call, "/vapi/call", body).await?;
        self.create_call.spent_usd(call["cost"].as_f64().unwrap_or(0.0));
        Ok(call)
    }

    async fn post(&self, operation: &Operation, path: &str, body: Value) -> Result<Value, String> {
        for last in [false, true] {
            let call = self.client.send(Method::POST, path, Some(body.clone()));
            let outcome = |answer: &Result<Answer, RequestError>| {
                answer.as_ref().map_or(Outcome::Error, |answer| Outcome::from_status(answer.status))
            };
            let answer = operation.measure(call, outcome).await.map_err(|e| e.to_string())?;
            match Outcome::from_status(answer.status) {
                Outcome::Success => return Ok(answer.body),
                Outcome::RateLimited if !last => tokio::time::sleep(RATE_LIMIT_WAIT).await,
                _ => return Err(format!("{path} answered {}", answer.status)),
            }
        }
        unreachable!("the last attempt returns")
    }
}
