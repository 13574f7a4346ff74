//! Alerts on their way from a rule to an Alertmanager.

use crate::Labels;

/// An alert as it is sent: what the rule loop hands out and the notifier delivers.
///
/// Source: Prometheus notifier.Alert; Alertmanager's API v2 `postableAlert`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// What identifies it.
    pub labels: Labels,
    /// What explains it.
    pub annotations: Labels,
    /// Since when it fires, in milliseconds since the epoch.
    pub starts_at_ms: i64,
    /// When it ends, in milliseconds since the epoch: in the past when resolved, else until when it stands unrenewed.
    pub ends_at_ms: i64,
    /// Where its expression can be looked at.
    pub generator_url: String,
}

impl Alert {
    /// Returns the alert's name, or `""`.
    pub fn name(&self) -> &str {
        self.labels.get(crate::ALERT_NAME)
    }

    /// Says whether it has ended at a time.
    pub fn is_resolved_at(&self, t_ms: i64) -> bool {
        self.ends_at_ms <= t_ms
    }
}

/// Where alerts go; delivery itself happens elsewhere and never holds up the caller.
pub trait AlertSink: Send + Sync {
    /// Takes alerts for delivery.
    fn send(&self, alerts: Vec<Alert>);
}
