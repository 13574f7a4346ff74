//! The functions that Go's text/template brings along.

use std::cmp::Ordering;
use std::rc::Rc;

use promflow_model::float;

use crate::call::Context;
use crate::fmt;
use crate::lex::is_printable;
use crate::url;
use crate::value::Value;

type Outcome<'a> = Result<Value<'a>, String>;

pub(crate) fn not<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::Bool(!args[0].truth()))
}

pub(crate) fn len<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    match (&args[0], args[0].len()) {
        (_, Some(len)) => Ok(Value::Int(len as i64)),
        (Value::Nil, _) => Err("reflect: call of reflect.Value.Type on zero Value".to_owned()),
        (other, _) => Err(format!("len of type {}", other.type_name().trim_start_matches('*'))),
    }
}

/// Reads an index into something of this length; the length itself is allowed, as in Go.
fn index_arg(index: &Value<'_>, len: usize) -> Result<usize, String> {
    let n = match index {
        Value::Int(n) => *n,
        Value::Byte(n) => i64::from(*n),
        Value::Nil => return Err("cannot index slice/array with nil".to_owned()),
        other => return Err(format!("cannot index slice/array with type {}", other.type_name())),
    };
    match usize::try_from(n) {
        Ok(n) if n <= len => Ok(n),
        _ => Err(format!("index out of range: {n}")),
    }
}

pub(crate) fn index<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    let mut item = args[0].clone();
    if matches!(item, Value::Nil) {
        return Err("index of untyped nil".to_owned());
    }
    let past_end = |what| format!("reflect: {what} index out of range");
    for index in &args[1..] {
        item = match &item {
            Value::Text(s) => {
                let i = index_arg(index, s.len())?;
                Value::Byte(*s.as_bytes().get(i).ok_or_else(|| past_end("string"))?)
            }
            Value::Samples(samples) => {
                let i = index_arg(index, samples.len())?;
                Value::Sample(samples.get(i).ok_or_else(|| past_end("slice"))?.clone())
            }
            Value::Labels(labels) => Value::text(labels.get(map_key(index)?)),
            Value::Args(args) => args.entries.get(map_key(index)?).cloned().unwrap_or(Value::Nil),
            Value::Nil => return Err("index of nil pointer".to_owned()),
            other => {
                let name = other.type_name().trim_start_matches('*');
                return Err(format!("can't index item of type {name}"));
            }
        };
    }
    Ok(item)
}

fn map_key<'v>(index: &'v Value<'_>) -> Result<&'v str, String> {
    match index {
        Value::Text(name) => Ok(name),
        Value::Nil => Err("value is nil; should be of type string".to_owned()),
        other => Err(format!("value has type {}; should be string", other.type_name())),
    }
}

pub(crate) fn slice<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    let (item, indexes) = (&args[0], &args[1..]);
    if indexes.len() > 3 {
        return Err(format!("too many slice indexes: {}", indexes.len()));
    }
    let len = match item {
        Value::Text(_) if indexes.len() == 3 => return Err("cannot 3-index slice a string".to_owned()),
        Value::Text(s) => s.len(),
        Value::Samples(samples) => samples.len(),
        Value::Nil => return Err("slice of untyped nil".to_owned()),
        other => {
            let name = other.type_name().trim_start_matches('*');
            return Err(format!("can't slice item of type {name}"));
        }
    };
    let mut bounds = [0, len, len];
    for (bound, index) in bounds.iter_mut().zip(indexes) {
        *bound = index_arg(index, len)?;
    }
    for pair in bounds.windows(2) {
        if pair[0] > pair[1] {
            return Err(format!("invalid slice index: {} > {}", pair[0], pair[1]));
        }
    }
    match item {
        Value::Samples(samples) => Ok(Value::Samples(Rc::from(&samples[bounds[0]..bounds[1]]))),
        Value::Text(s) => Ok(Value::text(String::from_utf8_lossy(&s.as_bytes()[bounds[0]..bounds[1]]))),
        _ => Ok(Value::Nil),
    }
}

#[derive(PartialEq)]
enum Kind {
    Bool,
    Int,
    Byte,
    Float,
    Text,
    Other,
}

fn kind(value: &Value<'_>) -> Kind {
    match value {
        Value::Bool(_) => Kind::Bool,
        // A duration is an integer in Go, but templates only ever hold pointers to one.
        Value::Int(_) => Kind::Int,
        Value::Byte(_) => Kind::Byte,
        Value::Float(_) => Kind::Float,
        Value::Text(_) => Kind::Text,
        _ => Kind::Other,
    }
}

/// What Go's reflection calls the kind of a value that has no order.
#[derive(PartialEq)]
enum Shape {
    Map,
    Slice,
    Pointer,
    Struct,
}

fn shape(value: &Value<'_>) -> Shape {
    match value {
        Value::Labels(_) | Value::Args(_) => Shape::Map,
        Value::Samples(_) => Shape::Slice,
        Value::Sample(_) | Value::Time(_) | Value::Duration(_) => Shape::Pointer,
        _ => Shape::Struct,
    }
}

fn incompatible(a: &Value<'_>, b: &Value<'_>) -> String {
    format!("incompatible types for comparison: {} and {}", a.type_name(), b.type_name())
}

