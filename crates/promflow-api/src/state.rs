//! What the handlers work with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use promflow_model::Clock;
use promflow_notify::Notifier;
use promflow_promql::Engine;
use promflow_registry::Registry;
use promflow_rules::Manager;
use promflow_scrape::ScrapeManager;
use promflow_storage::Queryable;
use promflow_tsdb::Head;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::respond::ApiError;

/// The server behind the API: everything that a request may look at or ask for.
pub struct ApiState {
    /// Tells the time of a query that names none.
    pub clock: Arc<dyn Clock>,
    /// Evaluates queries.
    pub engine: Arc<Engine>,
    /// Is queried.
    pub queryable: Arc<dyn Queryable>,
    /// Knows metadata and statistics of the series.
    pub head: Arc<Head>,
    /// Knows the targets.
    pub scrape: Arc<ScrapeManager>,
    /// Knows the rules and alerts.
    pub rules: Arc<Manager>,
    /// Knows the Alertmanagers.
    pub notifier: Arc<Notifier>,
    /// The server's own metrics.
    pub registry: Registry,
    /// Draws the flow chart.
    pub flow: Arc<dyn FlowSource>,
    /// Configuration, readiness, reload and end.
    pub control: Arc<dyn Control>,
    /// Places for queries that run at once.
    pub query_places: Arc<Semaphore>,
    /// Limits of requests.
    pub limits: ApiLimits,
}

impl ApiState {
    /// Waits for one of the places for queries that run at once.
    ///
    /// Errors: none is free in time; Prometheus's text.
    pub(crate) async fn query_place(&self, timeout: Duration) -> Result<OwnedSemaphorePermit, ApiError> {
        tokio::time::timeout(timeout, self.query_places.clone().acquire_owned())
            .await
            .map_err(|_| ApiError::timeout("query timed out in query queue"))?
            .map_err(|_| ApiError::internal("the server is shutting down"))
    }
}

/// Limits of requests.
#[derive(Clone, Copy, Debug)]
pub struct ApiLimits {
    /// How long a query may take, in milliseconds.
    pub query_timeout_ms: i64,
}

/// Draws the flow chart of the running system, and answers questions about it.
pub trait FlowSource: Send + Sync {
    /// Draws the chart, or the part of it that a selection means; `""` selects everything.
    ///
    /// Errors: the selection is wrong; the configuration or the sources cannot be read.
    fn draw(&self, format: FlowFormat, select: &str) -> Result<FlowChart, FlowError>;

    /// Answers a question, as JSON.
    ///
    /// Errors: the question names what is not there; the configuration or the sources cannot be read.
    fn ask(&self, question: &FlowQuestion) -> Result<String, FlowError>;
}

/// A drawn chart.
#[derive(Clone, Debug)]
pub struct FlowChart {
    /// The chart in its format.
    pub bytes: Vec<u8>,
    /// What could not be read, and is therefore not drawn or drawn as it was before.
    pub problems: Vec<String>,
}

/// A question about the running system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowQuestion {
    /// What feeds an alert.
    Feeds(String),
    /// What breaks when a metric, label or job goes.
    Breaks(String),
    /// What is read but never written.
    Missing,
    /// What can go.
    Prune,
    /// What differs between a revision and another, or the files as they are now where `to` is `""`.
    Diff {
        /// The earlier revision.
        since: String,
        /// The later revision.
        to: String,
    },
    /// Which revisions can be compared with.
    Revisions,
    /// Where the series come from; at most so many metrics and labels are named.
    Cardinality(usize),
}

/// Why the flow chart has no answer; the text says what is wrong and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowError {
    /// The request is wrong.
    Request(String),
    /// The server has nothing to answer from.
    Absent(String),
    /// The server cannot read what it needs.
    Server(String),
}

/// How the flow chart is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowFormat {
    /// A picture.
    Svg,
    /// A picture made of pixels.
    Png,
    /// A page in one file.
    Html,
    /// Nodes and edges.
    Json,
    /// Mermaid's text.
    Mermaid,
    /// Graphviz's text.
    Dot,
    /// Text for a terminal.
    Text,
}

/// The server as those who run it see and steer it.
pub trait Control: Send + Sync {
    /// Returns the configuration in use, secrets left out.
    fn config_yaml(&self) -> String;

    /// Returns every flag with its value.
    fn flags(&self) -> BTreeMap<String, String>;

    /// Returns what the server is and since when it runs.
    fn runtime(&self) -> RuntimeInfo;

    /// Says whether the server answers queries.
    fn is_ready(&self) -> bool;

    /// Says whether reload and quit are open to requests.
    fn lifecycle_enabled(&self) -> bool;

    /// Reads the configuration again.
    ///
    /// Errors: the configuration is refused, and the one in use stays.
    fn reload(&self) -> Result<(), String>;

    /// Asks the server to end.
    fn quit(&self);
}

/// What the server is and since when it runs. Times are milliseconds since the epoch.
#[derive(Clone, Debug)]
pub struct RuntimeInfo {
    /// When the server started.
    pub started_ms: i64,
    /// When a configuration was last taken.
    pub last_config_ms: i64,
    /// Whether the last reload was taken.
    pub reload_succeeded: bool,
    /// What is kept, in words.
    pub storage_retention: String,
    /// The version of promflow.
    pub version: String,
    /// The revision it was built from.
    pub revision: String,
}
