//! `promflow up`: a backend under traffic, with its monitoring around it.

mod children;
mod ports;
mod receiver;
mod scale;
mod tree;

use std::io::IsTerminal;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use promflow_config::{AlertmanagerConfig, BasicAuth, LoadedConfig, Secret, TargetGroup};
use promflow_flow::paths::FlowPaths;
use promflow_model::Labels;
use promflow_promql::EngineOptions;
use promflow_tsdb::HeadOptions;
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

use crate::args::{DemoPart, DemoPartArguments, LogLevel, UpArguments};
use crate::clock::SystemClock;
use crate::commands::serve::ended_by_signal;
use crate::logging;
use crate::output::say;
use crate::server::{Server, ServerOptions, Transform};
use children::Part;
use tree::Tree;

/// The address that the server of the demo takes when it is free.
const SERVER: &str = "127.0.0.1:9090";
/// The port that the backend takes when it is free: the one of `monitoring/prometheus.yml`.
const BACKEND_PORT: u16 = 8000;
/// The port that the receiver takes when it is free: Alertmanager's.
const RECEIVER_PORT: u16 = 9093;

/// Runs the demo until it is told to end.
///
/// Errors: an address is taken that was asked for, or a part cannot be started.
pub(crate) async fn up(arguments: UpArguments) -> Result<()> {
    logging::start(LogLevel::Warn);
    let tree = Tree::find_or_unpack(&std::env::current_dir().context("there is no current directory")?)?;
    let listener = ports::server(arguments.listen_address.as_deref(), SERVER)?;
    let server_address = listener.local_addr().context("the listening socket has no address")?;
    let backend_port = ports::free_or_other(BACKEND_PORT)?;
    let receiver =
        tokio::net::TcpListener::bind(ports::loopback(ports::free_or_other(RECEIVER_PORT)?)).await?;
    let receiver_address = receiver.local_addr().context("the receiver's socket has no address")?;
    tokio::spawn(receiver::serve(receiver, Arc::new(SystemClock)));

    let mut backend_arguments = vec!["--port".to_owned(), backend_port.to_string()];
    if let Some(redis) = &arguments.redis {
        backend_arguments.extend(["--redis".to_owned(), redis.clone()]);
    }
    let traffic_arguments =
        ["--port".to_owned(), backend_port.to_string(), "--rate".to_owned(), arguments.rate.to_string()];
    let mut backend = Part::start("backend", &backend_arguments)?;
    let mut traffic = Part::start("traffic", &traffic_arguments)?;

    let own = Url::parse(&format!("http://{receiver_address}")).context("the receiver has no address")?;
    let alertmanagers = std::iter::once(own).chain(arguments.alertmanager.clone()).collect();
    let places = Places { server: server_address, backend_port, alertmanagers };
    // A terminal that closes ends what was started in it; without one, SIGHUP asks for a reload as it does of `serve`.
    let in_terminal = std::io::stdin().is_terminal();
    let server = Server::start(options(&tree, listener, &places, !in_terminal))?;
    introduce(&tree, &places, receiver_address);

    let outcome = tokio::select! {
        _ = ended_by_signal() => Ok(()),
        () = terminal_closed(), if in_terminal => Ok(()),
        () = server.quit_requested() => Ok(()),
        why = backend.ended() => Err(anyhow::anyhow!(why)),
        why = traffic.ended() => Err(anyhow::anyhow!(why)),
    };
    say("\nending: server, traffic, backend");
    server.stop().await;
    traffic.stop().await;
    backend.stop().await;
    outcome
}

