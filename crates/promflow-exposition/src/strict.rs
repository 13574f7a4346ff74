//! What the specifications ask of a page as a whole: families in one piece, metadata first, values that fit
//! their type.
//!
//! Source: OpenMetrics 1.0; Prometheus's exposition formats; the checks and their order follow prometheus_client's
//! OpenMetrics parser.

mod histogram;

use std::collections::HashSet;

use promflow_model::{BUCKET_LABEL, Labels, MetricType, QUANTILE_LABEL};

use self::histogram::HistogramCheck;
use crate::error::Fault;
use crate::{Entry, Format, LabelIter, SampleEntry};

/// The most characters of an exemplar's label names and values together.
const EXEMPLAR_CHARACTERS_MAX: usize = 128;

#[derive(Default)]
struct Family {
    name: String,
    kind: MetricType,
    has_type: bool,
    has_help: bool,
    unit: Option<String>,
    has_samples: bool,
    group: Option<Labels>,
    group_t_ms: Option<i64>,
    groups: HashSet<Labels>,
    series: HashSet<Labels>,
    histogram: HistogramCheck,
}

/// Holds a page to the specification, entry by entry.
pub(crate) struct Checker {
    format: Format,
    family: Option<Family>,
    names: HashSet<String>,
    /// Series without metadata in text, where a summary's parts may alternate and count as families of their own.
    untyped_series: HashSet<Labels>,
}

impl Checker {
    pub(crate) fn new(format: Format) -> Self {
        Self { format, family: None, names: HashSet::new(), untyped_series: HashSet::new() }
    }

    pub(crate) fn entry(&mut self, entry: &Entry<'_>, at: usize) -> Result<(), Fault> {
        match entry {
            Entry::Help { metric, .. } => {
                let family = self.metadata(metric, "HELP", at)?;
                if std::mem::replace(&mut family.has_help, true) {
                    return Err(Fault::new(at, format!("second HELP line for metric {metric:?}")));
                }
            }
            Entry::Type { metric, kind } => {
                let family = self.metadata(metric, "TYPE", at)?;
                if std::mem::replace(&mut family.has_type, true) {
                    return Err(Fault::new(at, format!("second TYPE line for metric {metric:?}")));
                }
                family.kind = *kind;
            }
            Entry::Unit { metric, unit } => {
                let family = self.metadata(metric, "UNIT", at)?;
                if family.unit.replace((*unit).to_owned()).is_some() {
                    return Err(Fault::new(at, format!("second UNIT line for metric {metric:?}")));
                }
            }
            Entry::Sample(sample) => self.sample(sample, at)?,
            Entry::Comment(_) | Entry::Eof => {}
        }
        Ok(())
    }

    pub(crate) fn end(&mut self, at: usize) -> Result<(), Fault> {
        self.close(at)
    }

    /// Returns the family that a metadata line speaks of, starting it where needed.
    fn metadata(&mut self, metric: &str, keyword: &str, at: usize) -> Result<&mut Family, Fault> {
        if self.family.as_ref().is_none_or(|f| f.name != metric) {
            self.start(metric, at)?;
        }
        let family = self.family.as_mut().expect("BUG: a family was just started");
        if family.has_samples && self.format == Format::Protobuf {
            return Err(two_places(metric, at));
        }
        if family.has_samples {
            return Err(Fault::new(at, format!("{keyword} line for metric {metric:?} after its samples"))
                .hint("metadata comes before the samples of its family"));
        }
        Ok(family)
    }

    fn start(&mut self, name: &str, at: usize) -> Result<(), Fault> {
        self.close(at)?;
        if self.names.contains(name) {
            return Err(two_places(name, at));
        }
        self.family = Some(Family { name: name.to_owned(), ..Family::default() });
        Ok(())
    }

