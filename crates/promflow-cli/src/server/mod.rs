//! The server: every loop wired to every other, and the API in front of them.

mod alertmanagers;
mod control;
mod deliveries;
mod fingerprint;
mod flow;
mod maintenance;
mod metrics;
mod reload;
mod since;
mod web;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use promflow_api::{ApiLimits, ApiState, FlowFormat, FlowSource};
use promflow_config::{LoadedConfig, RuleFile};
use promflow_flow::paths::FlowPaths;
use promflow_model::{Clock, Labels};
use promflow_notify::{Notifier, NotifierOptions, NotifyMetrics};
use promflow_promql::{Engine, EngineOptions};
use promflow_registry::Registry;
use promflow_rules::{Manager, ManagerOptions, RuleContext, RuleMetrics};
use promflow_scrape::ScrapeManager;
use promflow_tsdb::{Head, HeadOptions};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};

use crate::clock::SystemClock;
use control::ServerControl;
use deliveries::Deliveries;
use flow::LiveFlow;
use reload::Reloader;

/// Changes a configuration after it is read: what the demo does with the files that it runs on.
pub(crate) type Transform = Arc<dyn Fn(&mut LoadedConfig, &mut [RuleFile]) + Send + Sync>;

/// How a server is set up.
pub(crate) struct ServerOptions {
    /// `prometheus.yml`.
    pub(crate) config_file: PathBuf,
    /// How often to look for changed files; zero for never.
    pub(crate) auto_reload_interval: Duration,
    /// The socket, bound.
    pub(crate) listener: TcpListener,
    /// The server's address as others reach it; no slash at the end.
    pub(crate) external_url: String,
    /// Whether reload and quit are open to requests.
    pub(crate) enable_lifecycle: bool,
    /// What the head keeps.
    pub(crate) head: HeadOptions,
    /// How queries are evaluated.
    pub(crate) engine: EngineOptions,
    /// How many queries may run at once.
    pub(crate) query_concurrency_max: usize,
    /// How long a query may take, in milliseconds.
    pub(crate) query_timeout_ms: i64,
    /// How many rule groups may be evaluated at once.
    pub(crate) rule_concurrency_max: usize,
    /// How long a firing alert is not sent again, in milliseconds.
    pub(crate) resend_delay_ms: i64,
    /// How many alerts may wait for an Alertmanager.
    pub(crate) notification_queue_capacity: usize,
    /// What the flow chart is drawn from.
    pub(crate) flow: FlowPaths,
    /// For `status/flags`: the flags that nothing here was made of.
    pub(crate) flags: BTreeMap<String, String>,
    /// Changes the configuration after it is read.
    pub(crate) transform: Option<Transform>,
    /// Whether SIGHUP reads the configuration again.
    pub(crate) reload_on_hangup: bool,
}

/// A server that runs.
pub(crate) struct Server {
    address: SocketAddr,
    control: Arc<ServerControl>,
    scrape: Arc<ScrapeManager>,
    rules: Arc<Manager>,
    notifier: Arc<Notifier>,
    web: tokio::task::JoinHandle<()>,
    ending: Arc<Notify>,
    background: Vec<tokio::task::JoinHandle<()>>,
}

impl Server {
    /// Starts every loop and the API.
    ///
    /// Errors: the configuration is refused, with every mistake at its place.
    pub(crate) fn start(options: ServerOptions) -> Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let registry = Registry::new();
        let runtime = Handle::current();
        let head = Arc::new(Head::open(options.head.clone()).map_err(|e| anyhow::anyhow!("{e}"))?);
        metrics::register(&registry, &head);

