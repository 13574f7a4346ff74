//! Which metric family a series name belongs to.

use std::collections::BTreeMap;

use promflow_model::MetricType;
use promflow_source::Definition;

/// The definitions by the family's name.
pub(crate) struct Catalogue<'a> {
    definitions: &'a [Definition],
    by_family: BTreeMap<&'a str, Vec<usize>>,
}

/// A series name taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeriesOf<'a> {
    /// The family.
    pub(crate) family: &'a str,
    /// What follows the family's name: `""`, `_bucket`, `_sum`, ...
    pub(crate) suffix: &'static str,
    /// The places of the family's definitions.
    pub(crate) definitions: &'a [usize],
}

/// What may follow a family's name.
const SUFFIXES: [&str; 8] = ["_bucket", "_sum", "_count", "_created", "_total", "_info", "_gcount", "_gsum"];

impl<'a> Catalogue<'a> {
    pub(crate) fn new(definitions: &'a [Definition]) -> Self {
        let mut by_family: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, definition) in definitions.iter().enumerate() {
            by_family.entry(&definition.name).or_default().push(index);
        }
        Self { definitions, by_family }
    }

    pub(crate) fn definition(&self, index: usize) -> &'a Definition {
        &self.definitions[index]
    }

    /// Returns the names of all families, sorted.
    pub(crate) fn families(&self) -> impl Iterator<Item = &'a str> {
        self.by_family.keys().copied()
    }

    /// Returns the family of a series name: the name itself if it is one, else the name without a suffix.
    pub(crate) fn series(&self, name: &str) -> Option<SeriesOf<'_>> {
        let whole = self.by_family.get_key_value(name).map(|(family, at)| (*family, "", at));
        let shorter = || {
            SUFFIXES.into_iter().find_map(|suffix| {
                let (family, at) = self.by_family.get_key_value(name.strip_suffix(suffix)?)?;
                Some((*family, suffix, at))
            })
        };
        let (family, suffix, definitions) = whole.or_else(shorter)?;
        Some(SeriesOf { family, suffix, definitions })
    }
}

/// Returns the names of the series of a family.
pub(crate) fn series_names(family: &str, kind: MetricType) -> Vec<String> {
    let suffixes: &[&str] = match kind {
        MetricType::Histogram => &["_bucket", "_sum", "_count"],
        MetricType::GaugeHistogram => &["_bucket", "_gsum", "_gcount"],
        MetricType::Summary => &["", "_sum", "_count"],
        _ => &[""],
    };
    suffixes.iter().map(|suffix| format!("{family}{suffix}")).collect()
}

/// Says whether a family of a type has series with a suffix.
pub(crate) fn has_suffix(kind: MetricType, suffix: &str) -> bool {
    match kind {
        MetricType::Unknown => true,
        MetricType::Counter => matches!(suffix, "" | "_total" | "_created"),
        MetricType::Histogram => matches!(suffix, "_bucket" | "_sum" | "_count" | "_created"),
        MetricType::GaugeHistogram => matches!(suffix, "_bucket" | "_gsum" | "_gcount"),
        MetricType::Summary => matches!(suffix, "" | "_sum" | "_count" | "_created"),
        MetricType::Info => matches!(suffix, "" | "_info"),
        MetricType::Gauge | MetricType::StateSet => suffix.is_empty(),
    }
}

/// Returns the family that a series name most likely belongs to, when its type is not known.
pub(crate) fn likely_family(name: &str) -> &str {
    name.strip_suffix("_bucket").unwrap_or(name)
}
