//! `promflow query instant|range|series|labels`: promtool's arguments and output.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result, bail};
use promflow_config::{HttpClientConfig, HttpHeader};
use promflow_http::{Answer, ApiClient, MatrixSeries, QueryData, VectorSample};
use promflow_model::{Clock, METRIC_NAME, float, quote, time};
use serde::Serialize;
use serde_json::json;

use crate::args::{Duration, QueryCommand, QueryFormat};
use crate::clock::SystemClock;
use crate::output::print;

/// How many points a range query has when no step is given, as promtool has it.
const DEFAULT_POINTS: i64 = 250;
/// How long a range is when no start is given, as promtool has it.
const DEFAULT_RANGE_MS: i64 = 5 * 60 * 1000;

/// Asks the server and prints what it answers.
///
/// Errors: the server does not answer, or refuses; the text is the server's.
pub(crate) async fn run(command: QueryCommand) -> Result<()> {
    match command {
        QueryCommand::Instant { output, time, server, expr } => {
            let answer = client(&server, &[])?.query(&expr, time.as_deref().unwrap_or("")).await?;
            print_data(&answer, output.format)
        }
        QueryCommand::Range { output, header, start, end, step, server, expr } => {
            let (start, end, step) = range(start, end, step)?;
            let answer = client(&server, &header)?.query_range(&expr, &start, &end, &step).await?;
            print_data(&answer, output.format)
        }
        QueryCommand::Series { output, selectors, range, server } => {
            let selectors: Vec<&str> = selectors.iter().map(String::as_str).collect();
            let answer = client(&server, &[])?.series(&selectors, &range.start, &range.end).await?;
            print_lines(&answer, output.format, |series| metric_text(series, true))
        }
        QueryCommand::Labels { output, selectors, range, server, name } => {
            let selectors: Vec<&str> = selectors.iter().map(String::as_str).collect();
            let answer =
                client(&server, &[])?.label_values(&name, &selectors, &range.start, &range.end).await?;
            print_lines(&answer, output.format, Clone::clone)
        }
    }
}

fn client(server: &str, headers: &[String]) -> Result<ApiClient> {
    let mut config = HttpClientConfig::default();
    for header in headers {
        let Some((name, value)) = header.split_once('=') else {
            bail!("header {header:?} has no `=`\n\nhint: write it as NAME=VALUE");
        };
        let values = HttpHeader { values: vec![value.to_owned()], ..HttpHeader::default() };
        config.http_headers.insert(name.to_owned(), values);
    }
    let base = if server.contains("://") { server.to_owned() } else { format!("http://{server}") };
    ApiClient::new(&base, &config).with_context(|| format!("{server:?} is no address of a server"))
}

/// Fills in what was not given: the last five minutes, in 250 steps.
fn range(
    start: Option<String>,
    end: Option<String>,
    step: Option<Duration>,
) -> Result<(String, String, String)> {
    let parse = |text: &str| time::parse_api(text).map_err(|e| anyhow::anyhow!("{e}"));
    let end_ms = end.as_deref().map(parse).transpose()?.unwrap_or_else(|| SystemClock.now_ms());
    let start_ms = start.as_deref().map(parse).transpose()?.unwrap_or(end_ms - DEFAULT_RANGE_MS);
    if end_ms < start_ms {
        bail!("the end of the range is before its start");
    }
    let default_step_ms = ((end_ms - start_ms) / 1000 / DEFAULT_POINTS).max(1) * 1000;
    let step_ms = step.map_or(default_step_ms, |step| step.ms);
    let seconds = |ms: i64| float::format_f(ms as f64 / 1000.0);
    Ok((seconds(start_ms), seconds(end_ms), seconds(step_ms)))
}

fn warn<T>(answer: &Answer<T>) {
    for text in answer.warnings.iter().chain(&answer.infos) {
        eprintln!("warning: {text}");
    }
}

fn print_data(answer: &Answer<QueryData>, format: QueryFormat) -> Result<()> {
    warn(answer);
    match format {
        QueryFormat::Promql => print(&data_text(&answer.data))?,
        QueryFormat::Json => print(&data_json(&answer.data))?,
    }
    Ok(())
}

fn print_lines<T: Serialize>(
    answer: &Answer<Vec<T>>,
    format: QueryFormat,
    line: impl Fn(&T) -> String,
) -> Result<()> {
    warn(answer);
    match format {
        QueryFormat::Promql => {
            let lines: Vec<String> = answer.data.iter().map(line).collect();
            print(&lines.join("\n"))?;
        }
        QueryFormat::Json => print(&serde_json::to_string(&answer.data)?)?,
    }
    Ok(())
}

