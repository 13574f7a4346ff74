//! Reads scrape jobs.

use std::collections::{BTreeMap, HashMap};

use promflow_model::Labels;
use promflow_model::quote::quote;

use super::*;
use crate::config::Global;
use crate::http;
use crate::node::{Node, NodeKind, Place};
use crate::reader::{Fields, Reader};
use crate::relabel;

/// The service discovery mechanisms of Prometheus that promflow does not have yet.
pub(crate) const SD_UNSUPPORTED: [&str; 35] = [
    "aws_sd_configs",
    "azure_sd_configs",
    "consul_sd_configs",
    "digitalocean_sd_configs",
    "dns_sd_configs",
    "docker_sd_configs",
    "dockerswarm_sd_configs",
    "ec2_sd_configs",
    "ecs_sd_configs",
    "elasticache_sd_configs",
    "eureka_sd_configs",
    "gce_sd_configs",
    "hetzner_sd_configs",
    "http_sd_configs",
    "ionos_sd_configs",
    "kubernetes_sd_configs",
    "kuma_sd_configs",
    "lightsail_sd_configs",
    "linode_sd_configs",
    "marathon_sd_configs",
    "msk_sd_configs",
    "nerve_sd_configs",
    "nomad_sd_configs",
    "oci_sd_configs",
    "openstack_sd_configs",
    "outscale_sd_configs",
    "ovhcloud_sd_configs",
    "puppetdb_sd_configs",
    "rds_sd_configs",
    "scaleway_sd_configs",
    "serverset_sd_configs",
    "stackit_sd_configs",
    "triton_sd_configs",
    "uyuni_sd_configs",
    "vultr_sd_configs",
];

/// What comes between `# promflow: source=` and the directory.
const SOURCE_COMMENT: &str = "promflow:";

/// Reads a list of jobs; a name that stands in `names` already is refused.
pub(crate) fn read_jobs(
    fields: &mut Fields<'_, '_>,
    global: &Global,
    names: &mut HashMap<String, Position>,
) -> Vec<ScrapeConfig> {
    let mut jobs = Vec::new();
    for item in fields.items("scrape_configs", "[]*config.ScrapeConfig") {
        if matches!(item.kind, NodeKind::Null) {
            fields.reader.error(item.place, "empty or null scrape config section");
            continue;
        }
        let job = read_job(fields.reader, item, global);
        if let Some(first) = names.get(&job.job_name).filter(|_| !job.job_name.is_empty()) {
            fields.reader.error_with_hint(
                item.place,
                format!("found multiple scrape configs with job name {}", quote(&job.job_name)),
                Some(format!("the first one is at {first}")),
            );
        } else {
            names.insert(job.job_name.clone(), job.position.clone());
        }
        jobs.push(job);
    }
    jobs
}

