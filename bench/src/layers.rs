//! What a layer adds to a request of an axum service, and to an outgoing call.

use std::convert::Infallible;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use axum_prometheus::{PrometheusMetricLayer, PrometheusMetricLayerBuilder};
use http::{Request, Response};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use promflow::client::{ApiLayer, OperationName};
use promflow::middleware::Prometheus;
use promflow::paid_api::Api;
use tower::{Layer, Service, ServiceExt};

use crate::workload::BOUNDS;

/// A service or a client, with a layer or without.
pub(crate) struct Layered {
    pub(crate) name: &'static str,
    /// Does so many requests; returns how many nanoseconds each took.
    pub(crate) request_ns: Box<dyn Fn(u32) -> f64>,
}

/// What the layers stand around.
pub(crate) struct Services {
    /// Services of axum, the one without layer first.
    pub(crate) axum: Vec<Layered>,
    /// Clients, the one without layer first. No library that we know has a layer for outgoing calls; axum-prometheus's can
    /// be put there.
    pub(crate) client: Vec<Layered>,
    /// The recorder of the process, which axum-prometheus installs.
    pub(crate) handle: PrometheusHandle,
}

fn routes() -> Router {
    let mut router = Router::new();
    for i in 0..20 {
        router = router.route(&format!("/route{i}/{{id}}"), get(|| async { "hello" }));
    }
    router.route("/users/{id}/items/{item}", get(|| async { "hello" }))
}

pub(crate) fn services() -> Services {
    let install = || {
        let observed = Matcher::Full("observe_seconds".to_owned());
        let builder = PrometheusBuilder::new().set_buckets_for_metric(observed, &BOUNDS).unwrap();
        let requests = Matcher::Full(axum_prometheus::AXUM_HTTP_REQUESTS_DURATION_SECONDS.to_owned());
        builder.set_buckets_for_metric(requests, &BOUNDS).unwrap().install_recorder().unwrap()
    };
    let (layer, handle) = PrometheusMetricLayerBuilder::new().with_metrics_from_fn(install).build_pair();
    let registry = promflow::Registry::new();
    let prometheus = Prometheus::new(&promflow::config::Settings::default(), &registry).unwrap();
    let axum = vec![
        served("no layer", routes()),
        served("promflow", routes().layer(prometheus.layer())),
        served("axum-prometheus", routes().layer(layer)),
    ];
    let client = vec![
        called("no layer", client()),
        called("promflow", ApiLayer::new(Api::stripe(&registry)).layer(client())),
        called("axum-prometheus", PrometheusMetricLayer::new().layer(client())),
    ];
    Services { axum, client, handle }
}

fn run(requests: u32, each: impl AsyncFn()) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let start = Instant::now();
        for _ in 0..requests {
            each().await;
        }
        start.elapsed().as_nanos() as f64 / f64::from(requests)
    })
}

fn served(name: &'static str, router: Router) -> Layered {
    let request_ns = move |requests| {
        run(requests, async || {
            let mut service = router.clone().into_service::<Body>();
            let request = Request::get("/users/17/items/4").body(Body::empty()).unwrap();
            let response = service.ready().await.unwrap().call(request).await.unwrap();
            let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
            assert_eq!(&body[..], b"hello");
        })
    };
    Layered { name, request_ns: Box::new(request_ns) }
}

/// A client that answers at once.
fn client()
-> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + 'static
{
    tower::service_fn(async |_: Request<Body>| Ok(Response::new(Body::from("hello"))))
}

fn called<S, B>(name: &'static str, service: S) -> Layered
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + 'static,
{
    let request_ns = move |requests| {
        run(requests, async || {
            let mut request = Request::post("/v1/charges").body(Body::empty()).unwrap();
            request.extensions_mut().insert(OperationName("create_charge"));
            let response = service.clone().ready().await.unwrap().call(request).await.unwrap();
            assert_eq!(response.status(), 200);
        })
    };
    Layered { name, request_ns: Box::new(request_ns) }
}
