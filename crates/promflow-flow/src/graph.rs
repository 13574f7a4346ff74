//! The graph: nodes and edges of the way of a metric, from the code that defines it to whoever is told.

use std::collections::BTreeMap;

use promflow_model::MetricType;

/// The kinds of node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NodeKind {
    /// A metric's definition in the code.
    Definition,
    /// A package that holds definitions and is linked by programs that expose them.
    Library,
    /// A program of somebody else that exposes metrics.
    Exporter,
    /// Where a program exposes its metrics.
    Endpoint,
    /// An address that is scraped.
    Target,
    /// A scrape job.
    Job,
    /// A recording rule.
    Recording,
    /// An alerting rule.
    Alert,
    /// A route of Alertmanager.
    Route,
    /// A receiver of Alertmanager.
    Receiver,
    /// A dashboard.
    Dashboard,
    /// A page that says what to do about an alert.
    Runbook,
}

impl NodeKind {
    /// All kinds, in the order of the way.
    pub const ALL: [Self; 12] = [
        Self::Definition,
        Self::Library,
        Self::Exporter,
        Self::Endpoint,
        Self::Target,
        Self::Job,
        Self::Recording,
        Self::Alert,
        Self::Route,
        Self::Receiver,
        Self::Dashboard,
        Self::Runbook,
    ];

    /// Returns the kind's name as the JSON has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Definition => "definition",
            Self::Library => "library",
            Self::Exporter => "exporter",
            Self::Endpoint => "endpoint",
            Self::Target => "target",
            Self::Job => "job",
            Self::Recording => "recording",
            Self::Alert => "alert",
            Self::Route => "route",
            Self::Receiver => "receiver",
            Self::Dashboard => "dashboard",
            Self::Runbook => "runbook",
        }
    }

    /// Returns the lane that nodes of this kind are drawn in.
    pub fn lane(self) -> Lane {
        match self {
            Self::Definition => Lane::Code,
            Self::Library | Self::Exporter | Self::Endpoint => Lane::Exposure,
            Self::Target | Self::Job => Lane::Scraping,
            Self::Recording => Lane::Recording,
            Self::Alert => Lane::Alerting,
            Self::Route | Self::Receiver | Self::Dashboard | Self::Runbook => Lane::Delivery,
        }
    }
}

/// The lanes of the chart, left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// Where metrics are defined.
    Code,
    /// Where they are exposed.
    Exposure,
    /// Who scrapes them.
    Scraping,
    /// What is computed from them.
    Recording,
    /// What is watched.
    Alerting,
    /// Who is told.
    Delivery,
}

impl Lane {
    /// All lanes, left to right.
    pub const ALL: [Self; 6] =
        [Self::Code, Self::Exposure, Self::Scraping, Self::Recording, Self::Alerting, Self::Delivery];

    /// Returns the lane's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Exposure => "exposure",
            Self::Scraping => "scraping",
            Self::Recording => "recording",
            Self::Alerting => "alerting",
            Self::Delivery => "delivery",
        }
    }
}

/// How an edge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Written and read, values seen.
    Alive,
    /// Written and read on paper.
    Defined,
    /// Neither code nor page nor server to judge by.
    Unknown,
    /// A regex or nameless selector, which can mean many metrics.
    Undecidable,
    /// Was there, or is written less often than its reader looks.
    Stale,
    /// Exposed, but not scraped, or removed on the way.
    Dropped,
    /// The name exists, but this label, value, type or bucket does not.
    Mismatch,
    /// Nothing has this name.
    NeverSeen,
}

impl State {
    /// All states, from fine to worst.
    pub const ALL: [Self; 8] = [
        Self::Alive,
        Self::Defined,
        Self::Unknown,
        Self::Undecidable,
        Self::Stale,
        Self::Dropped,
        Self::Mismatch,
        Self::NeverSeen,
    ];

    /// Returns the state's name as the JSON has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Defined => "defined",
            Self::Unknown => "unknown",
            Self::Undecidable => "undecidable",
            Self::Stale => "stale",
            Self::Dropped => "dropped",
            Self::Mismatch => "mismatch",
            Self::NeverSeen => "never_seen",
        }
    }

    /// Says whether nothing can come over the edge.
    pub fn is_broken(self) -> bool {
        matches!(self, Self::NeverSeen | Self::Mismatch | Self::Dropped)
    }

    /// Says whether the edge needs no explanation.
    pub fn is_fine(self) -> bool {
        matches!(self, Self::Alive | Self::Defined)
    }
}

