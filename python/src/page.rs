//! Pages, byte for byte as prometheus_client writes them, without Python's lock.

use std::collections::HashMap;
use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use promflow_model::is_legacy_metric_name;

use crate::desc::{Desc, Kind};
use crate::family::Family;
use crate::gate::Writing;
use crate::key;
use crate::metric::Metric;
use crate::samples::{Choice, Extra, Suffix, each};
use crate::series::Series;
use crate::shared_part::SharedPart;
use crate::text::{
    Scheme, push_escaped, push_go_float, push_label_name, push_metric_name, push_quoted, push_repr,
};
use crate::text_cell::Text;
use crate::write::Page;

/// How a page is written.
#[derive(Clone, Copy)]
struct Style {
    openmetrics: bool,
    scheme: Scheme,
    choice: Choice,
}

/// A part of a page.
enum Segment {
    Native(Arc<Family>),
    /// Families of one name that processes share.
    Shared(Vec<Arc<Family>>),
    Written(Vec<u8>),
}

/// Writes a page of metrics and collectors, in their order.
///
/// Each part is a metric of this package, a part of a shared arena, a `Metric` of `metrics_core`, or something whose
/// `collect()` returns such. Python's lock is given up while values are written.
#[pyfunction]
#[pyo3(signature = (parts, format, escaping, native_histograms = false))]
fn write_page<'py>(
    py: Python<'py>,
    parts: Vec<Bound<'py, PyAny>>,
    format: &str,
    escaping: &str,
    native_histograms: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let openmetrics = match format {
        "text" => false,
        "openmetrics" => true,
        other => return Err(PyValueError::new_err(format!("unknown format: {other}"))),
    };
    let created = py.import("promflow.metrics")?.getattr("_use_created")?.is_truthy()?;
    let choice = Choice { created, multiprocess: false };
    let style = Style { openmetrics, scheme: Scheme::of(escaping), choice };
    let mut segments = Vec::with_capacity(parts.len());
    for part in parts {
        if let Ok(metric) = part.cast::<Metric>()
            && let Ok(state) = metric.get().state()
            && state.is_native()
        {
            segments.push(Segment::Native(state.family.clone()));
            continue;
        }
        if let Ok(shared) = part.cast::<SharedPart>() {
            segments.extend(shared.get().groups().into_iter().map(Segment::Shared));
            continue;
        }
        let mut page = Page::new(py, Vec::new(), escaping)?;
        let mut write = |metric: &Bound<'py, PyAny>| match openmetrics {
            true => page.openmetrics(metric, native_histograms),
            false => page.prometheus(metric),
        };
        if part.hasattr(intern!(py, "samples"))? {
            write(&part)?;
        } else {
            for metric in part.call_method0(intern!(py, "collect"))?.try_iter()? {
                write(&metric?)?;
            }
        }
        segments.push(Segment::Written(page.into_bytes()));
    }
    let page = py.detach(move || {
        let _writing = Writing::begin();
        join(&segments, style)
    });
    Ok(PyBytes::new(py, &page))
}

fn join(segments: &[Segment], style: Style) -> Vec<u8> {
    let mut out = Vec::with_capacity(4096);
    for segment in segments {
        match segment {
            Segment::Native(family) => write_families(&mut out, style, std::slice::from_ref(family)),
            Segment::Shared(families) => {
                let choice = Choice { created: false, multiprocess: true };
                write_families(&mut out, Style { choice, ..style }, families);
            }
            Segment::Written(bytes) => out.extend_from_slice(bytes),
        }
    }
    if style.openmetrics {
        out.extend_from_slice(b"# EOF\n");
    }
    out
}

/// Writes families of one name and type under one header.
fn write_families(out: &mut Vec<u8>, style: Style, families: &[Arc<Family>]) {
    let Some(first) = families.first() else { return };
    let desc = &first.desc;
    let kind = type_name(desc);
    let mut created = Vec::new();
    if style.openmetrics {
        push_header(out, style, &desc.name, &desc.help, kind);
        if !desc.unit.is_empty() {
            out.extend_from_slice(b"# UNIT ");
            push_metric_name(out, &desc.name, style.scheme);
            out.push(b' ');
            out.extend_from_slice(desc.unit.as_bytes());
            out.push(b'\n');
        }
    } else {
        let (suffix, kind) = match kind {
            "counter" => ("_total", "counter"),
            "info" => ("_info", "gauge"),
            "stateset" => ("", "gauge"),
            "gaugehistogram" => ("", "histogram"),
            "unknown" => ("", "untyped"),
            kind => ("", kind),
        };
        push_header(out, style, &[&desc.name, suffix].concat(), &desc.help, kind);
    }
    for family in families {
        write_series(out, &mut created, style, family);
    }
    if !created.is_empty() {
        push_header(out, style, &[&desc.name, "_created"].concat(), &desc.help, "gauge");
        out.extend_from_slice(&created);
    }
}

