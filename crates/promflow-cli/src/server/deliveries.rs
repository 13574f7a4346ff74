//! Which receiver each alert goes to, noted on the way to the notifier, for the flow chart's last lane.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use promflow_config::OsFileSystem;
use promflow_config::alertmanager::AlertmanagerFile;
use promflow_flow::live::LiveReceiver;
use promflow_model::{Alert, AlertSink, Clock};
use promflow_notify::Notifier;

/// Passes alerts on to the notifier and notes which receivers they are for.
pub(crate) struct Deliveries {
    notifier: Arc<Notifier>,
    clock: Arc<dyn Clock>,
    file: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    routes: Option<AlertmanagerFile>,
    receivers: BTreeMap<String, LiveReceiver>,
}

impl Deliveries {
    /// Reads the routes from Alertmanager's own file, where there is one.
    pub(crate) fn new(notifier: Arc<Notifier>, clock: Arc<dyn Clock>, file: Option<PathBuf>) -> Self {
        Self { notifier, clock, file, state: Mutex::new(State::default()) }
    }

    /// Reads the routes again; a file that is broken leaves them as they were.
    pub(crate) fn reload_routes(&self) {
        let Some(file) = &self.file else { return };
        match AlertmanagerFile::load(file, &OsFileSystem) {
            Ok(routes) => self.lock().routes = Some(routes),
            Err(errors) => {
                for error in errors {
                    tracing::warn!("{error}");
                }
            }
        }
    }

    /// Returns what was handed to an Alertmanager for each receiver.
    pub(crate) fn receivers(&self) -> BTreeMap<String, LiveReceiver> {
        let mut receivers = self.lock().receivers.clone();
        let failing = self.notifier.alertmanagers().iter().filter(|a| a.last_error.is_some()).count() as u64;
        for receiver in receivers.values_mut() {
            receiver.failed = failing;
        }
        receivers
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("BUG: a thread panicked while it held the routes")
    }
}

impl AlertSink for Deliveries {
    fn send(&self, alerts: Vec<Alert>) {
        let now_ms = self.clock.now_ms();
        {
            let mut state = self.lock();
            let State { routes, receivers } = &mut *state;
            for alert in routes.iter().flat_map(|routes| alerts.iter().map(move |alert| (routes, alert))) {
                let (routes, alert) = alert;
                for route in routes.route.matches(&alert.labels) {
                    let receiver = receivers.entry(route.receiver.clone()).or_default();
                    receiver.last_sent_ms = Some(now_ms);
                    receiver.sent += 1;
                }
            }
        }
        self.notifier.send(alerts);
    }
}