/// Writes a result as Go's client encodes it.
fn data_json(data: &QueryData) -> String {
    let pair = |(t, value): &(f64, String)| format!("[{},{}]", float::format_f(*t), json!(value_text(value)));
    let list = |items: Vec<String>| format!("[{}]", items.join(","));
    match data {
        QueryData::Scalar(sample) => pair(sample),
        QueryData::String((t, text)) => format!("[{},{}]", float::format_f(*t), json!(text)),
        QueryData::Vector(samples) => {
            let sample = |s: &VectorSample| {
                let value = s.value.as_ref().map_or_else(|| "null".to_owned(), pair);
                format!("{{\"metric\":{},\"value\":{value}}}", json!(s.metric))
            };
            list(samples.iter().map(sample).collect())
        }
        QueryData::Matrix(series) => {
            let one = |s: &MatrixSeries| {
                let values = list(s.values.iter().map(pair).collect());
                format!("{{\"metric\":{},\"values\":{values}}}", json!(s.metric))
            };
            list(series.iter().map(one).collect())
        }
    }
}

/// Writes a value as Go's client does: never an exponent.
fn value_text(value: &str) -> String {
    float::parse(value).map_or_else(|| value.to_owned(), float::format_f)
}

/// Writes a result as Go's client prints it.
///
/// Source: prometheus/common model.Vector.String and its kin.
fn data_text(data: &QueryData) -> String {
    let sample = |(t, value): &(f64, String)| format!("{} @[{}]", value_text(value), float::format_f(*t));
    match data {
        QueryData::Scalar((t, value)) => {
            format!("scalar: {} @[{}]", value_text(value), float::format_f(*t))
        }
        QueryData::String((_, value)) => value.clone(),
        QueryData::Vector(samples) => {
            let lines = samples.iter().map(|s| {
                let value = s.value.as_ref().map_or_else(|| "native histogram".to_owned(), sample);
                format!("{} => {value}", metric_text(&s.metric, false))
            });
            lines.collect::<Vec<_>>().join("\n")
        }
        QueryData::Matrix(series) => {
            let blocks = series.iter().map(|s| {
                let values: Vec<String> = s.values.iter().map(sample).collect();
                format!("{} =>\n{}", metric_text(&s.metric, false), values.join("\n"))
            });
            blocks.collect::<Vec<_>>().join("\n")
        }
    }
}

/// Writes a metric as `name{label="value", ...}`, or as a plain label set.
fn metric_text(metric: &BTreeMap<String, String>, name_as_label: bool) -> String {
    let name = if name_as_label { "" } else { metric.get(METRIC_NAME).map_or("", String::as_str) };
    let mut labels = String::new();
    for (label, value) in metric.iter().filter(|(label, _)| name_as_label || *label != METRIC_NAME) {
        let separator = if labels.is_empty() { "" } else { ", " };
        let _ = write!(labels, "{separator}{label}={}", quote::quote(value));
    }
    if labels.is_empty() && !name.is_empty() { name.to_owned() } else { format!("{name}{{{labels}}}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_prints_as_promtool_prints_it() {
        let data: QueryData = serde_json::from_str(
            r#"{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a"},"value":[1.5,"1"]},{"metric":{},"value":[2,"+Inf"]}]}"#,
        )
        .expect("valid");
        assert_eq!(data_text(&data), "up{job=\"a\"} => 1 @[1.5]\n{} => +Inf @[2]");
        assert_eq!(
            data_json(&data),
            r#"[{"metric":{"__name__":"up","job":"a"},"value":[1.5,"1"]},{"metric":{},"value":[2,"+Inf"]}]"#
        );
    }

    #[test]
    fn values_print_without_an_exponent() {
        assert_eq!(value_text("1e-09"), "0.000000001");
        assert_eq!(value_text("NaN"), "NaN");
    }

    #[test]
    fn a_range_has_promtools_defaults_and_keeps_the_step_it_was_given() {
        let range = |step| range(Some("0".to_owned()), Some("700".to_owned()), step).expect("valid");
        assert_eq!(range(None).2, "2");
        assert_eq!(range(Some(Duration { ms: 500 })).2, "0.5");
    }

    #[test]
    fn a_series_prints_its_name_as_a_label() {
        let series = BTreeMap::from([(METRIC_NAME.to_owned(), "up".to_owned())]);
        assert_eq!(metric_text(&series, true), r#"{__name__="up"}"#);
        assert_eq!(metric_text(&series, false), "up");
    }
}
