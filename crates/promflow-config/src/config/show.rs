//! Writes the configuration as the status page shows it.

use promflow_model::{Labels, duration};

use super::{Config, Global};
use crate::yaml::{Map, Yaml};
use crate::{
    AlertmanagerConfig, FileSdConfig, HttpClientConfig, RelabelConfig, ScrapeConfig, Secret, TargetGroup,
    size,
};

impl Config {
    /// Writes the configuration with defaults filled in and secrets as `<secret>`, the same text for equal
    /// configurations.
    pub fn to_yaml(&self) -> String {
        let mut root = Map::default();
        root.map_if("global", show_global(&self.global));
        let mut runtime = Map::default();
        runtime.bare("gogc", self.runtime.gogc);
        root.map_if("runtime", runtime);
        root.texts_if("rule_files", &self.rule_files);
        root.texts_if("scrape_config_files", &self.scrape_config_files);
        root.list_if("scrape_configs", self.scrape_configs.iter().map(show_job).collect());
        let mut alerting = Map::default();
        alerting.list_if("alert_relabel_configs", show_relabel(&self.alerting.alert_relabel_configs));
        let alertmanagers = self.alerting.alertmanagers.iter().map(show_alertmanager).collect();
        alerting.list_if("alertmanagers", alertmanagers);
        root.map_if("alerting", alerting);
        let mut retention = Map::default();
        if let Some(ms) = self.storage.retention.time_ms {
            retention.text("time", duration::format(ms));
        }
        retention.text_if("size", &show_size(self.storage.retention.size_bytes.unwrap_or(0)));
        let mut tsdb = Map::default();
        tsdb.map_if("retention", retention);
        let mut storage = Map::default();
        storage.map_if("tsdb", tsdb);
        root.map_if("storage", storage);
        root.document()
    }
}

fn show_global(global: &Global) -> Map {
    let mut map = Map::default();
    map.text("scrape_interval", duration::format(global.scrape_interval_ms));
    map.text("scrape_timeout", duration::format(global.scrape_timeout_ms));
    let protocols: Vec<&str> = global.scrape_protocols.iter().map(|p| p.as_str()).collect();
    map.texts_if("scrape_protocols", &protocols);
    map.text("evaluation_interval", duration::format(global.evaluation_interval_ms));
    map.text("rule_query_offset", duration::format(global.rule_query_offset_ms));
    map.map_if("external_labels", show_labels(&global.external_labels));
    map.text_if("body_size_limit", &show_size(global.body_size_limit_bytes));
    map.number_if("sample_limit", global.sample_limit);
    map.number_if("target_limit", global.target_limit);
    map.number_if("label_limit", global.label_limit);
    map.number_if("label_name_length_limit", global.label_name_length_limit);
    map.number_if("label_value_length_limit", global.label_value_length_limit);
    map.number_if("keep_dropped_targets", global.keep_dropped_targets);
    map.text("metric_name_validation_scheme", global.metric_name_validation_scheme.as_str());
    map.text("metric_name_escaping_scheme", global.metric_name_escaping_scheme.as_str());
    map
}

impl ScrapeConfig {
    /// Writes the job alone, as [`Config::to_yaml`] does.
    pub fn to_yaml(&self) -> String {
        match show_job(self) {
            Yaml::Map(map) => map.document(),
            _ => unreachable!("BUG: a job is a mapping"),
        }
    }
}

fn show_job(job: &ScrapeConfig) -> Yaml {
    let mut map = Map::default();
    map.text("job_name", job.job_name.as_str());
    if job.honor_labels {
        map.bare("honor_labels", true);
    }
    map.bare("honor_timestamps", job.honor_timestamps);
    map.bare("track_timestamps_staleness", job.track_timestamps_staleness);
    let mut params = Map::default();
    for (name, values) in &job.params {
        params.texts_if(name, values);
    }
    map.map_if("params", params);
    map.text("scrape_interval", duration::format(job.scrape_interval_ms));
    map.text("scrape_timeout", duration::format(job.scrape_timeout_ms));
    let protocols: Vec<&str> = job.scrape_protocols.iter().map(|p| p.as_str()).collect();
    map.texts_if("scrape_protocols", &protocols);
    if let Some(protocol) = job.fallback_scrape_protocol {
        map.text("fallback_scrape_protocol", protocol.as_str());
    }
    map.text("metrics_path", job.metrics_path.as_str());
    map.text("scheme", job.scheme.as_str());
    map.bare("enable_compression", job.enable_compression);
    map.text_if("body_size_limit", &show_size(job.body_size_limit_bytes));
    map.number_if("sample_limit", job.sample_limit);
    map.number_if("target_limit", job.target_limit);
    map.number_if("label_limit", job.label_limit);
    map.number_if("label_name_length_limit", job.label_name_length_limit);
    map.number_if("label_value_length_limit", job.label_value_length_limit);
    map.number_if("keep_dropped_targets", job.keep_dropped_targets);
    map.text("metric_name_validation_scheme", job.metric_name_validation_scheme.as_str());
    map.text("metric_name_escaping_scheme", job.metric_name_escaping_scheme.as_str());
    show_http(&mut map, &job.http);
    map.list_if("relabel_configs", show_relabel(&job.relabel_configs));
    map.list_if("metric_relabel_configs", show_relabel(&job.metric_relabel_configs));
    show_targets(&mut map, &job.static_configs, &job.file_sd_configs);
    Yaml::Map(map)
}