        let engine = Arc::new(Engine::new(options.engine.clone()));
        let deliveries = Arc::new(Deliveries::new(clock.clone(), options.flow.alertmanager.clone()));
        let notifier = Arc::new(Notifier::new(
            NotifierOptions {
                queue_capacity: options.notification_queue_capacity,
                ..NotifierOptions::default()
            },
            NotifyMetrics::new(&registry),
            clock.clone(),
            runtime.clone(),
            deliveries.clone(),
        ));
        let context = RuleContext {
            engine: engine.clone(),
            queryable: head.clone(),
            appendable: head.clone(),
            alerts: notifier.clone(),
            metrics: RuleMetrics::new(&registry),
            external_labels: Labels::empty(),
            external_url: options.external_url.clone(),
            resend_delay_ms: options.resend_delay_ms,
            query_timeout: Duration::from_millis(options.query_timeout_ms.max(0) as u64),
        };
        let rules = Arc::new(Manager::start(
            context,
            clock.clone(),
            ManagerOptions { concurrency_max: options.rule_concurrency_max },
        ));
        let scrape = Arc::new(ScrapeManager::new(head.clone(), &registry, clock.clone()));
        let reloader = Arc::new(Reloader::new(
            options.config_file.clone(),
            options.transform.clone(),
            reload::Parts {
                scrape: scrape.clone(),
                rules: rules.clone(),
                notifier: notifier.clone(),
                deliveries: deliveries.clone(),
                clock: clock.clone(),
                runtime: runtime.clone(),
            },
            &registry,
        ));
        reloader.reload().map_err(|e| anyhow::anyhow!("{e}"))?;

        let control = Arc::new(ServerControl::new(&options, reloader.clone(), clock.now_ms()));
        let flow = Arc::new(LiveFlow::new(
            options.flow.clone(),
            flow::Live {
                clock: clock.clone(),
                engine: engine.clone(),
                head: head.clone(),
                scrape: scrape.clone(),
                rules: rules.clone(),
                deliveries: deliveries.clone(),
            },
        ));
        warm_up(flow.clone());
        let state = Arc::new(ApiState {
            clock: clock.clone(),
            engine,
            queryable: head.clone(),
            head: head.clone(),
            scrape: scrape.clone(),
            rules: rules.clone(),
            notifier: notifier.clone(),
            registry,
            flow,
            control: control.clone(),
            query_places: Arc::new(Semaphore::new(options.query_concurrency_max.max(1))),
            limits: ApiLimits { query_timeout_ms: options.query_timeout_ms },
        });
        let ending = Arc::new(Notify::new());
        let address = options.listener.local_addr().context("the listening socket has no address")?;
        let web = web::serve(options.listener, promflow_api::router(state), ending.clone())?;
        let background = vec![
            runtime.spawn(maintenance::truncate_head(head, clock)),
            runtime.spawn(reload::watch(reloader, options.auto_reload_interval, options.reload_on_hangup)),
        ];
        Ok(Self { address, control, scrape, rules, notifier, web, ending, background })
    }

    /// Returns the address it listens on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until somebody asks the server to end over HTTP.
    pub(crate) async fn quit_requested(&self) {
        self.control.quit_requested().await;
    }

    /// Ends the loops in order: no more scrapes, no more rules, what is queued is sent, then the API closes.
    pub(crate) async fn stop(self) {
        for task in &self.background {
            task.abort();
        }
        self.scrape.shutdown().await;
        let rules = self.rules.clone();
        if tokio::task::spawn_blocking(move || rules.stop()).await.is_err() {
            tracing::error!("ending the rules panicked");
        }
        let left = self.notifier.drain().await;
        if left > 0 {
            tracing::warn!(alerts = left, "alerts were not delivered before the end");
        }
        self.ending.notify_waiters();
        let grace = Duration::from_secs(3);
        if tokio::time::timeout(grace, self.web).await.is_err() {
            tracing::debug!("connections were still open at the end");
        }
    }
}

/// Reads the sources for the flow chart once, so that the first page does not wait for it.
fn warm_up(flow: Arc<LiveFlow>) {
    tokio::task::spawn_blocking(move || {
        if let Err(e) = flow.draw(FlowFormat::Json, "") {
            tracing::warn!("the flow chart cannot be drawn: {e:?}");
        }
    });
}

/// Binds the address to listen on.
///
/// Errors: names the address and what to do.
pub(crate) fn bind(address: &str) -> Result<TcpListener> {
    let full = if address.starts_with(':') { format!("0.0.0.0{address}") } else { address.to_owned() };
    TcpListener::bind(&full).map_err(|e| {
        let hint = if e.kind() == std::io::ErrorKind::AddrInUse {
            "another program listens there; choose an address with --web.listen-address"
        } else {
            "an address is HOST:PORT, such as 127.0.0.1:9090"
        };
        anyhow::anyhow!("cannot listen on {full}: {e}\n\nhint: {hint}")
    })
}
