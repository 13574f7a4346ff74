//! Names and metadata as Prometheus's conventions want them.
//!
//! Source: client_golang prometheus/testutil/promlint, whose texts `promtool check metrics` prints.

mod names;

use std::collections::{HashMap, HashSet};

use promflow_model::{BUCKET_LABEL, Labels, METRIC_NAME, MetricType, QUANTILE_LABEL};

use crate::strict::suffixes;
use crate::{Entry, Format, Mode, PageEntry, ParseError, Reader};

/// Something that a metric's users will stumble over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LintProblem {
    /// The metric family.
    pub metric: String,
    /// What is wrong, in promtool's words.
    pub text: String,
}

/// Parses a page in strict mode and finds what the conventions do not want.
///
/// Shape: sorted by metric, then text; a label's problem comes once for each metric that has the label.
/// Errors: the page does not parse.
pub fn lint(page: &[u8], format: Format) -> Result<Vec<LintProblem>, ParseError> {
    let mut families = Families { format, ..Families::default() };
    let mut reader = Reader::new(page, format, Mode::Strict);
    while let Some(entry) = reader.next() {
        match entry? {
            PageEntry::Entry(Entry::Help { metric, .. }) => families.named(&metric).has_help = true,
            PageEntry::Entry(Entry::Type { metric, kind }) => families.named(&metric).kind = kind,
            PageEntry::Entry(Entry::Sample(sample)) => families.sample(&sample.labels()),
            PageEntry::Histogram(histogram) => families.sample(&histogram.labels()),
            PageEntry::Entry(Entry::Unit { .. } | Entry::Comment(_) | Entry::Eof) => {}
        }
    }
    let mut problems: Vec<_> = families.list.iter().flat_map(|family| family.problems(format)).collect();
    problems.sort();
    Ok(problems)
}

#[derive(Default)]
struct Family {
    name: String,
    kind: MetricType,
    has_help: bool,
    /// The label names that are linted, once for each metric.
    labels: Vec<String>,
    metrics: HashSet<Labels>,
}

/// The families of a page in its order.
#[derive(Default)]
struct Families {
    format: Format,
    list: Vec<Family>,
    places: HashMap<String, usize>,
    current: usize,
}

impl Families {
    fn named(&mut self, name: &str) -> &mut Family {
        self.current = match self.places.get(name) {
            Some(place) => *place,
            None => {
                self.places.insert(name.to_owned(), self.list.len());
                self.list.push(Family { name: name.to_owned(), ..Family::default() });
                self.list.len() - 1
            }
        };
        &mut self.list[self.current]
    }

    fn sample(&mut self, labels: &Labels) {
        let name = labels.metric_name();
        let format = self.format;
        let belongs = self.list.get(self.current).is_some_and(|family| {
            let suffix = name.strip_prefix(family.name.as_str());
            // A native histogram has its family's name.
            suffix.is_some_and(|s| s.is_empty() || suffixes(format, family.kind).contains(&s))
        });
        if !belongs {
            self.named(name);
        }
        self.list[self.current].metric(labels);
    }
}

impl Family {
    fn metric(&mut self, labels: &Labels) {
        let own = match self.kind {
            MetricType::Histogram | MetricType::GaugeHistogram => BUCKET_LABEL,
            MetricType::Summary => QUANTILE_LABEL,
            _ => "",
        };
        let is_linted = |name: &str| {
            name != own && (name == BUCKET_LABEL || name == QUANTILE_LABEL || names::is_camel_case(name))
        };
        let linted =
            labels.iter().map(|(name, _)| name).filter(|name| *name != METRIC_NAME && is_linted(name));
        let mut linted = linted.peekable();
        if linted.peek().is_some() && (own.is_empty() || self.metrics.insert(labels.drop(&[own]))) {
            self.labels.extend(linted.map(str::to_owned));
        }
    }

    /// Returns the name that the samples have in text.
    fn text_name(&self, format: Format) -> String {
        let suffix = match self.kind {
            MetricType::Counter if format == Format::OpenMetrics => "_total",
            MetricType::Info if format == Format::OpenMetrics => "_info",
            _ => "",
        };
        [self.name.as_str(), suffix].concat()
    }

    fn problems(&self, format: Format) -> Vec<LintProblem> {
        let name = self.text_name(format);
        let mut texts = names::problems(&name);
        if !self.has_help {
            texts.push("no help text".to_owned());
        }
        texts.extend(self.type_problems(&name).into_iter().map(str::to_owned));
        texts.into_iter().map(|text| LintProblem { metric: name.clone(), text }).collect()
    }

    fn type_problems(&self, name: &str) -> Vec<&'static str> {
        let camel_labels = self.labels.iter().filter(|label| names::is_camel_case(label));
        let mut texts: Vec<_> =
            camel_labels.map(|_| "label names should be written in 'snake_case' not 'camelCase'").collect();
        if self.kind == MetricType::Unknown {
            return texts;
        }
        let is_counter = self.kind == MetricType::Counter;
        let is_histogram = matches!(self.kind, MetricType::Histogram | MetricType::GaugeHistogram);
        let is_summary = self.kind == MetricType::Summary;
        let mut when = |condition: bool, text| texts.extend(condition.then_some(text));
        when(is_counter && !name.ends_with("_total"), "counter metrics should have \"_total\" suffix");
        when(
            !is_counter && name.ends_with("_total"),
            "non-counter metrics should not have \"_total\" suffix",
        );
        when(
            !is_histogram && name.ends_with("_bucket"),
            "non-histogram metrics should not have \"_bucket\" suffix",
        );
        when(
            !is_histogram && !is_summary && name.ends_with("_count"),
            "non-histogram and non-summary metrics should not have \"_count\" suffix",
        );
        when(
            !is_histogram && !is_summary && name.ends_with("_sum"),
            "non-histogram and non-summary metrics should not have \"_sum\" suffix",
        );
        for label in &self.labels {
            when(
                label == BUCKET_LABEL && !is_histogram,
                "non-histogram metrics should not have \"le\" label",
            );
            when(
                label == QUANTILE_LABEL && !is_summary,
                "non-summary metrics should not have \"quantile\" label",
            );
        }
        texts
    }
}

#[cfg(test)]
mod tests;
