//! The names of celery-exporter.

use std::time::Duration;

use super::{
    Consumers, Counter, CounterFamily, End, Gauge, GaugeFamily, Histogram, HistogramFamily, Registry,
};

/// The default bounds of its `celery_task_runtime`.
///
/// Units: seconds.
const RUNTIME_BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Units: seconds.
const QUEUE_WAIT_BUCKETS: [f64; 14] =
    [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0];

const TASK_LABELS: [&str; 3] = ["name", "hostname", "queue_name"];

/// The events of a task's life, but for failures, which have one more label.
const EVENTS: [(&str, &str); 7] = [
    ("celery_task_sent_total", "Tasks that were put into their queue."),
    ("celery_task_received_total", "Tasks that the worker took from their queue."),
    ("celery_task_started_total", "Runs that began."),
    ("celery_task_succeeded_total", "Runs that ended well."),
    ("celery_task_rejected_total", "Tasks that the worker refused."),
    ("celery_task_revoked_total", "Tasks that were called off."),
    ("celery_task_retried_total", "Runs that failed and will be tried again."),
];

#[derive(Clone, Debug)]
pub(super) struct CeleryWorker {
    hostname: String,
    events: [CounterFamily; EVENTS.len()],
    failed: CounterFamily,
    runtime: HistogramFamily,
    queue_wait: HistogramFamily,
    up: Gauge,
    active: Gauge,
    queue_length: GaugeFamily,
    consumers: GaugeFamily,
    workers: GaugeFamily,
    processes: GaugeFamily,
}

#[derive(Clone, Debug)]
pub(super) struct CeleryTask {
    labels: [String; 3],
    pub(super) sent: Counter,
    pub(super) received: Counter,
    started: Counter,
    succeeded: Counter,
    pub(super) rejected: Counter,
    pub(super) revoked: Counter,
    retried: Counter,
    failed: CounterFamily,
    runtime: Histogram,
    pub(super) queue_wait: Histogram,
    active: Gauge,
}

impl CeleryWorker {
    pub(super) fn new(registry: &Registry, hostname: &str) -> Self {
        let gauge = |name, help| registry.gauge(name, help, &["hostname"]).with(&[hostname]).clone();
        let of_queue = |name, help| registry.gauge(name, help, &["queue_name"]);
        let up = gauge("celery_worker_up", "Whether the worker takes tasks.");
        up.set(1.0);
        Self {
            hostname: hostname.to_owned(),
            events: EVENTS.map(|(name, help)| registry.counter(name, help, &TASK_LABELS)),
            failed: registry.counter(
                "celery_task_failed_total",
                "Runs that failed, by the type of the error.",
                &["name", "hostname", "exception", "queue_name"],
            ),
            runtime: registry.histogram(
                "celery_task_runtime",
                "Time that runs took which ended well, in seconds.",
                &TASK_LABELS,
                &RUNTIME_BUCKETS,
            ),
            queue_wait: registry.histogram(
                "celery_task_queue_wait_time",
                "Time that tasks waited in their queue, in seconds.",
                &TASK_LABELS,
                &QUEUE_WAIT_BUCKETS,
            ),
            up,
            active: gauge("celery_worker_tasks_active", "Runs under way."),
            queue_length: of_queue("celery_queue_length", "Tasks that wait in the queue."),
            consumers: of_queue("celery_active_consumer_count", "Consumers of the queue."),
            workers: of_queue("celery_active_worker_count", "Workers that take from the queue."),
            processes: of_queue(
                "celery_active_process_count",
                "Processes of the workers that take from the queue.",
            ),
        }
    }

    pub(super) fn task(&self, name: &str, queue: &str) -> CeleryTask {
        let labels = [name, &self.hostname, queue];
        let [sent, received, started, succeeded, rejected, revoked, retried] =
            self.events.each_ref().map(|family| family.with(&labels).clone());
        self.failed.with(&[name, &self.hostname, "", queue]);
        CeleryTask {
            sent,
            received,
            started,
            succeeded,
            rejected,
            revoked,
            retried,
            failed: self.failed.clone(),
            runtime: self.runtime.with(&labels).clone(),
            queue_wait: self.queue_wait.with(&labels).clone(),
            active: self.active.clone(),
            labels: labels.map(str::to_owned),
        }
    }

    pub(super) fn set_queue_length(&self, queue: &str, tasks: usize) {
        self.queue_length.with(&[queue]).set(tasks as f64);
    }

    pub(super) fn set_consumers(&self, queue: &str, active: Consumers) {
        let Consumers { consumers, workers, processes } = active;
        let counts = [(&self.consumers, consumers), (&self.workers, workers), (&self.processes, processes)];
        for (family, count) in counts {
            family.with(&[queue]).set(count as f64);
        }
    }

    pub(super) fn set_up(&self, up: bool) {
        self.up.set(if up { 1.0 } else { 0.0 });
    }
}

impl CeleryTask {
    pub(super) fn started(&self) {
        self.started.inc();
        self.active.inc();
    }

    /// Counts the end of a run. As in celery-exporter, only runs that ended well have a runtime.
    pub(super) fn ended(&self, end: End<'_>, took: Duration) {
        self.active.dec();
        match end {
            End::Success => {
                self.succeeded.inc();
                self.runtime.observe_duration(took);
            }
            End::Failure(exception) => {
                let [name, hostname, queue] = &self.labels;
                self.failed.with(&[name, hostname, exception, queue]).inc();
            }
            End::Retry => self.retried.inc(),
        }
    }
}
