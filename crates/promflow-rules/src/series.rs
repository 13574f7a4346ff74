//! Appending what rules computed.

use hashbrown::HashSet;
use promflow_model::{Labels, STALE_NAN};
use promflow_storage::{AppendError, Appender};

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

/// Series with one value each, to be appended at one time.
pub(crate) type Output = Vec<(Labels, f64)>;

/// Appends a rule's output at a time, and stale markers for the series of `previous` that it no longer has.
///
/// Errors: the last refusal's text; what was refused is left out, and the rest is appended all the same.
pub(crate) fn append_output(
    appender: &mut dyn Appender,
    previous: &mut SeriesNames,
    output: &Output,
    t_ms: i64,
) -> Result<(), String> {
    let mut returned = SeriesNames::default();
    let mut refused = None;
    for (labels, value) in output {
        match appender.append(None, labels, t_ms, *value) {
            Ok(_) => {
                returned.insert(labels.clone());
            }
            Err(e) => refused = Some(e.to_string()),
        }
    }
    for ended in previous.iter().filter(|labels| !returned.contains(*labels)) {
        mark_stale(appender, ended, t_ms);
    }
    *previous = returned;
    refused.map_or(Ok(()), Err)
}

/// Appends a stale marker; what is out of order there is no loss, since the series has moved on.
pub(crate) fn mark_stale(appender: &mut dyn Appender, series: &Labels, t_ms: i64) {
    match appender.append(None, series, t_ms, STALE_NAN) {
        Ok(_)
        | Err(AppendError::OutOfOrder | AppendError::OutOfBounds | AppendError::DuplicateForTimestamp) => {}
        Err(e) => tracing::warn!(series = %series, error = %e, "cannot mark the series stale"),
    }
}
