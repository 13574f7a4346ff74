//! `label_replace` and `label_join`: series get other labels, values stay.

use promflow_model::{Labels, METRIC_NAME};

use super::distinct::Distinct;
use super::{Exec, Row, Sink};
use crate::error::QueryError;
use crate::plan::{LabelReplace, Node};
use crate::steps::Steps;

impl Exec<'_> {
    pub(super) fn label_replace(
        &self,
        call: &LabelReplace,
        steps: &Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let mut distinct = self.distinct(true);
        self.rows(&call.arg, steps, &mut |row| {
            let Some(captures) = call.regex.captures(row.labels.get(&call.source)) else {
                return emit(&mut distinct, row, sink);
            };
            let mut value = String::new();
            call.regex.expand(&call.replacement, &captures, &mut value);
            emit(&mut distinct, relabelled(row, &call.destination, &value), sink)
        })
    }

    pub(super) fn label_join(
        &self,
        arg: &Node,
        destination: &str,
        separator: &str,
        sources: &[String],
        steps: &Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let mut distinct = self.distinct(true);
        self.rows(arg, steps, &mut |row| {
            let values: Vec<&str> = sources.iter().map(|s| row.labels.get(s)).collect();
            let value = values.join(separator);
            emit(&mut distinct, relabelled(row, destination, &value), sink)
        })
    }
}

fn relabelled<'r>(row: Row<'r>, destination: &str, value: &str) -> Row<'r> {
    let labels: Labels = row.labels.with(destination, value);
    // A name that was just given is not dropped.
    let drop_name = row.drop_name && destination != METRIC_NAME;
    Row { labels, drop_name, values: row.values }
}

fn emit(distinct: &mut Distinct<'_>, row: Row<'_>, sink: Sink<'_>) -> Result<(), QueryError> {
    distinct.check(&row.labels, row.values)?;
    sink(row)
}
