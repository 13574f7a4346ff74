//! Accounts and their credits.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use promflow::Registry;
use promflow::credits::CreditType;

/// A type of credits.
#[derive(Clone, Copy)]
pub(crate) struct CreditKind {
    /// Its name: the label `type`.
    pub(crate) name: &'static str,
    /// With less than this an account is low; the rules have the same numbers.
    pub(crate) low_below: f64,
    /// What a new account has, and what one purchase adds.
    pub(crate) pack: f64,
}

/// The types that there are.
pub(crate) const CREDIT_KINDS: [CreditKind; 3] = [
    CreditKind { name: "api", low_below: 100.0, pack: 1000.0 },
    CreditKind { name: "voice", low_below: 20.0, pack: 200.0 },
    CreditKind { name: "export", low_below: 50.0, pack: 250.0 },
];

/// Places of the types in [`CREDIT_KINDS`].
pub(crate) const API: usize = 0;
pub(crate) const VOICE: usize = 1;
pub(crate) const EXPORT: usize = 2;

/// The most accounts that are kept.
const ACCOUNTS_MAX: usize = 200_000;

/// Finds a type of credits by its name.
pub(crate) fn credit_kind(name: &str) -> Option<usize> {
    CREDIT_KINDS.iter().position(|kind| kind.name == name)
}

/// What using credits came to.
#[derive(Debug, PartialEq)]
pub(crate) enum Use {
    /// They were taken; `low` says that it is time to buy more.
    Taken { low: bool },
    /// There are not enough.
    Refused,
    /// There is no such account.
    NoAccount,
}

/// All accounts, in memory.
pub(crate) struct Accounts {
    credits: Vec<CreditType>,
    balances: Mutex<BTreeMap<u64, [f64; CREDIT_KINDS.len()]>>,
}

/// Returns the name of an account's user: the label `user`.
pub(crate) fn user(account: u64) -> String {
    format!("user-{account}")
}

impl Accounts {
    /// Makes a number of accounts, each with one pack of every type.
    pub(crate) fn new(registry: &Registry, count: usize) -> Self {
        let credits =
            CREDIT_KINDS.iter().map(|kind| CreditType::new(registry, kind.name, kind.low_below)).collect();
        let accounts = Self { credits, balances: Mutex::default() };
        for _ in 0..count {
            accounts.open();
        }
        accounts
    }

    fn balances(&self) -> MutexGuard<'_, BTreeMap<u64, [f64; CREDIT_KINDS.len()]>> {
        self.balances.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens an account and returns its number; `None` when there are too many.
    pub(crate) fn open(&self) -> Option<u64> {
        let mut balances = self.balances();
        if balances.len() >= ACCOUNTS_MAX {
            return None;
        }
        let account = balances.last_key_value().map_or(1, |(last, _)| last + 1);
        balances.insert(account, CREDIT_KINDS.map(|kind| kind.pack));
        for (credit, kind) in self.credits.iter().zip(CREDIT_KINDS) {
            credit.opened(&user(account), kind.pack);
        }
        Some(account)
    }

    /// Lists the numbers of the first accounts.
    pub(crate) fn list(&self, limit: usize) -> Vec<u64> {
        self.balances().keys().take(limit).copied().collect()
    }

    /// Returns an account's credits by type.
    pub(crate) fn balance(&self, account: u64) -> Option<[f64; CREDIT_KINDS.len()]> {
        self.balances().get(&account).copied()
    }

    /// Takes credits from an account.
    pub(crate) fn take(&self, account: u64, kind: usize, amount: f64) -> Use {
        let mut balances = self.balances();
        let Some(balance) = balances.get_mut(&account).map(|all| &mut all[kind]) else {
            return Use::NoAccount;
        };
        if *balance < amount {
            return Use::Refused;
        }
        let before = std::mem::replace(balance, *balance - amount);
        self.credits[kind].changed(&user(account), before, *balance);
        Use::Taken { low: *balance < 2.0 * CREDIT_KINDS[kind].low_below }
    }

    /// Adds credits to an account.
    pub(crate) fn add(&self, account: u64, kind: usize, amount: f64) {
        if let Some(balance) = self.balances().get_mut(&account).map(|all| &mut all[kind]) {
            let before = std::mem::replace(balance, *balance + amount);
            self.credits[kind].changed(&user(account), before, *balance);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credits_are_taken_until_there_are_not_enough() {
        let accounts = Accounts::new(&Registry::new(), 1);
        assert_eq!(accounts.take(1, 1, 150.0), Use::Taken { low: false });
        assert_eq!(accounts.take(1, 1, 20.0), Use::Taken { low: true });
        assert_eq!(accounts.take(1, 1, 31.0), Use::Refused);
        assert_eq!(accounts.take(2, 1, 1.0), Use::NoAccount);
        accounts.add(1, 1, 1.0);
        assert_eq!(accounts.balance(1), Some([1000.0, 31.0, 250.0]));
    }
}
