//! Reads the `alerting` part.

use super::{Alerting, AlertmanagerConfig};
use crate::node::{Node, NodeKind};
use crate::reader::Reader;
use crate::scrape::read::{SD_UNSUPPORTED, read_file_sd_configs, read_static_configs};
use crate::{ValidationScheme, http, relabel};

const EMPTY_ALERT_RULE: &str = "empty or null alert relabeling rule";

/// Source: Prometheus config.AlertingConfig.
pub(crate) fn read(reader: &Reader<'_>, node: &Node, scheme: ValidationScheme) -> Alerting {
    let mut fields = reader.fields(node, "config.plain");
    let mut alerting = Alerting {
        alert_relabel_configs: relabel::read::read_list(
            &mut fields,
            "alert_relabel_configs",
            scheme,
            EMPTY_ALERT_RULE,
        ),
        alertmanagers: Vec::new(),
    };
    for item in fields.items("alertmanagers", "config.AlertmanagerConfigs") {
        if matches!(item.kind, NodeKind::Null) {
            reader.error(item.place, "empty or null Alertmanager section");
            continue;
        }
        alerting.alertmanagers.push(read_alertmanager(reader, item, scheme));
    }
    fields.finish();
    alerting
}

fn read_alertmanager(reader: &Reader<'_>, node: &Node, scheme: ValidationScheme) -> AlertmanagerConfig {
    let mut fields = reader.fields(node, "config.plain");
    if let Some(version) = fields.string("api_version").filter(|version| version != "v2") {
        let message = format!("expected Alertmanager api version to be one of [v2] but got {version}");
        fields.error("api_version", message);
    }
    fields.unsupported(&SD_UNSUPPORTED);
    fields.unsupported(&["sigv4", "google_iam", "azuread"]);
    let default = AlertmanagerConfig::default();
    let relabel_configs = relabel::read::read_list(
        &mut fields,
        "relabel_configs",
        scheme,
        "empty or null Alertmanager target relabeling rule",
    );
    let config = AlertmanagerConfig {
        scheme: fields.string("scheme").unwrap_or(default.scheme),
        path_prefix: fields.string_or_empty("path_prefix"),
        timeout_ms: fields.duration_ms("timeout").unwrap_or(default.timeout_ms),
        http: http::read::read(&mut fields),
        static_configs: read_static_configs(&mut fields, relabel_configs.is_empty()),
        file_sd_configs: read_file_sd_configs(&mut fields),
        alert_relabel_configs: relabel::read::read_list(
            &mut fields,
            "alert_relabel_configs",
            scheme,
            EMPTY_ALERT_RULE,
        ),
        relabel_configs,
        position: reader.position(node.place),
    };
    fields.finish();
    config
}