    /// Checks the family that ends here.
    fn close(&mut self, at: usize) -> Result<(), Fault> {
        let Some(mut family) = self.family.take() else {
            return Ok(());
        };
        family.histogram.finish(self.format, family.kind, at)?;
        let has_unit = family.unit.as_ref().is_some_and(|u| !u.is_empty());
        if has_unit && matches!(family.kind, MetricType::Info | MetricType::StateSet) {
            let kind = family.kind.as_str();
            return Err(Fault::new(
                at,
                format!("metric {:?} of type {kind} cannot have a unit", family.name),
            ));
        }
        if self.format == Format::Text && !family.has_type && !family.has_help {
            self.untyped_series.extend(family.series);
            return Ok(());
        }
        self.names.insert(family.name.clone());
        for suffix in suffixes(self.format, family.kind).iter().filter(|s| !s.is_empty()) {
            let name = [family.name.as_str(), suffix].concat();
            if self.names.contains(&name) {
                return Err(two_places(&name, at));
            }
            self.names.insert(name);
        }
        Ok(())
    }

    fn sample(&mut self, sample: &SampleEntry<'_>, at: usize) -> Result<(), Fault> {
        let labels = sample.labels();
        let name = labels.metric_name();
        if self.family.as_ref().is_none_or(|f| family_suffix(self.format, f, name).is_none()) {
            self.start(name, at)?;
        }
        let format = self.format;
        let family = self.family.as_mut().expect("BUG: a family was just started");
        let suffix = family_suffix(format, family, name).unwrap_or("");
        family.has_samples = true;
        check_type_labels(family, suffix, &labels, at)?;
        if self.untyped_series.contains(&labels) {
            return Err(second_sample(&labels, at));
        }
        check_group(family, &labels, sample, at)?;
        check_value(format, family.kind, suffix, sample, at)?;
        check_exemplar(format, family.kind, suffix, sample, at)?;
        if format != Format::Text && matches!(family.kind, MetricType::Histogram | MetricType::GaugeHistogram)
        {
            let group = group_of(family, &labels);
            family.histogram.sample((format, family.kind), suffix, &labels, group, sample, at)?;
        }
        Ok(())
    }

    /// Checks that a native histogram is the only sample of its series.
    pub(crate) fn native_histogram(
        &mut self,
        labels: &Labels,
        t_ms: Option<i64>,
        at: usize,
    ) -> Result<(), Fault> {
        let family = self.family.as_mut().expect("BUG: a family comes with its type");
        family.has_samples = true;
        let group = group_of(family, labels);
        if !family.groups.insert(group.clone()) {
            return Err(second_sample(labels, at));
        }
        family.series.clear();
        family.group = Some(group);
        family.group_t_ms = t_ms;
        Ok(())
    }
}

fn two_places(name: &str, at: usize) -> Fault {
    Fault::new(at, format!("metric {name:?} appears in two places"))
        .hint("all lines of a metric family stand together, and no two families share a sample name")
}

fn second_sample(labels: &Labels, at: usize) -> Fault {
    Fault::new(at, format!("second sample of series {labels}"))
}

/// Lists the suffixes of the samples that a family of this type may have.
pub(crate) fn suffixes(format: Format, kind: MetricType) -> &'static [&'static str] {
    match (format, kind) {
        (Format::OpenMetrics, MetricType::Counter) => &["_total", "_created"],
        (Format::OpenMetrics, MetricType::Summary) => &["_count", "_sum", "", "_created"],
        (Format::OpenMetrics, MetricType::Histogram) => &["_count", "_sum", "_bucket", "_created"],
        (Format::Protobuf, MetricType::GaugeHistogram) => &["_count", "_sum", "_bucket"],
        (_, MetricType::GaugeHistogram) => &["_gcount", "_gsum", "_bucket"],
        (_, MetricType::Info) => &["_info"],
        (_, MetricType::Summary) => &["_count", "_sum", ""],
        (_, MetricType::Histogram) => &["_count", "_sum", "_bucket"],
        _ => &[""],
    }
}

fn family_suffix<'n>(format: Format, family: &Family, name: &'n str) -> Option<&'n str> {
    let suffix = name.strip_prefix(family.name.as_str())?;
    suffixes(format, family.kind).contains(&suffix).then_some(suffix)
}

/// Returns what tells one metric of a family from another.
fn group_of(family: &Family, labels: &Labels) -> Labels {
    let part_of_point: &[&str] = match family.kind {
        MetricType::Histogram | MetricType::GaugeHistogram => &[BUCKET_LABEL],
        MetricType::Summary => &[QUANTILE_LABEL],
        MetricType::StateSet => &[family.name.as_str()],
        _ => &[],
    };
    labels.drop(part_of_point)
}

