//! The loop of one target: when it is scraped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use promflow_model::duration;
use tokio::sync::oneshot;

use crate::scrape::{LoopState, Scraper};

/// A scrape that is late by no more than this gets the time at which it was due, so that the intervals between
/// samples are equal and compress well.
///
/// Units: milliseconds.
/// Source: Prometheus scrape/scrape.go ScrapeTimestampTolerance.
const TOLERANCE_MS: i64 = 2;

/// When a target is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    interval_ms: i64,
    /// When the last scrape was due, or will be.
    due_ms: i64,
}

impl Schedule {
    /// Sets up the first scrape: within one interval from now, at a place in the interval that the target's hash
    /// fixes, so that targets are spread and a restart does not move them.
    pub(crate) fn new(now_ms: i64, interval_ms: i64, hash: u64) -> Self {
        let interval_ms = interval_ms.max(1);
        let offset_ms = (hash % interval_ms as u64) as i64;
        let due_ms = now_ms + (offset_ms - now_ms).rem_euclid(interval_ms);
        Self { interval_ms, due_ms }
    }

    fn wait(self, now_ms: i64) -> Duration {
        Duration::from_millis(self.due_ms.saturating_sub(now_ms).max(0) as u64)
    }

    /// Returns the time that the samples of a scrape get which starts now, and moves on.
    fn start(&mut self, now_ms: i64) -> i64 {
        // Intervals that were slept through are left out.
        let missed = (now_ms - self.due_ms).div_euclid(self.interval_ms).max(0);
        let due_ms = self.due_ms + missed * self.interval_ms;
        self.due_ms = due_ms + self.interval_ms;
        let tolerance_ms = TOLERANCE_MS.min(self.interval_ms / 100);
        if now_ms - due_ms <= tolerance_ms { due_ms } else { now_ms }
    }
}

/// A loop that was stopped: what goes on in the next one, or is to be ended.
pub(crate) struct Stopped {
    pub(crate) scraper: Arc<Scraper>,
    pub(crate) state: LoopState,
    pub(crate) schedule: Schedule,
}

/// Scrapes a target until it is told to stop; a scrape that has begun is finished.
pub(crate) async fn run(
    scraper: Arc<Scraper>,
    mut state: LoopState,
    mut schedule: Schedule,
    mut stop: oneshot::Receiver<()>,
) -> Stopped {
    let clock = Arc::clone(&scraper.job.shared.clock);
    let metrics = &scraper.job.shared.metrics;
    let interval = duration::format(scraper.target.target.scrape_interval_ms);
    let mut last: Option<Instant> = None;
    loop {
        tokio::select! {
            biased;
            _ = &mut stop => break,
            () = tokio::time::sleep(schedule.wait(clock.now_ms())) => {}
        }
        if let Some(last) = last.replace(Instant::now()) {
            metrics.interval_length.with(&[&interval]).observe(last.elapsed().as_secs_f64());
        }
        let t_ms = schedule.start(clock.now_ms());
        state = scraper.scrape(state, t_ms).await;
    }
    Stopped { scraper, state, schedule }
}

/// Writes stale markers for a target that is scraped no more, unless it comes back meanwhile: they carry the time of
/// the scrape that did not take place, and are written two intervals later, so that they are out of order where the
/// target has new samples.
///
/// Source: Prometheus scrape/scrape.go endOfRunStaleness.
pub(crate) async fn end(stopped: Stopped) {
    let Stopped { scraper, mut state, schedule } = stopped;
    if !state.scraped {
        return;
    }
    let clock = Arc::clone(&scraper.job.shared.clock);
    tokio::time::sleep(schedule.wait(clock.now_ms())).await;
    let stale_ms = clock.now_ms();
    let interval = Duration::from_millis(schedule.interval_ms as u64);
    tokio::time::sleep(interval + interval / 10).await;
    // The task may be gone by then, with the server.
    let _ = tokio::task::spawn_blocking(move || scraper.end(&mut state, stale_ms)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_scrape_is_within_an_interval_at_the_place_of_the_hash() {
        for (now_ms, hash, due_ms) in [(0, 0, 0), (0, 7, 7), (15_008, 7, 30_007), (30_007, 7, 30_007)] {
            assert_eq!(Schedule::new(now_ms, 15_000, hash).due_ms, due_ms);
        }
    }

    #[test]
    fn small_delay_is_smoothed_and_a_long_one_is_not() {
        let mut schedule = Schedule::new(0, 15_000, 0);
        assert_eq!(schedule.start(1), 0);
        assert_eq!(schedule.start(15_002), 15_000);
        assert_eq!(schedule.start(30_003), 30_003);
        assert_eq!(schedule.start(44_999), 45_000, "a timer that is early counts as punctual");
        assert_eq!(schedule.start(105_001), 105_000, "missed intervals are left out");
        assert_eq!(schedule.due_ms, 120_000);
        let mut fast = Schedule::new(0, 100, 0);
        assert_eq!(fast.start(2), 2, "a hundredth of the interval at most");
    }
}
