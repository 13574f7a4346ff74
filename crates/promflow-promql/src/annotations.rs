//! Warnings and infos about what a query did not expect.

use std::collections::BTreeMap;

use promflow_model::float::format_g;
use promflow_model::quote::quote;
use promflow_model::time::format_rfc3339;
use promflow_syntax::Span;

/// How grave an annotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Warning,
    Info,
}

/// What is told about classic histograms that were not monotonic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ForcedMonotonicity {
    pub(crate) t_ms: i64,
    pub(crate) bucket_min: f64,
    pub(crate) bucket_max: f64,
    pub(crate) diff_max: f64,
}

#[derive(Clone, Copy, Debug)]
struct Forced {
    first: ForcedMonotonicity,
    t_ms_max: i64,
    samples: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    span: Span,
    forced: Option<Forced>,
}

/// The annotations of a query. Of equal texts one stays, as in Prometheus, where the text without its place is
/// the key and what comes later wins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Annotations {
    entries: BTreeMap<(Level, String), Entry>,
}

impl Annotations {
    fn add(&mut self, level: Level, text: String, span: Span) {
        self.entries.insert((level, text), Entry { span, forced: None });
    }

    pub(crate) fn invalid_quantile(&mut self, q: f64, span: Span) {
        let text = format!("quantile value should be between 0 and 1, got {}", format_g(q));
        self.add(Level::Warning, text, span);
    }

    pub(crate) fn invalid_ratio(&mut self, ratio: f64, to: f64, span: Span) {
        let text = format!(
            "ratio value should be between -1 and 1, got {}, capping to {}",
            format_g(ratio),
            format_g(to)
        );
        self.add(Level::Warning, text, span);
    }

    pub(crate) fn bad_bucket_label(&mut self, metric: &str, le: &str, span: Span) {
        let text = format!("bucket label \"le\" is missing or has a malformed value of {}", quote(le));
        self.add(Level::Warning, with_metric(text, metric), span);
    }

    pub(crate) fn sort_in_range_query(&mut self, span: Span) {
        let text =
            "sort is ineffective for range queries since results are always ordered by labels".to_owned();
        self.add(Level::Warning, text, span);
    }

    pub(crate) fn possible_non_counter(&mut self, metric: &str, span: Span) {
        let text = format!(
            "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {}",
            quote(metric)
        );
        self.add(Level::Info, text, span);
    }

    pub(crate) fn incompatible_floats(&mut self, op: &str, span: Span) {
        let text = format!(
            "incompatible sample types encountered for binary operator {}: float {op} float",
            quote(op)
        );
        self.add(Level::Info, text, span);
    }

    pub(crate) fn forced_monotonicity(&mut self, metric: &str, span: Span, forced: ForcedMonotonicity) {
        let text = "input to histogram_quantile needed to be fixed for monotonicity (see \
                    https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";
        let key = (Level::Info, with_metric(text.to_owned(), metric));
        let new = Forced { first: forced, t_ms_max: forced.t_ms, samples: 1 };
        let entry = self.entries.entry(key).or_insert(Entry { span, forced: None });
        entry.forced = Some(match entry.forced {
            None => new,
            Some(old) => Forced {
                first: ForcedMonotonicity {
                    t_ms: old.first.t_ms.min(forced.t_ms),
                    bucket_min: old.first.bucket_min.min(forced.bucket_min),
                    bucket_max: old.first.bucket_max.max(forced.bucket_max),
                    diff_max: old.first.diff_max.max(forced.diff_max),
                },
                t_ms_max: old.t_ms_max.max(forced.t_ms),
                samples: old.samples + 1,
            },
        });
    }

    /// Returns the warnings and the infos as the API writes them, sorted.
    pub(crate) fn render(&self, query: &str) -> (Vec<String>, Vec<String>) {
        let mut warnings = Vec::new();
        let mut infos = Vec::new();
        for ((level, text), entry) in &self.entries {
            let (prefix, list) = match level {
                Level::Warning => ("PromQL warning", &mut warnings),
                Level::Info => ("PromQL info", &mut infos),
            };
            let mut line = format!("{prefix}: {text}");
            if query.is_empty() {
                list.push(line);
                continue;
            }
            if let Some(forced) = entry.forced {
                line.push_str(&format!(
                    ", from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
                    format_g(forced.first.bucket_min),
                    format_g(forced.first.bucket_max),
                    two_digits(forced.first.diff_max),
                    forced.samples,
                    format_rfc3339(forced.first.t_ms.div_euclid(1000) * 1000),
                    format_rfc3339(forced.t_ms_max.div_euclid(1000) * 1000),
                ));
            }
            let (row, column) = position(query, entry.span.start);
            line.push_str(&format!(" ({row}:{column})"));
            list.push(line);
        }
        (warnings, infos)
    }
}

fn with_metric(text: String, metric: &str) -> String {
    if metric.is_empty() { text } else { format!("{text} for metric name {}", quote(metric)) }
}

/// Writes as Go's `%.2g`.
fn two_digits(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format_g(value);
    }
    let rounded: f64 = format!("{value:.1e}").parse().expect("BUG: exponent form of a float");
    if (1e-4..100.0).contains(&rounded.abs()) {
        return format_g(rounded);
    }
    promflow_model::float::format_e(rounded)
}

/// Returns line and column, both counted from 1; columns count bytes, as Prometheus's do.
pub(crate) fn position(query: &str, offset: usize) -> (usize, usize) {
    let before = &query.as_bytes()[..offset.min(query.len())];
    let row = before.iter().filter(|b| **b == b'\n').count() + 1;
    let column = offset - before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1) + 1;
    (row, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_stay_once_and_carry_their_place() {
        let mut annotations = Annotations::default();
        annotations.possible_non_counter("x", Span { start: 5, end: 6 });
        annotations.possible_non_counter("x", Span { start: 12, end: 13 });
        let (warnings, infos) = annotations.render("rate(x)\n  + x");
        assert!(warnings.is_empty());
        assert_eq!(
            infos,
            [
                "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"x\" (2:5)"
            ]
        );
    }

    #[test]
    fn two_digits_follow_go() {
        for (value, text) in [(2.0, "2"), (0.123, "0.12"), (99.0, "99"), (123.0, "1.2e+02"), (99.9, "1e+02")]
        {
            assert_eq!(two_digits(value), text);
        }
    }
}
