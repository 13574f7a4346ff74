//! Reading the configuration and handing it to every loop: at the start, on request, on SIGHUP, when files change.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use promflow_config::{ConfigError, LoadedConfig, OsFileSystem, RuleFile, load};
use promflow_discovery::DiscoveryMetrics;
use promflow_model::Clock;
use promflow_notify::Notifier;
use promflow_registry::{GaugeFamily, Registry};
use promflow_rules::{GroupDefaults, Manager};
use promflow_scrape::ScrapeManager;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

use super::Transform;
use super::alertmanagers::Alertmanagers;
use super::deliveries::Deliveries;
use super::fingerprint::configuration;

/// The loops that a configuration is handed to.
pub(crate) struct Parts {
    pub(crate) scrape: Arc<ScrapeManager>,
    pub(crate) rules: Arc<Manager>,
    pub(crate) notifier: Arc<Notifier>,
    pub(crate) deliveries: Arc<Deliveries>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) runtime: Handle,
}

/// Reads the configuration.
pub(crate) struct Reloader {
    config_file: PathBuf,
    transform: Option<Transform>,
    parts: Parts,
    alertmanagers: Alertmanagers,
    /// Held while files are read and handed over, so that the last read wins.
    turn: Mutex<()>,
    state: Mutex<State>,
    success: GaugeFamily,
    success_time: GaugeFamily,
}

#[derive(Default)]
struct State {
    yaml: String,
    last_success_ms: i64,
    succeeded: bool,
    /// Of the files as they were when last read, taken or not.
    fingerprint: u64,
}

impl Reloader {
    pub(crate) fn new(
        config_file: PathBuf,
        transform: Option<Transform>,
        parts: Parts,
        registry: &Registry,
    ) -> Self {
        let alertmanagers = Alertmanagers::new(
            parts.notifier.clone(),
            DiscoveryMetrics::new(registry),
            parts.runtime.clone(),
        );
        Self {
            config_file,
            transform,
            parts,
            alertmanagers,
            turn: Mutex::new(()),
            state: Mutex::new(State::default()),
            success: registry.gauge(
                "prometheus_config_last_reload_successful",
                "Whether the last configuration reload attempt was successful.",
                &[],
            ),
            success_time: registry.gauge(
                "prometheus_config_last_reload_success_timestamp_seconds",
                "Timestamp of the last successful configuration reload.",
                &[],
            ),
        }
    }

    /// Reads every file and hands it over; a mistake anywhere leaves everything as it was.
    ///
    /// Errors: every mistake, a line or more each.
    pub(crate) fn reload(&self) -> Result<(), String> {
        // A reload that panicked has left everything as it was, or half handed over; the next one mends it.
        let _turn = self.turn.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let fingerprint = configuration(&self.config_file);
        let outcome = self.read().and_then(|(config, rules)| self.hand_over(config, &rules));
        let mut state = self.state.lock().expect("BUG: a thread panicked while it held the configuration");
        state.fingerprint = fingerprint;
        state.succeeded = outcome.is_ok();
        self.success.with(&[]).set(if outcome.is_ok() { 1.0 } else { 0.0 });
        if let Ok(yaml) = &outcome {
            state.yaml.clone_from(yaml);
            state.last_success_ms = self.parts.clock.now_ms();
            self.success_time.with(&[]).set(state.last_success_ms as f64 / 1000.0);
        }
        outcome.map(|_| ())
    }

    /// Returns the configuration in use, secrets left out.
    pub(crate) fn config_yaml(&self) -> String {
        self.state.lock().expect("BUG: a thread panicked while it held the configuration").yaml.clone()
    }

    /// Returns when a configuration was last taken, in milliseconds since the epoch, and whether the last one was.
    pub(crate) fn last(&self) -> (i64, bool) {
        let state = self.state.lock().expect("BUG: a thread panicked while it held the configuration");
        (state.last_success_ms, state.succeeded)
    }

    fn read(&self) -> Result<(LoadedConfig, Vec<RuleFile>), String> {
        let env = |name: &str| std::env::var(name).ok();
        let mut config =
            load(&self.config_file, &OsFileSystem, &env).map_err(|errors| ConfigError::join(&errors))?;
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        let scheme = config.config.global.metric_name_validation_scheme;
        let mut errors = Vec::new();
        let mut rules = Vec::new();
        for path in &config.rule_files {
            match RuleFile::load(path, &OsFileSystem, scheme) {
                Ok(file) => {
                    errors.extend(promflow_rules::template_errors(&file));
                    rules.push(file);
                }
                Err(found) => errors.extend(found),
            }
        }
        if !errors.is_empty() {
            return Err(ConfigError::join(&errors));
        }
        if let Some(transform) = &self.transform {
            transform(&mut config, &mut rules);
        }
        Ok((config, rules))
    }

    fn hand_over(&self, config: LoadedConfig, rules: &[RuleFile]) -> Result<String, String> {
        let global = &config.config.global;
        let _runtime = self.parts.runtime.enter();
        // What can refuse comes first, so that a refusal leaves the others as they were.
        self.alertmanagers.apply(&config.config)?;
        self.parts.scrape.apply(&config.scrape_configs);
        self.parts.deliveries.reload_routes();
        let defaults = GroupDefaults {
            interval_ms: global.evaluation_interval_ms,
            query_offset_ms: global.rule_query_offset_ms,
        };
        self.parts.rules.apply(rules, defaults, |context| {
            context.external_labels = global.external_labels.clone();
        });
        Ok(config.config.to_yaml())
    }

    fn files_changed(&self) -> bool {
        let now = configuration(&self.config_file);
        self.state.lock().expect("BUG: a thread panicked while it held the configuration").fingerprint != now
    }
}

/// Reads the configuration again on SIGHUP, and when its files change.
pub(crate) async fn watch(reloader: Arc<Reloader>, interval: Duration, on_hangup: bool) {
    let mut hangups = match signal(SignalKind::hangup()) {
        Ok(hangups) => hangups,
        Err(e) => {
            tracing::error!(error = %e, "cannot listen for SIGHUP");
            return;
        }
    };
    loop {
        let reason = tokio::select! {
            _ = hangups.recv(), if on_hangup => "SIGHUP",
            () = wait_for_change(&reloader, interval) => "files changed",
        };
        let reloader = reloader.clone();
        match tokio::task::spawn_blocking(move || reloader.reload()).await {
            Ok(Ok(())) => tracing::info!(reason, "configuration loaded"),
            Ok(Err(e)) => tracing::error!(reason, "the configuration is refused, the one in use stays:\n{e}"),
            Err(e) => tracing::error!(reason, error = %e, "reloading panicked"),
        }
    }
}

async fn wait_for_change(reloader: &Arc<Reloader>, interval: Duration) {
    if interval.is_zero() {
        std::future::pending::<()>().await;
    }
    loop {
        tokio::time::sleep(interval).await;
        let reloader = reloader.clone();
        if tokio::task::spawn_blocking(move || reloader.files_changed()).await.unwrap_or(false) {
            return;
        }
    }
}
