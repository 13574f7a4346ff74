//! From a page to samples.

use promflow_exposition::{Entry, Format, Mode, Parser, SampleEntry};
use promflow_model::{Labels, LabelsBuilder, Metadata, NORMAL_NAN, STALE_NAN, is_stale_nan};
use promflow_storage::{AppendError, Appender, SeriesRef};

use crate::cache::ScrapeCache;
use crate::job::Job;
use crate::labels::{self, LabelFault};

/// How far before its time a sample may come.
///
/// Units: milliseconds.
/// Source: Prometheus scrape/scrape.go maxAheadTime.
const AHEAD_MS_MAX: i64 = 10 * 60_000;

/// What a page held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PageCounts {
    /// The samples.
    pub(crate) total: usize,
    /// Those that relabelling kept.
    pub(crate) kept: usize,
    /// The series that are new.
    pub(crate) series_added: usize,
    /// Why the store refused new series while it took the rest.
    pub(crate) refused: Option<String>,
}

/// Appends one page.
pub(crate) struct PageAppender<'a, 's> {
    job: &'a Job,
    target: &'a Labels,
    cache: &'a mut ScrapeCache,
    /// The time of samples without one.
    t_ms: i64,
    pub(crate) counts: PageCounts,
    intake: Intake<'a, 's>,
    family: Option<(String, Metadata)>,
}

/// The way into the store, with what is counted on it.
struct Intake<'a, 's> {
    job: &'a Job,
    appender: &'a mut (dyn Appender + 's),
    now_ms: i64,
    /// The samples that count towards the job's limit.
    limited: usize,
    refused: Option<String>,
}

/// What the store said to a sample, the errors that end a scrape set apart.
enum Taken {
    Yes(SeriesRef),
    No,
}

impl<'a, 's> PageAppender<'a, 's> {
    pub(crate) fn new(
        job: &'a Job,
        target: &'a Labels,
        cache: &'a mut ScrapeCache,
        appender: &'a mut (dyn Appender + 's),
        t_ms: i64,
    ) -> Self {
        let now_ms = job.shared.clock.now_ms();
        let intake = Intake { job, appender, now_ms, limited: 0, refused: None };
        Self { job, target, cache, t_ms, counts: PageCounts::default(), intake, family: None }
    }

    /// Appends the samples of a page.
    ///
    /// Errors: the page as a whole is refused: it does not parse (with line and column), has invalid labels, or
    /// passes a limit. The counts stand as far as they came.
    pub(crate) fn append(&mut self, page: &[u8], format: Format) -> Result<(), String> {
        let mut parser = Parser::new(page, format, Mode::Prometheus);
        while let Some(entry) = parser.next() {
            match entry.map_err(|e| e.to_string())? {
                Entry::Help { metric, text } => self.family(&metric).help = text.into_owned(),
                Entry::Type { metric, kind } => self.family(&metric).kind = kind,
                Entry::Unit { metric, unit } => self.family(&metric).unit = unit.to_owned(),
                Entry::Sample(sample) => self.sample(&sample)?,
                Entry::Comment(_) | Entry::Eof => {}
            }
        }
        self.flush_family();
        self.counts.refused = self.intake.refused.take();
        if self.intake.is_over_limit() {
            self.job.shared.metrics.exceeded_sample_limit.with(&[]).inc();
            return Err("sample limit exceeded".to_owned());
        }
        Ok(())
    }

    fn family(&mut self, metric: &str) -> &mut Metadata {
        if self.family.as_ref().is_some_and(|(name, _)| name != metric) {
            self.flush_family();
        }
        &mut self.family.get_or_insert_with(|| (metric.to_owned(), Metadata::default())).1
    }

    fn flush_family(&mut self) {
        if let Some((metric, metadata)) = self.family.take()
            && self.cache.metadata_changed(&metric, &metadata)
        {
            self.intake.appender.update_metadata(&metric, &metadata);
        }
    }

    fn sample(&mut self, sample: &SampleEntry<'_>) -> Result<(), String> {
        self.counts.total += 1;
        let own_t_ms = sample.t_ms.filter(|_| self.job.config.honor_timestamps);
        let t_ms = own_t_ms.unwrap_or(self.t_ms);
        // The bits of a NaN on the page mean nothing; some mean something to the store.
        let value = if sample.value.is_nan() { NORMAL_NAN } else { sample.value };
        let track = own_t_ms.is_none() || self.job.config.track_timestamps_staleness;
        let key = self.cache.key(sample.series());
        if let Some(hit) = self.cache.find(key) {
            if self.cache.entry(hit.index).dropped {
                return Ok(());
            }
            if hit.again && own_t_ms.is_none() {
                self.job.shared.metrics.duplicates.with(&[]).inc();
            } else {
                let entry = self.cache.entry(hit.index);
                if let Taken::Yes(series) =
                    self.intake.take(Some(entry.series), &entry.labels, t_ms, value)?
                {
                    self.cache.appended(hit.index, series, track);
                }
            }
            self.counts.kept += 1;
            return Ok(());
        }
        let mut builder = LabelsBuilder::default();
        sample.labels_into(&mut builder);
        let Some(labels) = labels::of_sample(&self.job.config, self.target, builder) else {
            self.cache.insert(key, None);
            return Ok(());
        };
        labels::check(&self.job.config, &labels).map_err(|fault| match fault {
            LabelFault::Invalid(why) => why,
            LabelFault::Limit(why) => {
                self.job.shared.metrics.exceeded_label_limits.with(&[]).inc();
                why
            }
        })?;
        if let Taken::Yes(series) = self.intake.take(None, &labels, t_ms, value)? {
            let index = self.cache.insert(key, Some((series, labels)));
            self.cache.appended(index, series, track);
            self.counts.series_added += usize::from(!self.intake.is_over_limit());
        }
        self.counts.kept += 1;
        Ok(())
    }
}

