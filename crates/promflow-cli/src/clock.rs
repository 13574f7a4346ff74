//! The only place that reads the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use promflow_model::Clock;

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        // A clock before 1970 is a machine that is not set up; its samples belong to the epoch.
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
    }
}
