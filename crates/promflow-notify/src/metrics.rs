//! What the notifier counts, under Prometheus's names.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use promflow_registry::{CounterFamily, GaugeFamily, Registry, SummaryFamily};

use crate::queue::Queue;

/// The notifier's counters.
#[derive(Clone)]
pub struct NotifyMetrics {
    sent: CounterFamily,
    errors: CounterFamily,
    dropped: CounterFamily,
    latency: SummaryFamily,
    queue_length: GaugeFamily,
    queue_capacity: GaugeFamily,
    discovered: GaugeFamily,
    queues: Arc<Mutex<BTreeMap<String, Arc<Queue>>>>,
}

impl NotifyMetrics {
    /// Registers the counters.
    pub fn new(registry: &Registry) -> Self {
        let label = ["alertmanager"];
        let queue_length = registry.gauge(
            "prometheus_notifications_queue_length",
            "The number of alert notifications in the queue.",
            &label,
        );
        let queues: Arc<Mutex<BTreeMap<String, Arc<Queue>>>> = Arc::default();
        let (watched, lengths) = (queues.clone(), queue_length.clone());
        registry.before_scrape(move || {
            let queues = watched.lock().expect("BUG: a thread panicked while it held the queues");
            for (url, queue) in &*queues {
                lengths.with(&[url]).set(queue.waiting() as f64);
            }
        });
        Self {
            sent: registry.counter(
                "prometheus_notifications_sent_total",
                "Total number of alerts sent.",
                &label,
            ),
            errors: registry.counter(
                "prometheus_notifications_errors_total",
                "Total number of sent alerts affected by errors.",
                &label,
            ),
            dropped: registry.counter(
                "prometheus_notifications_dropped_total",
                "Total number of alerts dropped due to errors when sending to Alertmanager.",
                &label,
            ),
            latency: registry.summary(
                "prometheus_notifications_latency_seconds",
                "Latency for sending alert notifications.",
                &label,
            ),
            queue_length,
            queue_capacity: registry.gauge(
                "prometheus_notifications_queue_capacity",
                "The capacity of the alert notifications queue.",
                &[],
            ),
            discovered: registry.gauge(
                "prometheus_notifications_alertmanagers_discovered",
                "The number of alertmanagers discovered and active.",
                &[],
            ),
            queues,
        }
    }

    pub(crate) fn queue_capacity(&self, capacity: usize) {
        self.queue_capacity.with(&[]).set(capacity as f64);
    }

    pub(crate) fn alertmanagers(&self, count: usize) {
        self.discovered.with(&[]).set(count as f64);
    }

    pub(crate) fn watch_queue(&self, url: &str, queue: Arc<Queue>) {
        for family in [&self.sent, &self.errors, &self.dropped] {
            family.init(&[[url]]);
        }
        self.queues
            .lock()
            .expect("BUG: a thread panicked while it held the queues")
            .insert(url.to_owned(), queue);
    }

    /// Takes an Alertmanager's series off the page: it is gone.
    pub(crate) fn forget(&self, url: &str) {
        self.queues.lock().expect("BUG: a thread panicked while it held the queues").remove(url);
        for family in [&self.sent, &self.errors, &self.dropped] {
            family.remove(&[url]);
        }
        self.latency.remove(&[url]);
        self.queue_length.remove(&[url]);
    }

    pub(crate) fn sent(&self, url: &str, alerts: usize, seconds: f64, failed: bool) {
        self.sent.with(&[url]).inc_by(alerts as u64);
        self.latency.with(&[url]).observe(seconds);
        if failed {
            self.errors.with(&[url]).inc_by(alerts as u64);
            self.dropped(url, alerts);
        }
    }

    pub(crate) fn dropped(&self, url: &str, alerts: usize) {
        self.dropped.with(&[url]).inc_by(alerts as u64);
    }
}