/// A node.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Names the node: readable, and the same as long as the thing has the same name.
    pub id: String,
    /// What it is.
    pub kind: NodeKind,
    /// What it is called.
    pub name: String,
    /// The file it stands in, relative to the root.
    pub file: Option<String>,
    /// The line, counted from 1.
    pub line: Option<u32>,
    /// The box it is drawn in: a rule group or a package.
    pub group: Option<String>,
    /// What its kind adds.
    pub details: Details,
}

/// What a kind of node adds.
#[derive(Clone, Debug, PartialEq)]
pub enum Details {
    /// A definition.
    Definition(DefinitionFacts),
    /// A library, by the package's directory.
    Library {
        /// The directory.
        dir: String,
    },
    /// An exporter.
    Exporter {
        /// What it measures.
        product: String,
    },
    /// An endpoint.
    Endpoint {
        /// The path.
        path: String,
        /// The package behind it, when its code is known.
        package: Option<String>,
        /// How package and job were found to belong together.
        met_by: Option<MetBy>,
    },
    /// A target.
    Target(TargetFacts),
    /// A job.
    Job(JobFacts),
    /// A rule that records or alerts.
    Rule(Box<RuleFacts>),
    /// A route.
    Route(RouteFacts),
    /// A receiver.
    Receiver(ReceiverFacts),
    /// A dashboard.
    Dashboard(DashboardFacts),
    /// A runbook, by its address.
    Runbook {
        /// The address.
        url: String,
    },
}

/// How a package and a job were found to belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetBy {
    /// The port and path of its settings are those of a target.
    Settings,
    /// The comment `# promflow: source=DIR` stands above the job.
    Comment,
    /// A live page shows metrics of the package.
    Page,
}

impl MetBy {
    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Comment => "comment",
            Self::Page => "page",
        }
    }
}

/// Whether a definition node stands for a line of code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existence {
    /// It does.
    #[default]
    Code,
    /// It stands for a name that somebody reads and that is known from nowhere.
    Nowhere,
    /// It stands for a name that somebody reads, with nothing to judge by.
    Unjudged,
    /// It stands for all that a regex or nameless selector can mean.
    Wildcard,
}

/// What is known of a metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DefinitionFacts {
    /// Whether it stands for a line of code.
    pub existence: Existence,
    /// The type.
    pub metric_type: MetricType,
    /// The help text.
    pub help: Option<String>,
    /// The label names, when known.
    pub labels: Option<Vec<String>>,
    /// The buckets' upper bounds, when set.
    pub buckets: Option<Vec<f64>>,
    /// The unit.
    pub unit: Option<String>,
    /// The library it is written with, or `""`.
    pub library: String,
    /// The package that holds it, or `""`.
    pub package: String,
    /// Series a second, when a server answered.
    pub samples_per_second: Option<f64>,
    /// How many series it has, when a server answered.
    pub series: Option<u64>,
    /// Whether it stands for a line of code and no rule or dashboard reads it.
    pub is_unread: bool,
}

/// What is known of a target.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TargetFacts {
    /// The job.
    pub job: String,
    /// Its labels besides the address.
    pub labels: BTreeMap<String, String>,
    /// Whether it is up, when a server answered and has tried.
    pub up: Option<bool>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it was scraped last, in milliseconds since the epoch.
    pub last_scrape_ms: Option<i64>,
    /// How long that took, in seconds.
    pub duration_seconds: Option<f64>,
}

/// What is known of a job.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobFacts {
    /// How often it scrapes, in milliseconds.
    pub scrape_interval_ms: i64,
    /// The path it scrapes.
    pub metrics_path: String,
    /// How many targets it has.
    pub targets: usize,
    /// How many of them are up, when a server answered and has scraped one.
    pub up: Option<usize>,
    /// Whether a server has targets of it and has scraped none of them yet.
    pub untried: bool,
    /// Where its targets come from, when not from the configuration itself.
    pub target_files: Vec<String>,
}

/// What is known of a rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleFacts {
    /// The expression as written.
    pub expr: String,
    /// How often it is evaluated, in milliseconds, when that is known.
    pub interval_ms: Option<i64>,
    /// Its labels, those of its group among them; an alert's are templates.
    pub labels: BTreeMap<String, String>,
    /// An alert's annotations.
    pub annotations: BTreeMap<String, String>,
    /// How long an alert's expression has to hold, in milliseconds.
    pub for_ms: i64,
    /// How long an alert goes on firing, in milliseconds.
    pub keep_firing_for_ms: i64,
    /// Whether it is an alert whose expression can return nothing.
    pub cannot_fire: bool,
    /// Where an alert is, when a server answered.
    pub alert_state: Option<AlertState>,
    /// How many alerts are pending or firing.
    pub active: Option<usize>,
    /// When an alert fired last, in milliseconds since the epoch.
    pub last_fired_ms: Option<i64>,
    /// Whether the last evaluation went well, when a server answered.
    pub healthy: Option<bool>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// How long the last evaluation took, in seconds.
    pub evaluation_seconds: Option<f64>,
}

