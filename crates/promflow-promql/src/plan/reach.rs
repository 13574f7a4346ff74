//! How far back and forth in time a plan reads.

use super::{Node, NodeKind, Selector, Window, WindowSource};
use crate::exec::subquery_steps;
use crate::steps::Steps;

/// The times that a query reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Inclusive, in milliseconds since the epoch.
    pub(crate) min_ms: i64,
    /// Inclusive, in milliseconds since the epoch.
    pub(crate) max_ms: i64,
}

impl Reach {
    fn cover(&mut self, min_ms: i64, max_ms: i64) {
        self.min_ms = self.min_ms.min(min_ms);
        self.max_ms = self.max_ms.max(max_ms);
    }
}

/// Returns the times that a selector reads for an instant vector.
pub(crate) fn selector_reach(selector: &Selector, steps: &Steps, lookback_ms: i64) -> Reach {
    let mut reach = Reach {
        min_ms: selector.reference_ms(steps.start_ms).saturating_sub(lookback_ms - 1),
        max_ms: selector.reference_ms(steps.end_ms()),
    };
    if selector.extension == Some(promflow_syntax::ast::RangeExtension::Smoothed) {
        reach.max_ms = reach.max_ms.saturating_add(lookback_ms);
    }
    reach
}

/// Returns the times that a range vector reads.
pub(crate) fn window_reach(window: &Window, steps: &Steps, lookback_ms: i64) -> Reach {
    use promflow_syntax::ast::RangeExtension::{Anchored, Smoothed};
    let mut reach = Reach {
        min_ms: window.reference_ms(steps.start_ms).saturating_sub(window.range_ms - 1),
        max_ms: window.reference_ms(steps.end_ms()),
    };
    if matches!(window.extension(), Some(Anchored | Smoothed)) {
        reach.min_ms = reach.min_ms.saturating_sub(lookback_ms);
    }
    if window.extension() == Some(Smoothed) {
        reach.max_ms = reach.max_ms.saturating_add(lookback_ms);
    }
    reach
}

/// Returns the times that all selectors of a plan read, or `None` when it has none.
pub(crate) fn reach(node: &Node, steps: &Steps, lookback_ms: i64) -> Option<Reach> {
    let mut total = Reach { min_ms: i64::MAX, max_ms: i64::MIN };
    visit(node, steps, lookback_ms, &mut total);
    (total.min_ms <= total.max_ms).then_some(total)
}

fn visit(node: &Node, steps: &Steps, lookback_ms: i64, total: &mut Reach) {
    match &node.kind {
        NodeKind::Number(_) | NodeKind::Text(_) | NodeKind::Time | NodeKind::Date { arg: None, .. } => {}
        NodeKind::Selector(selector) => {
            let reach = selector_reach(selector, steps, lookback_ms);
            total.cover(reach.min_ms, reach.max_ms);
        }
        NodeKind::Window(window) => visit_window(window, steps, lookback_ms, total),
        NodeKind::AbsentOverTime { window, .. } => visit_window(window, steps, lookback_ms, total),
        NodeKind::Range(call) => {
            visit_window(&call.window, steps, lookback_ms, total);
            call.params.iter().for_each(|p| visit(p, steps, lookback_ms, total));
        }
        NodeKind::Info { arg, moved, .. } => {
            let reach = selector_reach(moved, steps, lookback_ms);
            total.cover(reach.min_ms, reach.max_ms);
            visit(arg, steps, lookback_ms, total);
        }
        _ => node.children().into_iter().for_each(|child| visit(child, steps, lookback_ms, total)),
    }
}

fn visit_window(window: &Window, steps: &Steps, lookback_ms: i64, total: &mut Reach) {
    match &window.source {
        WindowSource::Selector(_) => {
            let reach = window_reach(window, steps, lookback_ms);
            total.cover(reach.min_ms, reach.max_ms);
        }
        WindowSource::Subquery(subquery) => {
            visit(&subquery.expr, &subquery_steps(window, subquery, steps), lookback_ms, total);
        }
    }
}

impl Node {
    /// Returns the operators that this one evaluates at its own steps.
    pub(super) fn children(&self) -> Vec<&Node> {
        match &self.kind {
            NodeKind::Negate(a)
            | NodeKind::ScalarOf(a)
            | NodeKind::VectorOf(a)
            | NodeKind::Timestamp(a)
            | NodeKind::StartTimestamp(a)
            | NodeKind::NativeOnly(a)
            | NodeKind::Absent { arg: a, .. }
            | NodeKind::LabelJoin { arg: a, .. }
            | NodeKind::Sort { arg: a, .. }
            | NodeKind::Info { arg: a, .. } => vec![a],
            NodeKind::ScalarBinary { lhs, rhs, .. }
            | NodeKind::Set { lhs, rhs, .. }
            | NodeKind::Extreme { lhs, rhs, .. } => vec![lhs, rhs],
            NodeKind::VectorScalar { vector, scalar, .. } => vec![vector, scalar],
            NodeKind::VectorBinary(b) => vec![&b.lhs, &b.rhs],
            NodeKind::Aggregate(a) => a.param.iter().chain([&a.arg]).collect(),
            NodeKind::Math { arg, params, .. } => [&**arg].into_iter().chain(params).collect(),
            NodeKind::Date { arg, .. } => arg.iter().map(|a| &**a).collect(),
            NodeKind::HistogramQuantile(h) => h.quantiles.iter().chain([&h.arg]).collect(),
            NodeKind::HistogramFraction { lower, upper, arg } => vec![lower, upper, arg],
            NodeKind::LabelReplace(l) => vec![&l.arg],
            NodeKind::Range(call) => call.params.iter().collect(),
            NodeKind::Number(_)
            | NodeKind::Text(_)
            | NodeKind::Selector(_)
            | NodeKind::Window(_)
            | NodeKind::AbsentOverTime { .. }
            | NodeKind::Time => Vec::new(),
        }
    }
}
