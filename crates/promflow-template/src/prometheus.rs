//! The functions that Prometheus adds to Go's templates.
//!
//! Source: Prometheus template/template.go, prometheus/common helpers/templates.

use std::rc::Rc;

use promflow_model::quote::quote;
use promflow_model::{duration, float};
use promflow_regex::Regex;

use crate::call::Context;
use crate::gofloat::format_float;
use crate::value::Value;
use crate::{OUTPUT_BYTES_MAX, QuerySample, gotime, url};

type Outcome<'a> = Result<Value<'a>, String>;

/// Returns the text of an argument whose parameter is a string, as the caller has checked.
fn text<'v>(args: &'v [Value<'_>], i: usize) -> &'v str {
    match args.get(i) {
        Some(Value::Text(s)) => s,
        _ => "",
    }
}

fn sample<'v>(args: &'v [Value<'_>], i: usize) -> Result<&'v QuerySample, String> {
    match args.get(i) {
        Some(Value::Sample(sample)) => Ok(sample),
        _ => Err("runtime error: invalid memory address or nil pointer dereference".to_owned()),
    }
}

fn samples(args: &[Value<'_>], i: usize) -> Rc<[Rc<QuerySample>]> {
    match args.get(i) {
        Some(Value::Samples(samples)) => samples.clone(),
        _ => Rc::from([]),
    }
}

fn number(value: &Value<'_>) -> Result<f64, String> {
    match value {
        Value::Float(v) => Ok(*v),
        Value::Int(n) => Ok(*n as f64),
        Value::Text(s) => parse_float(s),
        other => Err(format!("can't convert {} to float", other.type_name())),
    }
}

fn parse_float(s: &str) -> Result<f64, String> {
    let reason = match (float::parse(s), s.parse::<f64>()) {
        (Some(v), _) => return Ok(v),
        (None, Ok(_)) => "value out of range",
        (None, Err(_)) => "invalid syntax",
    };
    Err(format!("strconv.ParseFloat: parsing {}: {reason}", quote(s)))
}

/// Writes four significant digits, as `%.4g`.
fn short(v: f64) -> String {
    let sign = if v.is_sign_negative() && v.is_finite() { "-" } else { "" };
    format!("{sign}{}", format_float(if v.is_finite() { v.abs() } else { v }, 'g', Some(4)))
}

pub(crate) fn query<'a>(context: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    let found = (context.env.query)(text(args, 0))?;
    Ok(Value::Samples(found.into_iter().map(Rc::new).collect()))
}

pub(crate) fn first<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    match samples(args, 0).first() {
        Some(sample) => Ok(Value::Sample(sample.clone())),
        None => Err("first() called on vector with no elements".to_owned()),
    }
}

pub(crate) fn label<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::text(sample(args, 1)?.labels.get(text(args, 0))))
}

pub(crate) fn value<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::Float(sample(args, 0)?.value))
}

pub(crate) fn strvalue<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::text(sample(args, 0)?.labels.get("__value__")))
}

pub(crate) fn sort_by_label<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    let mut sorted = samples(args, 1).to_vec();
    sorted.sort_by(|a, b| a.labels.get(text(args, 0)).cmp(b.labels.get(text(args, 0))));
    Ok(Value::Samples(sorted.into()))
}

pub(crate) fn args<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    Value::args(args.to_vec())
}

pub(crate) fn safe_html<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    Ok(args[0].clone())
}

pub(crate) fn external_url<'a>(context: &Context<'a>, _: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::text(context.external_url))
}

pub(crate) fn path_prefix<'a>(context: &Context<'a>, _: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::text(url::path(context.external_url)))
}

pub(crate) fn now<'a>(context: &Context<'a>, _: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::Float(context.env.now_ms as f64 / 1000.0))
}

pub(crate) fn graph_link<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::text(format!("/graph?g0.expr={}&g0.tab=0", url::query_escape(text(args, 0)))))
}

pub(crate) fn table_link<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::text(format!("/graph?g0.expr={}&g0.tab=1", url::query_escape(text(args, 0)))))
}

pub(crate) fn url_query_escape<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::text(url::query_escape(text(args, 0))))
}

pub(crate) fn strip_port<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    let address = text(args, 0);
    Ok(Value::text(url::split_host_port(address).map_or(address, |(host, _)| host)))
}

pub(crate) fn strip_domain<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::text(url::strip_domain(text(args, 0))))
}

pub(crate) fn to_upper<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::text(text(args, 0).to_uppercase()))
}

pub(crate) fn to_lower<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::text(text(args, 0).to_lowercase()))
}

