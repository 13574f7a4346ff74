//! Aggregations.

mod count_values;
mod fold;
mod quantile;
mod select;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use promflow_model::Labels;
use promflow_syntax::ast::AggregateOp;

use super::{Exec, Row, Sink};
use crate::budget::Account;
use crate::error::QueryError;
use crate::plan::{Aggregate, Grouping, NodeKind};
use crate::steps::Steps;

/// The groups of an aggregation, each with what is kept for it, in the order in which they first occurred.
struct Groups<'b, K> {
    grouping: &'b Grouping,
    index: HashMap<Labels, usize, RandomState>,
    list: Vec<Group<K>>,
    account: Account<'b>,
}

struct Group<K> {
    labels: Labels,
    drop_name: bool,
    kept: K,
}

impl<'b, K> Groups<'b, K> {
    fn new(exec: &'b Exec<'_>, grouping: &'b Grouping) -> Self {
        Self { grouping, index: HashMap::default(), list: Vec::new(), account: exec.budget.account() }
    }

    /// Returns the group of a row; `keep` builds what is kept for a new one, of `kept_bytes` for so many steps.
    fn of(
        &mut self,
        row: &Row<'_>,
        steps: usize,
        kept_bytes: usize,
        keep: impl FnOnce() -> K,
    ) -> Result<&mut Group<K>, QueryError> {
        let labels = self.grouping.of(&row.labels);
        let i = match self.index.get(&labels) {
            Some(i) => *i,
            None => {
                self.account.take(steps, kept_bytes + labels.size_bytes())?;
                self.index.insert(labels.clone(), self.list.len());
                self.list.push(Group { labels, drop_name: false, kept: keep() });
                self.list.len() - 1
            }
        };
        let group = &mut self.list[i];
        group.drop_name |= row.drop_name;
        Ok(group)
    }
}

impl Exec<'_> {
    pub(super) fn aggregate(
        &self,
        aggregate: &Aggregate,
        steps: &Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let param = match &aggregate.param {
            Some(param) if !matches!(param.kind, NodeKind::Text(_)) => self.scalar(param, steps)?,
            _ => Vec::new(),
        };
        match aggregate.op {
            AggregateOp::Sum => self.fold::<fold::Sum>(aggregate, steps, sink),
            AggregateOp::Avg => self.fold::<fold::Avg>(aggregate, steps, sink),
            AggregateOp::Min => self.fold::<fold::Min>(aggregate, steps, sink),
            AggregateOp::Max => self.fold::<fold::Max>(aggregate, steps, sink),
            AggregateOp::Count => self.fold::<fold::Count>(aggregate, steps, sink),
            AggregateOp::Group => self.fold::<fold::Group>(aggregate, steps, sink),
            AggregateOp::Stddev => self.fold::<fold::Stddev>(aggregate, steps, sink),
            AggregateOp::Stdvar => self.fold::<fold::Stdvar>(aggregate, steps, sink),
            AggregateOp::Quantile => self.quantile(aggregate, &param, steps, sink),
            AggregateOp::Topk | AggregateOp::Bottomk | AggregateOp::Limitk => {
                self.select_k(aggregate, &param, steps, sink)
            }
            AggregateOp::LimitRatio => self.limit_ratio(aggregate, &param, steps, sink),
            AggregateOp::CountValues => self.count_values(aggregate, steps, sink),
        }
    }
}