/// Returns the type as the page has it.
pub(crate) fn type_name(desc: &Desc) -> &str {
    match desc.kind {
        Kind::Value => desc.states.first().map_or("unknown", String::as_str),
        kind => kind.name(),
    }
}

fn push_header(out: &mut Vec<u8>, style: Style, name: &str, help: &str, kind: &str) {
    out.extend_from_slice(b"# HELP ");
    push_metric_name(out, name, style.scheme);
    out.push(b' ');
    push_escaped(out, help, style.openmetrics);
    out.extend_from_slice(b"\n# TYPE ");
    push_metric_name(out, name, style.scheme);
    out.push(b' ');
    out.extend_from_slice(kind.as_bytes());
    out.push(b'\n');
}

/// What the lines of a family have in common.
struct Lines<'a> {
    style: Style,
    desc: &'a Desc,
    /// The beginnings of the lines by suffix, and whether the name stands in quotes behind a brace.
    names: [(Vec<u8>, bool); Suffix::ALL.len()],
    plain: Plan,
    /// With the further label: a bound, a state or the id of a process.
    extended: Plan,
    /// The texts of the bounds.
    bounds: Vec<Vec<u8>>,
    /// What is being put together.
    head: Vec<u8>,
    tail: Vec<u8>,
}

/// In which order labels stand: those before the further one, and those behind it.
#[derive(Default)]
struct Plan {
    before: Vec<(Vec<u8>, usize)>,
    extra: Vec<u8>,
    after: Vec<(Vec<u8>, usize)>,
}

impl Plan {
    fn new(desc: &Desc, scheme: Scheme, extra: Option<&str>) -> Self {
        let begin = |name: &str| {
            let mut out = Vec::new();
            push_label_name(&mut out, name, scheme);
            out.extend_from_slice(b"=\"");
            out
        };
        let mut labels: Vec<(&str, usize)> = desc.labels.iter().map(String::as_str).zip(0..).collect();
        // The further label takes the place of one of its name.
        labels.retain(|(name, _)| extra != Some(name));
        labels.sort_unstable();
        let place = labels.partition_point(|(name, _)| extra.is_some_and(|extra| *name < extra));
        let texts = |labels: &[(&str, usize)]| labels.iter().map(|(name, i)| (begin(name), *i)).collect();
        let (before, after) = labels.split_at(if extra.is_some() { place } else { labels.len() });
        Self { before: texts(before), extra: extra.map(begin).unwrap_or_default(), after: texts(after) }
    }
}

fn push_labels(out: &mut Vec<u8>, labels: &[(Vec<u8>, usize)], values: &[&str], mut comma: bool) {
    for (name, i) in labels {
        if comma {
            out.push(b',');
        }
        comma = true;
        out.extend_from_slice(name);
        push_escaped(out, values.get(*i).copied().unwrap_or(""), true);
        out.push(b'"');
    }
}

impl<'a> Lines<'a> {
    fn new(desc: &'a Desc, style: Style) -> Self {
        let name = |suffix: Suffix| {
            let name = match desc.kind {
                Kind::Value => desc.states.get(1).cloned().unwrap_or_default(),
                _ => [&desc.name, suffix.text()].concat(),
            };
            let mut out = Vec::new();
            let quoted = style.scheme == Scheme::AllowUtf8 && !is_legacy_metric_name(&name);
            if quoted {
                out.push(b'{');
                push_quoted(&mut out, &name);
            } else {
                push_metric_name(&mut out, &name, style.scheme);
            }
            (out, quoted)
        };
        let extra = match desc.kind {
            Kind::Histogram => Some("le"),
            Kind::Enum => Some(desc.name.as_str()),
            Kind::Gauge if desc.by_process => Some("pid"),
            _ => None,
        };
        let bound = |bound: &f64| {
            let mut out = Vec::new();
            push_go_float(&mut out, *bound);
            out
        };
        Self {
            style,
            desc,
            names: Suffix::ALL.map(name),
            plain: Plan::new(desc, style.scheme, None),
            extended: Plan::new(desc, style.scheme, extra),
            bounds: desc.bounds.iter().map(bound).collect(),
            head: Vec::new(),
            tail: Vec::new(),
        }
    }

