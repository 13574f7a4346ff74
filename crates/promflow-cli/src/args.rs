//! The command line, as typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use url::Url;

use crate::commands::check::MetricsArguments;

/// Prometheus monitoring and alerting of a backend, from the line of code to the person who is woken.
#[derive(Debug, Parser)]
#[command(name = "promflow", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  promflow up                                        the demo: a backend, its monitoring, an alert on demand
  promflow fault errors on                           make the demo's backend fail, and watch the alert fire
  promflow serve --config.file prometheus.yml        the engine on your own files
  promflow flow --format svg -o flow.svg             draw the way from code to receiver
  promflow query instant http://127.0.0.1:9090 up    ask a server";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the demo: a backend under traffic, scraped, stored, ruled and drawn
    #[cfg(feature = "demo")]
    Up(UpArguments),
    /// Run the engine on your own configuration
    Serve(Box<ServeArguments>),
    /// Draw the flow chart: code, endpoint, job, recording rule, alert, route, receiver
    Flow(Box<FlowArguments>),
    /// What can go: metrics read by nobody, alerts that cannot fire, metrics without help text
    Prune(PruneArguments),
    /// Where series come from, which labels blow up, and which limit to set
    Cardinality(CardinalityArguments),
    /// Switch a fault of the demo's backend on or off
    #[cfg(feature = "demo")]
    Fault(FaultArguments),
    /// Check files and pages
    #[command(subcommand)]
    Check(CheckCommand),
    /// Query a Prometheus-compatible server
    #[command(subcommand)]
    Query(QueryCommand),
    /// A part of the demo in a process of its own; `up` starts it
    #[cfg(feature = "demo")]
    #[command(hide = true, name = "demo-part")]
    DemoPart(DemoPartArguments),
}

#[cfg(feature = "demo")]
#[derive(Debug, Args)]
pub(crate) struct UpArguments {
    /// Address of the server [default: 127.0.0.1:9090, or a free port where that is taken]
    #[arg(long = "web.listen-address", value_name = "ADDRESS")]
    pub(crate) listen_address: Option<String>,
    /// Deliver alerts to this Alertmanager as well as showing them, for example http://127.0.0.1:9093
    #[arg(long, value_name = "URL", value_parser = parse_http_url)]
    pub(crate) alertmanager: Option<Url>,
    /// Let the backend use this Redis server, for example 127.0.0.1:6379
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) redis: Option<String>,
    /// Requests per second that the traffic generator sends
    #[arg(long, value_name = "RATE", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rate: u32,
}

#[cfg(feature = "demo")]
#[derive(Debug, Args)]
pub(crate) struct DemoPartArguments {
    /// Which part
    #[arg(value_enum)]
    pub(crate) part: DemoPart,
    /// Port of the backend
    #[arg(long)]
    pub(crate) port: u16,
    /// Requests per second
    #[arg(long, default_value_t = 20)]
    pub(crate) rate: u32,
    /// Redis server that the backend uses
    #[arg(long)]
    pub(crate) redis: Option<String>,
}

#[cfg(feature = "demo")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DemoPart {
    Backend,
    Traffic,
}

#[cfg(feature = "demo")]
#[derive(Debug, Args)]
pub(crate) struct FaultArguments {
    /// errors, latency, credits or consumer
    pub(crate) name: String,
    /// on or off
    #[arg(value_enum)]
    pub(crate) switch: Switch,
    /// Address of the backend
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8000")]
    pub(crate) backend: String,
}