fn check_type_labels(family: &Family, suffix: &str, labels: &Labels, at: usize) -> Result<(), Fault> {
    let number = |name: &str| promflow_model::float::parse(labels.get(name)).filter(|v| !v.is_nan());
    match (family.kind, suffix) {
        (MetricType::StateSet, _) if !labels.has(&family.name) => Err(Fault::new(
            at,
            format!("state set sample has no label {:?}, which would name the state", family.name),
        )),
        (MetricType::Histogram | MetricType::GaugeHistogram, "_bucket") if number(BUCKET_LABEL).is_none() => {
            Err(Fault::new(at, "histogram bucket has no label \"le\" with a number"))
        }
        (MetricType::Summary, "") if number(QUANTILE_LABEL).is_none_or(|q| !(0.0..=1.0).contains(&q)) => {
            Err(Fault::new(at, "summary sample has no label \"quantile\" with a number from 0 to 1"))
        }
        _ => Ok(()),
    }
}

/// Checks that metrics are not interleaved, that time does not go back within one, and that no sample is repeated.
fn check_group(
    family: &mut Family,
    labels: &Labels,
    sample: &SampleEntry<'_>,
    at: usize,
) -> Result<(), Fault> {
    let group = group_of(family, labels);
    if family.group.as_ref() == Some(&group) {
        if family.group_t_ms.is_some() != sample.t_ms.is_some() {
            return Err(Fault::new(at, "some samples of the metric have a timestamp and some have none"));
        }
        if family.group_t_ms > sample.t_ms && family.kind != MetricType::Info {
            return Err(Fault::new(at, "timestamps go backwards within the metric"));
        }
        if family.group_t_ms != sample.t_ms {
            family.series.clear();
        }
    } else {
        if !family.groups.insert(group.clone()) {
            return Err(Fault::new(at, "samples of the metric do not stand together")
                .hint("all samples with the same labels but \"le\" and \"quantile\" stand together"));
        }
        family.series.clear();
        family.group = Some(group);
    }
    family.group_t_ms = sample.t_ms;
    if !family.series.insert(labels.clone()) {
        return Err(second_sample(labels, at));
    }
    Ok(())
}

fn check_value(
    format: Format,
    kind: MetricType,
    suffix: &str,
    sample: &SampleEntry<'_>,
    at: usize,
) -> Result<(), Fault> {
    let value = sample.value;
    let counts = matches!(suffix, "_total" | "_sum" | "_count" | "_bucket" | "_gcount" | "_gsum");
    let message = match kind {
        MetricType::StateSet if value != 0.0 && value != 1.0 => "state set sample is neither 0 nor 1",
        MetricType::Info if value != 1.0 => "info sample is not 1",
        _ if format != Format::OpenMetrics => return Ok(()),
        MetricType::Summary if suffix.is_empty() && value < 0.0 => "quantile is negative",
        _ if counts && value.is_nan() => "counter-like sample is NaN",
        _ if counts && suffix != "_gsum" && value < 0.0 => "counter-like sample is negative",
        _ => return Ok(()),
    };
    Err(Fault::new(at, message))
}

fn check_exemplar(
    format: Format,
    kind: MetricType,
    suffix: &str,
    sample: &SampleEntry<'_>,
    at: usize,
) -> Result<(), Fault> {
    let Some(exemplar) = sample.exemplar else {
        return Ok(());
    };
    let allowed = matches!(
        (kind, suffix),
        (MetricType::Histogram | MetricType::GaugeHistogram, "_bucket") | (MetricType::Counter, "_total")
    ) || format == Format::Protobuf;
    if !allowed {
        return Err(Fault::new(at, "exemplar on a sample that is neither a counter's total nor a bucket"));
    }
    if label_characters(exemplar.iter()) > EXEMPLAR_CHARACTERS_MAX {
        return Err(Fault::new(
            at,
            format!("exemplar labels have more than {EXEMPLAR_CHARACTERS_MAX} characters"),
        ));
    }
    Ok(())
}

/// Counts the characters of an exemplar's labels, which OpenMetrics limits.
fn label_characters(labels: LabelIter<'_>) -> usize {
    labels.map(|(name, value)| name.chars().count() + value.chars().count()).sum()
}