async fn terminal_closed() {
    match signal(SignalKind::hangup()) {
        Ok(mut hangups) => {
            hangups.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

/// Runs a part of the demo in this process until the parent is gone.
///
/// Errors: its port is taken.
pub(crate) async fn part(arguments: DemoPartArguments) -> Result<()> {
    logging::start(LogLevel::Warn);
    // Ctrl-C in a terminal reaches the whole group; the parent decides the order in which its parts end.
    let _interrupts = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let _hangups = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    match arguments.part {
        DemoPart::Backend => {
            let service_url = format!("http://127.0.0.1:{}", arguments.port);
            let settings =
                promflow::config::Settings { port: arguments.port, service_url, ..Default::default() };
            let options = backend::Options { redis: arguments.redis, ..Default::default() };
            backend::run(settings, options, children::parent_gone()).await?;
        }
        DemoPart::Traffic => {
            let base = format!("http://127.0.0.1:{}", arguments.port);
            backend::traffic::run(&base, f64::from(arguments.rate), children::parent_gone()).await;
        }
    }
    Ok(())
}

/// Where everything is.
#[derive(Clone)]
struct Places {
    server: SocketAddr,
    backend_port: u16,
    alertmanagers: Vec<Url>,
}

fn options(
    tree: &Tree,
    listener: std::net::TcpListener,
    places: &Places,
    reload_on_hangup: bool,
) -> ServerOptions {
    // Paths are shown, and given to other commands, as seen from here.
    let root = tree.root_from_here();
    let monitoring = root.join("monitoring");
    let config_file = monitoring.join("prometheus.yml");
    ServerOptions {
        config_file: config_file.clone(),
        auto_reload_interval: Duration::from_secs(1),
        listener,
        external_url: format!("http://{}", places.server),
        enable_lifecycle: true,
        head: HeadOptions { max_bytes: 256 << 20, ..HeadOptions::default() },
        engine: EngineOptions::default(),
        query_concurrency_max: 20,
        query_timeout_ms: 120_000,
        rule_concurrency_max: 2,
        resend_delay_ms: 60_000 / scale::FACTOR,
        notification_queue_capacity: 10_000,
        flow: FlowPaths {
            config: Some(config_file),
            alertmanager: Some(monitoring.join("alertmanager.yml")),
            source: Some(root),
            ..FlowPaths::default()
        },
        flags: [
            ("web.listen-address".to_owned(), places.server.to_string()),
            ("web.external-url".to_owned(), String::new()),
            ("log.level".to_owned(), format!("{:?}", LogLevel::Warn).to_lowercase()),
        ]
        .into(),
        transform: Some(transform(places.clone())),
        reload_on_hangup,
    }
}

/// Adapts the files, in memory, to the ports that were free and to the demo's faster clocks.
fn transform(places: Places) -> Transform {
    Arc::new(move |config, rules| {
        scale::scale_config(config);
        scale::scale_rules(rules);
        redirect(config, &places);
    })
}

fn redirect(config: &mut LoadedConfig, places: &Places) {
    let target = |address: String| TargetGroup {
        targets: vec![Labels::from_pairs([("__address__", address)])],
        ..TargetGroup::default()
    };
    for job in &mut config.scrape_configs {
        match job.job_name.as_str() {
            "backend" => {
                job.static_configs = vec![target(ports::loopback(places.backend_port).to_string())];
            }
            "promflow" => job.static_configs = vec![target(places.server.to_string())],
            _ => {}
        }
    }
    let sets = &mut config.config.alerting.alertmanagers;
    let template = sets.first().cloned().unwrap_or_default();
    sets.clear();
    for url in &places.alertmanagers {
        let host = url.host_str().unwrap_or("127.0.0.1");
        let address = format!("{host}:{}", url.port_or_known_default().unwrap_or(RECEIVER_PORT));
        let mut set = AlertmanagerConfig {
            scheme: url.scheme().to_owned(),
            path_prefix: url.path().to_owned(),
            static_configs: vec![target(address)],
            file_sd_configs: Vec::new(),
            ..template.clone()
        };
        if !url.username().is_empty() {
            set.http.basic_auth = Some(BasicAuth {
                username: url.username().to_owned(),
                password: Secret::new(url.password().unwrap_or_default()),
                ..BasicAuth::default()
            });
        }
        sets.push(set);
    }
    config.config.scrape_configs.clone_from(&config.scrape_configs);
}

fn introduce(tree: &Tree, places: &Places, receiver: SocketAddr) {
    let backend_flag = if places.backend_port == BACKEND_PORT {
        String::new()
    } else {
        format!(" --backend http://127.0.0.1:{}", places.backend_port)
    };
    let mut server = places.server;
    if server.ip().is_unspecified() {
        server.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    let backend = ports::loopback(places.backend_port);
    let others: String = places
        .alertmanagers
        .iter()
        .skip(1)
        .map(|url| format!("  Alertmanager {}\n", redacted(url)))
        .collect();
    let edit = if tree.is_repository() {
        let inside = |path: &str| tree.root().join(path).display().to_string();
        format!(
            "  add an alert to {}, or a metric to\n  {}: the chart shows it within seconds",
            inside("monitoring/rules/alerts.yml"),
            inside("examples/backend/src/metrics.rs")
        )
    } else {
        format!("  add an alert to {}", tree.root().join("monitoring/rules/alerts.yml").display())
    };
    say(&format!(
        "\
promflow is up: a backend under traffic, scraped, stored, ruled, alerted and drawn

  flow chart   http://{server}/
  API          http://{server}/api/v1/query?query=up
  backend      http://{backend}/metrics
  receiver     http://{receiver}/   every alert is printed here too
{others}
Time runs {factor} times faster: a window of 5m is 20s, `for: 5m` waits 20s.

Try next:
  open http://{server}/ in a browser
  promflow fault errors on{backend_flag}     HttpHighErrorRatio goes pending, then fires, within a minute
  promflow fault errors off{backend_flag}    and is resolved
  other faults: latency, credits, consumer
{edit}

Ctrl-C ends everything.
",
        factor = scale::FACTOR
    ));
}

/// Writes a URL without its password.
fn redacted(url: &Url) -> String {
    let mut shown = url.clone();
    if shown.password().is_some() && shown.set_password(Some("xxxxx")).is_err() {
        return url.host_str().unwrap_or_default().to_owned();
    }
    shown.to_string()
}
