//! The server as those who run it see and steer it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use promflow_api::{Control, RuntimeInfo};
use promflow_model::duration;
use tokio::sync::Notify;

use super::ServerOptions;
use super::reload::Reloader;
use crate::args::Size;

/// Answers and steers.
pub(crate) struct ServerControl {
    reloader: Arc<Reloader>,
    flags: BTreeMap<String, String>,
    enable_lifecycle: bool,
    started_ms: i64,
    storage_retention: String,
    quit: Notify,
}

impl ServerControl {
    pub(crate) fn new(options: &ServerOptions, reloader: Arc<Reloader>, started_ms: i64) -> Self {
        Self {
            reloader,
            flags: flags(options),
            enable_lifecycle: options.enable_lifecycle,
            started_ms,
            storage_retention: format!(
                "{} or {} MiB, in memory",
                duration::format(options.head.retention_ms),
                options.head.max_bytes >> 20
            ),
            quit: Notify::new(),
        }
    }

    pub(crate) async fn quit_requested(&self) {
        self.quit.notified().await;
    }
}

/// Returns every flag that the server runs by, whoever set it: a user, or a command that needs no flags.
fn flags(options: &ServerOptions) -> BTreeMap<String, String> {
    let path = |path: &Option<PathBuf>| path.as_ref().map_or_else(String::new, |p| p.display().to_string());
    let auto_reload_ms = i64::try_from(options.auto_reload_interval.as_millis()).unwrap_or(i64::MAX);
    let size = Size { bytes: u64::try_from(options.head.max_bytes).unwrap_or(u64::MAX) };
    let all = [
        ("config.file", options.config_file.display().to_string()),
        ("config.auto-reload-interval", duration::format(auto_reload_ms)),
        ("web.enable-lifecycle", options.enable_lifecycle.to_string()),
        ("storage.tsdb.retention.time", duration::format(options.head.retention_ms)),
        ("storage.tsdb.retention.size", size.to_string()),
        ("query.timeout", duration::format(options.query_timeout_ms)),
        ("query.max-concurrency", options.query_concurrency_max.to_string()),
        ("query.max-samples", options.engine.max_samples.to_string()),
        ("query.lookback-delta", duration::format(options.engine.lookback_delta_ms)),
        ("rules.alert.resend-delay", duration::format(options.resend_delay_ms)),
        ("alertmanager.notification-queue-capacity", options.notification_queue_capacity.to_string()),
        ("rules.max-concurrent-evals", options.rule_concurrency_max.to_string()),
        ("alertmanager.config", path(&options.flow.alertmanager)),
        ("source", path(&options.flow.source)),
    ];
    let mut flags = options.flags.clone();
    flags.extend(all.map(|(name, value)| (name.to_owned(), value)));
    flags
}

impl Control for ServerControl {
    fn config_yaml(&self) -> String {
        self.reloader.config_yaml()
    }

    fn flags(&self) -> BTreeMap<String, String> {
        self.flags.clone()
    }

    fn runtime(&self) -> RuntimeInfo {
        let (last_config_ms, reload_succeeded) = self.reloader.last();
        RuntimeInfo {
            started_ms: self.started_ms,
            last_config_ms,
            reload_succeeded,
            storage_retention: self.storage_retention.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: option_env!("PROMFLOW_REVISION").unwrap_or_default().to_owned(),
        }
    }

    fn is_ready(&self) -> bool {
        true
    }

    fn lifecycle_enabled(&self) -> bool {
        self.enable_lifecycle
    }

    fn reload(&self) -> Result<(), String> {
        self.reloader.reload()
    }

    fn quit(&self) {
        self.quit.notify_one();
    }
}
