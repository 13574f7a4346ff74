//! The labels that `absent` can tell.

use promflow_model::{Labels, LabelsBuilder, METRIC_NAME, MatchOp, Matcher};

/// Returns the labels that an absent series would certainly have: those matched by `=`, each once.
pub(super) fn labels_of(matchers: &[Matcher]) -> Labels {
    let mut builder = LabelsBuilder::default();
    let mut seen: Vec<&str> = Vec::new();
    for matcher in matchers.iter().filter(|m| m.name != METRIC_NAME) {
        if matcher.op == MatchOp::Equal && !seen.contains(&matcher.name.as_str()) {
            builder.set(&matcher.name, &matcher.value);
            seen.push(&matcher.name);
        } else {
            builder.remove(&matcher.name);
        }
    }
    builder.labels()
}
