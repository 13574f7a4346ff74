//! The metrics of a preset, and what one request adds to them.

use std::time::Duration;

use promflow_registry::{Counter, Family, Gauge, Histogram, Metric, Summary};

use crate::metrics;

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
    pub(super) status: &'a str,
    pub(super) app: &'a str,
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

    pub(super) fn resolve(&self, values: &Values<'_>) -> M {
        let mut texts = [""; LABELS_MAX];
        for (text, label) in texts.iter_mut().zip(&self.labels) {
            *text = match label {
                Label::Method => values.method,
                Label::Route => values.route,
                Label::Status => values.status,
                Label::Scheme => values.scheme,
                Label::App => values.app,
            };
        }
        self.family.with(&texts[..self.labels.len()]).clone()
    }
}

/// How the size of bodies is measured.
#[derive(Debug)]
pub(super) enum Size {
    Histogram(Measured<Histogram>),
    Summary(Measured<Summary>),
    Counter(Measured<Counter>),
}

#[derive(Debug)]
enum SizeHandle {
    Histogram(Histogram),
    Summary(Summary),
    Counter(Counter),
}

impl Size {
    fn resolve(&self, values: &Values<'_>) -> SizeHandle {
        match self {
            Self::Histogram(measured) => SizeHandle::Histogram(measured.resolve(values)),
            Self::Summary(measured) => SizeHandle::Summary(measured.resolve(values)),
            Self::Counter(measured) => SizeHandle::Counter(measured.resolve(values)),
        }
    }
}

impl SizeHandle {
    fn add(&self, bytes: u64) {
        match self {
            Self::Histogram(histogram) => histogram.observe(bytes as f64),
            Self::Summary(summary) => summary.observe(bytes as f64),
            Self::Counter(counter) => counter.inc_by(bytes),
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
    pub(super) credits: metrics::Credits,
    pub(super) style: Style,
    pub(super) app_name: String,
}

impl Families {
    /// Finds the series of an ended request.
    pub(super) fn resolve(&self, status: u16, values: Values<'_>) -> Ended {
        let exact = status.to_string();
        let text = match status {
            _ if !self.style.group_status => exact.as_str(),
            100..200 => "1xx",
            200..300 => "2xx",
            300..400 => "3xx",
            400..500 => "4xx",
            500..600 => "5xx",
            _ => exact.as_str(),
        };
        let values = Values { status: text, ..values };
        Ended {
            status,
            requests: self.requests.as_ref().map(|requests| requests.resolve(&values)),
            durations: self.durations.iter().map(|duration| duration.resolve(&values)).collect(),
            request_size: self.request_size.as_ref().map(|size| size.resolve(&values)),
            response_size: self.response_size.as_ref().map(|size| size.resolve(&values)),
        }
    }
}

/// The series that count a request of one method, route and status.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: u16,
    requests: Option<Counter>,
    durations: Box<[Histogram]>,
    request_size: Option<SizeHandle>,
    response_size: Option<SizeHandle>,
}

impl Ended {
    pub(super) fn count(&self, took: Duration, request_bytes: Option<u64>, response_bytes: u64) {
        if let Some(requests) = &self.requests {
            requests.inc();
        }
        for duration in &self.durations {
            duration.observe_duration(took);
        }
        if let (Some(size), Some(bytes)) = (&self.request_size, request_bytes) {
            size.add(bytes);
        }
        if let Some(size) = &self.response_size {
            size.add(response_bytes);
        }
    }
}
