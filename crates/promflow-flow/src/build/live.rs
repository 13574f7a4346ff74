//! What a server says about metrics.

use super::Builder;
use crate::catalogue::series_names;
use crate::graph::{DefinitionFacts, State};

/// How long a metric may be silent before it counts as gone, in milliseconds: Prometheus's lookback.
const SILENT_MS: i64 = 300_000;

/// What a server says about a family of one job.
pub(super) struct Seen {
    pub(super) state: State,
    pub(super) reason: Option<String>,
    pub(super) samples_per_second: Option<f64>,
}

impl Builder<'_> {
    /// Returns what the server says about a family of a job, `None` when no server was asked about that job.
    pub(super) fn seen(&self, job_place: usize, series: &[String]) -> Option<Seen> {
        let live = self.live()?;
        let job = &self.jobs[job_place];
        let name = &job.config.job_name;
        let found = live.metric(name, series);
        let (up, all) = live.up(name);
        let is_captured = live.captured.contains(name);
        let seen = |state, reason: Option<String>| Seen {
            state,
            reason,
            samples_per_second: found.and_then(|metric| metric.samples_per_second),
        };
        if let Some(metric) = found {
            let silent_ms = metric.last_sample_ms.map_or(0, |last| live.now_ms - last);
            if silent_ms > SILENT_MS.max(2 * job.config.scrape_interval_ms) {
                let ago = promflow_model::duration::format(silent_ms / 1000 * 1000);
                return Some(seen(State::Stale, Some(format!("last seen {ago} ago"))));
            }
            // A page in a file says what is written, not that anybody scrapes it now.
            return Some(seen(if is_captured { State::Defined } else { State::Alive }, None));
        }
        if all == 0 && !is_captured {
            return None;
        }
        if live.is_untried(name) && !is_captured {
            return Some(seen(State::Defined, Some(self.unheard(job_place))));
        }
        if up == 0 && !is_captured {
            return Some(seen(State::Stale, Some(format!("0 of {all} targets of job `{name}` are up"))));
        }
        // A counter with labels has no series until it counts, so silence does not mean that the name is wrong.
        live.metrics.get(name)?;
        Some(seen(State::Defined, Some(format!("no series yet on the pages of job `{name}`"))))
    }

    /// Says why no server has a word on the metrics of a job.
    pub(super) fn unheard(&self, job: usize) -> String {
        let name = &self.jobs[job].config.job_name;
        match self.live() {
            None => "no server was asked".to_owned(),
            Some(live) => match live.up(name) {
                (0, 0) => format!("job `{name}` has no targets"),
                _ if live.is_untried(name) => format!("job `{name}` is not scraped yet"),
                (up, all) => format!("{up} of {all} targets of job `{name}` are up"),
            },
        }
    }

    /// Returns what the server says about a definition, over all jobs that expose it.
    pub(super) fn live_facts(&self, definition: usize) -> DefinitionFacts {
        let mut facts = DefinitionFacts::default();
        let Some(live) = self.live() else { return facts };
        let defined = self.catalogue.definition(definition);
        let exposing = self.jobs.iter().filter(|job| {
            job.families.get(defined.name.as_str()).is_some_and(|places| places.contains(&definition))
        });
        for job in exposing {
            let Some(page) = live.metrics.get(&job.config.job_name) else { continue };
            for series in series_names(&defined.name, defined.kind) {
                if let Some(metric) = page.get(&series) {
                    *facts.series.get_or_insert(0) += metric.series;
                    if let Some(rate) = metric.samples_per_second {
                        *facts.samples_per_second.get_or_insert(0.0) += rate;
                    }
                }
            }
        }
        facts
    }
}
