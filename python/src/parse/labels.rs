//! Label lists.

use std::borrow::Cow;

use promflow_model::{is_legacy_label_name, is_legacy_metric_name};
use pyo3::PyResult;
use pyo3::exceptions::PyValueError;

use super::scan::{closing_quote, next_unquoted, trim, unescape, unquote};

/// Names and values in the order of the page.
pub(super) type Labels<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// The name under which a quoted metric name stands among the labels.
pub(super) const NAME: &str = "__name__";

/// What a label list may hold.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    /// OpenMetrics: no empty terms.
    pub(super) strict: bool,
    /// Whether only classic names are valid.
    pub(super) legacy: bool,
}

/// More labels than this are checked for duplicates by sorting.
const FEW: usize = 16;

/// Reads what stands between the braces.
pub(super) fn labels(list: &str, rules: Rules) -> PyResult<Labels<'_>> {
    if rules.strict && trim(list).starts_with(',') {
        return Err(PyValueError::new_err(format!("leading comma: {list}")));
    }
    read(list, rules)
        .filter(|labels| !has_duplicates(labels))
        .ok_or_else(|| PyValueError::new_err(format!("Invalid labels: {list}")))
}

fn has_duplicates(labels: &Labels<'_>) -> bool {
    if labels.len() <= FEW {
        return labels.iter().enumerate().any(|(i, (name, _))| labels[..i].iter().any(|(n, _)| n == name));
    }
    let mut names: Vec<&str> = labels.iter().map(|(name, _)| name.as_ref()).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}

fn read(list: &str, rules: Rules) -> Option<Labels<'_>> {
    let mut labels = Labels::with_capacity(4);
    let mut rest = trim(list);
    while !rest.is_empty() {
        let term = next_term(rest, rules.strict)?;
        rest = term.rest;
        if term.value.is_empty() {
            if rules.strict {
                return None;
            }
            continue;
        }
        let (name, quoted) = unquote(term.name)?;
        if !quoted && !is_legacy_metric_name(&name) {
            return None;
        }
        if !term.value.starts_with('"') || closing_quote(term.value)? != term.value.len() - 1 {
            return None;
        }
        let reserved = name != NAME && name.starts_with("__");
        if reserved || (rules.legacy && name != NAME && !is_legacy_label_name(&name)) {
            return None;
        }
        labels.push((name, unescape(&term.value[1..term.value.len() - 1], true)));
    }
    Some(labels)
}

struct Term<'a> {
    name: &'a str,
    value: &'a str,
    rest: &'a str,
}

/// Cuts the next `name="value"` or `"metric name"` off, and a comma before it.
fn next_term(text: &str, strict: bool) -> Option<Term<'_>> {
    let text = match text.strip_prefix(',') {
        Some("") => return Some(Term { name: "", value: "", rest: "" }),
        Some(after) if after.starts_with(',') => return None,
        Some(after) => after,
        None => text,
    };
    let stop = next_unquoted(text, 0, |b| matches!(b, b'=' | b',' | b'}'));
    let (name, text, stop) = match stop {
        Some(i) if text.as_bytes()[i] == b'=' => {
            let value = &text[i + 1..];
            (&text[..i], value, next_unquoted(value, 0, |b| matches!(b, b',' | b'}')))
        }
        stop => (NAME, text, stop),
    };
    let (value, rest) = text.split_at(stop.unwrap_or(text.len()));
    if (value.is_empty() && strict) || rest.starts_with('}') {
        return None;
    }
    Some(Term { name, value: trim(value), rest: trim(rest) })
}

/// Reads name and labels of a line as most are: classic names, no spaces, nothing escaped. Gives the rest behind a
/// space; None where the line is anything else, be it valid or not.
pub(super) fn plain_series(line: &str) -> Option<(&str, Labels<'_>, &str)> {
    let end = line.bytes().position(|b| b == b'{' || b == b' ')?;
    let name = &line[..end];
    if !is_legacy_metric_name(name) {
        return None;
    }
    let mut rest = &line[end..];
    let mut labels = Labels::new();
    while let Some(list) = rest.strip_prefix(if labels.is_empty() { '{' } else { ',' }) {
        let equals = list.bytes().position(|b| b == b'=')?;
        let (label, value) = (&list[..equals], list[equals + 1..].strip_prefix('"')?);
        let close = value.bytes().position(|b| b == b'"' || b == b'\\')?;
        if value.as_bytes()[close] != b'"' || label.starts_with("__") || !is_legacy_label_name(label) {
            return None;
        }
        if labels.capacity() == 0 {
            labels.reserve(4);
        }
        labels.push((Cow::Borrowed(label), Cow::Borrowed(&value[..close])));
        rest = &value[close + 1..];
    }
    let rest = if labels.is_empty() { rest } else { rest.strip_prefix('}')? };
    // A brace behind a space may still begin labels.
    if has_duplicates(&labels) || (labels.is_empty() && rest.contains('{')) {
        return None;
    }
    Some((name, labels, rest.strip_prefix(' ')?))
}

/// Takes the metric's name out of the labels where it does not stand before them.
pub(super) fn take_name<'a>(before: &'a str, labels: &mut Labels<'a>) -> PyResult<Cow<'a, str>> {
    let at = labels.iter().position(|(name, _)| name == NAME);
    match (before.is_empty(), at) {
        (false, None) => Ok(Cow::Borrowed(before)),
        (true, Some(at)) => Ok(labels.remove(at).1),
        (false, Some(_)) => Err(PyValueError::new_err("metric name specified more than once")),
        (true, None) => Err(PyValueError::new_err("metric name is missing")),
    }
}
