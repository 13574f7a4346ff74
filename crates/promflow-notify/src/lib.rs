//! Sends alerts to Alertmanagers, by their API v2.
//!
//! Rules hand alerts to the [`Notifier`], which never makes them wait: each Alertmanager has a queue and a task of its
//! own, so that one that is slow or away does not hold up the others. A queue that is full drops its oldest alerts and
//! counts them. An alert that could not be delivered is not tried again here: the rule loop sends every firing alert
//! again after the resend delay, and every resolved one for fifteen minutes.
//!
//! Rejected: one queue for all Alertmanagers, as Prometheus had it before 3.0. There a single dead Alertmanager fills
//! the queue for all.

mod json;
mod metrics;
mod notifier;
mod queue;
mod target;

pub use metrics::NotifyMetrics;
pub use notifier::{AlertmanagerSet, AlertmanagerStatus, DeliveryObserver, Notifier, NotifierOptions};