fn equal(a: &Value<'_>, b: &Value<'_>) -> Result<bool, String> {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        (Value::Int(a), Value::Int(b)) => Ok(a == b),
        (Value::Byte(a), Value::Byte(b)) => Ok(a == b),
        (Value::Int(a), Value::Byte(b)) | (Value::Byte(b), Value::Int(a)) => Ok(*a == i64::from(*b)),
        (Value::Float(a), Value::Float(b)) => Ok(a == b),
        (Value::Text(a), Value::Text(b)) => Ok(a == b),
        (Value::Nil, _) | (_, Value::Nil) => Ok(matches!((a, b), (Value::Nil, Value::Nil))),
        _ if kind(a) != kind(b) => Err(incompatible(a, b)),
        (Value::Sample(a), Value::Sample(b)) => Ok(Rc::ptr_eq(a, b)),
        (Value::Time(a), Value::Time(b)) | (Value::Duration(a), Value::Duration(b)) => Ok(a == b),
        _ => {
            let shown = |v: &Value<'_>| fmt::sprint(std::slice::from_ref(v));
            match (shape(a), shape(b)) {
                (Shape::Pointer, Shape::Pointer) => Ok(false),
                (left, right) if left == right => {
                    Err(format!("non-comparable type {}: {}", shown(b)?, b.type_name()))
                }
                _ => Err(format!(
                    "non-comparable types {}: {}, {}: {}",
                    shown(a)?,
                    a.type_name(),
                    b.type_name(),
                    shown(b)?
                )),
            }
        }
    }
}

pub(crate) fn eq<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    if args.len() < 2 {
        return Err("missing argument for comparison".to_owned());
    }
    for other in &args[1..] {
        if equal(&args[0], other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

pub(crate) fn ne<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::Bool(!equal(&args[0], &args[1])?))
}

/// Compares; `None` when one of them is not a number.
fn compare(a: &Value<'_>, b: &Value<'_>) -> Result<Option<Ordering>, String> {
    let invalid = || Err("invalid type for comparison".to_owned());
    if kind(a) == Kind::Other || kind(b) == Kind::Other {
        return invalid();
    }
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Ok(Some(a.cmp(b))),
        (Value::Byte(a), Value::Byte(b)) => Ok(Some(a.cmp(b))),
        (Value::Int(a), Value::Byte(b)) => Ok(Some(a.cmp(&i64::from(*b)))),
        (Value::Byte(a), Value::Int(b)) => Ok(Some(i64::from(*a).cmp(b))),
        (Value::Float(a), Value::Float(b)) => Ok(a.partial_cmp(b)),
        (Value::Text(a), Value::Text(b)) => Ok(Some(a.cmp(b))),
        (Value::Bool(_), Value::Bool(_)) => invalid(),
        _ => Err(incompatible(a, b)),
    }
}

pub(crate) fn lt<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::Bool(compare(&args[0], &args[1])? == Some(Ordering::Less)))
}

pub(crate) fn le<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    let order = compare(&args[0], &args[1])?;
    Ok(Value::Bool(matches!(order, Some(Ordering::Less | Ordering::Equal))))
}

/// Compares as Go does: `a > b` is `!(a <= b)`, so it holds for a NaN.
pub(crate) fn gt<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    let order = compare(&args[0], &args[1])?;
    Ok(Value::Bool(!matches!(order, Some(Ordering::Less | Ordering::Equal))))
}

pub(crate) fn ge<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::Bool(compare(&args[0], &args[1])? != Some(Ordering::Less)))
}

pub(crate) fn print<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    fmt::sprint(args).map(Value::text)
}

pub(crate) fn println<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    fmt::sprintln(args).map(Value::text)
}

pub(crate) fn printf<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    match &args[0] {
        Value::Text(format) => fmt::sprintf(format, &args[1..]).map(Value::text),
        _ => Ok(Value::Nil),
    }
}

/// Prints a value as an action does.
pub(crate) fn display(value: &Value<'_>) -> Result<String, String> {
    match value {
        Value::Nil => Ok("<no value>".to_owned()),
        Value::Float(v) => Ok(float::format_g(*v)),
        Value::Text(s) => Ok(s.to_string()),
        // An action prints what a pointer points to.
        Value::Sample(_) => fmt::sprint(std::slice::from_ref(value)).map(|s| s[1..].to_owned()),
        _ => fmt::sprint(std::slice::from_ref(value)),
    }
}

fn joined(args: &[Value<'_>]) -> Result<String, String> {
    if let [one] = args {
        return display(one);
    }
    let shown = args.iter().map(|arg| match arg {
        Value::Nil | Value::Sample(_) => display(arg).map(Value::text),
        other => Ok(other.clone()),
    });
    fmt::sprint(&shown.collect::<Result<Vec<_>, _>>()?)
}

pub(crate) fn html<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    let mut out = String::new();
    for c in joined(args)?.chars() {
        match c {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    Ok(Value::text(out))
}

pub(crate) fn js<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    let mut out = String::new();
    for c in joined(args)?.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' | '>' | '&' | '=' | '\0'..' ' => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c if c.is_ascii() || is_printable(c) => out.push(c),
            c => out.push_str(&format!("\\u{:04X}", u32::from(c))),
        }
    }
    Ok(Value::text(out))
}

pub(crate) fn urlquery<'a>(_: &Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::text(url::query_escape(&joined(args)?)))
}
