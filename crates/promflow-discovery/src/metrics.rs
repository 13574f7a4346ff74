//! What discovery counts, under Prometheus's names.

use promflow_registry::{Counter, Family, Gauge, Registry, Summary};

/// The metrics of all discoveries of a server.
#[derive(Clone, Debug)]
pub struct DiscoveryMetrics {
    pub(crate) file_read_errors: Family<Counter>,
    pub(crate) file_scan_seconds: Family<Summary>,
    pub(crate) file_watcher_errors: Family<Counter>,
    pub(crate) discovered_targets: Family<Gauge>,
}

impl DiscoveryMetrics {
    /// Registers the metrics.
    pub fn new(registry: &Registry) -> Self {
        Self {
            file_read_errors: registry.counter(
                "prometheus_sd_file_read_errors_total",
                "The number of File-SD read errors.",
                &[],
            ),
            file_scan_seconds: registry.summary(
                "prometheus_sd_file_scan_duration_seconds",
                "The duration of the File-SD scan in seconds.",
                &[],
            ),
            file_watcher_errors: registry.counter(
                "prometheus_sd_file_watcher_errors_total",
                "The number of File-SD errors caused by filesystem watch failures.",
                &[],
            ),
            discovered_targets: registry.gauge(
                "prometheus_sd_discovered_targets",
                "Current number of discovered targets.",
                &["name", "config"],
            ),
        }
    }
}
