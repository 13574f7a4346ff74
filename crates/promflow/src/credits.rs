//! Credits: what is used, what is left, and how many accounts run low.

use promflow_registry::{GaugeFamily, LabelGuard, RegisterError, Registry};

use crate::metrics::{self, RankedCredits};

/// How many users are shown of each type of credits unless told otherwise.
pub const USERS_SHOWN: usize = 100;

/// Which users are kept apart: their number is the visitors' choice, and a series for each has no bound.
///
/// Whatever is chosen, the sum of the credits used is exact, and `credits_accounts` counts all accounts.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Users {
    /// So many of each type: of `credits_used_total` those who use most, and the rest as `__other__`; of
    /// `credits_remaining` those who have least left, so that no low account is missing, and nobody else.
    Ranked(usize),
    /// These alone, and the rest as `__other__`; what the rest have left is added up.
    Allowed(Vec<String>),
    /// Everybody in one of so many buckets, which stand for users; what those of a bucket have left is added up.
    Hashed(u16),
}

impl Default for Users {
    fn default() -> Self {
        Self::Ranked(USERS_SHOWN)
    }
}

/// The metrics of credits.
///
/// ```
/// use promflow::credits::{Credits, Users};
///
/// let registry = promflow::Registry::new();
/// let paying = Users::Allowed(vec!["ann".to_owned(), "bob".to_owned()]);
/// let voice = Credits::with_users(&registry, &paying)?.of_type("voice", 20.0);
/// voice.opened("ann", 100.0);
/// voice.opened("eve", 100.0);
/// voice.used("eve", 90.0);
/// let page = String::from_utf8(registry.encode(promflow::Format::Text)).unwrap();
/// assert!(page.contains("credits_used_total{user=\"__other__\",type=\"voice\"} 90\n"));
/// # Ok::<(), promflow::RegisterError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Credits(Shown);

#[derive(Clone, Debug)]
enum Shown {
    Ranked(RankedCredits),
    Bounded(metrics::Credits),
}

impl Credits {
    /// Registers the metrics, or finds those that are registered: of the users who use most and have least left, unless
    /// others were chosen before.
    ///
    /// Panics: when the registry has other metrics of these names, or was told of another number of users.
    pub fn new(registry: &Registry) -> Self {
        Self(match RankedCredits::new(registry, USERS_SHOWN) {
            Ok(ranked) => Shown::Ranked(ranked),
            Err(_) => Shown::Bounded(metrics::Credits::new(registry)),
        })
    }

    /// Registers the metrics with these users; to be done before anything else counts credits.
    ///
    /// Errors: they are registered otherwise.
    pub fn with_users(registry: &Registry, users: &Users) -> Result<Self, RegisterError> {
        let guard = match users {
            Users::Ranked(users) => return Ok(Self(Shown::Ranked(RankedCredits::new(registry, *users)?))),
            Users::Allowed(users) => LabelGuard::Allow(users.clone()),
            Users::Hashed(buckets) => LabelGuard::Hash(*buckets),
        };
        // Said as an error rather than by a panic.
        registry.try_counter("credits_used_total", "Credits used, by user and type.", &["user", "type"])?;
        let bounded = metrics::Credits::new(registry);
        bounded.used.guard(&[("user", guard.clone())])?;
        bounded.remaining.guard(&[("user", guard)])?;
        Ok(Self(Shown::Bounded(bounded)))
    }

    /// Measures a type of credits; an account with less than `low_below` of them counts as low.
    pub fn of_type(&self, name: &str, low_below: f64) -> CreditType {
        for bucket in Bucket::ALL {
            self.accounts().with(&[name, bucket.as_str()]);
        }
        CreditType { credits: self.clone(), name: name.to_owned(), low_below }
    }

    fn accounts(&self) -> &GaugeFamily {
        match &self.0 {
            Shown::Ranked(ranked) => &ranked.accounts,
            Shown::Bounded(bounded) => &bounded.accounts,
        }
    }

    /// Counts used credits; a negative amount is left out.
    pub(crate) fn count_used(&self, user: &str, kind: &str, amount: f64) {
        match &self.0 {
            Shown::Ranked(ranked) => ranked.used.add(&[user, kind], amount),
            Shown::Bounded(bounded) => bounded.used.with(&[user, kind]).add(amount),
        };
    }

    /// Shows what an account has left, which was `before`.
    fn show(&self, user: &str, kind: &str, before: f64, after: f64) {
        match &self.0 {
            Shown::Ranked(ranked) => ranked.remaining.set(&[user, kind], after),
            // Several accounts may share the series.
            Shown::Bounded(bounded) => bounded.remaining.with(&[user, kind]).add(after - before),
        }
    }
}

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
/// ```
/// let registry = promflow::Registry::new();
/// let voice = promflow::credits::CreditType::new(&registry, "voice", 20.0);
/// voice.opened("ann", 100.0);
/// voice.used("ann", 90.0);
/// voice.changed("ann", 100.0, 10.0);
/// voice.closed("ann", 10.0);
/// ```
#[derive(Clone, Debug)]
pub struct CreditType {
    credits: Credits,
    name: String,
    low_below: f64,
}

impl CreditType {
    /// Registers a type of credits; an account with less than `low_below` of them counts as low.
    ///
    /// Panics: as [`Credits::new`].
    pub fn new(registry: &Registry, name: &str, low_below: f64) -> Self {
        Credits::new(registry).of_type(name, low_below)
    }

    /// Returns the type's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Counts an account that is new to the process.
    pub fn opened(&self, user: &str, remaining: f64) {
        self.count(remaining, 1.0);
        self.credits.show(user, &self.name, 0.0, remaining);
        self.credits.count_used(user, &self.name, 0.0);
    }

    /// Notes that the credits left of an account went from one number to another.
    pub fn changed(&self, user: &str, before: f64, after: f64) {
        if Bucket::of(before, self.low_below) != Bucket::of(after, self.low_below) {
            self.count(before, -1.0);
            self.count(after, 1.0);
        }
        self.credits.show(user, &self.name, before, after);
    }

    /// Counts credits that a user used.
    pub fn used(&self, user: &str, amount: f64) {
        self.credits.count_used(user, &self.name, amount);
    }

    /// Forgets an account that is no more; what it used stays counted.
    pub fn closed(&self, user: &str, remaining: f64) {
        self.count(remaining, -1.0);
        match &self.credits.0 {
            Shown::Ranked(ranked) => drop(ranked.remaining.remove(&[user, &self.name])),
            Shown::Bounded(_) => self.credits.show(user, &self.name, remaining, 0.0),
        }
    }

    fn count(&self, remaining: f64, by: f64) {
        let bucket = Bucket::of(remaining, self.low_below);
        self.credits.accounts().with(&[&self.name, bucket.as_str()]).add(by);
    }
}

#[cfg(test)]
mod tests;
