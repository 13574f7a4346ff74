//! What a running server says about the way: plain data, which a server fills from its own memory and a client from
//! another server's API.

use std::collections::{BTreeMap, BTreeSet};

use promflow_exposition::{Entry, Format, Mode, Parser};

use crate::graph::AlertState;

/// How the system is at one moment.
///
/// Units: times in milliseconds since the epoch, durations in seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveState {
    /// The moment.
    pub now_ms: i64,
    /// The targets that are scraped.
    pub targets: Vec<LiveTarget>,
    /// The rules.
    pub rules: Vec<LiveRule>,
    /// The metrics of each job, by job and series name (`http_request_duration_seconds_bucket`).
    pub metrics: BTreeMap<String, BTreeMap<String, LiveMetric>>,
    /// What was sent, by receiver.
    pub receivers: BTreeMap<String, LiveReceiver>,
    /// The jobs whose metrics were read off a page in a file, not off a server.
    pub captured: BTreeSet<String>,
}

/// A target.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveTarget {
    /// The job.
    pub job: String,
    /// The instance.
    pub instance: String,
    /// Its labels, `job` and `instance` among them.
    pub labels: BTreeMap<String, String>,
    /// Whether the last scrape went well; `None` before the first.
    pub up: Option<bool>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it was scraped last.
    pub last_scrape_ms: Option<i64>,
    /// How long that took.
    pub duration_seconds: Option<f64>,
}

/// A rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveRule {
    /// The group.
    pub group: String,
    /// The name of the series or alert.
    pub name: String,
    /// The labels of the rule, which tell apart alerts of one name in one group.
    pub labels: BTreeMap<String, String>,
    /// Whether the last evaluation went well; `None` before the first.
    pub healthy: Option<bool>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// How long the last evaluation took.
    pub evaluation_seconds: Option<f64>,
    /// Where the alert is; `None` for a recording rule.
    pub state: Option<AlertState>,
    /// How many alerts are pending or firing.
    pub active: usize,
    /// When an alert fired last; `None` when none did for as long as is known.
    pub last_fired_ms: Option<i64>,
}

/// A metric of a job.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveMetric {
    /// How many series.
    pub series: u64,
    /// How many samples a second come in.
    pub samples_per_second: Option<f64>,
    /// When the last sample came; `None` when that is not known and the series are there now.
    pub last_sample_ms: Option<i64>,
}

/// What was sent to a receiver.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveReceiver {
    /// When something was sent last.
    pub last_sent_ms: Option<i64>,
    /// How many notifications were sent.
    pub sent: u64,
    /// How many failed.
    pub failed: u64,
}

impl LiveState {
    /// Takes the metrics of a job from a page that was captured: text, or OpenMetrics when it ends in `# EOF`.
    ///
    /// Errors: the page is not in its format; the text says where.
    pub fn capture(&mut self, job: &str, page: &str) -> Result<(), String> {
        let is_openmetrics = page.trim_end().ends_with("# EOF");
        let format = if is_openmetrics { Format::OpenMetrics } else { Format::Text };
        let mut parser = Parser::new(page.as_bytes(), format, Mode::Prometheus);
        let mut metrics: BTreeMap<String, LiveMetric> = BTreeMap::new();
        while let Some(entry) = parser.next() {
            let entry = entry.map_err(|error| {
                let before = &page.as_bytes()[..parser.offset().min(page.len())];
                let line = before.iter().filter(|byte| **byte == b'\n').count();
                format!("line {}: {error}", line.max(1))
            })?;
            if let Entry::Sample(sample) = entry {
                let labels = sample.labels();
                metrics.entry(labels.get(promflow_model::METRIC_NAME).to_owned()).or_default().series += 1;
            }
        }
        self.metrics.entry(job.to_owned()).or_default().extend(metrics);
        self.captured.insert(job.to_owned());
        Ok(())
    }

    /// Returns a job's metric by any of its series names.
    pub(crate) fn metric(&self, job: &str, series: &[String]) -> Option<&LiveMetric> {
        let metrics = self.metrics.get(job)?;
        series.iter().find_map(|name| metrics.get(name))
    }

    /// Returns how many of a job's targets are up, and how many there are.
    pub(crate) fn up(&self, job: &str) -> (usize, usize) {
        let targets = self.targets.iter().filter(|target| target.job == job);
        targets.fold((0, 0), |(up, all), target| (up + usize::from(target.up == Some(true)), all + 1))
    }

    /// Says whether a job has targets and none of them was scraped yet: neither up nor down.
    pub(crate) fn is_untried(&self, job: &str) -> bool {
        let mut targets = self.targets.iter().filter(|target| target.job == job).peekable();
        targets.peek().is_some() && targets.all(|target| target.up.is_none())
    }
}
