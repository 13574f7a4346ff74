//! Programs of others whose metrics are known by their names: their code is not here.

/// A program that exposes metrics under a prefix of its own.
#[derive(Debug)]
pub(crate) struct Exporter {
    /// What it measures.
    pub(crate) product: &'static str,
    /// Words of a job's name that point to it.
    pub(crate) jobs: &'static [&'static str],
    /// The ports it listens on unless told otherwise.
    pub(crate) ports: &'static [u16],
    /// How the names of its metrics begin.
    pub(crate) prefixes: &'static [&'static str],
}

/// The programs; the more special ones first.
const EXPORTERS: [Exporter; 19] = [
    exporter("node", &["node"], &[9100], &["node_"]),
    exporter("Redis", &["redis"], &[9121], &["redis_"]),
    exporter(
        "Pulsar",
        &["pulsar"],
        &[8080],
        &["pulsar_", "bookie_", "bookkeeper_", "jvm_", "zookeeper_", "jetty_"],
    ),
    exporter("Celery", &["celery"], &[9808], &["celery_"]),
    exporter("Alertmanager", &["alertmanager"], &[9093], &["alertmanager_"]),
    exporter("Prometheus", &["prometheus", "promflow"], &[9090], &["prometheus_", "net_conntrack_"]),
    exporter("Pushgateway", &["pushgateway"], &[9091], &["pushgateway_", "push_"]),
    exporter("blackbox", &["blackbox", "probe"], &[9115], &["probe_"]),
    exporter("PostgreSQL", &["postgres", "pg"], &[9187], &["pg_"]),
    exporter("MySQL", &["mysql", "mariadb"], &[9104], &["mysql_"]),
    exporter("MongoDB", &["mongo"], &[9216], &["mongodb_"]),
    exporter("RabbitMQ", &["rabbit"], &[15692], &["rabbitmq_"]),
    exporter("Kafka", &["kafka"], &[9308], &["kafka_"]),
    exporter("nginx", &["nginx"], &[9113], &["nginx_", "nginxexporter_"]),
    exporter("HAProxy", &["haproxy"], &[9101, 8404], &["haproxy_"]),
    exporter("Memcached", &["memcached"], &[9150], &["memcached_"]),
    exporter("Elasticsearch", &["elastic"], &[9114], &["elasticsearch_"]),
    exporter("containers", &["cadvisor"], &[], &["container_", "machine_", "cadvisor_"]),
    exporter("Kubernetes", &["kube-state"], &[], &["kube_"]),
];

const fn exporter(
    product: &'static str,
    jobs: &'static [&'static str],
    ports: &'static [u16],
    prefixes: &'static [&'static str],
) -> Exporter {
    Exporter { product, jobs, ports, prefixes }
}

/// A library that programs link, which exposes metrics of its own: known by their names where its code is not here.
#[derive(Debug)]
pub(crate) struct Linked {
    /// The package, as the registry has it.
    pub(crate) package: &'static str,
    /// How the names of its metrics begin.
    prefixes: &'static [&'static str],
}

/// The libraries.
///
/// Source: each one's documentation of the metrics that it exposes.
const LINKED: [Linked; 6] = [
    Linked {
        package: "promflow",
        prefixes: &[
            "http_request",
            "http_response",
            "celery_",
            "credits_",
            "stripe_api_",
            "stripe_spend_",
            "vapi_api_",
            "vapi_spend_",
            "pulsar_messages_processed",
            "pulsar_dlq_messages",
            "pulsar_batch_processing",
            "pulsar_consumer_queue_size",
            "pulsar_last_processed",
            "redis_client_",
            "system_cpu_usage_percent",
            "app_build_info",
        ],
    },
    Linked { package: "prometheus-fastapi-instrumentator", prefixes: &["http_request", "http_response"] },
    Linked { package: "starlette-exporter", prefixes: &["starlette_request", "starlette_response"] },
    Linked { package: "django-prometheus", prefixes: &["django_"] },
    Linked { package: "prometheus-flask-exporter", prefixes: &["flask_"] },
    Linked { package: "axum-prometheus", prefixes: &["axum_http_request", "axum_http_response"] },
];

impl Linked {
    /// Says whether a metric's name is one of this library's.
    pub(crate) fn exposes(&self, metric: &str) -> bool {
        self.prefixes.iter().any(|prefix| metric.starts_with(prefix))
    }
}

/// Returns the library of a package's name.
pub(crate) fn linked(package: &str) -> Option<&'static Linked> {
    LINKED.iter().find(|library| library.package == package)
}

/// Prefixes of what clients and runtimes expose on their own beside the program's metrics.
const RUNTIME_PREFIXES: [&str; 8] =
    ["process_", "go_", "python_", "promhttp_", "jvm_", "nodejs_", "target_", "otel_"];

/// Metrics that the scrape itself makes for each target.
const SCRAPE_METRICS: [&str; 11] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
    "scrape_timeout_seconds",
    "scrape_sample_limit",
    "scrape_body_size_bytes",
    "scrape_native_histogram_buckets",
    "scrape_samples_limit",
    "scrape_body_size_limit_bytes",
];

/// Finds out which program a job scrapes, by the words of its name and then by its targets' ports.
pub(crate) fn of_job(name: &str, ports: &[u16]) -> Option<&'static Exporter> {
    let name = name.to_lowercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let named = |exporter: &&Exporter| {
        exporter.jobs.iter().any(|job| {
            words.iter().any(|word| word.starts_with(job)) || job.contains('-') && name.contains(job)
        })
    };
    let by_name = EXPORTERS.iter().find(named);
    by_name
        .or_else(|| EXPORTERS.iter().find(|exporter| exporter.ports.iter().any(|port| ports.contains(port))))
}

impl Exporter {
    /// Says whether a metric's name is one of this program's.
    pub(crate) fn exposes(&self, metric: &str) -> bool {
        self.prefixes.iter().any(|prefix| metric.starts_with(prefix))
    }
}

/// Returns the program whose metrics begin like this one.
pub(crate) fn product_of(metric: &str) -> Option<&'static str> {
    EXPORTERS.iter().find(|exporter| exporter.exposes(metric)).map(|exporter| exporter.product)
}

/// Says whether a metric comes from a client library or a language's runtime.
pub(crate) fn is_runtime_metric(metric: &str) -> bool {
    RUNTIME_PREFIXES.iter().any(|prefix| metric.starts_with(prefix))
}

/// Says whether the scrape itself makes a metric.
pub(crate) fn is_scrape_metric(metric: &str) -> bool {
    SCRAPE_METRICS.contains(&metric)
}

/// Returns the metrics that the scrape itself makes.
pub(crate) fn scrape_metrics() -> impl Iterator<Item = &'static str> {
    SCRAPE_METRICS.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_known_by_a_word_of_its_name_before_its_port() {
        let product = |name: &str, ports: &[u16]| of_job(name, ports).map(|exporter| exporter.product);
        assert_eq!(product("node", &[]), Some("node"));
        assert_eq!(product("redis-exporter", &[9100]), Some("Redis"));
        assert_eq!(product("machines", &[9100]), Some("node"));
        assert_eq!(product("kube-state-metrics", &[]), Some("Kubernetes"));
        assert_eq!(product("backend", &[8000]), None);
    }
}
