//! Reads `prometheus.yml` and the files with further jobs.

use std::collections::HashMap;

use promflow_model::Labels;
use promflow_model::quote::quote;

use super::{Config, Global, Retention, Runtime, Storage};
use crate::node::Node;
use crate::reader::{Fields, Reader};
use crate::scrape::read::{
    check_label_name, has_star_in_last_part_only, read_body_size_limit, read_jobs, read_name_schemes,
    read_protocols,
};
use crate::{ConfigError, Position, ScrapeConfig, alerting, size};

/// Looks an environment variable up.
pub type EnvLookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What a file with jobs gives: the value, and where each job's name was defined.
pub(crate) struct Jobs<T> {
    pub(crate) value: T,
    pub(crate) names: HashMap<String, Position>,
    pub(crate) warnings: Vec<String>,
}

impl Config {
    /// Reads the text of `prometheus.yml`; `file` stands in messages and positions. Paths stay as written.
    ///
    /// Errors: every mistake at its place; Prometheus's texts, and `not supported yet: NAME`.
    pub fn parse(file: &str, text: &str, env: EnvLookup<'_>) -> Result<Config, Vec<ConfigError>> {
        parse(file, text, env).map(|jobs| jobs.value)
    }
}

pub(crate) fn parse(file: &str, text: &str, env: EnvLookup<'_>) -> Result<Jobs<Config>, Vec<ConfigError>> {
    let reader = Reader::new(file, text);
    let root = reader.root();
    let mut warnings = Vec::new();
    let mut names = HashMap::new();
    let mut fields = reader.fields(&root, "config.plain");
    let global = match fields.node("global") {
        Some(node) => read_global(&reader, node, env, &mut warnings),
        None => Global::default(),
    };
    let runtime = fields.node("runtime").map(|node| read_runtime(&reader, node)).unwrap_or_default();
    let rule_files = read_patterns(&mut fields, "rule_files", "invalid rule file path");
    let scrape_config_files =
        read_patterns(&mut fields, "scrape_config_files", "invalid scrape config file path");
    let scrape_configs = read_jobs(&mut fields, &global, &mut names);
    let scheme = global.metric_name_validation_scheme;
    let alerting =
        fields.node("alerting").map(|node| alerting::read::read(&reader, node, scheme)).unwrap_or_default();
    let storage = fields.node("storage").map(|node| read_storage(&reader, node)).unwrap_or_default();
    fields.unsupported(&["remote_write", "remote_read", "otlp", "tracing"]);
    fields.finish();
    let value =
        Config { global, runtime, rule_files, scrape_config_files, scrape_configs, alerting, storage };
    reader.finish(Jobs { value, names, warnings })
}

/// Reads a file with further jobs; `names` are those of the jobs known so far.
pub(crate) fn parse_jobs(
    file: &str,
    text: &str,
    global: &Global,
    names: HashMap<String, Position>,
) -> Result<Jobs<Vec<ScrapeConfig>>, Vec<ConfigError>> {
    let reader = Reader::new(file, text);
    let root = reader.root();
    let mut names = names;
    let mut fields = reader.fields(&root, "config.ScrapeConfigs");
    let value = read_jobs(&mut fields, global, &mut names);
    fields.finish();
    reader.finish(Jobs { value, names, warnings: Vec::new() })
}

/// Source: Prometheus config.GlobalConfig.UnmarshalYAML.
fn read_global(reader: &Reader<'_>, node: &Node, env: EnvLookup<'_>, warnings: &mut Vec<String>) -> Global {
    let mut fields = reader.fields(node, "config.plain");
    let default = Global::default();
    let interval = fields.duration_ms("scrape_interval").filter(|ms| *ms > 0);
    let timeout = fields.duration_ms("scrape_timeout").filter(|ms| *ms > 0);
    let scrape_interval_ms = interval.unwrap_or(default.scrape_interval_ms);
    if timeout.is_some_and(|ms| ms > scrape_interval_ms) {
        fields.error("scrape_timeout", "global scrape timeout greater than scrape interval");
    }
    let (validation, escaping) = read_name_schemes(&mut fields, Default::default(), None, "global");
    let protocols = read_protocols(&mut fields, "for global config");
    fields.unsupported(&[
        "query_log_file",
        "scrape_failure_log_file",
        "scrape_native_histograms",
        "convert_classic_histograms_to_nhcb",
        "extra_scrape_metrics",
    ]);
    // Without native histograms the classic ones are always scraped.
    fields.bool("always_scrape_classic_histograms");
    let mut limit = |name| fields.u64(name).unwrap_or(0);
    let global = Global {
        sample_limit: limit("sample_limit"),
        target_limit: limit("target_limit"),
        label_limit: limit("label_limit"),
        label_name_length_limit: limit("label_name_length_limit"),
        label_value_length_limit: limit("label_value_length_limit"),
        keep_dropped_targets: limit("keep_dropped_targets"),
        scrape_interval_ms,
        scrape_timeout_ms: timeout.unwrap_or(default.scrape_timeout_ms.min(scrape_interval_ms)),
        scrape_protocols: protocols.unwrap_or(default.scrape_protocols),
        evaluation_interval_ms: fields
            .duration_ms("evaluation_interval")
            .filter(|ms| *ms > 0)
            .unwrap_or(default.evaluation_interval_ms),
        rule_query_offset_ms: fields.duration_ms("rule_query_offset").unwrap_or(0),
        external_labels: read_external_labels(&mut fields, env, warnings),
        body_size_limit_bytes: read_body_size_limit(&mut fields).unwrap_or(0),
        metric_name_validation_scheme: validation,
        metric_name_escaping_scheme: escaping,
    };
    fields.finish();
    global
}

