//! One scrape: fetch, append, report.

use std::sync::Arc;
use std::time::{Duration, Instant};

use promflow_http::{HttpErrorKind, Request};
use promflow_storage::Appender;
use tracing::{debug, warn};

use crate::append::{PageAppender, PageCounts, mark_stale};
use crate::cache::ScrapeCache;
use crate::job::Job;
use crate::report::{ReportSeries, ReportValues};
use crate::target::{LastScrape, TargetHealth, TargetState};

/// What a loop scrapes.
pub(crate) struct Scraper {
    pub(crate) job: Arc<Job>,
    pub(crate) target: Arc<TargetState>,
}

/// What a loop keeps from scrape to scrape.
pub(crate) struct LoopState {
    pub(crate) cache: ScrapeCache,
    report: ReportSeries,
    /// Whether there was a scrape, so that there are series to end.
    pub(crate) scraped: bool,
}

/// A page, or why there is none.
struct Fetched {
    body: Vec<u8>,
    outcome: Result<String, String>,
    too_large: bool,
}

impl LoopState {
    pub(crate) fn new(scraper: &Scraper) -> Self {
        let extra = scraper.job.shared.options.extra_metrics;
        let report = ReportSeries::new(&scraper.target.target.labels, extra);
        Self { cache: ScrapeCache::new(), report, scraped: false }
    }
}

impl Scraper {
    /// Scrapes once; whatever goes wrong is reported and does not end the loop.
    ///
    /// Units: the time that samples get, in milliseconds since the epoch.
    pub(crate) async fn scrape(self: &Arc<Self>, mut state: LoopState, t_ms: i64) -> LoopState {
        let (started, start_ms) = (Instant::now(), self.job.shared.clock.now_ms());
        let fetched = self.fetch().await;
        let scraper = Arc::clone(self);
        state.scraped = true;
        // Parsing and appending take milliseconds, which the other loops should not wait for.
        let appended = tokio::task::spawn_blocking(move || {
            let last = scraper.append(&mut state, fetched, t_ms, started);
            (state, last)
        });
        match appended.await {
            Ok((state, last)) => {
                self.target.report(LastScrape { start_ms: Some(start_ms), ..last });
                state
            }
            Err(error) => {
                warn!(target = %self.target.target.url, %error, "scrape loop starts anew");
                self.target.report(LastScrape {
                    health: TargetHealth::Down,
                    error: format!("scrape ended by a bug: {error}"),
                    start_ms: Some(start_ms),
                    ..LastScrape::default()
                });
                LoopState::new(self)
            }
        }
    }

    async fn fetch(&self) -> Fetched {
        let mut body = self.job.shared.buffers.take();
        let failed = |body, why: String| Fetched { body, outcome: Err(why), too_large: false };
        if let Some(why) = self.job.forbidden() {
            return failed(body, why);
        }
        let client = match &self.job.client {
            Ok(client) => client,
            Err(why) => return failed(body, why.clone()),
        };
        let timeout_ms = self.target.target.scrape_timeout_ms;
        let request = Request {
            headers: self.job.headers(timeout_ms),
            timeout: Duration::from_millis(timeout_ms.max(1) as u64),
            body_size_limit_bytes: self.job.body_size_limit_bytes(),
            ..Request::get(self.target.target.url.clone())
        };
        match client.fetch(&request, &mut body).await {
            Ok(response) if response.status == http::StatusCode::OK => {
                let content_type = response.content_type().to_owned();
                Fetched { body, outcome: Ok(content_type), too_large: false }
            }
            Ok(response) => {
                let why = format!("server returned HTTP status {}", response.status_text());
                failed(body, why)
            }
            Err(error) => {
                let too_large = error.kind() == HttpErrorKind::BodyTooLarge;
                if too_large {
                    self.job.shared.metrics.exceeded_body_size_limit.with(&[]).inc();
                }
                Fetched { body, outcome: Err(error.to_string()), too_large }
            }
        }
    }

    /// Appends a page, what ended with it, and the report, in one batch.
    fn append(&self, state: &mut LoopState, fetched: Fetched, t_ms: i64, started: Instant) -> LastScrape {
        let shared = &self.job.shared;
        let mut appender = shared.storage.appender();
        let mut counts = PageCounts::default();
        let mut body_bytes = if fetched.too_large { -1.0 } else { 0.0 };
        let mut outcome = match &fetched.outcome {
            Ok(content_type) => {
                body_bytes = fetched.body.len() as f64;
                self.append_page(state, appender.as_mut(), &fetched.body, content_type, t_ms, &mut counts)
            }
            Err(why) => Err(why.clone()),
        };
        let empty = fetched.outcome.is_ok() && fetched.body.is_empty();
        shared.buffers.give_back(fetched.body);
        if let Err(why) = &outcome {
            debug!(target = %self.target.target.url, "scrape failed: {why}");
            appender.rollback();
            appender = shared.storage.appender();
        }
        let failed = outcome.is_err();
        if let Err(why) = mark_stale(appender.as_mut(), state.cache.ended(failed), t_ms) {
            warn!(target = %self.target.target.url, "appending stale markers failed: {why}");
        }
        if state.cache.finish(failed) {
            shared.metrics.cache_flush_forced.with(&[]).inc();
        }
        let duration_seconds = started.elapsed().as_secs_f64();
        let values = ReportValues {
            up: !failed,
            duration_seconds,
            samples: counts.total,
            samples_kept: counts.kept,
            series_added: counts.series_added,
            timeout_seconds: self.target.target.scrape_timeout_ms as f64 / 1000.0,
            sample_limit: self.job.config.sample_limit,
            body_bytes,
        };
        if let Err(why) = state.report.append(appender.as_mut(), t_ms, values) {
            warn!(target = %self.target.target.url, "appending the scrape report failed: {why}");
        }
        if let Err(error) = appender.commit() {
            warn!(target = %self.target.target.url, "scrape commit failed: {error}");
            outcome = Err(error.to_string());
        }
        let health = if outcome.is_ok() { TargetHealth::Up } else { TargetHealth::Down };
        let note = || if empty { "page is empty".to_owned() } else { counts.refused.unwrap_or_default() };
        LastScrape {
            health,
            error: outcome.err().unwrap_or_else(note),
            start_ms: None,
            duration_seconds,
            samples: counts.total,
            families: state.cache.families(),
        }
    }

    fn append_page(
        &self,
        state: &mut LoopState,
        appender: &mut dyn Appender,
        body: &[u8],
        content_type: &str,
        t_ms: i64,
        counts: &mut PageCounts,
    ) -> Result<(), String> {
        if body.is_empty() {
            // As upstream: a page without samples, whatever it calls itself.
            return Ok(());
        }
        let format = self.job.format(content_type)?;
        let labels = &self.target.target.labels;
        let mut page = PageAppender::new(&self.job, labels, &mut state.cache, appender, t_ms);
        let outcome = page.append(body, format);
        *counts = page.counts;
        outcome
    }

    /// Ends all series of a target that is scraped no more.
    pub(crate) fn end(&self, state: &mut LoopState, t_ms: i64) {
        let mut appender = self.job.shared.storage.appender();
        // Nothing was seen since the last scrape: all its series ended.
        let marked = mark_stale(appender.as_mut(), state.cache.ended(true), t_ms)
            .and_then(|()| state.report.append_stale(appender.as_mut(), t_ms));
        if let Err(why) = marked.and_then(|()| appender.commit().map_err(|e| e.to_string())) {
            warn!(target = %self.target.target.url, "appending stale markers failed: {why}");
        }
    }
}
