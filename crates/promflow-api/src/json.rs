//! Query results as JSON, written straight into one string: results can be large, and values are strings.

use std::fmt::Write;

use promflow_model::{Labels, float};
use promflow_promql::{QueryStats, Value};

/// Writes `{"resultType":...,"result":...}`, with statistics where they are wanted.
pub(crate) fn query_data(value: &Value, stats: Option<(QueryStats, f64)>) -> String {
    let mut out = String::with_capacity(1024);
    let kind = match value {
        Value::Scalar(_) => "scalar",
        Value::String { .. } => "string",
        Value::Vector(_) => "vector",
        Value::Matrix(_) => "matrix",
    };
    out.push_str("{\"resultType\":\"");
    out.push_str(kind);
    out.push_str("\",\"result\":");
    push_value(&mut out, value);
    if let Some((stats, seconds)) = stats {
        out.push_str(",\"stats\":");
        push_stats(&mut out, stats, seconds);
    }
    out.push('}');
    out
}

fn push_value(out: &mut String, value: &Value) {
    match value {
        Value::Scalar(sample) => push_sample(out, sample.t_ms, sample.value),
        Value::String { t_ms, value } => {
            out.push('[');
            push_time(out, *t_ms);
            out.push(',');
            push_string(out, value);
            out.push(']');
        }
        Value::Vector(samples) => push_list(out, samples, |out, sample| {
            out.push_str("{\"metric\":");
            push_labels(out, &sample.labels);
            out.push_str(",\"value\":");
            push_sample(out, sample.t_ms, sample.value);
            out.push('}');
        }),
        Value::Matrix(series) => push_list(out, series, |out, series| {
            out.push_str("{\"metric\":");
            push_labels(out, &series.labels);
            out.push_str(",\"values\":");
            push_list(out, &series.samples, |out, s| push_sample(out, s.t_ms, s.value));
            out.push('}');
        }),
    }
}

fn push_list<T>(out: &mut String, items: &[T], push: impl Fn(&mut String, &T)) {
    out.push('[');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        push(out, item);
    }
    out.push(']');
}

fn push_stats(out: &mut String, stats: QueryStats, seconds: f64) {
    let time = float::format_json(seconds);
    let _ = write!(
        out,
        "{{\"timings\":{{\"evalTotalTime\":{time},\"execTotalTime\":{time}}},\"samples\":{{\
         \"totalQueryableSamples\":{},\"peakSamples\":{}}}}}",
        stats.samples_read, stats.samples_peak
    );
}

/// Writes a label set as an object.
pub(crate) fn push_labels(out: &mut String, labels: &Labels) {
    out.push('{');
    for (i, (name, value)) in labels.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        push_string(out, name);
        out.push(':');
        push_string(out, value);
    }
    out.push('}');
}

fn push_sample(out: &mut String, t_ms: i64, value: f64) {
    out.push('[');
    push_time(out, t_ms);
    out.push_str(",\"");
    out.push_str(&float::format_json(value));
    out.push_str("\"]");
}

/// Writes a time in seconds, with three digits of fraction where there is one.
fn push_time(out: &mut String, t_ms: i64) {
    let (sign, t) = if t_ms < 0 { ("-", t_ms.unsigned_abs()) } else { ("", t_ms as u64) };
    let _ = match t % 1000 {
        0 => write!(out, "{sign}{}", t / 1000),
        fraction => write!(out, "{sign}{}.{fraction:03}", t / 1000),
    };
}

/// Writes a JSON string.
fn push_string(out: &mut String, text: &str) {
    out.push('"');
    let mut plain_from = 0;
    for (i, b) in text.bytes().enumerate() {
        if b >= 0x20 && b != b'"' && b != b'\\' {
            continue;
        }
        out.push_str(&text[plain_from..i]);
        plain_from = i + 1;
        match b {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b => {
                let _ = write!(out, "\\u{b:04x}");
            }
        }
    }
    out.push_str(&text[plain_from..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use promflow_model::{Labels, Sample};
    use promflow_promql::VectorSample;

    use super::*;

    #[test]
    fn a_vector_is_written_as_prometheus_writes_it() {
        let labels = Labels::from_pairs([("__name__", "up"), ("job", "a\"b\n")]);
        let value =
            Value::Vector(vec![VectorSample { labels, t_ms: 1_435_781_430_081, value: f64::INFINITY }]);
        assert_eq!(
            query_data(&value, None),
            r#"{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a\"b\n"},"value":[1435781430.081,"+Inf"]}]}"#
        );
    }

    #[test]
    fn a_scalar_has_no_metric() {
        let value = Value::Scalar(Sample { t_ms: -1500, value: 0.25 });
        assert_eq!(query_data(&value, None), r#"{"resultType":"scalar","result":[-1.500,"0.25"]}"#);
    }
}