impl Intake<'_, '_> {
    fn is_over_limit(&self) -> bool {
        self.job.config.sample_limit > 0 && self.limited as u64 > self.job.config.sample_limit
    }

    /// Hands a sample to the store; a sample that the store does not take is counted and left out.
    fn take(
        &mut self,
        series: Option<SeriesRef>,
        labels: &Labels,
        t_ms: i64,
        value: f64,
    ) -> Result<Taken, String> {
        let metrics = &self.job.shared.metrics;
        if !is_stale_nan(value) {
            self.limited += 1;
            if self.is_over_limit() {
                return Ok(Taken::No);
            }
        }
        if t_ms > self.now_ms + AHEAD_MS_MAX {
            metrics.out_of_bounds.with(&[]).inc();
            return Ok(Taken::No);
        }
        match self.appender.append(series, labels, t_ms, value) {
            Ok(series) => return Ok(Taken::Yes(series)),
            Err(AppendError::OutOfOrder) => metrics.out_of_order.with(&[]).inc(),
            Err(AppendError::DuplicateForTimestamp) => metrics.duplicates.with(&[]).inc(),
            Err(AppendError::OutOfBounds) => metrics.out_of_bounds.with(&[]).inc(),
            Err(AppendError::LimitReached(why)) => {
                metrics.series_refused.with(&[]).inc();
                self.refused = Some(why);
            }
            Err(error) => return Err(error.to_string()),
        }
        Ok(Taken::No)
    }
}

/// Appends a stale marker to each series; one that has later samples needs none.
///
/// Errors: the store takes nothing.
pub(crate) fn mark_stale(
    appender: &mut dyn Appender,
    ended: Vec<(SeriesRef, Labels)>,
    t_ms: i64,
) -> Result<(), String> {
    for (series, labels) in ended {
        // Any other error means that the target came back in another loop, or that the store forgot the series.
        let appended = appender.append(Some(series), &labels, t_ms, STALE_NAN);
        if let Err(error @ AppendError::Unavailable(_)) = appended {
            return Err(error.to_string());
        }
    }
    Ok(())
}
