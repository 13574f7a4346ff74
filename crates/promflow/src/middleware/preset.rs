//! The names and labels that others use for the same measurements, so that their dashboards work unchanged.

use promflow_registry::{Family, Metric, Registry};

use super::families::{Families, Label, Measured, Size, Style};
use crate::credits::Credits;
use crate::metrics;
use crate::middleware::UNMATCHED;

/// Under which names and labels requests are measured.
///
/// | preset | requests | duration | in progress | sizes |
/// |---|---|---|---|---|
/// | `Guide` | `http_requests_total{method,endpoint,status}` | `http_request_duration_seconds{method,endpoint}` | `http_requests_in_progress{method}` | `http_{request,response}_size_bytes{method,endpoint}`, if asked for |
/// | `Otel` | (the duration counts them) | `http_server_request_duration_seconds{http_request_method,url_scheme,http_response_status_code,http_route}` | `http_server_active_requests{http_request_method,url_scheme}` | `http_server_{request,response}_body_size_bytes`, labels of the duration, if asked for |
/// | `FastapiInstrumentator` | `http_requests_total{method,status,handler}`, status as `2xx` | `http_request_duration_highr_seconds`, `http_request_duration_seconds{method,handler}` | `http_requests_inprogress` | summaries `http_{request,response}_size_bytes{handler}` |
/// | `Starlette` | `starlette_requests_total{method,path,status_code,app_name}` | `starlette_request_duration_seconds`, same labels | `starlette_requests_in_progress{method,app_name}` | counters `starlette_{request,response}_body_bytes_total`, same labels, if asked for |
/// | `Axum` | `axum_http_requests_total{method,status,endpoint}` | `axum_http_requests_duration_seconds`, same labels | `axum_http_requests_pending{method,endpoint}` | `axum_http_{request,response}_body_size`, same labels, if asked for |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Preset {
    /// The names that promflow's rules and dashboards read.
    #[default]
    Guide,
    /// OpenTelemetry's semantic conventions, as its Prometheus exporters write them.
    Otel,
    /// Those of prometheus-fastapi-instrumentator.
    FastapiInstrumentator,
    /// Those of starlette_exporter.
    Starlette,
    /// Those of axum-prometheus.
    Axum,
}

/// A metric of a preset.
struct Spec {
    name: &'static str,
    help: &'static str,
    labels: &'static [(Label, &'static str)],
}

impl Spec {
    fn register<M: Metric>(&self, register: impl FnOnce(&str, &str, &[&str]) -> Family<M>) -> Measured<M> {
        let names: Vec<&str> = self.labels.iter().map(|(_, name)| *name).collect();
        let labels = self.labels.iter().map(|(label, _)| *label).collect();
        Measured::new(register(self.name, self.help, &names), labels)
    }
}

/// How a preset measures the size of bodies.
enum SizeSpec {
    Histogram(Spec),
    Summary(Spec),
    Counter(Spec),
}

impl SizeSpec {
    fn register(&self, registry: &Registry) -> Size {
        match self {
            Self::Histogram(spec) => {
                let buckets = &metrics::SIZE_BUCKETS;
                Size::Histogram(spec.register(|n, h, l| registry.histogram(n, h, l, buckets)))
            }
            Self::Summary(spec) => Size::Summary(spec.register(|n, h, l| registry.summary(n, h, l))),
            Self::Counter(spec) => Size::Counter(spec.register(|n, h, l| registry.counter(n, h, l))),
        }
    }
}

struct Table {
    requests: Option<Spec>,
    durations: &'static [(Spec, &'static [f64])],
    in_progress: Spec,
    request_size: SizeSpec,
    response_size: SizeSpec,
    style: Style,
}

impl Preset {
    /// Tells whether the preset measures sizes unless told otherwise.
    pub(super) fn measures_sizes(self) -> bool {
        self == Self::FastapiInstrumentator
    }

    pub(super) fn register(
        self,
        registry: &Registry,
        sizes: bool,
        app_name: &str,
        credits: Credits,
    ) -> Families {
        let table = match self {
            Self::Guide => return guide(registry, sizes, credits),
            Self::Otel => &OTEL,
            Self::FastapiInstrumentator => &FASTAPI_INSTRUMENTATOR,
            Self::Starlette => &STARLETTE,
            Self::Axum => &AXUM,
        };
        let durations = table.durations.iter();
        Families {
            requests: table.requests.as_ref().map(|s| s.register(|n, h, l| registry.counter(n, h, l))),
            durations: durations
                .map(|(spec, buckets)| spec.register(|n, h, l| registry.histogram(n, h, l, buckets)))
                .collect(),
            in_progress: table.in_progress.register(|n, h, l| registry.gauge(n, h, l)),
            request_size: sizes.then(|| table.request_size.register(registry)),
            response_size: sizes.then(|| table.response_size.register(registry)),
            credits,
            style: table.style,
            app_name: app_name.to_owned(),
        }
    }
}

fn guide(registry: &Registry, sizes: bool, credits: Credits) -> Families {
    use Label::{Method, Route, Status};
    let http = metrics::Http::new(registry);
    let sizes = sizes.then(|| metrics::HttpSizes::new(registry));
    let size = |family: Family<_>| Size::Histogram(Measured::new(family, vec![Method, Route]));
    Families {
        requests: Some(Measured::new(http.requests, vec![Method, Route, Status])),
        durations: vec![Measured::new(http.duration, vec![Method, Route])],
        in_progress: Measured::new(http.in_progress, vec![Method]),
        request_size: sizes.as_ref().map(|sizes| size(sizes.request.clone())),
        response_size: sizes.map(|sizes| size(sizes.response)),
        credits,
        style: Style { other_method: promflow_registry::OVERFLOW, unmatched: UNMATCHED, group_status: false },
        app_name: String::new(),
    }
}

