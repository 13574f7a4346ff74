//! What the layer adds to a request of an axum service, measured in one process without a network.
//!
//! ```console
//! $ cargo run --release -p promflow --example layer_speed
//! ```

use std::hint::black_box;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use http_body_util::BodyExt;
use promflow::Registry;
use promflow::config::Settings;
use promflow::middleware::Prometheus;
use tower::Service;

const ROUNDS: usize = 15;
const REQUESTS: usize = 20_000;

fn routes() -> Router {
    (0..20).fold(Router::new(), |router, i| {
        router.route(&format!("/things{i}/{{id}}"), get(|| async { "a short answer" }))
    })
}

/// Returns the time of one request.
///
/// Units: nanoseconds.
async fn measure(router: &mut Router) -> f64 {
    let start = Instant::now();
    for i in 0..REQUESTS {
        let path = ["/things1/7", "/things5/8", "/things11/9", "/things19/1"][i % 4];
        let request = Request::builder().uri(path).body(Body::empty()).expect("a valid request");
        let response = Service::call(router, request).await.expect("routers do not fail");
        black_box(response.into_body().collect().await.expect("the body is whole"));
    }
    start.elapsed().as_nanos() as f64 / REQUESTS as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), promflow::RegisterError> {
    let settings = Settings::default();
    let (registry, sized) = (Registry::new(), Registry::new());
    let mut plain = routes();
    let mut measured = Prometheus::new(&settings, &registry)?.instrument(routes());
    let mut with_sizes = Prometheus::builder(&settings, &sized).sizes(true).build()?.instrument(routes());
    // What axum itself takes for a layer, whatever the layer does.
    let mut layered = routes().layer(tower::layer::layer_fn(|inner: axum::routing::Route| inner));
    let mut times = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        let routers = [&mut plain, &mut layered, &mut measured, &mut with_sizes];
        for (times, router) in times.iter_mut().zip(routers) {
            times.push(measure(router).await);
        }
    }
    let [plain, layered, measured, with_sizes] = times.map(median);
    println!("plain          {plain:7.0} ns");
    println!("empty layer    {layered:7.0} ns  {:+.0} ns", layered - plain);
    println!("measured       {measured:7.0} ns  {:+.0} ns", measured - plain);
    println!("with sizes     {with_sizes:7.0} ns  {:+.0} ns", with_sizes - plain);
    Ok(())
}
