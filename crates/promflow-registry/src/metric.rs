//! What all handles have in common.

use std::sync::Arc;

use promflow_exposition::{LabelSlice, LabelText, Writer};
use promflow_model::MetricType;

use crate::desc::Shape;
use crate::memory::{Block, LINE_WORDS};
use crate::series::{BORN, Series};
use crate::sync::{AtomicU64, Ordering};

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::Counter {}
    impl Sealed for crate::Gauge {}
    impl Sealed for crate::Histogram {}
    impl Sealed for crate::Summary {}
    impl Sealed for crate::StateSet {}
    impl Sealed for crate::Info {}
    impl Sealed for crate::ranked::CounterGroup {}
    impl Sealed for crate::ranked::GaugeGroup {}
}

/// A handle on one series: [`crate::Counter`], [`crate::Gauge`], [`crate::Histogram`], [`crate::Summary`],
/// [`crate::StateSet`] or [`crate::Info`].
pub trait Metric: sealed::Sealed + Clone + Send + Sync + 'static {
    /// Tells whether the series is on the page: not after it was removed or has expired, until it is looked up again.
    ///
    /// Cost: a load of the line that is counted in anyway.
    #[inline]
    fn is_on_page(&self) -> bool {
        self.cell().is_alive()
    }

    /// Returns when the series began, which tells whether it is still the one that a caller counted in; nothing after it
    /// was removed, until it is looked up again.
    ///
    /// Units: seconds since the epoch.
    #[inline]
    fn born(&self) -> Option<f64> {
        match self.cell().life() {
            Life::Born(born) | Life::Expired(born) => Some(born),
            Life::Absent => None,
        }
    }

    #[doc(hidden)]
    const KIND: MetricType;
    #[doc(hidden)]
    fn lines(shape: &Shape, stripes: usize) -> usize;
    #[doc(hidden)]
    fn new(block: Block, series: Arc<Series>) -> Self;
    #[doc(hidden)]
    fn cell(&self) -> &Cell;
    #[doc(hidden)]
    fn write(&self, writer: &mut Writer, labels: LabelSlice<'_>, created: Option<f64>);
}

/// The memory of a series, and what it is.
#[derive(Clone, Debug)]
pub struct Cell {
    block: Block,
    series: Arc<Series>,
}

/// Whether a series is on the page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Life {
    /// It is, since then: seconds since the epoch.
    Born(f64),
    /// It is not, and has never been or was removed.
    Absent,
    /// It was left out because nothing was counted for long.
    Expired(f64),
}

impl Cell {
    pub(crate) fn new(block: Block, series: Arc<Series>) -> Self {
        Self { block, series }
    }

    #[inline]
    pub(crate) fn head(&self) -> &[AtomicU64; LINE_WORDS] {
        self.block.head()
    }

    #[inline]
    pub(crate) fn block(&self) -> &Block {
        &self.block
    }

    pub(crate) fn series(&self) -> &Arc<Series> {
        &self.series
    }

    pub(crate) fn labels(&self) -> &LabelText {
        &self.series.labels
    }

    /// Tells whether the series is on the page.
    ///
    /// Cost: a load of the line that is counted in anyway.
    #[inline]
    pub(crate) fn is_alive(&self) -> bool {
        (self.head()[BORN].load(Ordering::Relaxed) as i64) > 0
    }

    pub(crate) fn life(&self) -> Life {
        match f64::from_bits(self.head()[BORN].load(Ordering::Relaxed)) {
            0.0 => Life::Absent,
            born if born < 0.0 => Life::Expired(-born),
            born => Life::Born(born),
        }
    }

    /// Changes the life; `false` when somebody else changed it meanwhile.
    pub(crate) fn change_life(&self, from: Life, to: Life) -> bool {
        let bits = |life| match life {
            Life::Born(t) => t.to_bits(),
            Life::Absent => 0,
            Life::Expired(t) => (-t).to_bits(),
        };
        let born = &self.head()[BORN];
        born.compare_exchange(bits(from), bits(to), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Sets everything that was counted to zero.
    pub(crate) fn clear(&self) {
        for i in BORN + 1..self.block.len() {
            self.block.word(i).store(0, Ordering::Relaxed);
        }
        self.series.clear_extensions();
    }

    /// Returns a number that changes with what is counted.
    pub(crate) fn fingerprint(&self) -> u64 {
        const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
        let own = (BORN + 1..self.block.len()).map(|i| self.block.word(i));
        let extensions = (0..crate::series::EXTENSIONS_MAX).filter_map(|i| self.series.extension(i));
        let further = extensions.flat_map(|block| (0..block.len()).map(move |i| block.word(i)));
        own.chain(further).fold(0, |sum: u64, word| {
            (sum.rotate_left(5) ^ word.load(Ordering::Relaxed)).wrapping_mul(MULTIPLIER)
        })
    }
}
