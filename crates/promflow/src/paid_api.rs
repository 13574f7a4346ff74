//! Calls to APIs that cost money: Stripe, VAPI, and any other by its name.

use std::borrow::Borrow;
use std::time::Instant;

use promflow_registry::{Counter, Histogram, Registry};

use crate::metrics;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what was asked.
    Success,
    /// It was refused because there were too many.
    RateLimited,
    /// Anything else, a timeout and a lost connection too.
    Error,
}

impl Outcome {
    /// Reads the outcome from an HTTP status: 429 is a rate limit, below 400 a success.
    pub fn from_status(status: u16) -> Self {
        match status {
            429 => Self::RateLimited,
            0..400 => Self::Success,
            _ => Self::Error,
        }
    }
}

/// An API, whose operations are measured.
///
/// ```
/// use promflow::paid_api::Api;
///
/// let registry = promflow::Registry::new();
/// let complete = Api::named(&registry, "openai").operation("complete");
/// complete.spent_usd(0.02);
/// let page = String::from_utf8(registry.encode(promflow::Format::Text)).unwrap();
/// assert!(page.contains("openai_api_calls_total{operation=\"complete\",outcome=\"error\"} 0\n"));
/// ```
#[derive(Clone, Debug)]
pub struct Api {
    metrics: metrics::PaidApi,
}

impl Api {
    /// Registers the metrics of Stripe.
    pub fn stripe(registry: &Registry) -> Self {
        Self { metrics: metrics::PaidApi::stripe(registry) }
    }

    /// Registers the metrics of VAPI.
    pub fn vapi(registry: &Registry) -> Self {
        Self { metrics: metrics::PaidApi::vapi(registry) }
    }

    /// Registers the metrics of any API: `NAME_api_calls_total`, `NAME_api_call_duration_seconds` and
    /// `NAME_spend_usd_total`.
    ///
    /// Panics: when the name does not begin a metric's name (`[a-z_][a-z0-9_]*`).
    pub fn named(registry: &Registry, name: &str) -> Self {
        Self { metrics: metrics::PaidApi::named(registry, name) }
    }

    /// Finds an operation; its outcomes exist at zero from then on.
    pub fn operation(&self, name: &str) -> Operation {
        Operation::new(&self.metrics, name)
    }
}

/// Measures one operation of a paid API; its outcomes exist at zero from the start.
///
/// ```
/// use promflow::paid_api::{Operation, Outcome};
///
/// # async fn charge() -> Result<u16, std::io::Error> { Ok(200) }
/// # async fn example() -> Result<(), std::io::Error> {
/// let registry = promflow::Registry::new();
/// let create_charge = Operation::stripe(&registry, "create_charge");
/// let outcome = |answer: &Result<u16, _>| answer.as_ref().map_or(Outcome::Error, |s| Outcome::from_status(*s));
/// create_charge.measure(charge(), outcome).await?;
/// create_charge.spent_usd(0.30);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Operation {
    success: Counter,
    rate_limited: Counter,
    error: Counter,
    duration: Histogram,
    spend: Counter,
}

impl Operation {
    /// Registers an operation of Stripe.
    pub fn stripe(registry: &Registry, name: &str) -> Self {
        Self::new(&metrics::PaidApi::stripe(registry), name)
    }

    /// Registers an operation of VAPI.
    pub fn vapi(registry: &Registry, name: &str) -> Self {
        Self::new(&metrics::PaidApi::vapi(registry), name)
    }

    fn new(metrics: &metrics::PaidApi, name: &str) -> Self {
        let outcome = |outcome| metrics.calls.with(&[name, outcome]).clone();
        Self {
            success: outcome("success"),
            rate_limited: outcome("rate_limited"),
            error: outcome("error"),
            duration: metrics.duration.with(&[name]).clone(),
            spend: metrics.spend.with(&[name]).clone(),
        }
    }

    /// Awaits a call, counts how it ended, and how long it took. A call that is given up counts as an error.
    pub async fn measure<T>(&self, call: impl Future<Output = T>, outcome: impl FnOnce(&T) -> Outcome) -> T {
        let running = Running::start(self);
        let answer = call.await;
        running.end(outcome(&answer), None);
        answer
    }

    /// Adds what the operation cost; a negative amount is left out.
    ///
    /// Units: US dollars.
    pub fn spent_usd(&self, amount: f64) {
        self.spend.add(amount);
    }
}

/// A call under way: counted when it is dropped, so that one given up is not lost.
#[derive(Debug)]
pub(crate) struct Running<O: Borrow<Operation>> {
    operation: O,
    outcome: Outcome,
    start: Instant,
}

impl<O: Borrow<Operation>> Running<O> {
    pub(crate) fn start(operation: O) -> Self {
        Self { operation, outcome: Outcome::Error, start: Instant::now() }
    }

    pub(crate) fn end(mut self, outcome: Outcome, spent_usd: Option<f64>) {
        self.outcome = outcome;
        if let Some(amount) = spent_usd {
            self.operation.borrow().spent_usd(amount);
        }
    }
}

impl<O: Borrow<Operation>> Drop for Running<O> {
    fn drop(&mut self) {
        let operation = self.operation.borrow();
        match self.outcome {
            Outcome::Success => &operation.success,
            Outcome::RateLimited => &operation.rate_limited,
            Outcome::Error => &operation.error,
        }
        .inc();
        operation.duration.observe_duration(self.start.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn calls_are_counted_by_outcome_and_given_up_ones_as_errors() {
        let registry = Registry::new();
        let operation = Operation::vapi(&registry, "create_call");
        for status in [200, 429, 500] {
            operation.measure(async { status }, |status| Outcome::from_status(*status)).await;
        }
        let given_up = operation.measure(std::future::pending::<u16>(), |s| Outcome::from_status(*s));
        let soon = std::time::Duration::from_millis(1);
        assert!(tokio::time::timeout(soon, given_up).await.is_err());
        operation.spent_usd(0.05);
        assert_eq!(operation.success.value(), 1.0);
        assert_eq!(operation.rate_limited.value(), 1.0);
        assert_eq!(operation.error.value(), 2.0);
        assert_eq!(operation.duration.count(), 4);
        assert_eq!(operation.spend.value(), 0.05);
    }
}