#[cfg(feature = "demo")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// Prometheus configuration file path
    #[arg(long = "config.file", value_name = "FILE", default_value = "prometheus.yml")]
    pub(crate) config_file: PathBuf,
    /// How often to look for changes of configuration, rule and scrape files; 0 for never
    #[arg(long = "config.auto-reload-interval", value_name = "DURATION", default_value = "5s")]
    pub(crate) auto_reload_interval: Duration,
    /// Address to listen on
    #[arg(long = "web.listen-address", value_name = "ADDRESS", default_value = "127.0.0.1:9090")]
    pub(crate) listen_address: String,
    /// The URL under which the server is reachable from outside, for links in alerts
    #[arg(long = "web.external-url", value_name = "URL", value_parser = parse_external_url)]
    pub(crate) external_url: Option<Url>,
    /// Enable reload and shutdown by HTTP request
    #[arg(long = "web.enable-lifecycle")]
    pub(crate) enable_lifecycle: bool,
    /// How long samples are kept in memory
    #[arg(long = "storage.tsdb.retention.time", value_name = "DURATION", default_value = "15d")]
    pub(crate) retention_time: Duration,
    /// How many bytes of samples are kept in memory; the oldest go first
    #[arg(long = "storage.tsdb.retention.size", value_name = "SIZE", default_value = "1GB")]
    pub(crate) retention_size: Size,
    /// How long a query may take
    #[arg(long = "query.timeout", value_name = "DURATION", default_value = "2m")]
    pub(crate) query_timeout: Duration,
    /// How many queries may run at once
    #[arg(long = "query.max-concurrency", value_name = "N", default_value_t = 20)]
    pub(crate) query_concurrency_max: usize,
    /// How many samples a query may have in memory
    #[arg(long = "query.max-samples", value_name = "N", default_value_t = 50_000_000)]
    pub(crate) query_samples_max: usize,
    /// How far back an instant vector looks for a sample
    #[arg(long = "query.lookback-delta", value_name = "DURATION", default_value = "5m")]
    pub(crate) lookback_delta: Duration,
    /// How many rule groups may be evaluated at once
    #[arg(long = "rules.max-concurrent-evals", value_name = "N", default_value_t = 4)]
    pub(crate) rule_concurrency_max: usize,
    /// How long to wait before an alert is sent to Alertmanager again
    #[arg(long = "rules.alert.resend-delay", value_name = "DURATION", default_value = "1m")]
    pub(crate) resend_delay: Duration,
    /// How many alerts may wait for an Alertmanager
    #[arg(long = "alertmanager.notification-queue-capacity", value_name = "N", default_value_t = 10_000)]
    pub(crate) notification_queue_capacity: usize,
    /// Alertmanager's configuration, for the flow chart [default: alertmanager.yml beside the configuration file]
    #[arg(long = "alertmanager.config", value_name = "FILE")]
    pub(crate) alertmanager_config: Option<PathBuf>,
    /// Root of the source code, for the flow chart
    #[arg(long = "source", value_name = "DIR")]
    pub(crate) source: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) log: LogArguments,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct LogArguments {
    /// Log only messages of this severity and above
    #[arg(long = "log.level", value_name = "LEVEL", value_enum, default_value_t = LogLevel::Info)]
    pub(crate) level: LogLevel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

#[derive(Debug, Args)]
#[command(after_help = FLOW_EXAMPLES)]
pub(crate) struct FlowArguments {
    #[command(subcommand)]
    pub(crate) question: Option<FlowQuestion>,
    #[command(flatten)]
    pub(crate) files: FlowFilesArguments,
    /// Part of the chart: a name, +NAME with all upstream, NAME+ with all downstream, 2+NAME+1, job:NAME,
    /// kind:alert, severity:critical, state:broken, is:unread; a space joins, a comma intersects, a - takes away
    /// (docs/selection.md)
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true)]
    pub(crate) select: Option<String>,
    /// How to draw [default: mermaid]
    #[arg(long, value_enum)]
    pub(crate) format: Option<FlowOutput>,
    /// Draw in dark colours (png)
    #[arg(long)]
    pub(crate) dark: bool,
    /// File to write instead of standard output; for Mermaid a directory too, one file for each part
    #[arg(short, long, value_name = "PATH")]
    pub(crate) output: Option<PathBuf>,
    /// Exit with 1 when an edge is in this state
    #[arg(long, value_enum, value_name = "STATE")]
    pub(crate) fail_on: Option<FailOn>,
}

const FLOW_EXAMPLES: &str = "\
Examples:
  promflow flow --format html -o flow.html           the chart as one file for any browser
  promflow flow --select '+HttpHighErrorRatio'       what leads to one alert
  promflow flow feeds HttpHighErrorRatio             the same as a tree, up to file and line
  promflow flow breaks http_requests_total           what breaks, and who is no longer told
  promflow flow missing                              what is read but never written
  promflow flow diff main..HEAD                      text for a review comment
  promflow flow --fail-on broken --format svg -o f   for CI";

#[derive(Debug, Subcommand)]
pub(crate) enum FlowQuestion {
    /// What feeds an alert, a recording rule or a dashboard, up to file and line
    Feeds {
        /// Its name
        name: String,
    },
    /// What breaks when a metric, a label or a job goes, up to the person who is paged
    Breaks {
        /// Its name; `metric{label}` for the label of one metric
        name: String,
    },
    /// What is read but never written, with the nearest real name
    Missing,
    /// What differs between two revisions of the repository, as text for a review comment
    Diff {
        /// REV..REV; the second one is HEAD unless given
        revisions: String,
    },
}

