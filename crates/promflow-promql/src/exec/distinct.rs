//! Checks that renamed series do not become the same series.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use promflow_model::Labels;

use super::Exec;
use crate::budget::Account;
use crate::column::StepSet;
use crate::error::QueryError;

/// Refuses two series of one label set that have values at the same step.
pub(crate) struct Distinct<'b> {
    seen: HashMap<Labels, StepSet, RandomState>,
    account: Account<'b>,
    needed: bool,
}

impl Exec<'_> {
    /// Builds the check; it does nothing when it is not needed.
    pub(crate) fn distinct(&self, needed: bool) -> Distinct<'_> {
        Distinct { seen: HashMap::default(), account: self.budget.account(), needed }
    }
}

impl Distinct<'_> {
    pub(crate) fn check(&mut self, labels: &Labels, values: &[f64]) -> Result<(), QueryError> {
        if !self.needed {
            return Ok(());
        }
        if let Some(steps) = self.seen.get_mut(labels) {
            return match steps.add_present(values) {
                Some(_) => Err(QueryError::same_labelset()),
                None => Ok(()),
            };
        }
        let mut steps = StepSet::new(values.len());
        steps.add_present(values);
        self.account.take(0, labels.size_bytes() + steps.size_bytes())?;
        self.seen.insert(labels.clone(), steps);
        Ok(())
    }

    /// Refuses a label set that was there already, whatever its steps.
    pub(crate) fn check_whole(&mut self, labels: &Labels) -> Result<(), QueryError> {
        if !self.needed {
            return Ok(());
        }
        self.account.take(0, labels.size_bytes())?;
        match self.seen.insert(labels.clone(), StepSet::default()) {
            Some(_) => Err(QueryError::same_labelset()),
            None => Ok(()),
        }
    }
}
