//! Queues, and the tasks that empty them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use promflow_config::{AlertmanagerConfig, RelabelConfig, TargetGroup, relabel};
use promflow_http::{HttpClient, Request};
use promflow_model::{Alert, AlertSink, Clock, Labels, LabelsBuilder};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::NotifyMetrics;
use crate::queue::Queue;
use crate::{json, target};

/// How much of a refusal's body is kept as its reason.
const REASON_BYTES_MAX: usize = 512;

/// How alerts are sent.
#[derive(Clone, Copy, Debug)]
pub struct NotifierOptions {
    /// How many alerts may wait for one Alertmanager.
    pub queue_capacity: usize,
    /// How many alerts one request holds.
    pub batch_max: usize,
    /// How long the end of the server waits for queues to empty, in milliseconds.
    pub drain_timeout_ms: u64,
}

impl Default for NotifierOptions {
    fn default() -> Self {
        Self { queue_capacity: 10_000, batch_max: 256, drain_timeout_ms: 5_000 }
    }
}

/// Alertmanagers that share settings, with their targets as discovery found them.
#[derive(Clone, Debug)]
pub struct AlertmanagerSet {
    /// The settings.
    pub config: AlertmanagerConfig,
    /// The targets, before relabelling.
    pub groups: Vec<TargetGroup>,
}

/// An Alertmanager and how deliveries to it went. Times are milliseconds since the epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertmanagerStatus {
    /// The address alerts are posted to.
    pub url: String,
    /// How many alerts were delivered.
    pub sent_total: u64,
    /// How many alerts could not be delivered.
    pub failed_total: u64,
    /// When a delivery last went well.
    pub last_success_ms: Option<i64>,
    /// Why the last delivery failed; none when it went well.
    pub last_error: Option<String>,
}

/// Hears of every delivery.
pub trait DeliveryObserver: Send + Sync {
    /// Takes the alerts as they were sent, after relabelling, and whether the Alertmanager took them.
    fn delivered(&self, alertmanager: &str, alerts: &[Alert], ok: bool);
}

/// Sends alerts.
pub struct Notifier {
    options: NotifierOptions,
    metrics: NotifyMetrics,
    clock: Arc<dyn Clock>,
    runtime: Handle,
    observer: Arc<dyn DeliveryObserver>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    external_labels: Labels,
    relabel: Vec<RelabelConfig>,
    /// By address.
    alertmanagers: BTreeMap<String, Alertmanager>,
}

