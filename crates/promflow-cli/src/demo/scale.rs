//! Time made shorter for the demo: windows, `for` times and intervals divided by one factor.
//!
//! The files stay as they are; what is shortened is the copy in memory, so that every position still points into
//! the tree. Ratios and thresholds mean the same in a shorter window, since `rate` is per second.

use promflow_config::{LoadedConfig, RuleFile};
use promflow_syntax::ast::{DurationExpr, DurationKind, Expr, ExprKind, VectorSelector};

/// How many times faster the demo's clocks run.
pub(crate) const FACTOR: i64 = 15;

/// No interval goes below a second: below, scraping would be all the machine does.
const SHORTEST_MS: i64 = 1000;

/// Shortens a time; what is no time at all stays.
fn shorter(ms: i64) -> i64 {
    if ms == 0 { 0 } else { (ms / FACTOR).max(SHORTEST_MS) }
}

/// Shortens the intervals of the configuration.
pub(crate) fn scale_config(config: &mut LoadedConfig) {
    let global = &mut config.config.global;
    global.scrape_interval_ms = shorter(global.scrape_interval_ms);
    global.scrape_timeout_ms = shorter(global.scrape_timeout_ms).min(global.scrape_interval_ms);
    global.evaluation_interval_ms = shorter(global.evaluation_interval_ms);
    for job in &mut config.scrape_configs {
        job.scrape_interval_ms = shorter(job.scrape_interval_ms);
        job.scrape_timeout_ms = shorter(job.scrape_timeout_ms).min(job.scrape_interval_ms);
    }
}

/// Shortens the windows and waiting times of rules.
pub(crate) fn scale_rules(files: &mut [RuleFile]) {
    for group in files.iter_mut().flat_map(|file| &mut file.groups) {
        group.interval_ms = group.interval_ms.map(shorter);
        for rule in &mut group.rules {
            rule.for_ms = shorter(rule.for_ms);
            rule.keep_firing_for_ms = shorter(rule.keep_firing_for_ms);
            scale_expr(&mut rule.expr);
        }
    }
}

fn scale_expr(expr: &mut Expr) {
    match &mut expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) => {}
        ExprKind::Vector(selector) => scale_selector(selector),
        ExprKind::Matrix(matrix) => {
            scale_duration(&mut matrix.range);
            scale_selector(&mut matrix.selector);
        }
        ExprKind::Subquery(subquery) => {
            scale_expr(&mut subquery.expr);
            scale_duration(&mut subquery.range);
            for duration in [&mut subquery.step, &mut subquery.offset].into_iter().flatten() {
                scale_duration(duration);
            }
        }
        ExprKind::Unary(_, inner) | ExprKind::Paren(inner) => scale_expr(inner),
        ExprKind::Binary(binary) => {
            scale_expr(&mut binary.lhs);
            scale_expr(&mut binary.rhs);
        }
        ExprKind::Aggregate(aggregate) => {
            scale_expr(&mut aggregate.expr);
            if let Some(param) = &mut aggregate.param {
                scale_expr(param);
            }
        }
        ExprKind::Call(call) => call.args.iter_mut().for_each(scale_expr),
    }
}

fn scale_selector(selector: &mut VectorSelector) {
    if let Some(offset) = &mut selector.offset {
        scale_duration(offset);
    }
}

fn scale_duration(duration: &mut DurationExpr) {
    match &mut duration.kind {
        DurationKind::Literal(ms) => *ms = shorter(*ms),
        // A number inside a longer duration is a factor.
        DurationKind::Step | DurationKind::Range | DurationKind::Number(_) => {}
        DurationKind::Unary(_, inner) | DurationKind::Paren(inner) => scale_duration(inner),
        DurationKind::Binary(_, left, right)
        | DurationKind::MinOf(left, right)
        | DurationKind::MaxOf(left, right) => {
            scale_duration(left);
            scale_duration(right);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::scale_expr;

    #[test]
    fn windows_offsets_and_steps_shrink_and_values_stay() {
        for (before, after) in [
            ("rate(m[5m]) > 0.05", "rate(m[20s]) > 0.05"),
            ("sum(m offset 1h) / 60", "sum(m offset 4m) / 60"),
            ("max_over_time(m[1h:1m])", "max_over_time(m[4m:4s])"),
            ("m[5s]", "m[1s]"),
        ] {
            let mut expr = promflow_syntax::parse(before).expect(before);
            scale_expr(&mut expr);
            assert_eq!(expr.to_string(), after);
        }
    }
}
