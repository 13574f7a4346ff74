//! A topic and its consumer, as with Pulsar: messages that fail are redelivered, and given up to the dead letter queue
//! after a few attempts.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use promflow::Registry;
use promflow::pulsar;

use crate::{App, metrics};

/// The name of the topic.
pub(crate) const TOPIC: &str = "account-events";

const QUEUE_MAX: usize = 20_000;
const DEAD_LETTERS_MAX: usize = 1000;
const BATCH_MAX: usize = 10;
const ATTEMPTS_MAX: u32 = 3;
/// The consumer waits so long when there is nothing to do.
const IDLE_WAIT: Duration = Duration::from_millis(50);
/// So often the first attempt fails without a fault.
const FAILURE_SHARE: f64 = 0.02;
/// How long a message takes, and how long one that fails because of the fault.
const MESSAGE_TIME: Duration = Duration::from_millis(2);
const FAULT_TIME: Duration = Duration::from_millis(200);

#[derive(Debug)]
struct Message {
    text: String,
    attempts: u32,
}

#[derive(Default)]
struct Queues {
    waiting: VecDeque<Message>,
    dead: VecDeque<Message>,
}

/// A topic with one subscription.
pub(crate) struct Topic {
    measured: pulsar::Topic,
    queues: Mutex<Queues>,
}

impl Topic {
    /// Makes an empty topic.
    pub(crate) fn new(registry: &Registry) -> Self {
        Self { measured: pulsar::Topic::new(registry, TOPIC), queues: Mutex::default() }
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a message; when the queue is full it is dropped, and counted as dropped.
    pub(crate) fn publish(&self, text: String) {
        let mut queues = self.queues();
        if queues.waiting.len() >= QUEUE_MAX {
            metrics::EVENTS_DROPPED.with(&[TOPIC]).inc();
            return;
        }
        queues.waiting.push_back(Message { text, attempts: 0 });
        self.measured.set_queue_size(queues.waiting.len());
    }

    fn take_batch(&self) -> Vec<Message> {
        let mut queues = self.queues();
        let count = queues.waiting.len().min(BATCH_MAX);
        queues.waiting.drain(..count).collect()
    }

    /// Puts messages that failed back to the front, and gives up those that failed too often.
    fn settle(&self, failed: Vec<Message>) {
        let mut queues = self.queues();
        for message in failed.into_iter().rev() {
            if message.attempts < ATTEMPTS_MAX {
                queues.waiting.push_front(message);
                continue;
            }
            self.measured.dead_lettered();
            if queues.dead.len() >= DEAD_LETTERS_MAX {
                queues.dead.pop_front();
            }
            queues.dead.push_back(message);
        }
        self.measured.set_queue_size(queues.waiting.len());
    }

    /// Returns the texts of the newest dead letters, newest first.
    pub(crate) fn dead_letters(&self, limit: usize) -> Vec<String> {
        self.queues().dead.iter().rev().take(limit).map(|message| message.text.clone()).collect()
    }
}

/// Consumes the topic for good.
pub(crate) async fn consume(app: Arc<App>) {
    let topic = &app.events;
    loop {
        let batch = topic.take_batch();
        if batch.is_empty() {
            tokio::time::sleep(IDLE_WAIT).await;
            continue;
        }
        let timer = topic.measured.start_batch();
        let mut failed = Vec::new();
        for mut message in batch {
            message.attempts += 1;
            if process(&app, &message).await {
                topic.measured.succeeded();
            } else {
                topic.measured.failed();
                failed.push(message);
            }
        }
        drop(timer);
        topic.settle(failed);
    }
}

async fn process(app: &App, message: &Message) -> bool {
    if app.faults.is_on("consumer") {
        tokio::time::sleep(FAULT_TIME).await;
        return false;
    }
    tokio::time::sleep(MESSAGE_TIME).await;
    message.attempts > 1 || !app.random.chance(FAILURE_SHARE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_redelivered_and_then_given_up() {
        let topic = Topic::new(&Registry::new());
        topic.publish("one".to_owned());
        for attempt in 1..=ATTEMPTS_MAX {
            let mut batch = topic.take_batch();
            assert_eq!(batch.len(), 1, "attempt {attempt}");
            batch[0].attempts += 1;
            topic.settle(batch);
        }
        assert!(topic.take_batch().is_empty());
        assert_eq!(topic.dead_letters(10), ["one"]);
    }

    #[test]
    fn a_full_topic_drops_and_counts() {
        let topic = Topic::new(&Registry::new());
        for _ in 0..QUEUE_MAX + 5 {
            topic.publish(String::new());
        }
        assert_eq!(topic.queues().waiting.len(), QUEUE_MAX);
        assert_eq!(metrics::EVENTS_DROPPED.with(&[TOPIC]).value(), 5.0);
    }
}
