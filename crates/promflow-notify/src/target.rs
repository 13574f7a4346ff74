//! Where an Alertmanager is, from its labels.

use promflow_config::{AlertmanagerConfig, TargetGroup, relabel};
use promflow_model::LabelsBuilder;

const SCHEME: &str = "__scheme__";
const ADDRESS: &str = "__address__";
const PATH: &str = "__alerts_path__";

/// Returns the addresses that a set's targets have after relabelling; each once.
///
/// Source: Prometheus notifier.AlertmanagerFromGroup.
pub(crate) fn urls(config: &AlertmanagerConfig, groups: &[TargetGroup]) -> Vec<String> {
    let mut urls = Vec::new();
    for group in groups {
        for target in &group.targets {
            let mut labels = LabelsBuilder::new(target);
            for (name, value) in &group.labels {
                if labels.get(name).is_empty() {
                    labels.set(name, value);
                }
            }
            labels.set(SCHEME, &config.scheme);
            labels.set(PATH, &format!("{}/api/v2/alerts", path_prefix(&config.path_prefix)));
            if !relabel::process(&config.relabel_configs, &mut labels) || labels.get(ADDRESS).is_empty() {
                continue;
            }
            let url = format!("{}://{}{}", labels.get(SCHEME), labels.get(ADDRESS), labels.get(PATH));
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
    }
    urls
}

fn path_prefix(prefix: &str) -> String {
    let trimmed = prefix.trim_matches('/');
    if trimmed.is_empty() { String::new() } else { format!("/{trimmed}") }
}

#[cfg(test)]
mod tests {
    use promflow_model::Labels;

    use super::*;

    #[test]
    fn address_scheme_and_prefix_make_the_url_and_doubles_are_left_out() {
        let config = AlertmanagerConfig {
            scheme: "https".to_owned(),
            path_prefix: "am/".to_owned(),
            ..AlertmanagerConfig::default()
        };
        let target = Labels::from_pairs([(ADDRESS, "a:9093")]);
        let group = TargetGroup { targets: vec![target.clone(), target], ..TargetGroup::default() };
        assert_eq!(urls(&config, &[group]), ["https://a:9093/am/api/v2/alerts"]);
    }
}