/// Which files, and which server.
#[derive(Clone, Debug, Args)]
pub(crate) struct FlowFilesArguments {
    /// Prometheus configuration file path
    #[arg(
        long = "config.file",
        value_name = "FILE",
        default_value = "monitoring/prometheus.yml",
        global = true
    )]
    pub(crate) config_file: PathBuf,
    /// Alertmanager configuration file path [default: monitoring/alertmanager.yml, where there is one]
    #[arg(long = "alertmanager.config", value_name = "FILE", global = true)]
    pub(crate) alertmanager_config: Option<PathBuf>,
    /// Root of the source code, and of the dashboards
    #[arg(long, value_name = "DIR", default_value = ".", global = true)]
    pub(crate) source: PathBuf,
    /// Server to ask for live state
    #[arg(long, value_name = "URL", global = true)]
    pub(crate) url: Option<String>,
    /// Captured page of a job, to judge by without a server; may be repeated
    #[arg(long = "page", value_name = "JOB=FILE", global = true)]
    pub(crate) pages: Vec<Page>,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PruneArguments {
    #[command(flatten)]
    pub(crate) files: FlowFilesArguments,
}

#[derive(Debug, Args)]
pub(crate) struct CardinalityArguments {
    /// Server to ask
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9090")]
    pub(crate) url: String,
    /// How many metrics and labels are named
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) limit: u16,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A captured page and the job it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) job: String,
    pub(crate) path: PathBuf,
}

impl std::str::FromStr for Page {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((job, path)) if !job.is_empty() && !path.is_empty() => {
                Ok(Self { job: job.to_owned(), path: path.into() })
            }
            _ => Err(format!("{text:?} is no JOB=FILE")),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FlowOutput {
    Mermaid,
    Svg,
    Png,
    Html,
    Text,
    Dot,
    Json,
}

/// On which edges the command fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Edges over which nothing can come
    Broken,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CheckCommand {
    /// Check a page of metrics on standard input: curl -s URL/metrics | promflow check metrics
    #[command(after_help = "Exit codes: 0 all is well, 3 conventions are broken, 1 the page does not parse.")]
    Metrics(MetricsArguments),
}

#[derive(Debug, Subcommand)]
pub(crate) enum QueryCommand {
    /// Run an instant query
    Instant {
        #[command(flatten)]
        output: QueryOutput,
        /// Evaluation time: RFC 3339 or seconds since the epoch
        #[arg(long, value_name = "TIME")]
        time: Option<String>,
        /// Server to query, for example http://127.0.0.1:9090
        server: String,
        /// PromQL expression
        expr: String,
    },
    /// Run a range query
    Range {
        #[command(flatten)]
        output: QueryOutput,
        /// Header to send, as name=value
        #[arg(long, value_name = "NAME=VALUE")]
        header: Vec<String>,
        /// Start of the range: RFC 3339 or seconds since the epoch [default: five minutes before the end]
        #[arg(long, value_name = "TIME")]
        start: Option<String>,
        /// End of the range: RFC 3339 or seconds since the epoch [default: now]
        #[arg(long, value_name = "TIME")]
        end: Option<String>,
        /// Step of the range [default: a 250th of it]
        #[arg(long, value_name = "DURATION")]
        step: Option<Duration>,
        /// Server to query
        server: String,
        /// PromQL expression
        expr: String,
    },
    /// List the series that match a selector
    Series {
        #[command(flatten)]
        output: QueryOutput,
        /// Selector; may be repeated
        #[arg(long = "match", value_name = "SELECTOR", required = true)]
        selectors: Vec<String>,
        #[command(flatten)]
        range: TimeRange,
        /// Server to query
        server: String,
    },
    /// List the values of a label
    Labels {
        #[command(flatten)]
        output: QueryOutput,
        /// Selector; may be repeated
        #[arg(long = "match", value_name = "SELECTOR")]
        selectors: Vec<String>,
        #[command(flatten)]
        range: TimeRange,
        /// Server to query
        server: String,
        /// Label name
        name: String,
    },
}

#[derive(Clone, Debug, Args)]
pub(crate) struct TimeRange {
    /// Start of the range: RFC 3339 or seconds since the epoch
    #[arg(long, value_name = "TIME", default_value = "", hide_default_value = true)]
    pub(crate) start: String,
    /// End of the range: RFC 3339 or seconds since the epoch
    #[arg(long, value_name = "TIME", default_value = "", hide_default_value = true)]
    pub(crate) end: String,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct QueryOutput {
    /// Output format
    #[arg(short = 'o', long = "format", value_enum, default_value_t = QueryFormat::Promql)]
    pub(crate) format: QueryFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum QueryFormat {
    Promql,
    Json,
}

/// A duration in Prometheus's grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Duration {
    pub(crate) ms: i64,
}

impl std::str::FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        promflow_model::duration::parse(text).map(|ms| Self { ms })
    }
}

impl std::fmt::Display for Duration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&promflow_model::duration::format(self.ms))
    }
}

/// A size with a unit; units are powers of two, as in Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) bytes: u64,
}

