//! `promflow serve`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use promflow_flow::paths::FlowPaths;
use promflow_promql::EngineOptions;
use promflow_tsdb::HeadOptions;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::ServeArguments;
use crate::logging;
use crate::server::{Server, ServerOptions, bind};

/// Runs the engine until it is told to end.
///
/// Errors: the configuration is refused, or the address is taken.
pub(crate) async fn run(arguments: ServeArguments) -> Result<()> {
    logging::start(arguments.log.level);
    if arguments.retention_time.ms == 0 || arguments.retention_size.bytes == 0 {
        bail!("--storage.tsdb.retention.time and --storage.tsdb.retention.size must be above zero");
    }
    let listener = bind(&arguments.listen_address)?;
    let address = listener.local_addr().context("the listening socket has no address")?;
    tracing::warn!(
        retention = %arguments.retention_time,
        budget = %arguments.retention_size,
        "samples are kept in memory only: a restart loses them"
    );
    let server = Server::start(ServerOptions {
        config_file: arguments.config_file.clone(),
        auto_reload_interval: Duration::from_millis(arguments.auto_reload_interval.ms as u64),
        listener,
        external_url: external_url(&arguments, address),
        enable_lifecycle: arguments.enable_lifecycle,
        head: HeadOptions {
            retention_ms: arguments.retention_time.ms,
            max_bytes: usize::try_from(arguments.retention_size.bytes).unwrap_or(usize::MAX),
            ..HeadOptions::default()
        },
        engine: EngineOptions {
            lookback_delta_ms: arguments.lookback_delta.ms,
            max_samples: arguments.query_samples_max,
            ..EngineOptions::default()
        },
        query_concurrency_max: arguments.query_concurrency_max,
        query_timeout_ms: arguments.query_timeout.ms,
        rule_concurrency_max: arguments.rule_concurrency_max,
        resend_delay_ms: arguments.resend_delay.ms,
        notification_queue_capacity: arguments.notification_queue_capacity,
        flow: flow_paths(&arguments),
        flags: flags(&arguments),
        transform: None,
        reload_on_hangup: true,
    })?;
    tracing::info!(address = %server.address(), "promflow is ready to receive web requests");
    tokio::select! {
        name = ended_by_signal() => tracing::info!(signal = name, "ending"),
        () = server.quit_requested() => tracing::info!("ending on request"),
    }
    server.stop().await;
    Ok(())
}

/// Waits for Ctrl-C or SIGTERM.
pub(crate) async fn ended_by_signal() -> &'static str {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without handlers the signals end the process as they always do.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}

fn external_url(arguments: &ServeArguments, address: std::net::SocketAddr) -> String {
    let url =
        arguments.external_url.as_ref().map_or_else(|| format!("http://{address}"), ToString::to_string);
    url.trim_end_matches('/').to_owned()
}

/// The chart is drawn from what lies beside the configuration, unless it is named.
fn flow_paths(arguments: &ServeArguments) -> FlowPaths {
    let folder = arguments.config_file.parent().unwrap_or(Path::new(""));
    let beside = folder.join("alertmanager.yml");
    FlowPaths {
        config: Some(arguments.config_file.clone()),
        alertmanager: arguments.alertmanager_config.clone().or_else(|| beside.is_file().then_some(beside)),
        source: arguments.source.clone(),
        ..FlowPaths::default()
    }
}

/// Returns the flags as they were typed that the server itself has in another form, or not at all.
fn flags(arguments: &ServeArguments) -> BTreeMap<String, String> {
    let external_url = arguments.external_url.as_ref().map_or_else(String::new, ToString::to_string);
    let all = [
        ("web.listen-address", arguments.listen_address.clone()),
        ("web.external-url", external_url),
        ("log.level", format!("{:?}", arguments.log.level).to_lowercase()),
    ];
    all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
