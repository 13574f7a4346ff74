//! Which process this is, and which others run.

use std::sync::atomic::{AtomicU64, Ordering};

use promflow_registry::process_start_ticks;

/// In place of a start time: the number was chosen by the application, and whether its owner runs is not known.
const CHOSEN: u32 = u32::MAX;

/// This process, as [`Owner`]'s bits; zero before it was asked for, and in a process that was just forked.
static THIS: AtomicU64 = AtomicU64::new(0);

/// A process: its id, and when it started, so that an id that is used again is another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner(pub(crate) u64);

impl Owner {
    /// Returns this process.
    ///
    /// Cost: one load, but for the first time after a fork.
    pub(crate) fn this() -> Self {
        match THIS.load(Ordering::Relaxed) {
            0 => {
                let this = Self::of(std::process::id());
                THIS.store(this.0, Ordering::Relaxed);
                this
            }
            known => Self(known),
        }
    }

    /// Returns the process that runs under an id.
    fn of(pid: u32) -> Self {
        Self::new(pid, process_start_ticks(pid).unwrap_or(0) as u32)
    }

    /// Returns the process that an application numbered itself.
    pub(crate) fn chosen(number: u32) -> Self {
        Self::new(number, CHOSEN)
    }

    fn new(pid: u32, start: u32) -> Self {
        Self(u64::from(pid) << 32 | u64::from(start))
    }

    pub(crate) fn pid(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Tells whether the process runs; one that an application numbered does until it is said to be dead.
    pub(crate) fn is_running(self) -> bool {
        self.0 as u32 == CHOSEN || Self::of_running(self.pid()) == Some(self)
    }

    fn of_running(pid: u32) -> Option<Self> {
        process_start_ticks(pid).map(|ticks| Self::new(pid, ticks as u32))
    }
}

/// Forgets which process this is.
pub(crate) fn forked() {
    THIS.store(0, Ordering::Relaxed);
}
