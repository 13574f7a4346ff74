//! What a recording rule lets through: labels, the height of a histogram's buckets, and how often it writes.

use promflow_model::{BUCKET_LABEL, MatchOp, duration};
use promflow_syntax::ast::VectorSelector;

use super::Builder;
use super::judge::{Fault, bucket_fault};
use crate::graph::{Edge, State};
use crate::nearest::nearest;
use crate::reads::{self, Read};
use crate::shape::{self, LabelValue, Shape};

/// How long a sample counts for an instant selector, in milliseconds: Prometheus's lookback.
const LOOKBACK_MS: i64 = 300_000;

/// How many recording rules are looked through, one behind the other.
const DEPTH_MAX: usize = 8;

impl Builder<'_> {
    /// Returns what keeps a selector from ever finding what a recording rule writes.
    pub(super) fn recording_fault(&self, source: usize, read: &Read) -> Option<Fault> {
        self.recorded_label_fault(source, read)
            .or_else(|| self.recorded_bucket_fault(source, read))
            .or_else(|| self.recorded_range_fault(source, read))
    }

    fn recorded_shape(&self, source: usize) -> Shape {
        let rule = &self.rules[source];
        let labels_of = |selector: &VectorSelector| self.closed_labels(selector);
        let mut shape = shape::shape(&rule.rule.expr, &labels_of);
        for (name, value) in &rule.labels {
            shape.set(name, Some(value));
        }
        shape
    }

    fn recorded_label_fault(&self, source: usize, read: &Read) -> Option<Fault> {
        let name = &self.rules[source].rule.name;
        let shape = self.recorded_shape(source);
        for matcher in read.matchers.iter().filter(|matcher| !matcher.matches_empty()) {
            match shape.label(&matcher.name) {
                LabelValue::Absent => {
                    let kept = shape.names();
                    let near = nearest(&matcher.name, kept.iter().map(String::as_str)).map(str::to_owned);
                    let reason = match shape.is_open() {
                        true => format!("`{name}` is recorded without the label `{}`", matcher.name),
                        false if kept.is_empty() => {
                            format!("`{name}` is recorded without the label `{}`; it has none", matcher.name)
                        }
                        false => {
                            let kept: Vec<String> = kept.iter().map(|label| format!("`{label}`")).collect();
                            format!(
                                "`{name}` is recorded without the label `{}`; it has {}",
                                matcher.name,
                                kept.join(", ")
                            )
                        }
                    };
                    return Some(Fault::near(State::Mismatch, reason, near));
                }
                LabelValue::Known(value) if !matcher.matches(&value) => {
                    let reason = format!("`{name}` is recorded with {}=\"{value}\" alone", matcher.name);
                    let near = Some(value).filter(|_| matcher.op == MatchOp::Equal);
                    return Some(Fault::near(State::Mismatch, reason, near));
                }
                _ => {}
            }
        }
        None
    }

    fn recorded_bucket_fault(&self, source: usize, read: &Read) -> Option<Fault> {
        // Either the reader takes the quantile of what is recorded, or the recording is a quantile itself.
        let is_quantile = reads::is_quantile(&self.rules[source].rule.expr);
        let above = read.quantile_above.or(read.above.filter(|_| is_quantile))?;
        let bound = Read { quantile_above: Some(above), ..Read::default() };
        let mut faults = Vec::new();
        self.collect_bucket_faults(source, &bound, 0, &mut faults);
        let first = faults.iter_mut().next()?.take();
        if faults.into_iter().skip(1).any(|fault| fault.is_none()) { None } else { first }
    }

    /// Judges every histogram behind a recording rule by its buckets.
    fn collect_bucket_faults(
        &self,
        source: usize,
        bound: &Read,
        depth: usize,
        faults: &mut Vec<Option<Fault>>,
    ) {
        for read in reads::reads(&self.rules[source].rule.expr) {
            let Some(name) = &read.name else {
                faults.push(None);
                continue;
            };
            if let Some(rules) = self.recordings.get(name).filter(|_| depth < DEPTH_MAX) {
                for rule in rules {
                    self.collect_bucket_faults(*rule, bound, depth + 1, faults);
                }
                continue;
            }
            let Some(series) = self.catalogue.series(name).filter(|series| series.suffix == "_bucket") else {
                continue;
            };
            let fixed = read.matchers.iter().any(|matcher| matcher.name == BUCKET_LABEL);
            let definitions = series.definitions.iter().map(|at| self.catalogue.definition(*at));
            faults.extend(definitions.map(|definition| bucket_fault(definition, bound).filter(|_| !fixed)));
        }
    }

    fn recorded_range_fault(&self, source: usize, read: &Read) -> Option<Fault> {
        let interval_ms = self.recording_interval_ms(source)?;
        let range_ms = read.rate_range_ms.filter(|range_ms| *range_ms < 2 * interval_ms)?;
        let reason = format!(
            "{} are too short: `{}` is recorded every {}, and two samples are needed",
            duration::format(range_ms),
            self.rules[source].rule.name,
            duration::format(interval_ms)
        );
        Some(Fault::near(State::Stale, reason, None))
    }

    fn recording_interval_ms(&self, source: usize) -> Option<i64> {
        let global = self.inputs.config.map(|config| config.global.evaluation_interval_ms);
        self.rules[source].interval_ms.or(global)
    }

    /// Marks edges whose samples are older than an instant selector looks, so that `for` starts over and over.
    pub(super) fn judge_for(&self, edges: &mut [Edge], read: &Read, for_ms: i64) {
        if read.has_range || for_ms <= 0 {
            return;
        }
        for edge in edges.iter_mut().filter(|edge| edge.state.is_fine()) {
            let rule = self.rules.iter().position(|rule| {
                rule.id == edge.from && rule.rule.kind == promflow_config::RuleKind::Recording
            });
            let job = self.jobs.iter().find(|job| job.id == edge.from);
            let (interval_ms, verb) = match (rule, job) {
                (Some(rule), _) => (self.recording_interval_ms(rule), "recorded"),
                (None, Some(job)) => (Some(job.config.scrape_interval_ms), "scraped"),
                (None, None) => continue,
            };
            if let Some(interval_ms) = interval_ms.filter(|ms| *ms > LOOKBACK_MS) {
                let (every, lives) = (duration::format(interval_ms), duration::format(LOOKBACK_MS));
                edge.state = State::Stale;
                edge.reason = Some(format!(
                    "it is {verb} every {every}, a sample counts for {lives}, so `for: {}` starts over and over",
                    duration::format(for_ms)
                ));
            }
        }
    }
}
