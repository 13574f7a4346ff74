//! What makes `fork` wait for pages.
//!
//! Locks are only ever held by a thread that has Python's own lock, and no Python code runs meanwhile, so that a fork
//! finds none of them taken. Writing a page is the exception: it gives Python's lock up. So it counts itself here, and
//! `os.register_at_fork` waits until nobody writes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

static WRITERS: AtomicUsize = AtomicUsize::new(0);
static FORKS: AtomicUsize = AtomicUsize::new(0);
const PAUSE: Duration = Duration::from_micros(50);

/// Keeps forks waiting for as long as it lives.
pub(crate) struct Writing;

impl Writing {
    /// Begins, once no fork is under way.
    pub(crate) fn begin() -> Self {
        loop {
            while FORKS.load(Ordering::SeqCst) != 0 {
                std::thread::sleep(PAUSE);
            }
            WRITERS.fetch_add(1, Ordering::SeqCst);
            if FORKS.load(Ordering::SeqCst) == 0 {
                return Self;
            }
            WRITERS.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        WRITERS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Waits until nobody writes, and lets nobody begin.
pub(crate) fn close() {
    FORKS.fetch_add(1, Ordering::SeqCst);
    while WRITERS.load(Ordering::SeqCst) != 0 {
        std::thread::sleep(PAUSE);
    }
}

/// Lets writers begin again.
pub(crate) fn open_in_parent() {
    FORKS.fetch_sub(1, Ordering::SeqCst);
}

/// Lets writers begin in a process that has one thread.
pub(crate) fn open_in_child() {
    FORKS.store(0, Ordering::SeqCst);
    WRITERS.store(0, Ordering::SeqCst);
}
