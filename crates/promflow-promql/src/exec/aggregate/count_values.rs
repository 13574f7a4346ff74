//! `count_values`: as many series per group as there are values.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use promflow_model::Labels;
use promflow_model::float::format_f;

use crate::column::{ABSENT, is_absent, is_present};
use crate::error::QueryError;
use crate::exec::{Exec, Row, Sink};
use crate::plan::{Aggregate, NodeKind};
use crate::steps::Steps;

impl Exec<'_> {
    pub(super) fn count_values(
        &self,
        aggregate: &Aggregate,
        steps: &Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let Some(NodeKind::Text(label)) = aggregate.param.as_ref().map(|p| &p.kind) else {
            return Err(QueryError::execution("expected a string literal"));
        };
        if label.is_empty() {
            return Err(QueryError::execution("invalid label name \"\""));
        }
        let mut account = self.budget.account();
        let mut index: HashMap<Labels, usize, RandomState> = HashMap::default();
        let mut counts: Vec<(Labels, Vec<f64>)> = Vec::new();
        self.rows(&aggregate.arg, steps, &mut |row| {
            let mut last: Option<(u64, usize)> = None;
            for (step, value) in row.values.iter().enumerate().filter(|(_, v)| is_present(**v)) {
                let i = match last {
                    Some((bits, i)) if bits == value.to_bits() => i,
                    _ => {
                        let labels = aggregate.grouping.of(&row.labels.with(label, &format_f(*value)));
                        match index.get(&labels) {
                            Some(i) => *i,
                            None => {
                                account.take(steps.count, steps.count * 8 + labels.size_bytes())?;
                                index.insert(labels.clone(), counts.len());
                                counts.push((labels, vec![ABSENT; steps.count]));
                                counts.len() - 1
                            }
                        }
                    }
                };
                last = Some((value.to_bits(), i));
                let count = &mut counts[i].1[step];
                *count = if is_absent(*count) { 1.0 } else { *count + 1.0 };
            }
            Ok(())
        })?;
        for (labels, mut values) in counts {
            sink(Row { labels, drop_name: false, values: &mut values })?;
        }
        Ok(())
    }
}
