//! What a layer adds to a request of an axum service.

use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use axum_prometheus::PrometheusMetricLayerBuilder;
use http::Request;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use promflow::middleware::Prometheus;
use tower::{Service, ServiceExt};

use crate::workload::BOUNDS;

/// A service with a layer, or without.
pub(crate) struct Layered {
    pub(crate) name: &'static str,
    router: Router,
}

fn routes() -> Router {
    let mut router = Router::new();
    for i in 0..20 {
        router = router.route(&format!("/route{i}/{{id}}"), get(|| async { "hello" }));
    }
    router.route("/users/{id}/items/{item}", get(|| async { "hello" }))
}

/// Makes the services; the recorder that axum-prometheus installs is that of the process.
pub(crate) fn services() -> (Vec<Layered>, PrometheusHandle) {
    let install = || {
        let observed = Matcher::Full("observe_seconds".to_owned());
        let builder = PrometheusBuilder::new().set_buckets_for_metric(observed, &BOUNDS).unwrap();
        let requests = Matcher::Full(axum_prometheus::AXUM_HTTP_REQUESTS_DURATION_SECONDS.to_owned());
        builder.set_buckets_for_metric(requests, &BOUNDS).unwrap().install_recorder().unwrap()
    };
    let (layer, handle) = PrometheusMetricLayerBuilder::new().with_metrics_from_fn(install).build_pair();
    let registry = promflow::Registry::new();
    let prometheus = Prometheus::new(&promflow::config::Settings::default(), &registry).unwrap();
    let services = vec![
        Layered { name: "no layer", router: routes() },
        Layered { name: "promflow", router: routes().layer(prometheus.layer()) },
        Layered { name: "axum-prometheus", router: routes().layer(layer) },
    ];
    (services, handle)
}

impl Layered {
    /// Measures a request.
    ///
    /// Units: nanoseconds.
    pub(crate) fn request_ns(&self, requests: u32) -> f64 {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut service = self.router.clone().into_service::<Body>();
            let start = Instant::now();
            for _ in 0..requests {
                let request = Request::get("/users/17/items/4").body(Body::empty()).unwrap();
                let response = service.ready().await.unwrap().call(request).await.unwrap();
                let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
                assert_eq!(&body[..], b"hello");
            }
            start.elapsed().as_nanos() as f64 / f64::from(requests)
        })
    }
}
