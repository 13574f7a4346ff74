//! Appending what rules computed.

use hashbrown::HashSet;
use promflow_model::{Labels, STALE_NAN};
use promflow_storage::{AppendError, Appender};

use crate::rule::{Output, Rule};

/// A set of label sets.
pub(crate) type SeriesNames = HashSet<Labels, foldhash::fast::RandomState>;

/// Checks that no label set stands twice.
pub(crate) fn refuse_duplicates<'a>(all: impl Iterator<Item = &'a Labels>) -> Result<(), ()> {
    let mut seen: HashSet<&Labels, foldhash::fast::RandomState> = HashSet::default();
    for labels in all {
        if !seen.insert(labels) {
            return Err(());
        }
    }
    Ok(())
}

/// Appends a rule's output at a time, and stale markers for the series that it no longer has.
///
/// Samples out of order are left out and logged, as Prometheus does; the rule's error is another refusal's text.
pub(crate) fn append_output(
    appender: &mut dyn Appender,
    rule: &mut Rule,
    output: &Output,
    t_ms: i64,
) -> Result<(), String> {
    let mut returned = SeriesNames::default();
    let mut out_of_order = 0u64;
    let mut error = None;
    for (labels, value) in output {
        match appender.append(None, labels, t_ms, *value) {
            Ok(_) => {}
            Err(AppendError::OutOfOrder | AppendError::OutOfBounds | AppendError::DuplicateForTimestamp) => {
                out_of_order += 1;
                continue;
            }
            Err(e) => error = Some(e.to_string()),
        }
        returned.insert(labels.clone());
    }
    if out_of_order > 0 {
        tracing::warn!(
            rule = rule.name(),
            samples = out_of_order,
            "rule output out of order or doubled, left out"
        );
    }
    for ended in rule.previous.iter().filter(|labels| !returned.contains(*labels)) {
        mark_stale(appender, ended, t_ms);
    }
    rule.previous = returned;
    error.map_or(Ok(()), Err)
}

/// Appends a stale marker; what is out of order there is no loss, since the series has moved on.
pub(crate) fn mark_stale(appender: &mut dyn Appender, series: &Labels, t_ms: i64) {
    match appender.append(None, series, t_ms, STALE_NAN) {
        Ok(_)
        | Err(AppendError::OutOfOrder | AppendError::OutOfBounds | AppendError::DuplicateForTimestamp) => {}
        Err(e) => tracing::warn!(series = %series, error = %e, "cannot mark the series stale"),
    }
}
