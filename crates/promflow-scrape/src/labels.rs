//! The labels of samples: those of the page, those of the target, relabelling and limits.

use promflow_config::{ScrapeConfig, relabel};
use promflow_model::quote::quote;
use promflow_model::{Labels, LabelsBuilder, METRIC_NAME};

const EXPORTED_PREFIX: &str = "exported_";

/// Adds the target's labels to a sample's and relabels; `None` when a rule drops the sample.
///
/// Source: Prometheus scrape/scrape.go mutateSampleLabels.
pub(crate) fn of_sample(
    config: &ScrapeConfig,
    target: &Labels,
    mut builder: LabelsBuilder,
) -> Option<Labels> {
    let mut conflicts = Vec::new();
    for (name, value) in target {
        let exposed = builder.get(name);
        if exposed.is_empty() {
            builder.set(name, value);
        } else if !config.honor_labels {
            conflicts.push((name, exposed.to_owned()));
            builder.set(name, value);
        }
    }
    conflicts.sort_by_key(|(name, _)| name.len());
    for (name, value) in conflicts {
        let mut renamed = format!("{EXPORTED_PREFIX}{name}");
        while !builder.get(&renamed).is_empty() {
            renamed.insert_str(0, EXPORTED_PREFIX);
        }
        builder.set(&renamed, &value);
    }
    if !relabel::process(&config.metric_relabel_configs, &mut builder) {
        return None;
    }
    let labels = builder.labels();
    (!labels.is_empty()).then_some(labels)
}

/// Builds the labels of a series about the scrape itself.
pub(crate) fn of_report(metric: &str, target: &Labels) -> Labels {
    let mut builder = LabelsBuilder::new(target);
    builder.set(METRIC_NAME, metric);
    builder.labels()
}

/// Why labels cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LabelFault {
    /// The name is missing, or a name is not valid.
    Invalid(String),
    /// A limit of the job is passed.
    Limit(String),
}

/// Checks names and limits.
///
/// Errors: Prometheus's texts.
pub(crate) fn check(config: &ScrapeConfig, labels: &Labels) -> Result<(), LabelFault> {
    let metric = labels.metric_name();
    if metric.is_empty() {
        return Err(LabelFault::Invalid(format!("missing metric name ({METRIC_NAME} label)")));
    }
    let scheme = config.metric_name_validation_scheme;
    if !scheme.is_metric_name(metric) || !labels.iter().all(|(name, _)| scheme.is_label_name(name)) {
        return Err(LabelFault::Invalid(format!("invalid metric name or label names: {labels}")));
    }
    let metric = start_of(metric);
    let over = |len: usize, limit: u64| limit > 0 && len as u64 > limit;
    if config.label_limit > 0 && over(labels.len(), config.label_limit) {
        return Err(LabelFault::Limit(format!(
            "label_limit exceeded (metric: {metric}, number of labels: {}, limit: {})",
            labels.len(),
            config.label_limit
        )));
    }
    for (name, value) in labels {
        if over(name.len(), config.label_name_length_limit) {
            return Err(LabelFault::Limit(format!(
                "label_name_length_limit exceeded (metric: {metric}, label name: {}, length: {}, limit: {})",
                start_of(name),
                name.len(),
                config.label_name_length_limit
            )));
        }
        if over(value.len(), config.label_value_length_limit) {
            return Err(LabelFault::Limit(format!(
                "label_value_length_limit exceeded (metric: {metric}, label name: {}, value: {}, length: {}, \
                 limit: {})",
                start_of(name),
                quote(start_of(value)),
                value.len(),
                config.label_value_length_limit
            )));
        }
    }
    Ok(())
}

/// Returns the first fifty characters: what is too long is not repeated in full.
fn start_of(text: &str) -> &str {
    text.char_indices().nth(50).map_or(text, |(end, _)| &text[..end])
}
