//! The metrics of a preset, and what one request adds to them.

use std::time::Duration;

use promflow_registry::{Counter, Family, Gauge, Histogram, Metric, OVERFLOW, Summary};

use crate::credits::Credits;

/// What a label of a request metric says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    Method,
    Route,
    Status,
    Scheme,
    App,
}

const LABELS_MAX: usize = 4;

/// The values of the labels of one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values<'a> {
    pub(super) method: &'a str,
    pub(super) route: &'a str,
    pub(super) scheme: &'a str,
    /// Zero while it is not known.
    pub(super) status: u16,
    pub(super) app: &'a str,
    /// Whether `200` is written `2xx`.
    pub(super) group_status: bool,
}

impl Values<'_> {
    fn status_text<'d>(&self, digits: &'d mut [u8; 3]) -> &'d str {
        let groups = ["1xx", "2xx", "3xx", "4xx", "5xx"];
        match (self.status / 100).checked_sub(1).and_then(|group| groups.get(usize::from(group))) {
            Some(group) if self.group_status => group,
            _ => {
                *digits = [100, 10, 1].map(|unit| b'0' + (self.status / unit % 10) as u8);
                std::str::from_utf8(digits).unwrap_or_default()
            }
        }
    }
}

/// A family, and what its labels say.
#[derive(Debug)]
pub(super) struct Measured<M> {
    family: Family<M>,
    labels: Vec<Label>,
}

impl<M: Metric> Measured<M> {
    pub(super) fn new(family: Family<M>, labels: Vec<Label>) -> Self {
        assert!(labels.len() <= LABELS_MAX, "BUG: a request metric has too many labels");
        Self { family, labels }
    }

    pub(super) fn has(&self, label: Label) -> bool {
        self.labels.contains(&label)
    }

    /// Finds the series of these values to keep it; there is none beyond the limit, where room may be made later.
    pub(super) fn resolve(&self, values: &Values<'_>) -> Option<M> {
        self.with_texts(values, |texts| self.family.with_limited(texts).cloned())
    }

    /// Returns the series that was kept; one that was removed or has expired, or had no room, is looked up again, as
    /// what is counted in its handle would never be seen.
    #[inline]
    pub(super) fn current<'a>(&'a self, kept: &'a Option<M>, values: &Values<'_>) -> &'a M {
        match kept {
            Some(metric) if metric.is_on_page() => metric,
            _ => self.find(values),
        }
    }

    /// Finds the series of these values, or that of all beyond the limit.
    pub(super) fn find(&self, values: &Values<'_>) -> &M {
        let found = self.with_texts(values, |texts| self.family.with_limited(texts));
        found.unwrap_or_else(|| self.family.with_unlimited(&[OVERFLOW; LABELS_MAX][..self.labels.len()]))
    }

    fn with_texts<R>(&self, values: &Values<'_>, run: impl FnOnce(&[&str]) -> R) -> R {
        let mut digits = [0; 3];
        let status = values.status_text(&mut digits);
        let mut texts = [""; LABELS_MAX];
        for (text, label) in texts.iter_mut().zip(&self.labels) {
            *text = match label {
                Label::Method => values.method,
                Label::Route => values.route,
                Label::Status => status,
                Label::Scheme => values.scheme,
                Label::App => values.app,
            };
        }
        run(&texts[..self.labels.len()])
    }
}

/// How the size of bodies is measured.
#[derive(Debug)]
pub(super) enum Size {
    Histogram(Measured<Histogram>),
    Summary(Measured<Summary>),
    Counter(Measured<Counter>),
}

impl Size {
    fn add(&self, bytes: u64, values: &Values<'_>) {
        match self {
            Self::Histogram(measured) => measured.find(values).observe(bytes as f64),
            Self::Summary(measured) => measured.find(values).observe(bytes as f64),
            Self::Counter(measured) => measured.find(values).inc_by(bytes),
        }
    }
}

/// How a preset writes what has no value of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// The method of clients that invent one.
    pub(super) other_method: &'static str,
    /// The route of requests that match none.
    pub(super) unmatched: &'static str,
    /// Whether `200` is written `2xx`.
    pub(super) group_status: bool,
}

/// The metrics of a preset.
#[derive(Debug)]
pub(super) struct Families {
    pub(super) requests: Option<Measured<Counter>>,
    pub(super) durations: Vec<Measured<Histogram>>,
    pub(super) in_progress: Measured<Gauge>,
    pub(super) request_size: Option<Size>,
    pub(super) response_size: Option<Size>,
    pub(super) credits: Credits,
    pub(super) style: Style,
    pub(super) app_name: String,
}

impl Families {
    /// Finds the series of an ended request.
    pub(super) fn resolve(&self, values: &Values<'_>) -> Ended {
        Ended {
            status: values.status,
            requests: self.requests.as_ref().and_then(|requests| requests.resolve(values)),
            durations: self.durations.iter().map(|duration| duration.resolve(values)).collect(),
        }
    }

    /// Counts an ended request in its series.
    pub(super) fn count(&self, ended: &Ended, values: &Values<'_>, request: &EndedRequest<'_>) {
        let exemplar = request.trace_id.map(|id| [(TRACE_ID, id)]);
        if let Some(requests) = &self.requests {
            let counter = requests.current(&ended.requests, values);
            match &exemplar {
                None => counter.inc(),
                Some(labels) => drop(counter.inc_with_exemplar(labels)),
            }
        }
        for (measured, kept) in self.durations.iter().zip(&ended.durations) {
            let histogram = measured.current(kept, values);
            match &exemplar {
                None => histogram.observe_duration(request.took),
                Some(labels) => drop(histogram.observe_with_exemplar(request.took.as_secs_f64(), labels)),
            }
        }
        if let (Some(size), Some(bytes)) = (&self.request_size, request.request_bytes) {
            size.add(bytes, values);
        }
        if let Some(size) = &self.response_size {
            size.add(request.response_bytes, values);
        }
    }
}

/// The label of an exemplar, as OpenTelemetry and Grafana name it.
const TRACE_ID: &str = "trace_id";

/// The series that count a request of one method, route and status.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: u16,
    requests: Option<Counter>,
    durations: Box<[Option<Histogram>]>,
}

/// A request that has ended.
#[derive(Debug)]
pub(super) struct EndedRequest<'a> {
    pub(super) took: Duration,
    pub(super) request_bytes: Option<u64>,
    pub(super) response_bytes: u64,
    pub(super) trace_id: Option<&'a str>,
}
