//! What a query may hold in memory.

use std::cell::Cell;

use crate::error::{QueryError, QueryErrorKind};

/// Counts the samples and bytes that a query holds, and refuses more than its limits.
#[derive(Debug)]
pub(crate) struct Budget {
    samples_max: usize,
    bytes_max: usize,
    samples: Cell<usize>,
    bytes: Cell<usize>,
    samples_peak: Cell<usize>,
    bytes_peak: Cell<usize>,
}

impl Budget {
    pub(crate) fn new(samples_max: usize, bytes_max: usize) -> Self {
        Self {
            samples_max,
            bytes_max,
            samples: Cell::new(0),
            bytes: Cell::new(0),
            samples_peak: Cell::new(0),
            bytes_peak: Cell::new(0),
        }
    }

    pub(crate) fn samples_peak(&self) -> usize {
        self.samples_peak.get()
    }

    pub(crate) fn bytes_peak(&self) -> usize {
        self.bytes_peak.get()
    }

    /// Opens an account whose samples and bytes are given back when it is dropped.
    pub(crate) fn account(&self) -> Account<'_> {
        Account { budget: self, samples: 0, bytes: 0 }
    }

    /// Checks that what is held for a moment fits beside what is held for longer.
    pub(crate) fn check(&self, samples: usize, bytes: usize) -> Result<(), QueryError> {
        let samples = self.samples.get().saturating_add(samples);
        let bytes = self.bytes.get().saturating_add(bytes);
        self.samples_peak.set(self.samples_peak.get().max(samples));
        self.bytes_peak.set(self.bytes_peak.get().max(bytes));
        if samples > self.samples_max {
            return Err(QueryError::new(
                QueryErrorKind::TooManySamples,
                "query processing would load too many samples into memory in query execution",
            ));
        }
        if bytes > self.bytes_max {
            return Err(QueryError::new(
                QueryErrorKind::TooManyBytes,
                format!("query would hold more than {} bytes in memory in query execution", self.bytes_max),
            ));
        }
        Ok(())
    }
}

/// What one operator holds.
#[derive(Debug)]
pub(crate) struct Account<'b> {
    budget: &'b Budget,
    samples: usize,
    bytes: usize,
}

impl Account<'_> {
    /// Takes more.
    pub(crate) fn take(&mut self, samples: usize, bytes: usize) -> Result<(), QueryError> {
        self.budget.check(samples, bytes)?;
        self.samples += samples;
        self.bytes += bytes;
        self.budget.samples.set(self.budget.samples.get() + samples);
        self.budget.bytes.set(self.budget.bytes.get() + bytes);
        Ok(())
    }

    /// Takes room for a column of values.
    pub(crate) fn take_column(&mut self, len: usize) -> Result<(), QueryError> {
        self.take(len, len * size_of::<f64>())
    }
}

impl Drop for Account<'_> {
    fn drop(&mut self) {
        self.budget.samples.set(self.budget.samples.get() - self.samples);
        self.budget.bytes.set(self.budget.bytes.get() - self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_account_took_is_given_back() {
        let budget = Budget::new(10, 1000);
        {
            let mut account = budget.account();
            account.take_column(8).unwrap();
            assert_eq!(budget.check(3, 0).unwrap_err().kind(), QueryErrorKind::TooManySamples);
        }
        budget.check(10, 1000).unwrap();
        assert_eq!(budget.check(1, 1001).unwrap_err().kind(), QueryErrorKind::TooManyBytes);
    }
}