fn show_alertmanager(config: &AlertmanagerConfig) -> Yaml {
    let mut map = Map::default();
    show_http(&mut map, &config.http);
    map.text("scheme", config.scheme.as_str());
    map.text_if("path_prefix", &config.path_prefix);
    map.text("timeout", duration::format(config.timeout_ms));
    map.text("api_version", "v2");
    map.list_if("relabel_configs", show_relabel(&config.relabel_configs));
    map.list_if("alert_relabel_configs", show_relabel(&config.alert_relabel_configs));
    show_targets(&mut map, &config.static_configs, &config.file_sd_configs);
    Yaml::Map(map)
}

fn show_http(map: &mut Map, http: &HttpClientConfig) {
    let path = |path: &Option<std::path::PathBuf>| {
        path.as_ref().map(|path| path.display().to_string()).unwrap_or_default()
    };
    if let Some(auth) = &http.basic_auth {
        let mut basic = Map::default();
        basic.text_if("username", &auth.username);
        basic.text_if("username_file", &path(&auth.username_file));
        basic.text_if("password", &auth.password.to_string());
        basic.text_if("password_file", &path(&auth.password_file));
        map.put("basic_auth", Yaml::Map(basic));
    }
    if let Some(auth) = &http.authorization {
        let mut authorization = Map::default();
        authorization.text("type", auth.kind.as_str());
        authorization.text_if("credentials", &auth.credentials.to_string());
        authorization.text_if("credentials_file", &path(&auth.credentials_file));
        map.put("authorization", Yaml::Map(authorization));
    }
    let tls = &http.tls;
    if *tls != Default::default() {
        let mut shown = Map::default();
        shown.text_if("ca", &tls.ca);
        shown.text_if("cert", &tls.cert);
        shown.text_if("key", &tls.key.to_string());
        shown.text_if("ca_file", &path(&tls.ca_file));
        shown.text_if("cert_file", &path(&tls.cert_file));
        shown.text_if("key_file", &path(&tls.key_file));
        shown.text_if("server_name", &tls.server_name);
        shown.bare("insecure_skip_verify", tls.insecure_skip_verify);
        shown.text_if("min_version", tls.min_version.map_or("", |version| version.as_str()));
        shown.text_if("max_version", tls.max_version.map_or("", |version| version.as_str()));
        map.put("tls_config", Yaml::Map(shown));
    }
    map.bare("follow_redirects", http.follow_redirects);
    map.bare("enable_http2", http.enable_http2);
    let mut headers = Map::default();
    for (name, header) in &http.http_headers {
        let mut shown = Map::default();
        shown.texts_if("values", &header.values);
        let secrets: Vec<&str> = header.secrets.iter().map(|_| Secret::SHOWN).collect();
        shown.texts_if("secrets", &secrets);
        let files: Vec<String> = header.files.iter().map(|file| file.display().to_string()).collect();
        shown.texts_if("files", &files);
        headers.map_if(name, shown);
    }
    map.map_if("http_headers", headers);
}

fn show_relabel(configs: &[RelabelConfig]) -> Vec<Yaml> {
    let show = |config: &RelabelConfig| {
        let mut map = Map::default();
        if !config.source_labels.is_empty() {
            map.put("source_labels", Yaml::Flow(config.source_labels.clone()));
        }
        map.text("separator", config.separator.as_str());
        map.text("regex", config.regex.as_str());
        map.number_if("modulus", config.modulus);
        map.text_if("target_label", &config.target_label);
        map.text("replacement", config.replacement.as_str());
        map.text("action", config.action.as_str());
        Yaml::Map(map)
    };
    configs.iter().map(show).collect()
}

fn show_targets(map: &mut Map, groups: &[TargetGroup], files: &[FileSdConfig]) {
    let show_file = |config: &FileSdConfig| {
        let mut map = Map::default();
        map.texts_if("files", &config.files);
        map.text("refresh_interval", duration::format(config.refresh_interval_ms));
        Yaml::Map(map)
    };
    map.list_if("file_sd_configs", files.iter().map(show_file).collect());
    let show_group = |group: &TargetGroup| {
        let mut map = Map::default();
        let targets: Vec<&str> = group.targets.iter().map(|target| target.get("__address__")).collect();
        map.texts_if("targets", &targets);
        map.map_if("labels", show_labels(&group.labels));
        Yaml::Map(map)
    };
    map.list_if("static_configs", groups.iter().map(show_group).collect());
}

fn show_labels(labels: &Labels) -> Map {
    let mut map = Map::default();
    for (name, value) in labels {
        map.text(name, value);
    }
    map
}

fn show_size(bytes: u64) -> String {
    if bytes == 0 { String::new() } else { size::format(bytes.min(i64::MAX as u64) as i64) }
}