    /// Writes what stands before the value.
    fn push_name(&self, out: &mut Vec<u8>, suffix: Suffix, extra: &Extra, values: &[&str]) {
        let (name, quoted) = &self.names[suffix as usize];
        out.extend_from_slice(name);
        let begin = out.len();
        match extra {
            Extra::Nothing => {
                if !quoted && !self.plain.before.is_empty() {
                    out.push(b'{');
                }
                push_labels(out, &self.plain.before, values, *quoted);
            }
            Extra::Facts(text) => push_facts(out, self, text, values, *quoted),
            Extra::Bucket(_) | Extra::State(_) | Extra::Pid(_) => {
                if !quoted {
                    out.push(b'{');
                }
                let comma = *quoted;
                push_labels(out, &self.extended.before, values, comma);
                if comma || !self.extended.before.is_empty() {
                    out.push(b',');
                }
                out.extend_from_slice(&self.extended.extra);
                match extra {
                    Extra::Bucket(i) => out.extend_from_slice(&self.bounds[*i]),
                    Extra::State(i) => push_escaped(out, &self.desc.states[*i], true),
                    Extra::Pid(pid) => out.extend_from_slice(pid.to_string().as_bytes()),
                    Extra::Nothing | Extra::Facts(_) => {}
                }
                out.push(b'"');
                push_labels(out, &self.extended.after, values, true);
            }
        }
        if *quoted || out.len() > begin {
            out.push(b'}');
        }
        out.push(b' ');
    }

    /// Begins the lines of a histogram's buckets, which differ only in the bound.
    fn begin_buckets(&mut self, values: &[&str]) {
        let (name, quoted) = &self.names[Suffix::Bucket as usize];
        self.head.clear();
        self.head.extend_from_slice(name);
        if !quoted {
            self.head.push(b'{');
        }
        push_labels(&mut self.head, &self.extended.before, values, *quoted);
        if *quoted || !self.extended.before.is_empty() {
            self.head.push(b',');
        }
        self.head.extend_from_slice(&self.extended.extra);
        self.tail.clear();
        self.tail.push(b'"');
        push_labels(&mut self.tail, &self.extended.after, values, true);
        self.tail.extend_from_slice(b"} ");
    }

    fn push_exemplar(&self, out: &mut Vec<u8>, text: &Text) {
        let texts: Vec<&str> = key::unpack(&text.packed).collect();
        let mut pairs: Vec<&[&str]> = texts.chunks_exact(2).collect();
        pairs.sort_unstable();
        out.extend_from_slice(b" # {");
        for (i, pair) in pairs.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            push_label_name(out, pair[0], self.style.scheme);
            out.push(b'=');
            push_quoted(out, pair[1]);
        }
        out.extend_from_slice(b"} ");
        push_go_float(out, text.value);
        out.push(b' ');
        push_repr(out, text.t_seconds);
    }

    fn write(&mut self, out: &mut Vec<u8>, created: &mut Vec<u8>, family: &Family, series: &Series) {
        let values: Vec<&str> = key::unpack(&series.key).collect();
        if self.desc.kind == Kind::Histogram {
            self.begin_buckets(&values);
        }
        each(family, series, self.style.choice, &mut |suffix, extra, value, exemplar| {
            let out = match suffix {
                Suffix::Created if !self.style.openmetrics => &mut *created,
                _ => &mut *out,
            };
            match extra {
                Extra::Bucket(i) => {
                    out.extend_from_slice(&self.head);
                    out.extend_from_slice(&self.bounds[i]);
                    out.extend_from_slice(&self.tail);
                }
                extra => self.push_name(out, suffix, &extra, &values),
            }
            push_go_float(out, value);
            if let Some(text) = exemplar.filter(|_| self.style.openmetrics) {
                self.push_exemplar(out, &text);
            }
            out.push(b'\n');
        });
    }
}

fn write_series(out: &mut Vec<u8>, created: &mut Vec<u8>, style: Style, family: &Family) {
    let mut lines = Lines::new(&family.desc, style);
    for series in family.all() {
        lines.write(out, created, family, &series);
    }
}

/// Writes the labels of an info metric: those of the series, and its facts.
fn push_facts(out: &mut Vec<u8>, lines: &Lines<'_>, text: &Text, values: &[&str], quoted: bool) {
    let texts: Vec<&str> = key::unpack(&text.packed).collect();
    let labels = lines.desc.labels.iter().map(String::as_str).zip(values.iter().copied());
    let facts = texts.chunks_exact(2).map(|pair| (pair[0], pair[1]));
    let by_name: HashMap<&str, &str> = labels.chain(facts).collect();
    let mut pairs: Vec<_> = by_name.into_iter().collect();
    pairs.sort_unstable();
    for (i, (name, value)) in pairs.iter().enumerate() {
        out.push(if i == 0 && !quoted { b'{' } else { b',' });
        push_label_name(out, name, lines.style.scheme);
        out.push(b'=');
        push_quoted(out, value);
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(write_page, module)?)
}