/// Source: Prometheus config.ScrapeConfig.UnmarshalYAML and Validate.
fn read_job(reader: &Reader<'_>, node: &Node, global: &Global) -> ScrapeConfig {
    let mut fields = reader.fields(node, "config.plain");
    let job_name = fields.string_or_empty("job_name");
    if job_name.is_empty() {
        reader.error(fields.value_place("job_name"), "job_name is empty");
    }
    let (scrape_interval_ms, scrape_timeout_ms) = read_times(&mut fields, global, &job_name);
    let (validation, escaping) =
        read_name_schemes(&mut fields, global.metric_name_validation_scheme, Some(global), "scrape config");
    let of_job = format!("for scrape config with job name {}", quote(&job_name));
    let protocols = read_protocols(&mut fields, &of_job);
    let fallback = read_fallback_protocol(&mut fields, &of_job);
    let mut limit = |name, default| fields.u64(name).filter(|limit| *limit > 0).unwrap_or(default);
    let limits = [
        limit("sample_limit", global.sample_limit),
        limit("target_limit", global.target_limit),
        limit("label_limit", global.label_limit),
        limit("label_name_length_limit", global.label_name_length_limit),
        limit("label_value_length_limit", global.label_value_length_limit),
        limit("keep_dropped_targets", global.keep_dropped_targets),
    ];
    fields.unsupported(&SD_UNSUPPORTED);
    fields.unsupported(&[
        "scrape_native_histograms",
        "convert_classic_histograms_to_nhcb",
        "native_histogram_bucket_limit",
        "native_histogram_min_bucket_factor",
        "extra_scrape_metrics",
        "scrape_failure_log_file",
    ]);
    // Without native histograms the classic ones are always scraped.
    fields.bool("always_scrape_classic_histograms");
    let relabel_configs = relabel::read::read_list(
        &mut fields,
        "relabel_configs",
        validation,
        "empty or null target relabeling rule in scrape config",
    );
    let job = ScrapeConfig {
        job_name,
        honor_labels: fields.bool("honor_labels").unwrap_or(false),
        honor_timestamps: fields.bool("honor_timestamps").unwrap_or(true),
        track_timestamps_staleness: fields.bool("track_timestamps_staleness").unwrap_or(false),
        params: read_params(&mut fields),
        scrape_interval_ms,
        scrape_timeout_ms,
        scrape_protocols: protocols.unwrap_or_else(|| global.scrape_protocols.clone()),
        fallback_scrape_protocol: fallback,
        metric_name_validation_scheme: validation,
        metric_name_escaping_scheme: escaping,
        metrics_path: fields.string("metrics_path").unwrap_or_else(|| "/metrics".to_owned()),
        scheme: fields.string("scheme").unwrap_or_else(|| "http".to_owned()),
        enable_compression: fields.bool("enable_compression").unwrap_or(true),
        body_size_limit_bytes: read_body_size_limit(&mut fields).unwrap_or(global.body_size_limit_bytes),
        sample_limit: limits[0],
        target_limit: limits[1],
        label_limit: limits[2],
        label_name_length_limit: limits[3],
        label_value_length_limit: limits[4],
        keep_dropped_targets: limits[5],
        http: http::read::read(&mut fields),
        static_configs: read_static_configs(&mut fields, relabel_configs.is_empty()),
        file_sd_configs: read_file_sd_configs(&mut fields),
        metric_relabel_configs: relabel::read::read_list(
            &mut fields,
            "metric_relabel_configs",
            validation,
            "empty or null metric relabeling rule in scrape config",
        ),
        relabel_configs,
        position: reader.position(node.place),
        source_dir: source_comment(reader.text(), node.place.line),
    };
    fields.finish();
    job
}

fn read_times(fields: &mut Fields<'_, '_>, global: &Global, job_name: &str) -> (i64, i64) {
    let interval = fields.duration_ms("scrape_interval").filter(|ms| *ms > 0);
    let timeout = fields.duration_ms("scrape_timeout").filter(|ms| *ms > 0);
    let interval_ms = interval.unwrap_or(global.scrape_interval_ms);
    if let Some(timeout_ms) = timeout
        && timeout_ms > interval_ms
    {
        fields.error(
            "scrape_timeout",
            format!(
                "scrape timeout greater than scrape interval for scrape config with job name {}",
                quote(job_name)
            ),
        );
    }
    (interval_ms, timeout.unwrap_or(global.scrape_timeout_ms.min(interval_ms)))
}

/// Reads `metric_name_validation_scheme` and `metric_name_escaping_scheme`, for the whole or for one job.
pub(crate) fn read_name_schemes(
    fields: &mut Fields<'_, '_>,
    default: ValidationScheme,
    global: Option<&Global>,
    what: &str,
) -> (ValidationScheme, EscapingScheme) {
    let mut validation = default;
    if let Some(text) = fields.string("metric_name_validation_scheme").filter(|s| !s.is_empty()) {
        match text.as_str() {
            "utf8" => validation = ValidationScheme::Utf8,
            "legacy" => validation = ValidationScheme::Legacy,
            _ => fields.error(
                "metric_name_validation_scheme",
                format!("unrecognized ValidationScheme: {}", quote(&text)),
            ),
        }
    }
    let natural = match validation {
        ValidationScheme::Utf8 => EscapingScheme::AllowUtf8,
        ValidationScheme::Legacy => EscapingScheme::Underscores,
    };
    let inherited = global.filter(|g| g.metric_name_validation_scheme == validation);
    let mut escaping = inherited.map_or(natural, |g| g.metric_name_escaping_scheme);
    if let Some(text) = fields.string("metric_name_escaping_scheme").filter(|s| !s.is_empty()) {
        match EscapingScheme::ALL.into_iter().find(|scheme| scheme.as_str() == text) {
            Some(EscapingScheme::AllowUtf8) if validation == ValidationScheme::Legacy => fields.error(
                "metric_name_escaping_scheme",
                "utf8 metric names requested but validation scheme is not set to UTF8",
            ),
            Some(scheme) => escaping = scheme,
            None => fields.error(
                "metric_name_escaping_scheme",
                format!(
                    "unknown {what} name escaping method specified, must be one of 'allow-utf-8', \
                     'underscores', 'dots', or 'values', got {}",
                    quote(&text)
                ),
            ),
        }
    }
    (validation, escaping)
}

