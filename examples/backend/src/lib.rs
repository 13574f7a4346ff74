//! An example backend as many teams have one, measured by promflow.
//!
//! Accounts hold credits of several types; messages, calls and exports use them up; Stripe sells new ones and VAPI
//! makes the calls, both played by a stand-in over real HTTP. Exports run as background tasks, and everything that
//! happens is published on a topic whose consumer retries and, at last, gives messages up to a dead letter queue.
//! Faults that the shipped alerts notice are switched by `POST /_faults/NAME?on=true`.
//!
//! Where the metrics come from: requests and used credits from the layer ([`promflow::middleware`]), balances from
//! `accounts`, paid calls from `paid_apis`, tasks from `tasks`, messages from `consumer`, Redis from `cache`, and the
//! application's own from `metrics`.
//!
//! State is in memory and everything runs in one process, so that one command shows all of it: a real broker and
//! database would change what is called, not how it is measured.

mod accounts;
mod cache;
mod consumer;
mod faults;
mod http_client;
pub mod metrics;
mod paid_apis;
mod random;
mod routes;
pub mod stand_in;
mod tasks;
pub mod traffic;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use promflow::config::Settings;
use promflow::middleware::Prometheus;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use faults::NAMES as FAULT_NAMES;

/// How the backend starts.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many accounts there are at the start.
    pub accounts: usize,
    /// Where Stripe and VAPI answer, such as `http://127.0.0.1:4010`; `None` starts a stand-in on a free port.
    pub paid_apis_url: Option<String>,
    /// A Redis to cache in, `HOST:PORT`; `None` caches nothing.
    pub redis: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { accounts: 40, paid_apis_url: None, redis: None }
    }
}

/// What every handler and worker shares.
struct App {
    accounts: accounts::Accounts,
    cache: Option<cache::Cache>,
    paid_apis: paid_apis::PaidApis,
    tasks: tasks::Queue,
    events: consumer::Topic,
    faults: faults::Faults,
    random: random::Random,
}

/// Serves the backend on the port of its settings, on loopback alone, until `shutdown` is done.
///
/// Errors: the port is taken, and as [`serve`].
pub async fn run(
    settings: Settings,
    options: Options,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", settings.port)).await.map_err(|e| {
        let port = settings.port;
        io::Error::new(
            e.kind(),
            format!("cannot listen on 127.0.0.1:{port}: {e} (hint: set PROMETHEUS_PORT)"),
        )
    })?;
    serve(settings, listener, options, shutdown).await
}

/// Serves the backend on a listener until `shutdown` is done, then ends its workers.
///
/// Metrics stand in the registry of the process.
///
/// Errors: the stand-in cannot listen, a default label is a label of a metric, or serving fails.
pub async fn serve(
    settings: Settings,
    listener: TcpListener,
    options: Options,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let registry = promflow::registry();
    let prometheus = Prometheus::new(&settings, registry).map_err(io::Error::other)?;
    if settings.enabled {
        let revision = option_env!("GIT_REVISION").unwrap_or("unknown");
        promflow::metrics::build_info(registry, env!("CARGO_PKG_VERSION"), revision);
    }
    metrics::init();

    let mut workers = JoinSet::new();
    let paid_apis_url = match options.paid_apis_url {
        Some(url) => url,
        None => {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            let url = format!("http://{}", listener.local_addr()?);
            workers.spawn(async {
                if let Err(e) = stand_in::run(listener, std::future::pending()).await {
                    eprintln!("stand-in of Stripe and VAPI: {e}");
                }
            });
            url
        }
    };
    let (tasks, jobs) = tasks::queue(registry);
    let app = Arc::new(App {
        accounts: accounts::Accounts::new(registry, options.accounts),
        cache: options.redis.map(|address| cache::Cache::new(registry, &address)),
        paid_apis: paid_apis::PaidApis::new(registry, &paid_apis_url),
        tasks,
        events: consumer::Topic::new(registry),
        faults: faults::Faults::default(),
        random: random::Random::default(),
    });
    for _ in 0..tasks::WORKERS {
        workers.spawn(tasks::work(app.clone(), jobs.clone()));
    }
    workers.spawn(consumer::consume(app.clone()));

    let router = prometheus.instrument(routes::router(app));
    axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(shutdown)
        .await?;
    workers.shutdown().await;
    Ok(())
}
