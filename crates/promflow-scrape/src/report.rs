//! The series about a scrape itself.

use promflow_model::{Labels, STALE_NAN};
use promflow_storage::{AppendError, Appender, SeriesRef};

use crate::labels;

/// The series that every target has.
const ALWAYS: [&str; 5] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
];
/// The series of the feature `extra-scrape-metrics`.
const EXTRA: [&str; 3] = ["scrape_timeout_seconds", "scrape_sample_limit", "scrape_body_size_bytes"];

/// What is said about a scrape.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReportValues {
    pub(crate) up: bool,
    pub(crate) duration_seconds: f64,
    pub(crate) samples: usize,
    pub(crate) samples_kept: usize,
    pub(crate) series_added: usize,
    pub(crate) timeout_seconds: f64,
    pub(crate) sample_limit: u64,
    /// -1 when the page was too large.
    pub(crate) body_bytes: f64,
}

impl ReportValues {
    /// The values in the order of [`ALWAYS`] and [`EXTRA`].
    fn list(self) -> [f64; ALWAYS.len() + EXTRA.len()] {
        [
            f64::from(u8::from(self.up)),
            self.duration_seconds,
            self.samples as f64,
            self.samples_kept as f64,
            self.series_added as f64,
            self.timeout_seconds,
            self.sample_limit as f64,
            self.body_bytes,
        ]
    }
}

/// The series of one target.
#[derive(Debug)]
pub(crate) struct ReportSeries {
    series: Vec<(Labels, Option<SeriesRef>)>,
}

impl ReportSeries {
    pub(crate) fn new(target: &Labels, extra: bool) -> Self {
        let names = ALWAYS.iter().chain(EXTRA.iter().filter(|_| extra));
        Self { series: names.map(|name| (labels::of_report(name, target), None)).collect() }
    }

    /// Appends the values.
    ///
    /// Errors: the store takes nothing.
    pub(crate) fn append(
        &mut self,
        appender: &mut dyn Appender,
        t_ms: i64,
        values: ReportValues,
    ) -> Result<(), String> {
        self.append_list(appender, t_ms, values.list())
    }

    /// Appends stale markers.
    pub(crate) fn append_stale(&mut self, appender: &mut dyn Appender, t_ms: i64) -> Result<(), String> {
        self.append_list(appender, t_ms, [STALE_NAN; ALWAYS.len() + EXTRA.len()])
    }

    fn append_list(
        &mut self,
        appender: &mut dyn Appender,
        t_ms: i64,
        values: [f64; ALWAYS.len() + EXTRA.len()],
    ) -> Result<(), String> {
        for ((labels, series), value) in self.series.iter_mut().zip(values) {
            match appender.append(*series, labels, t_ms, value) {
                Ok(appended) => *series = Some(appended),
                // As upstream: the target came back in another loop.
                Err(AppendError::OutOfOrder | AppendError::DuplicateForTimestamp) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }
}
