//! Pages of `Metric` objects, as custom collectors return them.
//!
//! Byte for byte what prometheus_client writes, but that names of exemplars' labels are escaped as well.

use std::io::Write;

use promflow_model::is_legacy_metric_name;
use pyo3::exceptions::{PyAttributeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyInt, PyMapping, PyString, PyTuple, PyType};

use crate::text::{Scheme, push_escaped, push_go_float, push_label_name, push_metric_name, push_quoted};

/// A page that grows family by family.
pub(crate) struct Page<'py> {
    out: Vec<u8>,
    scheme: Scheme,
    /// Plain tuples of this class are read by place.
    sample_class: Bound<'py, PyType>,
}

/// A sample's fields.
struct Fields<'py> {
    name: Bound<'py, PyString>,
    labels: Bound<'py, PyAny>,
    value: Bound<'py, PyAny>,
    time: Bound<'py, PyAny>,
    exemplar: Bound<'py, PyAny>,
    native: Bound<'py, PyAny>,
}

/// What OpenMetrics has as samples and the text format as families of their own, in the order of the page.
const OWN_FAMILIES: [&str; 3] = ["_created", "_gcount", "_gsum"];

impl<'py> Page<'py> {
    pub(crate) fn new(py: Python<'py>, out: Vec<u8>, escaping: &str) -> PyResult<Self> {
        let sample_class = py.import("promflow.samples")?.getattr("Sample")?.cast_into::<PyType>()?;
        Ok(Self { out, scheme: Scheme::of(escaping), sample_class })
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Appends a family in the text format.
    ///
    /// Errors: what Python raised for one of its values, with the family as the last argument.
    pub(crate) fn prometheus(&mut self, metric: &Bound<'py, PyAny>) -> PyResult<()> {
        self.prometheus_family(metric).map_err(|error| with_metric(error, metric))
    }

    /// Appends a family in OpenMetrics; `native` says whether the version has native histograms.
    ///
    /// Errors: what Python raised for one of its values, with the family as the last argument.
    pub(crate) fn openmetrics(&mut self, metric: &Bound<'py, PyAny>, native: bool) -> PyResult<()> {
        self.openmetrics_family(metric, native).map_err(|error| with_metric(error, metric))
    }

    fn prometheus_family(&mut self, metric: &Bound<'py, PyAny>) -> PyResult<()> {
        let py = metric.py();
        let name = text_of(&metric.getattr(intern!(py, "name"))?)?;
        let name = name.to_str()?;
        let typ = metric.getattr(intern!(py, "type"))?.str()?;
        let help = text_of(&metric.getattr(intern!(py, "documentation"))?)?;
        let help = help.to_str()?;
        let (suffix, typ) = match typ.to_str()? {
            "counter" => ("_total", "counter"),
            "info" => ("_info", "gauge"),
            "stateset" => ("", "gauge"),
            "gaugehistogram" => ("", "histogram"),
            "unknown" => ("", "untyped"),
            other => ("", other),
        };
        self.head(&format!("{name}{suffix}"), typ, help);
        let mut own: [Vec<u8>; 3] = Default::default();
        for sample in metric.getattr(intern!(py, "samples"))?.try_iter()? {
            let sample = self.fields(&sample?)?;
            // The text format has no native histograms.
            if sample.native.is_truthy()? {
                continue;
            }
            let suffix = sample.name.to_str()?.strip_prefix(name).unwrap_or("");
            match OWN_FAMILIES.iter().position(|s| *s == suffix) {
                None => self.prometheus_sample(&sample)?,
                Some(i) => {
                    std::mem::swap(&mut self.out, &mut own[i]);
                    let written = self.prometheus_sample(&sample);
                    std::mem::swap(&mut self.out, &mut own[i]);
                    written?;
                }
            }
        }
        for (suffix, lines) in OWN_FAMILIES.iter().zip(own) {
            if !lines.is_empty() {
                self.head(&format!("{name}{suffix}"), "gauge", help);
                self.out.extend_from_slice(&lines);
            }
        }
        Ok(())
    }

    fn head(&mut self, name: &str, typ: &str, help: &str) {
        self.metadata(b"# HELP ", name);
        push_escaped(&mut self.out, help, false);
        self.out.push(b'\n');
        self.metadata(b"# TYPE ", name);
        self.out.extend_from_slice(typ.as_bytes());
        self.out.push(b'\n');
    }

    fn metadata(&mut self, keyword: &[u8], name: &str) {
        self.out.extend_from_slice(keyword);
        push_metric_name(&mut self.out, name, self.scheme);
        self.out.push(b' ');
    }

    fn fields(&self, sample: &Bound<'py, PyAny>) -> PyResult<Fields<'py>> {
        let py = sample.py();
        if sample.get_type().is(&self.sample_class)
            && let Ok(tuple) = sample.cast::<PyTuple>()
        {
            return Ok(Fields {
                name: text_of(&tuple.get_item(0)?)?,
                labels: tuple.get_item(1)?,
                value: tuple.get_item(2)?,
                time: tuple.get_item(3)?,
                exemplar: tuple.get_item(4)?,
                native: tuple.get_item(5)?,
            });
        }
        let optional = |name| sample.getattr_opt(name).map(|v| v.unwrap_or_else(|| py.None().into_bound(py)));
        Ok(Fields {
            name: text_of(&sample.getattr("name")?)?,
            labels: sample.getattr("labels")?,
            value: sample.getattr("value")?,
            time: sample.getattr("timestamp")?,
            exemplar: optional("exemplar")?,
            native: optional("native_histogram")?,
        })
    }

    /// Writes a name and labels.
    fn series(&mut self, sample: &Fields<'py>, openmetrics: bool) -> PyResult<()> {
        let name = sample.name.to_str()?;
        let quoted = self.scheme == Scheme::AllowUtf8 && !is_legacy_metric_name(name);
        if quoted {
            self.out.push(b'{');
            push_quoted(&mut self.out, name);
        } else {
            let name = match openmetrics {
                true => self.scheme.openmetrics_sample_name(name),
                false => self.scheme.metric_name(name),
            };
            self.out.extend_from_slice(name.as_bytes());
        }
        let labels = Labels::of(&sample.labels)?;
        if !labels.is_empty() {
            self.out.push(if quoted { b',' } else { b'{' });
            labels.write(&mut self.out, self.scheme)?;
        }
        if quoted || !labels.is_empty() {
            self.out.push(b'}');
        }
        self.out.push(b' ');
        Ok(())
    }

    fn prometheus_sample(&mut self, sample: &Fields<'py>) -> PyResult<()> {
        self.series(sample, false)?;
        push_go_float(&mut self.out, float_of(&sample.value)?);
        if !sample.time.is_none() {
            self.out.push(b' ');
            push_milliseconds(&mut self.out, &sample.time)?;
        }
        self.out.push(b'\n');
        Ok(())
    }

    fn openmetrics_family(&mut self, metric: &Bound<'py, PyAny>, native: bool) -> PyResult<()> {
        let py = metric.py();
        let name = text_of(&metric.getattr(intern!(py, "name"))?)?;
        let name = name.to_str()?;
        let typ = metric.getattr(intern!(py, "type"))?.str()?;
        let typ = typ.to_str()?;
        self.metadata(b"# HELP ", name);
        let help = text_of(&metric.getattr(intern!(py, "documentation"))?)?;
        push_escaped(&mut self.out, help.to_str()?, true);
        self.out.push(b'\n');
        self.metadata(b"# TYPE ", name);
        self.out.extend_from_slice(typ.as_bytes());
        self.out.push(b'\n');
        let unit = metric.getattr(intern!(py, "unit"))?;
        if unit.is_truthy()? {
            self.metadata(b"# UNIT ", name);
            self.out.extend_from_slice(unit.str()?.to_str()?.as_bytes());
            self.out.push(b'\n');
        }
        for sample in metric.getattr(intern!(py, "samples"))?.try_iter()? {
            let sample = self.fields(&sample?)?;
            let is_native = sample.native.is_truthy()?;
            if is_native && !native {
                continue;
            }
            self.series(&sample, true)?;
            if is_native {
                push_native(&mut self.out, &sample.native)?;
            } else {
                push_go_float(&mut self.out, float_of(&sample.value)?);
            }
            if !sample.time.is_none() {
                self.out.push(b' ');
                push_str(&mut self.out, &sample.time)?;
            }
            if sample.exemplar.is_truthy()? {
                self.exemplar(name, typ, &sample, &sample.exemplar)?;
            }
            if is_native {
                let exemplars = sample.native.getattr(intern!(py, "nh_exemplars"))?;
                if exemplars.is_truthy()? {
                    for exemplar in exemplars.try_iter()? {
                        self.exemplar(name, typ, &sample, &exemplar?)?;
                    }
                }
            }
            self.out.push(b'\n');
        }
        Ok(())
    }

    fn exemplar(
        &mut self,
        family: &str,
        typ: &str,
        sample: &Fields<'py>,
        exemplar: &Bound<'py, PyAny>,
    ) -> PyResult<()> {
        let py = exemplar.py();
        let name = sample.name.to_str()?;
        let allowed = match typ {
            "counter" => name.ends_with("_total"),
            "gaugehistogram" => name.ends_with("_bucket"),
            "histogram" => name.ends_with("_bucket") || name == family,
            _ => false,
        };
        if !allowed {
            return Err(PyValueError::new_err(format!(
                "Metric {family} has exemplars, but is not a histogram bucket or counter"
            )));
        }
        self.out.extend_from_slice(b" # {");
        Labels::of(&exemplar.getattr(intern!(py, "labels"))?)?.write(&mut self.out, self.scheme)?;
        self.out.extend_from_slice(b"} ");
        push_go_float(&mut self.out, float_of(&exemplar.getattr(intern!(py, "value"))?)?);
        let time = exemplar.getattr(intern!(py, "timestamp"))?;
        if !time.is_none() {
            self.out.push(b' ');
            push_str(&mut self.out, &time)?;
        }
        Ok(())
    }
}

/// Adds the family to the arguments of an exception, so that it says which collector is at fault.
fn with_metric(error: PyErr, metric: &Bound<'_, PyAny>) -> PyErr {
    let py = metric.py();
    let add = || -> PyResult<()> {
        let value = error.value(py);
        let args = value.getattr(intern!(py, "args"))?;
        let args = if args.is_truthy()? { args } else { PyTuple::new(py, [""])?.into_any() };
        value.setattr(intern!(py, "args"), args.add(PyTuple::new(py, [metric])?)?)
    };
    match add() {
        Ok(()) => error,
        Err(other) => other,
    }
}

/// Names and values in the order of the names.
struct Labels<'py>(Vec<(Bound<'py, PyString>, Bound<'py, PyString>)>);

impl<'py> Labels<'py> {
    fn of(labels: &Bound<'py, PyAny>) -> PyResult<Self> {
        let mut pairs = Vec::new();
        if let Ok(dict) = labels.cast::<PyDict>() {
            pairs.reserve(dict.len());
            for (name, value) in dict {
                pairs.push((text_of(&name)?, text_of(&value)?));
            }
        } else if labels.is_truthy()? {
            for pair in labels.cast::<PyMapping>()?.items()? {
                pairs.push((text_of(&pair.get_item(0)?)?, text_of(&pair.get_item(1)?)?));
            }
        }
        // A name without a UTF-8 form fails when it is written.
        pairs.sort_by(|(a, _), (b, _)| a.to_str().unwrap_or("").cmp(b.to_str().unwrap_or("")));
        Ok(Self(pairs))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn write(&self, out: &mut Vec<u8>, scheme: Scheme) -> PyResult<()> {
        for (i, (name, value)) in self.0.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            push_label_name(out, name.to_str()?, scheme);
            out.push(b'=');
            push_quoted(out, value.to_str()?);
        }
        Ok(())
    }
}

/// Takes a string; what is none fails as `replace` on it would.
fn text_of<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    value.cast::<PyString>().cloned().map_err(|_| {
        let class = value.get_type().name().map(|name| name.to_string()).unwrap_or_default();
        PyAttributeError::new_err(format!("'{class}' object has no attribute 'replace'"))
    })
}

/// Python's `float(value)`.
fn float_of(value: &Bound<'_, PyAny>) -> PyResult<f64> {
    match value.cast::<PyFloat>() {
        Ok(float) => Ok(float.value()),
        Err(_) => value.py().get_type::<PyFloat>().call1((value,))?.extract(),
    }
}

fn push_str(out: &mut Vec<u8>, value: &Bound<'_, PyAny>) -> PyResult<()> {
    out.extend_from_slice(value.str()?.to_str()?.as_bytes());
    Ok(())
}

/// Writes a time in seconds as whole milliseconds.
fn push_milliseconds(out: &mut Vec<u8>, time: &Bound<'_, PyAny>) -> PyResult<()> {
    let t_ms = float_of(time)? * 1000.0;
    if !t_ms.is_finite() {
        // Python says what is wrong with it.
        return push_str(out, &time.py().get_type::<PyInt>().call1((t_ms,))?);
    }
    // Without the sign of zero.
    write!(out, "{:.0}", t_ms.trunc() + 0.0).expect("BUG: a vector takes what is written");
    Ok(())
}

/// Writes a native histogram: `{count:24,sum:100,...}`.
fn push_native(out: &mut Vec<u8>, native: &Bound<'_, PyAny>) -> PyResult<()> {
    const NUMBERS: [(&str, &str); 5] = [
        ("{count:", "count_value"),
        (",sum:", "sum_value"),
        (",schema:", "schema"),
        (",zero_threshold:", "zero_threshold"),
        (",zero_count:", "zero_count"),
    ];
    for (key, field) in NUMBERS {
        out.extend_from_slice(key.as_bytes());
        push_str(out, &native.getattr(field)?)?;
    }
    for (sign, spans, deltas) in
        [("negative", "neg_spans", "neg_deltas"), ("positive", "pos_spans", "pos_deltas")]
    {
        let spans = native.getattr(spans)?;
        if !spans.is_truthy()? {
            continue;
        }
        out.extend_from_slice(format!(",{sign}_spans:[").as_bytes());
        push_list(out, &spans, |out, span| {
            push_str(out, &span.get_item(0)?)?;
            out.push(b':');
            push_str(out, &span.get_item(1)?)
        })?;
        out.extend_from_slice(format!("],{sign}_deltas:[").as_bytes());
        push_list(out, &native.getattr(deltas)?, push_str)?;
        out.push(b']');
    }
    out.push(b'}');
    Ok(())
}

fn push_list(
    out: &mut Vec<u8>,
    items: &Bound<'_, PyAny>,
    mut write: impl FnMut(&mut Vec<u8>, &Bound<'_, PyAny>) -> PyResult<()>,
) -> PyResult<()> {
    for (i, item) in items.try_iter()?.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(out, &item?)?;
    }
    Ok(())
}
