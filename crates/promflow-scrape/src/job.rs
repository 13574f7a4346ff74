//! A job: its settings, and what all its loops share.

use std::sync::{Arc, Mutex};

use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};
use http::{HeaderMap, HeaderValue};
use promflow_config::{Position, ScrapeConfig, ScrapeProtocol};
use promflow_exposition::{Format, FormatError};
use promflow_http::HttpClient;
use promflow_model::{Clock, float};
use promflow_storage::Appendable;

use crate::buffers::Buffers;
use crate::manager::ScrapeOptions;
use crate::metrics::ScrapeMetrics;
use crate::target::lock;

/// How large a page may be when `body_size_limit` is not set. Prometheus has no limit then, and a target that never
/// ends its page takes all memory.
///
/// Units: bytes.
pub const DEFAULT_BODY_SIZE_LIMIT_BYTES: u64 = 100 << 20;

const SCRAPE_TIMEOUT_HEADER: HeaderName = HeaderName::from_static("x-prometheus-scrape-timeout-seconds");

/// What all loops of a server share.
pub(crate) struct Shared {
    pub(crate) storage: Arc<dyn Appendable>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: ScrapeMetrics,
    pub(crate) buffers: Buffers,
    pub(crate) options: ScrapeOptions,
}

/// A job under one configuration.
pub(crate) struct Job {
    pub(crate) shared: Arc<Shared>,
    pub(crate) config: Arc<ScrapeConfig>,
    /// The client, or why there is none.
    pub(crate) client: Result<HttpClient, String>,
    accept: HeaderValue,
    /// Why no target of the job may be scraped.
    forbidden: Mutex<Option<String>>,
}

impl Job {
    pub(crate) fn new(shared: Arc<Shared>, config: Arc<ScrapeConfig>) -> Self {
        let client = HttpClient::new(&config.http).map_err(|e| format!("error creating HTTP client: {e}"));
        let accept =
            HeaderValue::from_str(&accept_of(&config)).expect("BUG: media types that cannot be sent");
        Self { shared, config, client, accept, forbidden: Mutex::default() }
    }

    pub(crate) fn body_size_limit_bytes(&self) -> usize {
        match self.config.body_size_limit_bytes {
            0 => DEFAULT_BODY_SIZE_LIMIT_BYTES as usize,
            limit => usize::try_from(limit).unwrap_or(usize::MAX),
        }
    }

    /// Returns the headers of a scrape.
    pub(crate) fn headers(&self, timeout_ms: i64) -> HeaderMap {
        let encoding = if self.config.enable_compression { "gzip" } else { "identity" };
        let timeout = float::format_f(timeout_ms as f64 / 1000.0);
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, self.accept.clone());
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(encoding));
        if let Ok(timeout) = HeaderValue::from_str(&timeout) {
            headers.insert(SCRAPE_TIMEOUT_HEADER, timeout);
        }
        headers
    }

    /// Finds the format of a page.
    ///
    /// Errors: Prometheus's text; `not supported yet` for protobuf.
    pub(crate) fn format(&self, content_type: &str) -> Result<Format, String> {
        match (Format::from_content_type(content_type), self.config.fallback_scrape_protocol) {
            // It can be read, but its native histograms cannot be stored.
            (Ok(Format::Protobuf), _) => Err("not supported yet: protobuf exposition format".to_owned()),
            (Ok(format), _) => Ok(format),
            (Err(error @ FormatError::Protobuf), _) | (Err(error), None) => Err(error.to_string()),
            (Err(_), Some(protocol)) => {
                Format::from_content_type(protocol.accept()).map_err(|e| e.to_string())
            }
        }
    }

    pub(crate) fn forbid(&self, why: Option<String>) {
        *lock(&self.forbidden) = why;
    }

    pub(crate) fn forbidden(&self) -> Option<String> {
        lock(&self.forbidden).clone()
    }
}

/// Writes the `Accept` header.
///
/// Source: Prometheus scrape/scrape.go acceptHeader.
fn accept_of(config: &ScrapeConfig) -> String {
    let mut weight = ScrapeProtocol::ALL.len() + 1;
    let mut accept = String::new();
    for protocol in &config.scrape_protocols {
        // A page that cannot be read is not asked for.
        if *protocol == ScrapeProtocol::PrometheusProto {
            continue;
        }
        accept.push_str(protocol.accept());
        if matches!(protocol, ScrapeProtocol::PrometheusText1_0_0 | ScrapeProtocol::OpenMetricsText1_0_0) {
            accept.push_str(";escaping=");
            accept.push_str(config.metric_name_escaping_scheme.as_str());
        }
        accept.push_str(&format!(";q=0.{weight},"));
        weight -= 1;
    }
    accept.push_str(&format!("*/*;q=0.{weight}"));
    accept
}

/// Says whether two configurations differ in nothing but their place in the file.
pub(crate) fn same_config(a: &ScrapeConfig, b: &ScrapeConfig) -> bool {
    placeless(a) == placeless(b)
}

/// Says whether what the cache holds under one configuration holds under another.
pub(crate) fn same_labels(a: &ScrapeConfig, b: &ScrapeConfig) -> bool {
    let part = |config: &ScrapeConfig| ScrapeConfig {
        scrape_interval_ms: 0,
        scrape_timeout_ms: 0,
        sample_limit: 0,
        target_limit: 0,
        body_size_limit_bytes: 0,
        keep_dropped_targets: 0,
        http: Default::default(),
        static_configs: Vec::new(),
        file_sd_configs: Vec::new(),
        relabel_configs: Vec::new(),
        source_dir: None,
        ..placeless(config)
    };
    part(a) == part(b)
}

fn placeless(config: &ScrapeConfig) -> ScrapeConfig {
    let mut config = config.clone();
    config.position = Position::default();
    for rule in config.relabel_configs.iter_mut().chain(&mut config.metric_relabel_configs) {
        rule.position = Position::default();
    }
    config
}

#[cfg(test)]
mod tests {
    use promflow_config::Config;

    use super::*;

    fn config(yaml: &str) -> ScrapeConfig {
        let config = Config::parse("prometheus.yml", &format!("scrape_configs:\n{yaml}"), &|_| None);
        config.unwrap_or_else(|e| panic!("{}", e[0])).scrape_configs.remove(0)
    }

    #[test]
    fn accept_header_is_that_of_prometheus() {
        assert_eq!(
            accept_of(&config("- job_name: j")),
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
             text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
        );
    }

    #[test]
    fn place_in_the_file_is_no_change_and_a_rule_is() {
        let rule = "metric_relabel_configs: [{action: labeldrop, regex: x}]";
        let plain = config(&format!("- job_name: j\n  {rule}"));
        assert!(same_config(&plain, &config(&format!("\n# above\n- job_name: j\n\n  {rule}"))));
        assert!(!same_config(&plain, &config("- job_name: j")));
        assert!(!same_labels(&plain, &config("- job_name: j")));
        let slower = config(&format!("- job_name: j\n  scrape_interval: 2m\n  {rule}"));
        assert!(!same_config(&plain, &slower) && same_labels(&plain, &slower));
    }
}
