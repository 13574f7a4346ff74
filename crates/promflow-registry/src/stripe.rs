//! Which of a series' stripes a thread counts in.
//!
//! Two processors that add to one word hand its cache line to and fro, which takes longer than all else. So a counter
//! and a histogram have a few copies of their words, each on lines of its own; a thread always counts in the same
//! copy, and whoever reads adds them up.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use crate::memory::{Block, LINE_WORDS};

/// More would cost each series more memory than the threads of most programs save time.
const STRIPES_MAX: usize = 4;

/// How many threads there are in each stripe.
static THREADS: [AtomicUsize; STRIPES_MAX] = [const { AtomicUsize::new(0) }; STRIPES_MAX];

thread_local! {
    static OWN: Cell<usize> = const { Cell::new(usize::MAX) };
    /// Gives the place up when the thread ends; apart from the number, which is read without asking whether it lives.
    static PLACE: Cell<Option<Place>> = const { Cell::new(None) };
}

struct Place(usize);

impl Drop for Place {
    fn drop(&mut self) {
        THREADS[self.0].fetch_sub(1, Ordering::Relaxed);
    }
}

/// Chooses how many stripes there are on this machine: a power of two.
pub(crate) fn count() -> usize {
    let processors = available_parallelism().map_or(1, usize::from);
    1 << processors.min(STRIPES_MAX).ilog2()
}

/// Returns the number of this thread's stripe.
///
/// Cost: a load.
#[inline]
fn own() -> usize {
    let own = OWN.get();
    if own != usize::MAX { own } else { first_time() }
}

/// Chooses the stripe that has the fewest threads.
#[cold]
fn first_time() -> usize {
    let stripes = &THREADS[..count()];
    let fewest = stripes.iter().enumerate().min_by_key(|(_, threads)| threads.load(Ordering::Relaxed));
    let own = fewest.map_or(0, |(i, _)| i);
    THREADS[own].fetch_add(1, Ordering::Relaxed);
    OWN.set(own);
    // A thread that is ending counts on in its stripe without a place.
    let _ = PLACE.try_with(|place| place.set(Some(Place(own))));
    own
}

/// The stripes of a block, one behind the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stripes {
    lines: u32,
    mask: u32,
}

impl Stripes {
    /// Finds the stripes of a block whose stripes have so many lines. A block of another process has as many as that
    /// process chose.
    pub(crate) fn of(block: &Block, lines: usize) -> Self {
        let stripes = (block.len() / LINE_WORDS / lines.max(1)).max(1);
        Self { lines: lines as u32, mask: (1 << stripes.ilog2()) - 1 }
    }

    /// Returns the first line of this thread's stripe.
    #[inline]
    pub(crate) fn own_line(self) -> usize {
        ((own() as u32 & self.mask) * self.lines) as usize
    }

    /// Returns the first lines of all stripes.
    pub(crate) fn all_lines(self) -> impl Iterator<Item = usize> {
        (0..=self.mask).map(move |stripe| (stripe * self.lines) as usize)
    }
}
