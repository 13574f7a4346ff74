//! What makes `fork` and the end of the program wait for pages.
//!
//! Locks are only ever held by a thread that has Python's own lock, and no Python code runs meanwhile, so that a fork
//! finds none of them taken. Writing a page is the exception: it gives Python's lock up. So it counts itself here, and
//! `os.register_at_fork` waits until nobody writes.
//!
//! When the program ends, the interpreter ends each thread that asks for its lock again, in a way that native frames
//! cannot be left in. So from then on nobody gives it up, and the end waits for those who did.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use pyo3::prelude::*;

static WRITERS: AtomicUsize = AtomicUsize::new(0);
static FORKS: AtomicUsize = AtomicUsize::new(0);
/// Threads that gave Python's lock up and did not take it again yet.
static DETACHED: AtomicUsize = AtomicUsize::new(0);
static EXITING: AtomicBool = AtomicBool::new(false);
const PAUSE: Duration = Duration::from_micros(50);

/// Runs a function without Python's lock, and keeps forks waiting meanwhile.
pub(crate) fn detached<T: Send>(py: Python<'_>, run: impl FnOnce() -> T + Send) -> T {
    if EXITING.load(Ordering::SeqCst) {
        return run();
    }
    DETACHED.fetch_add(1, Ordering::SeqCst);
    let result = py.detach(|| {
        let _writing = Writing::begin();
        run()
    });
    DETACHED.fetch_sub(1, Ordering::SeqCst);
    result
}

/// Waits until all threads have Python's lock again, before the interpreter ends.
pub(crate) fn exit(py: Python<'_>) {
    EXITING.store(true, Ordering::SeqCst);
    while DETACHED.load(Ordering::SeqCst) != 0 {
        py.detach(|| std::thread::sleep(PAUSE));
    }
}

/// Keeps forks waiting for as long as it lives.
struct Writing;

impl Writing {
    /// Begins, once no fork is under way.
    fn begin() -> Self {
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
    DETACHED.store(0, Ordering::SeqCst);
}
