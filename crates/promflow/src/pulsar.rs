//! Consumers of Pulsar topics.

use promflow_registry::{Counter, Gauge, Histogram, Registry, Timer};

use crate::metrics;

/// Measures the consumption of one topic; its outcomes and dead letters exist at zero from the start.
#[derive(Clone, Debug)]
pub struct Topic {
    success: Counter,
    failure: Counter,
    dead_letters: Counter,
    batch: Histogram,
    queue_size: Gauge,
    last_processed: Gauge,
}

impl Topic {
    /// Registers a topic under its name, without its partition.
    pub fn new(registry: &Registry, name: &str) -> Self {
        let metrics = metrics::Pulsar::new(registry);
        Self {
            success: metrics.processed.with(&[name, "success"]).clone(),
            failure: metrics.processed.with(&[name, "failure"]).clone(),
            dead_letters: metrics.dead_letters.with(&[name]).clone(),
            batch: metrics.batch.with(&[name]).clone(),
            queue_size: metrics.queue_size.with(&[name]).clone(),
            last_processed: metrics.last_processed.with(&[name]).clone(),
        }
    }

    /// Starts a batch; it is measured until the timer is dropped.
    pub fn start_batch(&self) -> Timer {
        self.batch.start_timer()
    }

    /// Counts a message that was processed.
    pub fn succeeded(&self) {
        self.success.inc();
        self.last_processed.set_to_current_time();
    }

    /// Counts a message that could not be processed, this time.
    pub fn failed(&self) {
        self.failure.inc();
    }

    /// Counts a message that was given up.
    pub fn dead_lettered(&self) {
        self.dead_letters.inc();
    }

    /// Shows how many messages wait in the consumer.
    pub fn set_queue_size(&self, messages: usize) {
        self.queue_size.set(messages as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_fails_does_not_count_as_last_processed() {
        let registry = Registry::new();
        let topic = Topic::new(&registry, "calls");
        topic.failed();
        topic.dead_lettered();
        assert_eq!(topic.last_processed.value(), 0.0);
        topic.succeeded();
        assert!(topic.last_processed.value() > 1.6e9);
        drop(topic.start_batch());
        topic.set_queue_size(3);
        assert_eq!(
            (topic.success.value(), topic.failure.value(), topic.dead_letters.value()),
            (1.0, 1.0, 1.0)
        );
        assert_eq!((topic.batch.count(), topic.queue_size.value()), (1, 3.0));
    }
}
