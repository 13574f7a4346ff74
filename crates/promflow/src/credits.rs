//! Credits: what is used, what is left, and how many accounts run low.

use promflow_registry::{OVERFLOW, Registry};

use crate::metrics;

/// How many series of users the credit metrics keep apart; the rest share one user.
const USER_SERIES_LIMIT: usize = 1000;

/// Where an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bucket {
    Zero,
    Low,
    Ok,
}

impl Bucket {
    const ALL: [Self; 3] = [Self::Zero, Self::Low, Self::Ok];

    fn of(remaining: f64, low_below: f64) -> Self {
        if remaining <= 0.0 {
            Self::Zero
        } else if remaining < low_below {
            Self::Low
        } else {
            Self::Ok
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::Low => "low",
            Self::Ok => "ok",
        }
    }
}

/// Measures the credits of one type.
///
/// Users are a label, so their number is limited: beyond it, uses are counted for the user `__other__`, and balances
/// are left out, while the number of accounts by bucket goes on to count all of them.
///
/// ```
/// let registry = promflow::Registry::new();
/// let voice = promflow::credits::CreditType::new(&registry, "voice", 20.0);
/// voice.opened("ann", 100.0);
/// voice.used("ann", 90.0);
/// voice.changed("ann", 100.0, 10.0);
/// ```
#[derive(Clone, Debug)]
pub struct CreditType {
    metrics: metrics::Credits,
    name: String,
    low_below: f64,
}

impl CreditType {
    /// Registers a type of credits; an account with less than `low_below` of them counts as low.
    pub fn new(registry: &Registry, name: &str, low_below: f64) -> Self {
        let metrics = metrics::Credits::new(registry);
        metrics.used.limit_series(USER_SERIES_LIMIT);
        metrics.remaining.limit_series(USER_SERIES_LIMIT);
        for bucket in Bucket::ALL {
            metrics.accounts.with(&[name, bucket.as_str()]);
        }
        Self { metrics, name: name.to_owned(), low_below }
    }

    /// Returns the type's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Counts an account that is new to the process.
    pub fn opened(&self, user: &str, remaining: f64) {
        self.count(remaining, 1.0);
        self.show(user, remaining);
        count_used(&self.metrics, user, &self.name, 0.0);
    }

    /// Notes that the credits left of an account went from one number to another.
    pub fn changed(&self, user: &str, before: f64, after: f64) {
        if Bucket::of(before, self.low_below) != Bucket::of(after, self.low_below) {
            self.count(before, -1.0);
            self.count(after, 1.0);
        }
        self.show(user, after);
    }

    /// Counts credits that a user used.
    pub fn used(&self, user: &str, amount: f64) {
        count_used(&self.metrics, user, &self.name, amount);
    }

    fn count(&self, remaining: f64, by: f64) {
        let bucket = Bucket::of(remaining, self.low_below);
        self.metrics.accounts.with(&[&self.name, bucket.as_str()]).add(by);
    }

    fn show(&self, user: &str, remaining: f64) {
        if let Some(gauge) = self.metrics.remaining.with_limited(&[user, &self.name]) {
            gauge.set(remaining);
        }
    }
}

/// Counts used credits; users beyond the limit of series share one.
pub(crate) fn count_used(metrics: &metrics::Credits, user: &str, kind: &str, amount: f64) {
    match metrics.used.with_limited(&[user, kind]) {
        Some(counter) => counter.add(amount),
        None => metrics.used.with_unlimited(&[OVERFLOW, kind]).add(amount),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_account_is_in_one_bucket() {
        let registry = Registry::new();
        let voice = CreditType::new(&registry, "voice", 20.0);
        let accounts = |bucket| voice.metrics.accounts.with(&["voice", bucket]).value();
        voice.opened("ann", 100.0);
        voice.opened("bob", 5.0);
        assert_eq!((accounts("zero"), accounts("low"), accounts("ok")), (0.0, 1.0, 1.0));
        voice.changed("ann", 100.0, 19.0);
        voice.changed("bob", 5.0, 0.0);
        assert_eq!((accounts("zero"), accounts("low"), accounts("ok")), (1.0, 1.0, 0.0));
        assert_eq!(voice.metrics.remaining.with(&["ann", "voice"]).value(), 19.0);
    }

    #[test]
    fn users_beyond_the_limit_keep_the_sums_right() {
        let registry = Registry::new();
        let voice = CreditType::new(&registry, "voice", 20.0);
        for user in 0..3000 {
            voice.opened(&user.to_string(), 10.0);
            voice.used(&user.to_string(), 2.0);
        }
        assert_eq!(voice.metrics.used.with(&["7", "voice"]).value(), 2.0);
        assert_eq!(voice.metrics.used.with_unlimited(&[OVERFLOW, "voice"]).value(), 4000.0);
        assert_eq!(voice.metrics.accounts.with(&["voice", "low"]).value(), 3000.0);
        assert_eq!(voice.metrics.remaining.series_count(), USER_SERIES_LIMIT);
    }
}