/// Reads `scrape_protocols`; `owner` ends the message, as in `for global config`.
pub(crate) fn read_protocols(fields: &mut Fields<'_, '_>, owner: &str) -> Option<Vec<ScrapeProtocol>> {
    fields.node("scrape_protocols")?;
    let mut protocols = Vec::new();
    let names = fields.strings("scrape_protocols");
    let fail = |place, message: String| fields.reader.error(place, format!("{message} {owner}"));
    if names.is_empty() {
        fail(fields.value_place("scrape_protocols"), "scrape_protocols cannot be empty".to_owned());
        return None;
    }
    for (name, place) in &names {
        match protocol(name) {
            Ok(protocol) if protocols.contains(&protocol) => {
                let all: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
                fail(*place, format!("duplicated protocol in scrape_protocols, got [{}]", all.join(" ")));
            }
            Ok(ScrapeProtocol::PrometheusProto) => {
                fields.reader.unsupported(*place, "scrape protocol PrometheusProto");
                protocols.push(ScrapeProtocol::PrometheusProto);
            }
            Ok(protocol) => protocols.push(protocol),
            Err(message) => fail(*place, message),
        }
    }
    Some(protocols)
}

fn read_fallback_protocol(fields: &mut Fields<'_, '_>, owner: &str) -> Option<ScrapeProtocol> {
    let name = fields.string("fallback_scrape_protocol").filter(|name| !name.is_empty())?;
    match protocol(&name) {
        Ok(ScrapeProtocol::PrometheusProto) => {
            let place = fields.value_place("fallback_scrape_protocol");
            fields.reader.unsupported(place, "scrape protocol PrometheusProto");
            None
        }
        Ok(protocol) => Some(protocol),
        Err(message) => {
            let message = format!("invalid fallback_scrape_protocol {owner}: {message}");
            fields.error("fallback_scrape_protocol", message);
            None
        }
    }
}

fn protocol(name: &str) -> Result<ScrapeProtocol, String> {
    ScrapeProtocol::ALL.into_iter().find(|protocol| protocol.as_str() == name).ok_or_else(|| {
        let all = ScrapeProtocol::ALL.map(ScrapeProtocol::as_str).join(" ");
        format!("unknown scrape protocol {name}, supported: [{all}]")
    })
}

/// Reads `body_size_limit`; nothing for no limit of its own.
pub(crate) fn read_body_size_limit(fields: &mut Fields<'_, '_>) -> Option<u64> {
    let bytes = fields.size_bytes("body_size_limit")?;
    u64::try_from(bytes).ok().filter(|bytes| *bytes > 0)
}

fn read_params(parent: &mut Fields<'_, '_>) -> BTreeMap<String, Vec<String>> {
    let mut params = BTreeMap::new();
    let Some(node) = parent.node("params") else { return params };
    for (key, value) in parent.reader.fields(node, "map[string][]string").rest() {
        let values = parent.reader.strings(value).into_iter().map(|(value, _)| value).collect();
        params.insert(key.text.clone(), values);
    }
    params
}

/// Reads `static_configs`; addresses are checked for being URLs unless relabelling may mend them.
pub(crate) fn read_static_configs(fields: &mut Fields<'_, '_>, check_addresses: bool) -> Vec<TargetGroup> {
    let reader = fields.reader;
    let mut groups = Vec::new();
    for (i, item) in fields.items("static_configs", "[]*targetgroup.Group").iter().enumerate() {
        if matches!(item.kind, NodeKind::Null) {
            reader.error(item.place, "empty or null section in static_configs");
            continue;
        }
        groups.push(read_target_group(reader, item, i.to_string(), check_addresses));
    }
    groups
}

