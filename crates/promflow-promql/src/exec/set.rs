//! Set operators: of the side that is looked up, one bit per signature and step is kept.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use promflow_model::Labels;
use promflow_syntax::ast::BinaryOp;

use super::{Exec, Row, Sink};
use crate::budget::Account;
use crate::column::{ABSENT, StepSet, all_absent, is_present};
use crate::error::QueryError;
use crate::plan::{MatchKey, Node};
use crate::steps::Steps;

/// The steps at which each signature occurs.
struct Signatures<'b> {
    key: &'b MatchKey,
    steps: HashMap<Labels, StepSet, RandomState>,
    account: Account<'b>,
}

impl Signatures<'_> {
    fn add(&mut self, row: &Row<'_>) -> Result<(), QueryError> {
        let signature = self.key.of(&row.labels);
        if !self.steps.contains_key(&signature) {
            let steps = StepSet::new(row.values.len());
            self.account.take(0, signature.size_bytes() + steps.size_bytes())?;
            self.steps.insert(signature.clone(), steps);
        }
        if let Some(steps) = self.steps.get_mut(&signature) {
            steps.add_present(row.values);
        }
        Ok(())
    }

    /// Removes the values whose signature does (or does not) occur at their step.
    fn filter(&self, row: &mut Row<'_>, keep_found: bool) {
        match self.steps.get(&self.key.of(&row.labels)) {
            None if keep_found => row.values.fill(ABSENT),
            None => {}
            Some(steps) => {
                for (step, value) in row.values.iter_mut().enumerate() {
                    if is_present(*value) && steps.has(step) != keep_found {
                        *value = ABSENT;
                    }
                }
            }
        }
    }
}

impl Exec<'_> {
    pub(super) fn set(
        &self,
        op: BinaryOp,
        lhs: &Node,
        rhs: &Node,
        key: &MatchKey,
        steps: &Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let mut signatures = Signatures { key, steps: HashMap::default(), account: self.budget.account() };
        let filtered = if op == BinaryOp::Or {
            self.rows(lhs, steps, &mut |row| {
                signatures.add(&row)?;
                sink(row)
            })?;
            rhs
        } else {
            self.rows(rhs, steps, &mut |row| signatures.add(&row))?;
            lhs
        };
        self.rows(filtered, steps, &mut |mut row| {
            signatures.filter(&mut row, op == BinaryOp::And);
            if all_absent(row.values) { Ok(()) } else { sink(row) }
        })
    }
}
