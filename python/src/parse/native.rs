//! Native histograms in text: `name{labels} {count:24,sum:100,...}`.

use std::borrow::Cow;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::build::Builder;
use super::invalid;
use super::labels::{Labels, Rules, labels, take_name};
use super::number::float;
use super::scan::next_unquoted;

/// A line that is a native histogram, its fields not read yet.
pub(super) struct NativeLine<'a> {
    pub(super) name: Cow<'a, str>,
    /// None where the line has none.
    pub(super) labels: Option<Labels<'a>>,
    fields: &'a str,
}

/// Names that the samples of a classic histogram have.
const CLASSIC: [&str; 4] = ["_count", "_sum", "_bucket", "_created"];

/// Reads a line of a histogram, if it is a native one. A brace behind a `#` begins an exemplar.
pub(super) fn native_line(line: &str, rules: Rules) -> PyResult<Option<NativeLine<'_>>> {
    let Some(end) = next_unquoted(line, 0, |b| b == b' ' || b == b'{') else { return Ok(None) };
    let braces = line.as_bytes()[end] == b'{';
    let close = if braces {
        next_unquoted(line, end, |b| b == b'}').ok_or_else(|| invalid("labels do not end", line))?
    } else {
        end
    };
    let Some(open) = next_unquoted(line, close + 1, |b| b == b'{' || b == b'#') else { return Ok(None) };
    if line.as_bytes()[open] == b'#' {
        return Ok(None);
    }
    let fields_end = next_unquoted(line, open, |b| b == b'}')
        .ok_or_else(|| invalid("native histogram does not end", line))?;
    let before = if braces { Some(&line[..end]) } else { line[..open].strip_suffix(' ') };
    let before = before.ok_or_else(|| invalid("no space before the native histogram", line))?;
    if CLASSIC.iter().any(|suffix| before.ends_with(suffix)) {
        return Err(invalid("the sample name of a native histogram should have no suffixes", before));
    }
    let (name, labels) = if braces {
        let mut labels = labels(&line[end + 1..close], rules)?;
        let name = take_name(before, &mut labels)?;
        let only_name = before.is_empty() && labels.is_empty();
        (name, (!only_name).then_some(labels))
    } else {
        (Cow::Borrowed(before), None)
    };
    Ok(Some(NativeLine { name, labels, fields: &line[open + 1..fields_end] }))
}

#[derive(Default)]
struct Fields<'a> {
    count: Option<&'a str>,
    sum: Option<&'a str>,
    schema: Option<&'a str>,
    zero_threshold: Option<&'a str>,
    zero_count: Option<&'a str>,
    positive_spans: Option<&'a str>,
    negative_spans: Option<&'a str>,
    positive_deltas: Option<&'a str>,
    negative_deltas: Option<&'a str>,
}

fn fields(text: &str) -> Option<Fields<'_>> {
    let mut fields = Fields::default();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once(':')?;
        let after = after.trim_start();
        let (value, after) = match after.strip_prefix('[') {
            Some(list) => list.split_once(']')?,
            None => after.split_at(after.find(',').unwrap_or(after.len())),
        };
        let place = match name.trim() {
            "count" => &mut fields.count,
            "sum" => &mut fields.sum,
            "schema" => &mut fields.schema,
            "zero_threshold" => &mut fields.zero_threshold,
            "zero_count" => &mut fields.zero_count,
            "positive_spans" => &mut fields.positive_spans,
            "negative_spans" => &mut fields.negative_spans,
            "positive_deltas" => &mut fields.positive_deltas,
            "negative_deltas" => &mut fields.negative_deltas,
            // What later versions add.
            _ => &mut None,
        };
        *place = Some(value.trim());
        let after = after.trim_start();
        rest = match after.strip_prefix(',') {
            Some(next) => next.trim_start(),
            None if after.is_empty() => "",
            None => return None,
        };
    }
    Some(fields)
}

impl NativeLine<'_> {
    /// Makes the `NativeHistogram`.
    pub(super) fn histogram<'py>(&self, py: Python<'py>, builder: &Builder) -> PyResult<Bound<'py, PyAny>> {
        let fields = fields(self.fields).ok_or_else(|| invalid("invalid native histogram", self.fields))?;
        let needed = |name: &str, value: Option<&str>| {
            value.map(str::to_owned).ok_or_else(|| {
                PyValueError::new_err(format!("native histogram without {name}: {}", self.fields))
            })
        };
        let integer = |name: &str, value| -> PyResult<i64> {
            needed(name, value)?.parse().map_err(|_| invalid(&format!("invalid {name}"), self.fields))
        };
        let span = builder.class(py, "BucketSpan")?;
        let spans = |list: Option<&str>| {
            list_of(py, list, |item| {
                let (offset, length) = item.split_once(':')?;
                span.call1((offset.trim().parse::<i64>().ok()?, length.trim().parse::<i64>().ok()?)).ok()
            })
        };
        let deltas = |list: Option<&str>| {
            list_of(py, list, |item| Some(item.parse::<i64>().ok()?.into_pyobject(py).ok()?.into_any()))
        };
        builder.class(py, "NativeHistogram")?.call1((
            integer("count", fields.count)?,
            float(py, &needed("sum", fields.sum)?)?,
            integer("schema", fields.schema)?,
            float(py, &needed("zero_threshold", fields.zero_threshold)?)?,
            integer("zero_count", fields.zero_count)?,
            spans(fields.positive_spans)?,
            spans(fields.negative_spans)?,
            deltas(fields.positive_deltas)?,
            deltas(fields.negative_deltas)?,
        ))
    }
}

/// Reads a list into a tuple; one that is absent or empty is None.
fn list_of<'py>(
    py: Python<'py>,
    list: Option<&str>,
    read: impl Fn(&str) -> Option<Bound<'py, PyAny>>,
) -> PyResult<Option<Bound<'py, PyTuple>>> {
    let Some(list) = list.filter(|list| !list.is_empty()) else { return Ok(None) };
    let items: Option<Vec<_>> = list.split(',').map(|item| read(item.trim())).collect();
    let items = items.ok_or_else(|| invalid("invalid list in a native histogram", list))?;
    PyTuple::new(py, items).map(Some)
}
