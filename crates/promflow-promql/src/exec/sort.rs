//! `sort` and its kin; they order instant vectors only.

use std::cmp::Ordering;

use promflow_model::Labels;

use super::{Exec, Row, Sink};
use crate::error::QueryError;
use crate::functions::natural;
use crate::functions::quantile::nan_first;
use crate::plan::{Node, SortOrder};
use crate::steps::Steps;

impl Exec<'_> {
    pub(super) fn sort(
        &self,
        node: &Node,
        order: &SortOrder,
        arg: &Node,
        steps: &Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        if steps.count > 1 {
            self.annotations.borrow_mut().sort_in_range_query(node.span);
            return self.rows(arg, steps, sink);
        }
        let mut account = self.budget.account();
        let mut all: Vec<(Labels, bool, f64)> = Vec::new();
        self.rows(arg, steps, &mut |row| {
            account.take_column(1)?;
            all.push((row.labels, row.drop_name, row.values[0]));
            Ok(())
        })?;
        match order {
            SortOrder::Value { descending } => all.sort_by(|a, b| by_value(a.2, b.2, *descending)),
            SortOrder::Labels { names, descending } => all.sort_by(|a, b| {
                let order = by_labels(&a.0, &b.0, names);
                if *descending { order.reverse() } else { order }
            }),
        }
        for (labels, drop_name, mut value) in all {
            sink(Row { labels, drop_name, values: std::slice::from_mut(&mut value) })?;
        }
        Ok(())
    }
}

/// Orders by value, NaN last either way.
fn by_value(a: f64, b: f64, descending: bool) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (false, false) if descending => nan_first(&b, &a),
        (false, false) => nan_first(&a, &b),
        (a, b) => a.cmp(&b),
    }
}

fn by_labels(a: &Labels, b: &Labels, names: &[String]) -> Ordering {
    names
        .iter()
        .map(|name| natural::compare(a.get(name), b.get(name)))
        .find(|order| order.is_ne())
        .unwrap_or_else(|| a.cmp(b))
}
