//! Which process this is, and which others run.

use std::sync::atomic::{AtomicU64, Ordering};

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
        Self::new(pid, start_ticks(pid).unwrap_or(0) as u32)
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
        start_ticks(pid).map(|ticks| Self::new(pid, ticks as u32))
    }
}

/// Forgets which process this is.
pub(crate) fn forked() {
    THIS.store(0, Ordering::Relaxed);
}

/// What the kernel says about a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) parent: u32,
    /// Clock ticks since the machine started.
    pub(crate) start_ticks: u64,
    /// Where its code and its stack begin: other numbers after every `exec`, the same after a fork.
    pub(crate) addresses: (u64, u64),
}

/// Asks about a process; nothing when it does not run.
#[cfg(target_os = "linux")]
pub(crate) fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The command's name stands in parentheses and may hold any bytes.
    let name_end = text.iter().rposition(|b| *b == b')')?;
    let fields = std::str::from_utf8(&text[name_end + 1..]).ok()?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    // A zombie has ended: its parent has just not asked yet.
    let ended = matches!(*fields.first()?, "Z" | "X");
    // The fields are numbered from 3 in proc(5).
    let number = |i: usize| fields.get(i - 3)?.parse::<u64>().ok();
    let stat = Stat {
        parent: u32::try_from(number(4)?).ok()?,
        start_ticks: number(22)?,
        addresses: (number(26)?, number(28)?),
    };
    (!ended).then_some(stat)
}

/// Elsewhere every process is taken to be running.
#[cfg(not(target_os = "linux"))]
pub(crate) fn stat(_: u32) -> Option<Stat> {
    Some(Stat { parent: 0, start_ticks: 0, addresses: (0, 0) })
}

fn start_ticks(pid: u32) -> Option<u64> {
    stat(pid).map(|stat| stat.start_ticks)
}
