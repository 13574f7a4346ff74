//! One sample: name, labels, value, timestamp, exemplar.

use std::borrow::Cow;

use promflow_model::is_legacy_metric_name;
use pyo3::prelude::*;

use super::super::build::Exemplar;
use super::super::invalid;
use super::super::labels::{Labels, Rules, labels, plain_series, take_name};
use super::super::number::{Number, Time, number, time};
use super::super::scan::next_unquoted;

pub(super) struct Sample<'a> {
    pub(super) name: Cow<'a, str>,
    /// Whether the name stands in quotes, among the labels.
    pub(super) quoted: bool,
    pub(super) labels: Labels<'a>,
    pub(super) value: Number,
    pub(super) time: Option<Time>,
    pub(super) exemplar: Option<Exemplar<'a>>,
}

impl Sample<'_> {
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_ref())
    }
}

pub(super) fn sample<'a>(py: Python<'_>, line: &'a str, rules: Rules) -> PyResult<Sample<'a>> {
    let (before, mut labels, rest) = match plain_series(line) {
        Some(series) => series,
        None => series(line, rules)?,
    };
    let name = take_name(before, &mut labels)?;
    let (value, rest) = rest.split_once(' ').map_or((rest, None), |(value, rest)| (value, Some(rest)));
    let value = number(py, value)?;
    let (time, exemplar) = match rest {
        None => (None, None),
        Some(rest) => time_and_exemplar(py, rest, rules, line)?,
    };
    Ok(Sample { name, quoted: before.is_empty(), labels, value, time, exemplar })
}

fn series(line: &str, rules: Rules) -> PyResult<(&str, Labels<'_>, &str)> {
    match next_unquoted(line, 0, |b| b == b'{') {
        Some(open) if !line[..open].contains(" # ") => {
            let close =
                next_unquoted(line, open, |b| b == b'}').ok_or_else(|| invalid("labels do not end", line))?;
            let rest = line[close + 1..].strip_prefix(' ');
            let rest = rest.ok_or_else(|| invalid("no value behind the labels", line))?;
            Ok((&line[..open], labels(&line[open + 1..close], rules)?, rest))
        }
        _ => {
            let (name, rest) = line.split_once(' ').ok_or_else(|| invalid("no value", line))?;
            if !is_legacy_metric_name(name) {
                return Err(invalid("invalid metric name", line));
            }
            Ok((name, Labels::new(), rest))
        }
    }
}

/// Reads `[timestamp] [# exemplar]`.
fn time_and_exemplar<'a>(
    py: Python<'_>,
    rest: &'a str,
    rules: Rules,
    line: &str,
) -> PyResult<(Option<Time>, Option<Exemplar<'a>>)> {
    let (stamp, behind) = if rest.starts_with('#') {
        ("", Some(rest))
    } else {
        rest.split_once(' ').map_or((rest, None), |(stamp, behind)| (stamp, Some(behind)))
    };
    if stamp.is_empty() && behind.is_none() {
        return Err(invalid("space behind the value", line));
    }
    let stamp = if stamp.is_empty() { None } else { Some(time(py, stamp)?) };
    let exemplar = behind.map(|text| exemplar(py, text, rules, line)).transpose()?;
    Ok((stamp, exemplar))
}

const EXEMPLAR_CHARACTERS_MAX: usize = 128;

/// Reads `# {labels} value [timestamp]`.
fn exemplar<'a>(py: Python<'_>, text: &'a str, rules: Rules, line: &str) -> PyResult<Exemplar<'a>> {
    let parts = || {
        let braces = text.strip_prefix("# ")?;
        let close = next_unquoted(braces, 0, |b| b == b'}')?;
        let list = braces[..close].strip_prefix('{')?;
        Some((list, braces[close + 1..].strip_prefix(' ')?))
    };
    let (list, rest) = parts().ok_or_else(|| invalid("Invalid line", line))?;
    let labels = labels(list, rules)?;
    let characters: usize =
        labels.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
    if characters > EXEMPLAR_CHARACTERS_MAX {
        return Err(invalid("Exemplar labels are too long", line));
    }
    let (value, stamp) = rest.split_once(' ').map_or((rest, None), |(value, stamp)| (value, Some(stamp)));
    if stamp == Some("") {
        return Err(invalid("space behind the exemplar", line));
    }
    let time = stamp.map(|stamp| time(py, stamp)).transpose()?;
    Ok(Exemplar { labels, value: number(py, value)?, time })
}