impl RuleFacts {
    /// Returns the alert's severity, or `""`.
    pub fn severity(&self) -> &str {
        self.labels.get("severity").map_or("", String::as_str)
    }

    /// Tells whether the alert fires and something is wrong: a dead man's switch, which by convention has the severity
    /// `none`, fires all the time.
    pub fn is_alarming(&self) -> bool {
        self.alert_state == Some(AlertState::Firing) && self.severity() != "none"
    }
}

/// Where an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertState {
    /// The expression does not hold.
    Inactive,
    /// It holds, but not for long enough.
    Pending,
    /// It fires.
    Firing,
}

impl AlertState {
    /// Returns the state as Prometheus writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Firing => "firing",
        }
    }
}

/// What is known of a route.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteFacts {
    /// The matchers from the root to here, outermost first.
    pub matchers: Vec<String>,
    /// The receiver.
    pub receiver: String,
    /// The labels that alerts are grouped by; `...` for all.
    pub group_by: Vec<String>,
    /// How long a new group waits, in milliseconds.
    pub group_wait_ms: i64,
    /// How long before it is sent again, in milliseconds.
    pub repeat_interval_ms: i64,
    /// The names of time intervals in which it is mute.
    pub mute_time_intervals: Vec<String>,
    /// Whether alerts go on to the next route.
    pub continues: bool,
}

/// What is known of a receiver.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReceiverFacts {
    /// Its channels (`webhook`, `slack`, ...).
    pub channels: Vec<String>,
    /// When something was sent last, in milliseconds since the epoch.
    pub last_sent_ms: Option<i64>,
    /// How many notifications were sent.
    pub sent: Option<u64>,
    /// How many failed.
    pub failed: Option<u64>,
}

/// What is known of a dashboard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DashboardFacts {
    /// How many panels read something.
    pub panels: usize,
    /// Its address below the root of the dashboards' server.
    pub url: Option<String>,
}

/// An edge; it points downstream.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// The id of the node upstream.
    pub from: String,
    /// The id of the node downstream.
    pub to: String,
    /// The selector with which the reader reads, the matchers of a route, or `""`.
    pub via: String,
    /// The function around the selector (`rate 5m`), or `""`.
    pub function: String,
    /// The names of the metric families that flow here, sorted; none behind an alert.
    pub metrics: Vec<String>,
    /// The names of the alerts that flow here, sorted; only behind an alert.
    pub alerts: Vec<String>,
    /// How it is.
    pub state: State,
    /// Why it is not fine.
    pub reason: Option<String>,
    /// The real name that a wrong one is nearest to.
    pub nearest: Option<String>,
    /// The panel of a dashboard that reads.
    pub panel: Option<String>,
    /// Samples a second, when a server answered.
    pub samples_per_second: Option<f64>,
}

impl Edge {
    /// Builds an edge that is fine on paper.
    pub fn new(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self {
            from: from.into(),
            to: to.into(),
            via: String::new(),
            function: String::new(),
            metrics: Vec::new(),
            alerts: Vec::new(),
            state: State::Defined,
            reason: None,
            nearest: None,
            panel: None,
            samples_per_second: None,
        }
    }
}

/// The whole way: nodes sorted by lane, kind and id, edges by where they start, end and what they select.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The edges.
    pub edges: Vec<Edge>,
    pub(crate) problems: Vec<String>,
}

impl Graph {
    /// Returns the node with an id.
    pub fn node(&self, id: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// Returns the nodes of a name, whatever their kind.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Node> {
        self.nodes.iter().filter(move |node| node.name == name || node.id == name)
    }

    /// Returns what could not be read while the graph was built.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// Puts nodes and edges into their order and takes out edges that are there twice.
    pub(crate) fn settle(&mut self) {
        self.nodes.sort_by(|a, b| (a.kind.lane(), a.kind, &a.id).cmp(&(b.kind.lane(), b.kind, &b.id)));
        self.nodes.dedup_by(|a, b| a.id == b.id);
        let key = |e: &Edge| {
            (
                (e.from.clone(), e.to.clone(), e.via.clone(), e.function.clone()),
                (e.state, e.metrics.clone(), e.panel.clone()),
            )
        };
        self.edges.sort_by_cached_key(key);
        self.edges.dedup();
        self.problems.sort();
        self.problems.dedup();
    }
}
