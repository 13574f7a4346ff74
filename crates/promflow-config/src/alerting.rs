//! Where alerts are sent.

pub(crate) mod read;

use crate::{FileSdConfig, HttpClientConfig, Position, RelabelConfig, TargetGroup};

/// The `alerting` part of `prometheus.yml`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Alerting {
    /// Changes alerts before they are sent to any Alertmanager.
    pub alert_relabel_configs: Vec<RelabelConfig>,
    /// The Alertmanagers.
    pub alertmanagers: Vec<AlertmanagerConfig>,
}

/// A set of Alertmanagers.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertmanagerConfig {
    /// `http` or `https`.
    pub scheme: String,
    /// The path before `/api/v2/alerts`.
    pub path_prefix: String,
    /// How long a request may take.
    pub timeout_ms: i64,
    /// The client.
    pub http: HttpClientConfig,
    /// Alertmanagers named here.
    pub static_configs: Vec<TargetGroup>,
    /// Alertmanagers named in files.
    pub file_sd_configs: Vec<FileSdConfig>,
    /// Changes the labels of the Alertmanagers found.
    pub relabel_configs: Vec<RelabelConfig>,
    /// Changes alerts before they are sent to these Alertmanagers.
    pub alert_relabel_configs: Vec<RelabelConfig>,
    /// Where it is defined.
    pub position: Position,
}

impl Default for AlertmanagerConfig {
    fn default() -> Self {
        Self {
            scheme: "http".to_owned(),
            path_prefix: String::new(),
            timeout_ms: 10_000,
            http: HttpClientConfig::default(),
            static_configs: Vec::new(),
            file_sd_configs: Vec::new(),
            relabel_configs: Vec::new(),
            alert_relabel_configs: Vec::new(),
            position: Position::default(),
        }
    }
}
