//! Which receiver each alert went to, for the flow chart's last lane.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use promflow_config::OsFileSystem;
use promflow_config::alertmanager::AlertmanagerFile;
use promflow_flow::live::LiveReceiver;
use promflow_model::{Alert, Clock};
use promflow_notify::DeliveryObserver;

/// Counts deliveries by the receiver that Alertmanager's own routes lead to.
pub(crate) struct Deliveries {
    clock: Arc<dyn Clock>,
    file: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    routes: Option<AlertmanagerFile>,
    /// By Alertmanager and receiver.
    counts: BTreeMap<(String, String), LiveReceiver>,
}

impl Deliveries {
    /// Reads the routes from Alertmanager's own file, where there is one.
    pub(crate) fn new(clock: Arc<dyn Clock>, file: Option<PathBuf>) -> Self {
        Self { clock, file, state: Mutex::new(State::default()) }
    }

    /// Reads the routes again; a file that is broken leaves them as they were.
    pub(crate) fn reload_routes(&self) {
        let Some(file) = &self.file else { return };
        match AlertmanagerFile::load(file, &OsFileSystem) {
            Ok(routes) => self.lock().routes = Some(routes),
            Err(errors) => errors.iter().for_each(|error| tracing::warn!("{error}")),
        }
    }

    /// Returns what each receiver was sent. Several Alertmanagers are a cluster, and tell a receiver once.
    pub(crate) fn receivers(&self) -> BTreeMap<String, LiveReceiver> {
        let mut receivers: BTreeMap<String, LiveReceiver> = BTreeMap::new();
        for ((_, name), counted) in &self.lock().counts {
            let receiver = receivers.entry(name.clone()).or_default();
            receiver.last_sent_ms = receiver.last_sent_ms.max(counted.last_sent_ms);
            receiver.sent = receiver.sent.max(counted.sent);
            receiver.failed = receiver.failed.max(counted.failed);
        }
        receivers
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("BUG: a thread panicked while it held the routes")
    }
}

impl DeliveryObserver for Deliveries {
    fn delivered(&self, alertmanager: &str, alerts: &[Alert], ok: bool) {
        let now_ms = self.clock.now_ms();
        let mut state = self.lock();
        let State { routes: Some(file), counts } = &mut *state else { return };
        for alert in alerts {
            for route in file.route.matches(&alert.labels) {
                let key = (alertmanager.to_owned(), route.receiver.clone());
                let receiver = counts.entry(key).or_default();
                if ok {
                    receiver.last_sent_ms = Some(now_ms);
                    receiver.sent += 1;
                } else {
                    receiver.failed += 1;
                }
            }
        }
    }
}