/// Writes every word with a capital; an apostrophe or a point between two letters does not end a word.
pub(crate) fn title<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    let mut out = String::new();
    let mut in_word = false;
    let mut chars = text(args, 0).chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_alphabetic() && !in_word {
            out.extend(c.to_uppercase());
            in_word = true;
            continue;
        }
        out.push(c);
        let joins = in_word
            && matches!(c, '\'' | '\u{2019}' | '.' | ':' | '\u{b7}')
            && chars.peek().is_some_and(|next| next.is_alphabetic());
        in_word = joins || in_word && (c.is_alphanumeric() || c == '_');
    }
    Ok(Value::text(out))
}

fn regex(pattern: &str) -> Result<Regex, String> {
    Regex::unanchored(pattern).map_err(|e| e.to_string())
}

pub(crate) fn matches<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::Bool(regex(text(args, 0))?.is_match(text(args, 1))))
}

pub(crate) fn re_replace_all<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    let pattern = text(args, 0);
    // Go compiles with MustCompile here, whose panic becomes the error.
    let regex = regex(pattern).map_err(|e| {
        let raw = !pattern.contains(|c: char| c == '`' || c.is_control() && c != '\t');
        let quoted = if raw { format!("`{pattern}`") } else { quote(pattern) };
        format!("regexp: Compile({quoted}): {e}")
    })?;
    match regex.replace_all_bounded(text(args, 2), text(args, 1), OUTPUT_BYTES_MAX) {
        Some(replaced) => Ok(Value::text(replaced)),
        None => Err(format!("text longer than {OUTPUT_BYTES_MAX} bytes")),
    }
}

const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];

/// Scales a number below one up, a thousand a time.
fn scaled_up(mut v: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for p in SMALL {
        if v.abs() >= 1.0 {
            break;
        }
        prefix = p;
        v *= 1000.0;
    }
    (v, prefix)
}

fn scaled_down(mut v: f64, base: f64, prefixes: [&'static str; 8]) -> (f64, &'static str) {
    let mut prefix = "";
    for p in prefixes {
        if v.abs() < base {
            break;
        }
        prefix = p;
        v /= base;
    }
    (v, prefix)
}

pub(crate) fn humanize<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    let v = number(&args[0])?;
    if v == 0.0 || !v.is_finite() {
        return Ok(Value::text(short(v)));
    }
    let (v, prefix) = if v.abs() >= 1.0 {
        scaled_down(v, 1000.0, ["k", "M", "G", "T", "P", "E", "Z", "Y"])
    } else {
        scaled_up(v)
    };
    Ok(Value::text(short(v) + prefix))
}

pub(crate) fn humanize1024<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    let v = number(&args[0])?;
    if v.abs() <= 1.0 || !v.is_finite() {
        return Ok(Value::text(short(v)));
    }
    let (v, prefix) = scaled_down(v, 1024.0, ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"]);
    Ok(Value::text(short(v) + prefix))
}

pub(crate) fn humanize_duration<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    let v = number(&args[0])?;
    if !v.is_finite() {
        return Ok(Value::text(short(v)));
    }
    if v == 0.0 {
        return Ok(Value::text(short(v) + "s"));
    }
    if v.abs() < 1.0 {
        let (v, prefix) = scaled_up(v);
        return Ok(Value::text(format!("{}{prefix}s", short(v))));
    }
    let sign = if v < 0.0 { "-" } else { "" };
    let total = v.abs() as i64;
    let (seconds, minutes, hours, days) = (total % 60, total / 60 % 60, total / 3_600 % 24, total / 86_400);
    let text = match (days, hours, minutes) {
        (0, 0, 0) => format!("{sign}{}s", short(v.abs())),
        (0, 0, _) => format!("{sign}{minutes}m {seconds}s"),
        (0, _, _) => format!("{sign}{hours}h {minutes}m {seconds}s"),
        _ => format!("{sign}{days}d {hours}h {minutes}m {seconds}s"),
    };
    Ok(Value::text(text))
}

pub(crate) fn humanize_percentage<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::text(short(number(&args[0])? * 100.0) + "%"))
}

/// Turns seconds into the milliseconds that Prometheus's times are made of.
fn time_ms(v: f64) -> Result<i64, String> {
    let ns = v * 1e9;
    if ns > i64::MAX as f64 || ns < i64::MIN as f64 {
        let v = float::format_g(v);
        return Err(format!("{v} cannot be represented as a nanoseconds timestamp since it overflows int64"));
    }
    Ok(ns as i64 / 1_000_000)
}

pub(crate) fn humanize_timestamp<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    let v = number(&args[0])?;
    if !v.is_finite() {
        return Ok(Value::text(short(v)));
    }
    Ok(Value::text(gotime::time_string(time_ms(v)?)))
}

pub(crate) fn to_time<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    let v = number(&args[0])?;
    if !v.is_finite() {
        return Err("value is NaN or Inf".to_owned());
    }
    time_ms(v).map(Value::Time)
}

pub(crate) fn to_duration<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::Duration((number(&args[0])? * 1e9) as i64))
}

pub(crate) fn parse_duration<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::Float(duration::parse(text(args, 0))? as f64 / 1000.0))
}
