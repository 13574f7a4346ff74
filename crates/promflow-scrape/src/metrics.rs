//! What scraping counts, under Prometheus's names.

use promflow_registry::{Counter, Family, Gauge, Registry, Summary};

#[derive(Clone, Debug)]
pub(crate) struct ScrapeMetrics {
    pub(crate) interval_length: Family<Summary>,
    pub(crate) pools: Family<Counter>,
    pub(crate) pools_failed: Family<Counter>,
    pub(crate) pool_reloads: Family<Counter>,
    pub(crate) pool_syncs: Family<Counter>,
    pub(crate) pool_targets: Family<Gauge>,
    pub(crate) pool_target_limit: Family<Gauge>,
    pub(crate) exceeded_target_limit: Family<Counter>,
    pub(crate) exceeded_label_limits: Family<Counter>,
    pub(crate) sync_seconds: Family<Summary>,
    pub(crate) sync_failed: Family<Counter>,
    pub(crate) exceeded_sample_limit: Family<Counter>,
    pub(crate) exceeded_body_size_limit: Family<Counter>,
    pub(crate) duplicates: Family<Counter>,
    pub(crate) out_of_order: Family<Counter>,
    pub(crate) out_of_bounds: Family<Counter>,
    pub(crate) series_refused: Family<Counter>,
    pub(crate) cache_flush_forced: Family<Counter>,
    pub(crate) metadata_entries: Family<Gauge>,
}

impl ScrapeMetrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        let counter =
            |name: &str, help: &str| registry.counter(&format!("prometheus_target_{name}"), help, &[]);
        let by_job = &["scrape_job"];
        let scrapes = |name: &str, help: &str| counter(&format!("scrapes_{name}_total"), help);
        Self {
            interval_length: registry.summary(
                "prometheus_target_interval_length_seconds",
                "Actual intervals between scrapes.",
                &["interval"],
            ),
            pools: counter("scrape_pools_total", "Total number of scrape pool creation attempts."),
            pools_failed: counter(
                "scrape_pools_failed_total",
                "Total number of scrape pool creations that failed.",
            ),
            pool_reloads: counter("scrape_pool_reloads_total", "Total number of scrape pool reloads."),
            pool_syncs: registry.counter(
                "prometheus_target_scrape_pool_sync_total",
                "Total number of syncs that were executed on a scrape pool.",
                by_job,
            ),
            pool_targets: registry.gauge(
                "prometheus_target_scrape_pool_targets",
                "Current number of targets in this scrape pool.",
                by_job,
            ),
            pool_target_limit: registry.gauge(
                "prometheus_target_scrape_pool_target_limit",
                "Maximum number of targets allowed in this scrape pool.",
                by_job,
            ),
            exceeded_target_limit: counter(
                "scrape_pool_exceeded_target_limit_total",
                "Total number of times scrape pools hit the target limit, during sync or config reload.",
            ),
            exceeded_label_limits: counter(
                "scrape_pool_exceeded_label_limits_total",
                "Total number of times scrape pools hit the label limits, during sync or config reload.",
            ),
            sync_seconds: registry.summary(
                "prometheus_target_sync_length_seconds",
                "Actual interval to sync the scrape pool.",
                by_job,
            ),
            sync_failed: registry.counter(
                "prometheus_target_sync_failed_total",
                "Total number of target sync failures.",
                by_job,
            ),
            exceeded_sample_limit: scrapes(
                "exceeded_sample_limit",
                "Total number of scrapes that hit the sample limit and were rejected.",
            ),
            exceeded_body_size_limit: scrapes(
                "exceeded_body_size_limit",
                "Total number of scrapes that hit the body size limit",
            ),
            duplicates: scrapes(
                "sample_duplicate_timestamp",
                "Total number of samples rejected due to duplicate timestamps but different values.",
            ),
            out_of_order: scrapes(
                "sample_out_of_order",
                "Total number of samples rejected due to not being out of the expected order.",
            ),
            out_of_bounds: scrapes(
                "sample_out_of_bounds",
                "Total number of samples rejected due to timestamp falling outside of the time bounds.",
            ),
            series_refused: registry.counter(
                "promflow_target_scrapes_series_refused_total",
                "Total number of samples of new series refused because the head's limit is reached.",
                &[],
            ),
            cache_flush_forced: scrapes(
                "cache_flush_forced",
                "How many times a scrape cache was flushed due to getting big while scrapes are failing.",
            ),
            metadata_entries: registry.gauge(
                "prometheus_target_metadata_cache_entries",
                "Total number of metric metadata entries in the cache",
                by_job,
            ),
        }
    }
}
