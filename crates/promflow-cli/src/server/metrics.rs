//! The server's own metrics that no loop counts itself.

use std::sync::Arc;

use promflow_registry::Registry;
use promflow_tsdb::Head;

/// Registers the head's figures, the process's, and what was built.
pub(crate) fn register(registry: &Registry, head: &Arc<Head>) {
    register_head(registry, head);
    promflow::process::register(registry);
    let info = registry.gauge(
        "prometheus_build_info",
        "A metric with a constant '1' value labeled by version, revision and application.",
        &["application", "revision", "version"],
    );
    let revision = option_env!("PROMFLOW_REVISION").unwrap_or_default();
    info.with(&["promflow", revision, env!("CARGO_PKG_VERSION")]).set(1.0);
    let ready = registry.gauge("prometheus_ready", "Whether promflow startup was fully completed.", &[]);
    ready.with(&[]).set(1.0);
}

fn register_head(registry: &Registry, head: &Arc<Head>) {
    let gauge = |name, help| registry.gauge(name, help, &[]);
    let counter = |name, help| registry.counter(name, help, &[]);
    let series = gauge("prometheus_tsdb_head_series", "Total number of series in the head block.");
    let chunks = gauge("prometheus_tsdb_head_chunks", "Total number of chunks in the head block.");
    let bytes = gauge("promflow_tsdb_head_bytes", "Bytes that series, chunks and index of the head take.");
    let appended =
        counter("prometheus_tsdb_head_samples_appended_total", "Total number of appended samples.");
    let created =
        counter("prometheus_tsdb_head_series_created_total", "Total number of series created in the head");
    let removed =
        counter("prometheus_tsdb_head_series_removed_total", "Total number of series removed in the head");
    let refused = counter(
        "promflow_tsdb_head_series_refused_total",
        "New series refused because the head's byte budget is used up.",
    );
    let head = head.clone();
    registry.before_scrape(move || {
        let stats = head.stats();
        series.with(&[]).set(stats.series as f64);
        chunks.with(&[]).set(stats.chunks as f64);
        bytes.with(&[]).set(stats.bytes as f64);
        appended.with(&[]).advance_to(stats.samples_appended as f64);
        created.with(&[]).advance_to(stats.series_created as f64);
        removed.with(&[]).advance_to(stats.series_removed as f64);
        refused.with(&[]).advance_to(stats.series_refused as f64);
    });
}