fn read_external_labels(
    fields: &mut Fields<'_, '_>,
    env: EnvLookup<'_>,
    warnings: &mut Vec<String>,
) -> Labels {
    let Some(node) = fields.node("external_labels") else { return Labels::default() };
    let reader = fields.reader;
    let mut pairs = Vec::new();
    for (key, value, _) in reader.string_map(node) {
        check_label_name(reader, &key.text, key.place);
        let expanded = expand_env(&value, |name| {
            let found = env(name).unwrap_or_default();
            if found.is_empty() {
                let at = reader.position(key.place);
                warnings.push(format!("{at}: environment variable {} is empty", quote(name)));
            }
            found
        });
        pairs.push((key.text.clone(), expanded));
    }
    Labels::from_pairs(pairs)
}

/// Replaces `${NAME}` and `$NAME`; `$$` is a dollar sign.
///
/// Source: Go os.Expand.
fn expand_env(text: &str, mut lookup: impl FnMut(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let (name, after) = if let Some(body) = after.strip_prefix('{') {
            match body.split_once('}') {
                Some((name, after)) => (name, after),
                // Malformed: Go drops the `${` alone.
                None => ("", body),
            }
        } else if after.starts_with(|c: char| c == '$' || "*#@!?-0123456789".contains(c)) {
            after.split_at(1)
        } else {
            let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len());
            if end == 0 {
                out.push('$');
            }
            after.split_at(end)
        };
        match name {
            "" => {}
            "$" => out.push('$'),
            name => out.push_str(&lookup(name)),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

fn read_runtime(reader: &Reader<'_>, node: &Node) -> Runtime {
    let mut fields = reader.fields(node, "config.plain");
    let gogc = fields.i64("gogc").unwrap_or(Runtime::default().gogc);
    fields.finish();
    Runtime { gogc }
}

fn read_patterns(fields: &mut Fields<'_, '_>, name: &'static str, message: &str) -> Vec<String> {
    let patterns = fields.strings(name);
    for (pattern, place) in &patterns {
        if !has_star_in_last_part_only(pattern) {
            fields.reader.error(*place, format!("{message} {}", quote(pattern)));
        }
    }
    patterns.into_iter().map(|(pattern, _)| pattern).collect()
}

fn read_storage(reader: &Reader<'_>, node: &Node) -> Storage {
    let mut fields = reader.fields(node, "config.plain");
    fields.unsupported(&["exemplars"]);
    let retention = fields.node("tsdb").map(|node| read_tsdb(reader, node)).unwrap_or_default();
    fields.finish();
    Storage { retention }
}

/// Source: Prometheus config.TSDBConfig.
fn read_tsdb(reader: &Reader<'_>, node: &Node) -> Retention {
    let mut fields = reader.fields(node, "config.plain");
    fields.unsupported(&["out_of_order_time_window", "stale_series_compaction_threshold"]);
    if let Some(node) = fields.node("chunk_encoding") {
        let mut encoding = reader.fields(node, "config.plain");
        match encoding.string("floats").as_deref() {
            None | Some("xor") => {}
            Some("xor2") => reader.unsupported(encoding.place_of("floats"), "chunk encoding xor2"),
            Some(other) => encoding.error(
                "floats",
                format!(
                    "'storage.tsdb.chunk_encoding.floats' must be 'xor' or 'xor2', or the field must be \
                     omitted entirely, got {}",
                    quote(other)
                ),
            ),
        }
        encoding.finish();
    }
    let retention = fields.node("retention").map(|node| read_retention(reader, node)).unwrap_or_default();
    fields.finish();
    retention
}

fn read_retention(reader: &Reader<'_>, node: &Node) -> Retention {
    let mut fields = reader.fields(node, "config.plain");
    let time_ms = fields.duration_ms("time");
    let size = fields.size_bytes("size");
    if let Some(bytes) = size.filter(|bytes| *bytes < 0) {
        let shown = size::format(bytes);
        let message =
            format!("'storage.tsdb.retention.size' must be greater than or equal to 0, got {shown}");
        fields.error("size", message);
    }
    if let Some(percentage) = fields.f64("percentage") {
        if !(0.0..=100.0).contains(&percentage) {
            let message = format!(
                "'storage.tsdb.retention.percentage' must be in the range [0, 100], got {percentage}"
            );
            fields.error("percentage", message);
        } else if percentage > 0.0 {
            reader.unsupported(fields.place_of("percentage"), "storage.tsdb.retention.percentage");
        }
    }
    fields.finish();
    let positive = |ms: &i64| *ms > 0;
    Retention {
        time_ms: time_ms.filter(positive),
        size_bytes: size.filter(positive).and_then(|bytes| u64::try_from(bytes).ok()),
    }
}
