//! The alerts that wait for one Alertmanager.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use promflow_model::Alert;
use tokio::sync::Notify;

/// A bounded queue: the oldest goes when it is full.
pub(crate) struct Queue {
    capacity: usize,
    alerts: Mutex<VecDeque<Alert>>,
    /// Alerts taken and not yet [`done`](Self::done) with.
    under_way: AtomicUsize,
    changed: Notify,
}

impl Queue {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            alerts: Mutex::new(VecDeque::new()),
            under_way: AtomicUsize::new(0),
            changed: Notify::new(),
        }
    }

    /// Adds alerts and returns how many were dropped for them.
    pub(crate) fn push(&self, alerts: impl IntoIterator<Item = Alert>) -> usize {
        let mut queue = self.lock();
        queue.extend(alerts);
        let dropped = queue.len().saturating_sub(self.capacity);
        queue.drain(..dropped);
        drop(queue);
        self.changed.notify_one();
        dropped
    }

    /// Takes the oldest alerts, waiting until there are some.
    pub(crate) async fn take(&self, batch_max: usize) -> Vec<Alert> {
        loop {
            let batch = self.take_now(batch_max);
            if !batch.is_empty() {
                return batch;
            }
            self.changed.notified().await;
        }
    }

    /// Takes the oldest alerts there are.
    pub(crate) fn take_now(&self, batch_max: usize) -> Vec<Alert> {
        let mut queue = self.lock();
        let count = queue.len().min(batch_max);
        self.under_way.store(count, Ordering::Relaxed);
        queue.drain(..count).collect()
    }

    /// Says that the alerts taken last are sent, or given up.
    pub(crate) fn done(&self) {
        self.under_way.store(0, Ordering::Relaxed);
    }

    /// Counts the alerts that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().len()
    }

    /// Counts the alerts that wait or are under way.
    pub(crate) fn left(&self) -> usize {
        let queue = self.lock();
        queue.len() + self.under_way.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Alert>> {
        self.alerts.lock().expect("BUG: a thread panicked while it held the alert queue")
    }
}

#[cfg(test)]
mod tests {
    use promflow_model::Labels;

    use super::*;

    fn alert(name: &str) -> Alert {
        Alert {
            labels: Labels::from_pairs([("alertname", name)]),
            annotations: Labels::empty(),
            starts_at_ms: 0,
            ends_at_ms: 0,
            generator_url: String::new(),
        }
    }

    #[test]
    fn a_full_queue_drops_the_oldest() {
        let queue = Queue::new(2);
        assert_eq!(queue.push(["a", "b", "c"].map(alert)), 1);
        let names: Vec<String> = queue.take_now(10).iter().map(|a| a.name().to_owned()).collect();
        assert_eq!(names, ["b", "c"]);
        assert_eq!((queue.waiting(), queue.left()), (0, 2), "taken, and not done with");
        queue.done();
        assert_eq!(queue.left(), 0);
    }
}