const OTEL_LABELS: &[(Label, &str)] = &[
    (Label::Method, "http_request_method"),
    (Label::Scheme, "url_scheme"),
    (Label::Status, "http_response_status_code"),
    (Label::Route, "http_route"),
];

static OTEL: Table = Table {
    requests: None,
    durations: &[(
        Spec {
            name: "http_server_request_duration_seconds",
            help: "Duration of HTTP server requests.",
            labels: OTEL_LABELS,
        },
        &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0],
    )],
    in_progress: Spec {
        name: "http_server_active_requests",
        help: "Number of active HTTP server requests.",
        labels: &[(Label::Method, "http_request_method"), (Label::Scheme, "url_scheme")],
    },
    request_size: SizeSpec::Histogram(Spec {
        name: "http_server_request_body_size_bytes",
        help: "Size of HTTP server request bodies.",
        labels: OTEL_LABELS,
    }),
    response_size: SizeSpec::Histogram(Spec {
        name: "http_server_response_body_size_bytes",
        help: "Size of HTTP server response bodies.",
        labels: OTEL_LABELS,
    }),
    // An empty label is an absent one, as the convention asks for where no route is known.
    style: Style { other_method: "_OTHER", unmatched: "", group_status: false },
};

static FASTAPI_INSTRUMENTATOR: Table = Table {
    requests: Some(Spec {
        name: "http_requests_total",
        help: "Total number of requests by method, status and handler.",
        labels: &[(Label::Method, "method"), (Label::Status, "status"), (Label::Route, "handler")],
    }),
    durations: &[
        (
            Spec {
                name: "http_request_duration_highr_seconds",
                help: "Latency with many buckets but no API specific labels. Made for more accurate percentile \
                       calculations.",
                labels: &[],
            },
            &[
                0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0,
                7.5, 10.0, 30.0, 60.0,
            ],
        ),
        (
            Spec {
                name: "http_request_duration_seconds",
                help: "Latency with only few buckets by handler. Made to be only used if aggregation by \
                       handler is important.",
                labels: &[(Label::Method, "method"), (Label::Route, "handler")],
            },
            &[0.1, 0.5, 1.0],
        ),
    ],
    in_progress: Spec {
        name: "http_requests_inprogress",
        help: "Number of HTTP requests in progress.",
        labels: &[],
    },
    request_size: SizeSpec::Summary(Spec {
        name: "http_request_size_bytes",
        help: "Content length of incoming requests by handler.",
        labels: &[(Label::Route, "handler")],
    }),
    response_size: SizeSpec::Summary(Spec {
        name: "http_response_size_bytes",
        help: "Content length of outgoing responses by handler.",
        labels: &[(Label::Route, "handler")],
    }),
    style: Style { other_method: promflow_registry::OVERFLOW, unmatched: "none", group_status: true },
};

const STARLETTE_LABELS: &[(Label, &str)] = &[
    (Label::Method, "method"),
    (Label::Route, "path"),
    (Label::Status, "status_code"),
    (Label::App, "app_name"),
];

static STARLETTE: Table = Table {
    requests: Some(Spec {
        name: "starlette_requests_total",
        help: "Total HTTP requests",
        labels: STARLETTE_LABELS,
    }),
    durations: &[(
        Spec {
            name: "starlette_request_duration_seconds",
            help: "HTTP request duration, in seconds",
            labels: STARLETTE_LABELS,
        },
        &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0],
    )],
    in_progress: Spec {
        name: "starlette_requests_in_progress",
        help: "Total HTTP requests currently in progress",
        labels: &[(Label::Method, "method"), (Label::App, "app_name")],
    },
    request_size: SizeSpec::Counter(Spec {
        name: "starlette_request_body_bytes_total",
        help: "Total HTTP request body bytes",
        labels: STARLETTE_LABELS,
    }),
    response_size: SizeSpec::Counter(Spec {
        name: "starlette_response_body_bytes_total",
        help: "Total HTTP response body bytes",
        labels: STARLETTE_LABELS,
    }),
    style: Style { other_method: promflow_registry::OVERFLOW, unmatched: "__unknown__", group_status: false },
};

const AXUM_LABELS: &[(Label, &str)] =
    &[(Label::Method, "method"), (Label::Status, "status"), (Label::Route, "endpoint")];

static AXUM: Table = Table {
    requests: Some(Spec {
        name: "axum_http_requests_total",
        help: "Total HTTP requests.",
        labels: AXUM_LABELS,
    }),
    durations: &[(
        Spec {
            name: "axum_http_requests_duration_seconds",
            help: "Duration of HTTP requests.",
            labels: AXUM_LABELS,
        },
        &metrics::REQUEST_BUCKETS,
    )],
    in_progress: Spec {
        name: "axum_http_requests_pending",
        help: "HTTP requests in flight.",
        labels: &[(Label::Method, "method"), (Label::Route, "endpoint")],
    },
    request_size: SizeSpec::Histogram(Spec {
        name: "axum_http_request_body_size",
        help: "Size of HTTP request bodies.",
        labels: AXUM_LABELS,
    }),
    response_size: SizeSpec::Histogram(Spec {
        name: "axum_http_response_body_size",
        help: "Size of HTTP response bodies.",
        labels: AXUM_LABELS,
    }),
    style: Style { other_method: promflow_registry::OVERFLOW, unmatched: UNMATCHED, group_status: false },
};