/// One Alertmanager with its queue; its task ends with it.
struct Alertmanager {
    config: AlertmanagerConfig,
    queue: Arc<Queue>,
    status: Arc<Mutex<AlertmanagerStatus>>,
    task: JoinHandle<()>,
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Notifier {
    /// Creates a notifier without Alertmanagers; its tasks run on the runtime.
    pub fn new(
        options: NotifierOptions,
        metrics: NotifyMetrics,
        clock: Arc<dyn Clock>,
        runtime: Handle,
        observer: Arc<dyn DeliveryObserver>,
    ) -> Self {
        metrics.queue_capacity(options.queue_capacity);
        Self { options, metrics, clock, runtime, observer, state: Mutex::new(State::default()) }
    }

    /// Replaces the Alertmanagers; one whose address and settings stay keeps its queue.
    ///
    /// Errors: the client of a set cannot be built (a certificate that cannot be read); nothing is changed then.
    pub fn apply(
        &self,
        external_labels: Labels,
        relabel: Vec<RelabelConfig>,
        sets: &[AlertmanagerSet],
    ) -> Result<(), String> {
        let mut wanted: BTreeMap<String, (AlertmanagerConfig, Arc<HttpClient>)> = BTreeMap::new();
        for set in sets {
            let client = Arc::new(HttpClient::new(&set.config.http).map_err(|e| e.to_string())?);
            for url in target::urls(&set.config, &set.groups) {
                wanted.entry(url).or_insert_with(|| (set.config.clone(), client.clone()));
            }
        }
        let mut state = self.lock();
        state.external_labels = external_labels;
        state.relabel = relabel;
        state.alertmanagers.retain(|url, known| {
            let stays = wanted.get(url).is_some_and(|(config, _)| *config == known.config);
            if !stays {
                self.metrics.forget(url);
            }
            stays
        });
        for (url, (config, client)) in wanted {
            state.alertmanagers.entry(url).or_insert_with_key(|url| self.start(url, config, client));
        }
        self.metrics.alertmanagers(state.alertmanagers.len());
        Ok(())
    }

    /// Returns the Alertmanagers and how deliveries to them went, sorted by address.
    pub fn alertmanagers(&self) -> Vec<AlertmanagerStatus> {
        self.lock()
            .alertmanagers
            .values()
            .map(|a| a.status.lock().expect("BUG: a task panicked while it held its status").clone())
            .collect()
    }

    /// Waits until what is queued is sent, for as long as the options allow; returns how many alerts are left.
    pub async fn drain(&self) -> usize {
        let deadline = Instant::now() + Duration::from_millis(self.options.drain_timeout_ms);
        loop {
            let left: usize = self.lock().alertmanagers.values().map(|a| a.queue.left()).sum();
            if left == 0 || Instant::now() >= deadline {
                return left;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn start(&self, url: &str, config: AlertmanagerConfig, client: Arc<HttpClient>) -> Alertmanager {
        let queue = Arc::new(Queue::new(self.options.queue_capacity));
        let status = Arc::new(Mutex::new(AlertmanagerStatus { url: url.to_owned(), ..Default::default() }));
        let sender = Sender {
            url: url.to_owned(),
            client,
            timeout: Duration::from_millis(config.timeout_ms.max(0) as u64),
            relabel: config.alert_relabel_configs.clone(),
            batch_max: self.options.batch_max.max(1),
            queue: queue.clone(),
            status: status.clone(),
            metrics: self.metrics.clone(),
            clock: self.clock.clone(),
            observer: self.observer.clone(),
        };
        self.metrics.watch_queue(url, queue.clone());
        let task = self.runtime.spawn(sender.run());
        Alertmanager { config, queue, status, task }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("BUG: a thread panicked while it held the Alertmanagers")
    }
}

impl AlertSink for Notifier {
    fn send(&self, alerts: Vec<Alert>) {
        let state = self.lock();
        let alerts: Vec<Alert> = alerts
            .into_iter()
            .filter_map(|alert| prepare(alert, &state.external_labels, &state.relabel))
            .collect();
        if alerts.is_empty() {
            return;
        }
        for (url, alertmanager) in &state.alertmanagers {
            let dropped = alertmanager.queue.push(alerts.iter().cloned());
            if dropped > 0 {
                tracing::warn!(alertmanager = url, alerts = dropped, "queue full, oldest alerts dropped");
                self.metrics.dropped(url, dropped);
            }
        }
    }
}

/// Adds the external labels that the alert does not have, and relabels it.
fn prepare(mut alert: Alert, external_labels: &Labels, rules: &[RelabelConfig]) -> Option<Alert> {
    let mut labels = LabelsBuilder::new(&alert.labels);
    for (name, value) in external_labels {
        if labels.get(name).is_empty() {
            labels.set(name, value);
        }
    }
    if !relabel::process(rules, &mut labels) {
        return None;
    }
    alert.labels = labels.labels();
    Some(alert)
}

/// Empties one queue.
struct Sender {
    url: String,
    client: Arc<HttpClient>,
    timeout: Duration,
    relabel: Vec<RelabelConfig>,
    batch_max: usize,
    queue: Arc<Queue>,
    status: Arc<Mutex<AlertmanagerStatus>>,
    metrics: NotifyMetrics,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn DeliveryObserver>,
}

impl Sender {
    async fn run(self) {
        loop {
            let batch = self.queue.take(self.batch_max).await;
            let alerts: Vec<Alert> = batch
                .into_iter()
                .filter_map(|alert| prepare(alert, &Labels::empty(), &self.relabel))
                .collect();
            if !alerts.is_empty() {
                self.deliver(&alerts).await;
            }
            self.queue.done();
        }
    }

    async fn deliver(&self, alerts: &[Alert]) {
        let started = Instant::now();
        let outcome = self.post(json::body(alerts)).await;
        self.metrics.sent(&self.url, alerts.len(), started.elapsed().as_secs_f64(), outcome.is_err());
        self.observer.delivered(&self.url, alerts, outcome.is_ok());
        let mut status = self.status.lock().expect("BUG: a task panicked while it held its status");
        match outcome {
            Ok(()) => {
                status.sent_total += alerts.len() as u64;
                status.last_success_ms = Some(self.clock.now_ms());
                status.last_error = None;
            }
            Err(e) => {
                tracing::error!(alertmanager = self.url, alerts = alerts.len(), error = %e, "cannot send alerts");
                status.failed_total += alerts.len() as u64;
                status.last_error = Some(e.to_string());
            }
        }
    }

    async fn post(&self, body: String) -> Result<(), String> {
        let request = Request::post_json(&self.url, body).timeout(self.timeout);
        let mut answer = Vec::new();
        let response = self.client.fetch(&request, &mut answer).await.map_err(|e| e.to_string())?;
        if response.status.is_success() {
            return Ok(());
        }
        let reason = String::from_utf8_lossy(&answer[..answer.len().min(REASON_BYTES_MAX)]).into_owned();
        Err(format!("bad response status {}: {}", response.status_text(), reason.trim()))
    }
}
