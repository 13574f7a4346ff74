//! State sets and facts.

use std::sync::Arc;

use promflow_exposition::{LabelSlice, Writer};
use promflow_model::MetricType;

use crate::desc::Shape;
use crate::memory::Block;
use crate::metric::{Cell, Metric};
use crate::series::Series;
use crate::sync::Ordering;

const BITS: usize = 1;

/// States, each of which is on or off: a sample of 0 or 1 for each.
#[derive(Clone, Debug)]
pub struct StateSet(Cell);

impl StateSet {
    /// Turns one state on and all others off, as an enumeration.
    ///
    /// Errors: `false` when there is no such state; nothing changes.
    pub fn set(&self, state: &str) -> bool {
        self.bit(state).map(|bit| self.0.head()[BITS].store(bit, Ordering::Relaxed)).is_some()
    }

    /// Turns one state on or off.
    ///
    /// Errors: `false` when there is no such state.
    pub fn enable(&self, state: &str, on: bool) -> bool {
        let Some(bit) = self.bit(state) else { return false };
        match on {
            true => self.0.head()[BITS].fetch_or(bit, Ordering::Relaxed),
            false => self.0.head()[BITS].fetch_and(!bit, Ordering::Relaxed),
        };
        true
    }

    /// Tells whether a state is on.
    pub fn is_on(&self, state: &str) -> bool {
        self.bit(state).is_some_and(|bit| self.0.head()[BITS].load(Ordering::Relaxed) & bit != 0)
    }

    fn states(&self) -> &[String] {
        &self.0.series().shape.states
    }

    fn bit(&self, state: &str) -> Option<u64> {
        self.states().iter().position(|s| s == state).map(|i| 1 << i)
    }
}

impl Metric for StateSet {
    const KIND: MetricType = MetricType::StateSet;

    fn lines(_: &Shape, _: usize) -> usize {
        1
    }

    fn new(block: Block, series: Arc<Series>) -> Self {
        Self(Cell::new(block, series))
    }

    fn cell(&self) -> &Cell {
        &self.0
    }

    fn write(&self, writer: &mut Writer, labels: LabelSlice<'_>, _: Option<f64>) {
        let bits = self.0.head()[BITS].load(Ordering::Relaxed);
        let states = self.states().iter().enumerate().map(|(i, state)| (state.as_str(), bits >> i & 1 == 1));
        writer.state_set(labels, &states.collect::<Vec<_>>());
    }
}

/// Facts in labels, such as a version: a sample of 1.
#[derive(Clone, Debug)]
pub struct Info(Cell);

impl Metric for Info {
    const KIND: MetricType = MetricType::Info;

    fn lines(_: &Shape, _: usize) -> usize {
        1
    }

    fn new(block: Block, series: Arc<Series>) -> Self {
        Self(Cell::new(block, series))
    }

    fn cell(&self) -> &Cell {
        &self.0
    }

    fn write(&self, writer: &mut Writer, labels: LabelSlice<'_>, _: Option<f64>) {
        writer.info(labels);
    }
}
