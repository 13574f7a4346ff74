//! The server as those who run it see and steer it.

use std::collections::BTreeMap;
use std::sync::Arc;

use promflow_api::{Control, RuntimeInfo};
use promflow_model::duration;
use tokio::sync::Notify;

use super::ServerOptions;
use super::reload::Reloader;

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
            flags: options.flags.clone(),
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
