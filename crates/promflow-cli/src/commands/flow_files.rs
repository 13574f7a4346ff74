//! The files that a chart is drawn from, and the server that is asked beside them.

use std::path::Path;

use anyhow::{Context, Result, bail};
use promflow_config::{ConfigError, HttpClientConfig};
use promflow_flow::Graph;
use promflow_flow::live::LiveState;
use promflow_flow::paths::{FlowFiles, FlowPaths};
use promflow_http::ApiClient;

use crate::args::FlowFilesArguments;
use crate::live;

/// Alertmanager's configuration, unless another is named.
pub(super) const ALERTMANAGER: &str = "monitoring/alertmanager.yml";

/// Reads the files, asks the server if one is named, and builds the graph.
pub(super) async fn graph(arguments: &FlowFilesArguments) -> Result<(Graph, Option<LiveState>)> {
    let usual = Path::new(ALERTMANAGER);
    let alertmanager =
        arguments.alertmanager_config.clone().or_else(|| usual.is_file().then(|| usual.to_owned()));
    if alertmanager.is_none() {
        eprintln!("warning: {ALERTMANAGER} is not there: the chart ends at the alerts");
    }
    let paths = FlowPaths {
        config: Some(arguments.config_file.clone()),
        alertmanager,
        source: Some(arguments.source.clone()),
        pages: arguments.pages.iter().map(|page| (page.job.clone(), page.path.clone())).collect(),
    };
    let files = read(&paths)?;
    if let Some(page) = arguments.pages.iter().find(|page| !files.has_job(&page.job)) {
        let nearest =
            files.nearest_job(&page.job).map_or(String::new(), |job| format!("; did you mean `{job}`?"));
        bail!("--page: no job is called `{}`{nearest}", page.job);
    }
    let state = match &arguments.url {
        Some(url) => Some(ask(url).await?),
        None => None,
    };
    let graph = files.graph(state.as_ref());
    for problem in graph.problems() {
        eprintln!("warning: {problem}");
    }
    Ok((graph, state))
}

/// Reads files; every mistake is told.
pub(super) fn read(paths: &FlowPaths) -> Result<FlowFiles> {
    FlowFiles::read(paths).map_err(|errors| anyhow::anyhow!("{}", ConfigError::join(&errors)))
}

async fn ask(url: &str) -> Result<LiveState> {
    let client = ApiClient::new(url, &HttpClientConfig::default())
        .with_context(|| format!("{url:?} is no address of a server"))?;
    live::ask(&client).await.with_context(|| format!("cannot ask {url} for its state"))
}