fn read_target_group(reader: &Reader<'_>, node: &Node, source: String, check: bool) -> TargetGroup {
    let mut fields = reader.fields(node, "targetgroup.Group");
    let mut targets = Vec::new();
    for (address, place) in fields.strings("targets") {
        if check && address.contains('/') {
            let hint = address.contains("://").then(|| {
                "a target is HOST:PORT; the rest of the URL is set by scheme and metrics_path".to_owned()
            });
            reader.error_with_hint(place, format!("{} is not a valid hostname", quote(&address)), hint);
        }
        targets.push(Labels::from_pairs([("__address__", address)]));
    }
    let mut labels = Vec::new();
    if let Some(node) = fields.node("labels") {
        for (key, value, _) in reader.string_map(node) {
            check_label_name(reader, &key.text, key.place);
            labels.push((key.text.clone(), value));
        }
    }
    fields.finish();
    TargetGroup { targets, labels: Labels::from_pairs(labels), source }
}

/// Notes a label name that is not valid anywhere.
pub(crate) fn check_label_name(reader: &Reader<'_>, name: &str, place: Place) {
    if !ValidationScheme::Utf8.is_label_name(name) {
        reader.error(place, format!("{} is not a valid label name", quote(name)));
    }
}

/// Reads `file_sd_configs`.
pub(crate) fn read_file_sd_configs(parent: &mut Fields<'_, '_>) -> Vec<FileSdConfig> {
    let reader = parent.reader;
    let mut configs = Vec::new();
    for item in parent.items("file_sd_configs", "[]*file.SDConfig") {
        let mut fields = reader.fields(item, "file.plain");
        let files = fields.strings("files");
        if files.is_empty() {
            reader.error(item.place, "file service discovery config must contain at least one path name");
        }
        for (path, place) in &files {
            if !is_target_file(path) {
                let message = format!("path name {} is not valid for file discovery", quote(path));
                reader.error(*place, message);
            }
        }
        let default = FileSdConfig::default().refresh_interval_ms;
        let refresh_interval_ms = fields.duration_ms("refresh_interval").unwrap_or(default);
        let files = files.into_iter().map(|(path, _)| path).collect();
        fields.finish();
        configs.push(FileSdConfig { files, refresh_interval_ms });
    }
    configs
}

/// Says whether a path names target files: JSON or YAML, `*` once and in the last part only.
fn is_target_file(path: &str) -> bool {
    let Some((stem, extension)) = path.rsplit_once('.') else { return false };
    let known = ["json", "yml", "yaml"].contains(&extension) || ["JSON", "YML", "YAML"].contains(&extension);
    known && has_star_in_last_part_only(stem)
}

/// Says whether nothing but the last part of a path holds a `*`.
pub(crate) fn has_star_in_last_part_only(path: &str) -> bool {
    path.split_once('*').is_none_or(|(_, after)| !after.contains('/'))
}

/// Finds `# promflow: source=DIR` in the comment lines directly above a line, counted from 1.
fn source_comment(text: &str, line: u32) -> Option<String> {
    let above: Vec<&str> = text.lines().take((line as usize).saturating_sub(1)).collect();
    let comments = above.iter().rev().map(|line| line.trim());
    comments.skip_while(|line| *line == "-").map_while(|line| line.strip_prefix('#')).find_map(|comment| {
        let settings = comment.trim_start_matches('#').trim().strip_prefix(SOURCE_COMMENT)?;
        let dir = settings.split_whitespace().find_map(|setting| setting.strip_prefix("source="))?;
        (!dir.is_empty()).then(|| dir.to_owned())
    })
}

/// Reads a file of target groups, YAML or JSON.
///
/// Errors: every mistake at its place; Prometheus's texts.
pub fn parse_target_groups(text: &str, path: &str) -> Result<Vec<TargetGroup>, Vec<crate::ConfigError>> {
    // JSON may be indented by tabs, YAML may not; a tab inside a JSON string is escaped.
    let is_json = path.to_ascii_lowercase().ends_with(".json");
    let text = if is_json { text.replace('\t', " ") } else { text.to_owned() };
    let reader = Reader::new(path, &text);
    let root = reader.root();
    let mut groups = Vec::new();
    for (i, item) in reader.items(&root, "[]*targetgroup.Group").iter().enumerate() {
        if matches!(item.kind, NodeKind::Null) {
            reader.error(item.place, format!("nil target group item found (index {i})"));
            continue;
        }
        groups.push(read_target_group(&reader, item, format!("{path}:{i}"), false));
    }
    reader.finish(groups)
}