impl std::str::FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let power = match unit {
            "B" | "" => 0,
            "KB" | "KiB" => 1,
            "MB" | "MiB" => 2,
            "GB" | "GiB" => 3,
            "TB" | "TiB" => 4,
            _ => return Err(format!("{text:?} is no size; an example is 512MB")),
        };
        number
            .parse::<u64>()
            .ok()
            .and_then(|n| n.checked_mul(1 << (10 * power)))
            .map(|bytes| Self { bytes })
            .ok_or_else(|| format!("{text:?} is no size; an example is 512MB"))
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let units = ["B", "KB", "MB", "GB", "TB"];
        let mut power = 0;
        while power + 1 < units.len() && self.bytes > 0 && self.bytes.is_multiple_of(1 << (10 * (power + 1)))
        {
            power += 1;
        }
        write!(f, "{}{}", self.bytes >> (10 * power), units[power])
    }
}

fn parse_http_url(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err("an address is http://HOST:PORT or https://HOST:PORT".to_owned()),
    }
}

fn parse_external_url(text: &str) -> Result<Url, String> {
    let url = parse_http_url(text)?;
    if matches!(url.path(), "" | "/") {
        Ok(url)
    } else {
        Err("not supported yet: path in --web.external-url".to_owned())
    }
}

/// Flags that Prometheus has and promflow does not have yet.
const NOT_YET: [&str; 45] = [
    "--agent",
    "--alertmanager.drain-notification-queue-on-shutdown",
    "--alertmanager.notification-batch-size",
    "--auto-gomaxprocs",
    "--auto-gomemlimit",
    "--auto-gomemlimit.ratio",
    "--config.auto-reload",
    "--enable-feature",
    "--log.format",
    "--rules.alert.for-grace-period",
    "--rules.alert.for-outage-tolerance",
    "--scrape.adjust-timestamps",
    "--scrape.discovery-reload-interval",
    "--scrape.name-escaping-scheme",
    "--scrape.timestamp-tolerance",
    "--storage.agent.path",
    "--storage.agent.no-lockfile",
    "--storage.agent.retention.max-time",
    "--storage.agent.retention.min-time",
    "--storage.agent.wal-compression",
    "--storage.remote.flush-deadline",
    "--storage.remote.read-concurrent-limit",
    "--storage.remote.read-max-bytes-in-frame",
    "--storage.remote.read-sample-limit",
    "--storage.tsdb.allow-overlapping-blocks",
    "--storage.tsdb.delay-compact-file.path",
    "--storage.tsdb.head-chunks-write-queue-size",
    "--storage.tsdb.max-block-duration",
    "--storage.tsdb.min-block-duration",
    "--storage.tsdb.no-lockfile",
    "--storage.tsdb.path",
    "--storage.tsdb.retention",
    "--storage.tsdb.wal-compression",
    "--storage.tsdb.wal-segment-size",
    "--web.config.file",
    "--web.console.libraries",
    "--web.console.templates",
    "--web.cors.origin",
    "--web.enable-admin-api",
    "--web.enable-otlp-receiver",
    "--web.enable-remote-write-receiver",
    "--web.max-connections",
    "--web.page-title",
    "--web.read-timeout",
    "--web.route-prefix",
];

/// Finds a flag of `serve` that promflow does not have yet, also in its negated form.
pub(crate) fn first_not_yet(arguments: &[String]) -> Option<&'static str> {
    if arguments.first().is_none_or(|command| command != "serve") {
        return None;
    }
    let typed = arguments.iter().map(|a| a.split('=').next().unwrap_or(a).replacen("--no-", "--", 1));
    typed.into_iter().find_map(|flag| NOT_YET.into_iter().find(|known| *known == flag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_that_is_not_there_yet_is_found_in_every_form_and_only_for_serve() {
        let find = |line: &str| first_not_yet(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(find("serve --web.config.file=x"), Some("--web.config.file"));
        assert_eq!(find("serve --no-storage.tsdb.wal-compression"), Some("--storage.tsdb.wal-compression"));
        assert_eq!(find("query instant http://x --agent"), None);
        assert_eq!(find("serve --config.file x"), None);
    }

    #[test]
    fn sizes_are_powers_of_two_and_print_as_they_are_written() {
        for (text, bytes) in [("512MB", 512 << 20), ("1GB", 1 << 30), ("100B", 100), ("1GiB", 1 << 30)] {
            assert_eq!(text.parse::<Size>().map(|s| s.bytes), Ok(bytes), "{text}");
        }
        assert_eq!(Size { bytes: 1 << 30 }.to_string(), "1GB");
        assert!("12XB".parse::<Size>().is_err());
    }

    #[test]
    fn an_external_address_with_a_path_says_that_it_is_not_there_yet() {
        assert!(parse_external_url("http://x/").is_ok());
        assert!(parse_external_url("http://x/prom").is_err_and(|e| e.contains("not supported yet")));
        assert!(parse_external_url("not a url").is_err());
    }
}
