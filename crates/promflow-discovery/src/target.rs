//! From groups to targets.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use promflow_config::{ScrapeConfig, TargetGroup, relabel};
use promflow_model::quote::quote;
use promflow_model::{Labels, LabelsBuilder, duration};
use xxhash_rust::xxh64::Xxh64;

const ADDRESS: &str = "__address__";
const SCHEME: &str = "__scheme__";
const METRICS_PATH: &str = "__metrics_path__";
const INTERVAL: &str = "__scrape_interval__";
const TIMEOUT: &str = "__scrape_timeout__";
const PARAM_PREFIX: &str = "__param_";
const META_PREFIX: &str = "__meta_";
const RESERVED_PREFIX: &str = "__";
const JOB: &str = "job";
const INSTANCE: &str = "instance";

/// A target as relabelling left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The labels before relabelling.
    pub discovered_labels: Labels,
    /// The labels of its series: those that do not begin with `__`.
    pub labels: Labels,
    /// What is fetched.
    pub url: String,
    /// How often.
    ///
    /// Units: milliseconds.
    pub scrape_interval_ms: i64,
    /// How long it may take.
    ///
    /// Units: milliseconds.
    pub scrape_timeout_ms: i64,
    /// Tells targets of a job apart: equal labels and URL have equal hashes, in every run.
    pub hash: u64,
}

/// What became of a job's groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobTargets {
    /// The targets to scrape, each once.
    pub active: Vec<Target>,
    /// The labels before relabelling of targets that were dropped, as many as the job keeps.
    pub dropped: Vec<Labels>,
    /// How many were dropped.
    pub dropped_count: usize,
    /// Why targets could not be made; the text names target and group.
    pub failures: Vec<String>,
}

/// Turns a job's groups into targets.
///
/// Source: Prometheus scrape/target.go TargetsFromGroup and PopulateLabels, whose texts these are.
pub fn targets_of(config: &ScrapeConfig, groups: &[TargetGroup]) -> JobTargets {
    let mut out = JobTargets::default();
    let mut seen = std::collections::HashSet::new();
    for group in groups {
        for (i, target) in group.targets.iter().enumerate() {
            let discovered = discovered_labels(config, target, &group.labels);
            match populate(config, discovered.clone()) {
                Ok(Some(target)) => {
                    if seen.insert(target.hash) {
                        out.active.push(target);
                    }
                }
                Ok(None) => {
                    out.dropped_count += 1;
                    let limit = config.keep_dropped_targets as usize;
                    if limit == 0 || out.dropped.len() < limit {
                        out.dropped.push(discovered.labels());
                    }
                }
                Err(why) => out.failures.push(format!("instance {i} in group {}: {why}", group.source)),
            }
        }
    }
    out
}

/// Fills in what the target does not say itself: the job's settings, then its parameters.
fn discovered_labels(config: &ScrapeConfig, target: &Labels, group: &Labels) -> LabelsBuilder {
    let mut builder = LabelsBuilder::new(group);
    for (name, value) in target {
        builder.set(name, value);
    }
    let defaults = [
        (JOB, config.job_name.clone()),
        (INTERVAL, duration::format(config.scrape_interval_ms)),
        (TIMEOUT, duration::format(config.scrape_timeout_ms)),
        (METRICS_PATH, config.metrics_path.clone()),
        (SCHEME, config.scheme.clone()),
    ];
    for (name, value) in defaults {
        if builder.get(name).is_empty() {
            builder.set(name, &value);
        }
    }
    for (name, values) in &config.params {
        if let Some(first) = values.first() {
            builder.set(&format!("{PARAM_PREFIX}{name}"), first);
        }
    }
    builder
}

/// Relabels; `None` when a rule drops the target.
fn populate(config: &ScrapeConfig, discovered: LabelsBuilder) -> Result<Option<Target>, String> {
    let discovered_labels = discovered.labels();
    let mut builder = discovered;
    if !relabel::process(&config.relabel_configs, &mut builder) {
        return Ok(None);
    }
    let address = builder.get(ADDRESS).to_owned();
    if address.is_empty() {
        return Err("no address".to_owned());
    }
    if address.contains('/') {
        return Err(format!("{} is not a valid hostname", quote(&address)));
    }
    let scrape_interval_ms = positive_duration(builder.get(INTERVAL), "scrape interval")?;
    let scrape_timeout_ms = positive_duration(builder.get(TIMEOUT), "scrape timeout")?;
    if scrape_timeout_ms > scrape_interval_ms {
        return Err(format!(
            "scrape timeout cannot be greater than scrape interval ({} > {})",
            quote(builder.get(TIMEOUT)),
            quote(builder.get(INTERVAL))
        ));
    }
    builder.retain(|name, _| !name.starts_with(META_PREFIX));
    if builder.get(INSTANCE).is_empty() {
        builder.set(INSTANCE, &address);
    }
    let url = url_of(config, &builder);
    let hash = hash_of(&builder, &url);
    builder.retain(|name, _| !name.starts_with(RESERVED_PREFIX));
    let labels = builder.labels();
    Ok(Some(Target { discovered_labels, labels, url, scrape_interval_ms, scrape_timeout_ms, hash }))
}

fn positive_duration(text: &str, what: &str) -> Result<i64, String> {
    match duration::parse(text) {
        Ok(0) => Err(format!("{what} cannot be 0")),
        Ok(ms) => Ok(ms),
        Err(why) => Err(format!("error parsing {what}: {why}")),
    }
}

/// Builds the URL from the labels; a parameter's label stands for its first value.
fn url_of(config: &ScrapeConfig, labels: &LabelsBuilder) -> String {
    let mut params: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, values) in &config.params {
        params.insert(name, values.iter().map(String::as_str).collect());
    }
    for (label, value) in labels.iter() {
        if let Some(name) = label.strip_prefix(PARAM_PREFIX) {
            let values = params.entry(name).or_default();
            match values.first_mut() {
                Some(first) => *first = value,
                None => values.push(value),
            }
        }
    }
    let path = labels.get(METRICS_PATH);
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mut url = format!("{}://{}{slash}", labels.get(SCHEME), labels.get(ADDRESS));
    push_escaped(&mut url, path, |b| b"-_.~$&+,/:;=@!*'()".contains(&b));
    let mut separator = '?';
    for (name, values) in params {
        for value in values {
            url.push(separator);
            separator = '&';
            push_query(&mut url, name);
            url.push('=');
            push_query(&mut url, value);
        }
    }
    url
}

fn push_query(url: &mut String, text: &str) {
    for (i, word) in text.split(' ').enumerate() {
        if i > 0 {
            url.push('+');
        }
        push_escaped(url, word, |b| b"-_.~".contains(&b));
    }
}

fn push_escaped(url: &mut String, text: &str, plain: impl Fn(u8) -> bool) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain(byte) {
            url.push(byte as char);
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
}

fn hash_of(labels: &LabelsBuilder, url: &str) -> u64 {
    let mut hash = Xxh64::new(0);
    for (name, value) in labels.iter() {
        for part in [name, value] {
            hash.update(part.as_bytes());
            hash.update(&[0xff]);
        }
    }
    hash.update(url.as_bytes());
    hash.digest()
}
