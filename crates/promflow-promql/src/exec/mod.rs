//! The operators.
//!
//! An operator names one series after the other and hands each on as a [`Row`]: the label set and the values over
//! all steps. What comes after it changes the row in place and hands it on, or folds it into what it keeps: an
//! aggregation keeps its groups, a set operation one bit per signature and step, a binary operation its "one" side.
//! So no operator holds all series times all steps unless its result is of that size.
//!
//! Rows without any value are not handed on. A label set may come in several rows, each with other steps, where an
//! operator renames series; what needs whole series merges them (`Node::may_repeat`).

mod absent;
mod aggregate;
mod binary;
mod distinct;
mod histogram;
mod info;
mod labels;
mod pointwise;
mod range;
mod scalar;
mod selector;
mod set;
mod sort;
mod subquery;

use std::cell::{Cell, RefCell};

use promflow_model::{Labels, METRIC_NAME};
use promflow_storage::Querier;

pub(crate) use subquery::subquery_steps;

use crate::annotations::Annotations;
use crate::budget::Budget;
use crate::cancel::CancelToken;
use crate::column::ABSENT;
use crate::error::QueryError;
use crate::plan::{Node, NodeKind};
use crate::steps::Steps;

/// One series over all steps.
pub(crate) struct Row<'r> {
    pub(crate) labels: Labels,
    /// Whether the metric name is to be dropped at the end.
    pub(crate) drop_name: bool,
    /// One value per step; [`ABSENT`] where there is none. The receiver may overwrite them.
    pub(crate) values: &'r mut [f64],
}

/// Takes rows.
pub(crate) type Sink<'s> = &'s mut dyn FnMut(Row<'_>) -> Result<(), QueryError>;

/// How many samples are read between two checks for cancellation.
const SAMPLES_PER_CHECK: usize = 65_536;

/// What the operators of one query share.
pub(crate) struct Exec<'e> {
    /// `None` when the query selects nothing.
    pub(crate) querier: Option<&'e dyn Querier>,
    pub(crate) cancel: &'e CancelToken,
    pub(crate) budget: &'e Budget,
    pub(crate) lookback_ms: i64,
    pub(crate) delayed_name_removal: bool,
    pub(crate) annotations: RefCell<Annotations>,
    pub(crate) storage_warnings: RefCell<Vec<String>>,
    pub(crate) series_read: Cell<u64>,
    pub(crate) samples_read: Cell<u64>,
    pub(crate) unchecked: Cell<usize>,
}

impl Exec<'_> {
    /// Evaluates a vector and hands its series on.
    pub(crate) fn rows(&self, node: &Node, steps: &Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        self.cancel.check()?;
        if steps.count == 0 {
            return Ok(());
        }
        // Every operator needs at least a column; a subquery may ask for any number of steps.
        self.budget.check(0, steps.count.saturating_mul(size_of::<f64>()))?;
        if node.invariant && steps.count > 1 {
            let mut column = vec![ABSENT; steps.count];
            let once = Steps::single(steps.start_ms, steps.step_ms);
            return self.dispatch(node, &once, &mut |row| {
                column.fill(row.values[0]);
                sink(Row { labels: row.labels, drop_name: row.drop_name, values: &mut column })
            });
        }
        self.dispatch(node, steps, sink)
    }

    fn dispatch(&self, node: &Node, steps: &Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        match &node.kind {
            NodeKind::Selector(selector) => self.selector(selector, steps, sink),
            NodeKind::Negate(arg) => self.negate(arg, steps, sink),
            NodeKind::VectorScalar { .. } => self.vector_scalar(node, steps, sink),
            NodeKind::VectorBinary(binary) => self.vector_binary(node, binary, steps, sink),
            NodeKind::Set { op, lhs, rhs, key } => self.set(*op, lhs, rhs, key, steps, sink),
            NodeKind::Aggregate(aggregate) => self.aggregate(aggregate, steps, sink),
            NodeKind::VectorOf(arg) => self.vector_of(arg, steps, sink),
            NodeKind::Math { function, arg, params } => self.math(*function, arg, params, steps, sink),
            NodeKind::Date { function, arg } => self.date(*function, arg.as_deref(), steps, sink),
            NodeKind::Range(call) => self.range_call(call, steps, sink),
            NodeKind::Absent { labels, arg } => self.absent(labels, arg, steps, sink),
            NodeKind::AbsentOverTime { labels, window } => self.absent_over_time(labels, window, steps, sink),
            NodeKind::Timestamp(arg) => self.timestamp(arg, steps, sink),
            NodeKind::StartTimestamp(arg) => self.start_timestamp(arg, steps, sink),
            NodeKind::NativeOnly(arg) => self.rows(arg, steps, &mut |_| Ok(())),
            NodeKind::HistogramQuantile(call) => self.histogram_quantile(call, steps, sink),
            NodeKind::HistogramFraction { lower, upper, arg } => {
                self.histogram_fraction(lower, upper, arg, steps, sink)
            }
            NodeKind::LabelReplace(call) => self.label_replace(call, steps, sink),
            NodeKind::LabelJoin { arg, destination, separator, sources } => {
                self.label_join(arg, destination, separator, sources, steps, sink)
            }
            NodeKind::Sort { order, arg } => self.sort(node, order, arg, steps, sink),
            NodeKind::Info { arg, matchers, moved } => {
                self.info(arg, matchers.as_deref(), moved, steps, sink)
            }
            NodeKind::Number(_)
            | NodeKind::Text(_)
            | NodeKind::Window(_)
            | NodeKind::ScalarBinary { .. }
            | NodeKind::Time
            | NodeKind::ScalarOf(_)
            | NodeKind::Extreme { .. } => Err(QueryError::execution(format!(
                "expected an instant vector, got {}",
                node.value_type.doc_name()
            ))),
        }
    }

    /// Notes that samples were read; checks whether to go on.
    pub(crate) fn note_read(&self, samples: usize) -> Result<(), QueryError> {
        self.series_read.set(self.series_read.get() + 1);
        self.samples_read.set(self.samples_read.get() + samples as u64);
        self.note_work(samples)
    }

    /// Notes work on that many samples; checks now and then whether to go on.
    pub(crate) fn note_work(&self, samples: usize) -> Result<(), QueryError> {
        let unchecked = self.unchecked.get() + samples + 256;
        if unchecked < SAMPLES_PER_CHECK {
            self.unchecked.set(unchecked);
            return Ok(());
        }
        self.unchecked.set(0);
        self.cancel.check()
    }

    /// Returns the label set of a series that is no longer the same metric, and whether its name is still to be
    /// dropped.
    pub(crate) fn renamed(&self, labels: &Labels) -> (Labels, bool) {
        if self.delayed_name_removal { (labels.clone(), true) } else { (without_metadata(labels), false) }
    }
}

/// The labels that say what a metric is.
pub(crate) const METADATA: [&str; 3] = [METRIC_NAME, "__type__", "__unit__"];

/// Returns the label set without name, type and unit.
pub(crate) fn without_metadata(labels: &Labels) -> Labels {
    if !labels.iter().any(|(name, _)| METADATA.contains(&name)) {
        return labels.clone();
    }
    Labels::from_sorted(labels.iter().filter(|(name, _)| !METADATA.contains(name)))
}
