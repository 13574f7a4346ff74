use std::collections::BTreeMap;
use std::rc::Rc;

use promflow_model::Labels;

use crate::{AlertData, QuerySample};

/// How deep `args` may nest.
const NESTING_MAX: u32 = 50;

/// A value that a template works on, with the types that Prometheus's templates can meet.
#[derive(Clone)]
pub(crate) enum Value<'a> {
    /// Go's nil and its invalid value.
    Nil,
    Bool(bool),
    Int(i64),
    /// One byte of a string, `uint8`.
    Byte(u8),
    Float(f64),
    Text(Rc<str>),
    Labels(Labels),
    /// The result of `query`.
    Samples(Rc<[Rc<QuerySample>]>),
    Sample(Rc<QuerySample>),
    /// The result of `args`.
    Args(Rc<Args<'a>>),
    /// Milliseconds since the epoch.
    Time(i64),
    /// Nanoseconds.
    Duration(i64),
    /// What the dot is at first.
    Data(&'a AlertData<'a>),
}

pub(crate) struct Args<'a> {
    pub(crate) entries: BTreeMap<String, Value<'a>>,
    depth: u32,
}

impl<'a> Value<'a> {
    pub(crate) fn text(s: impl AsRef<str>) -> Value<'a> {
        Value::Text(Rc::from(s.as_ref()))
    }

    pub(crate) fn args(values: Vec<Value<'a>>) -> Result<Value<'a>, String> {
        let depths = values.iter().map(|v| if let Value::Args(args) = v { args.depth + 1 } else { 1 });
        let depth = depths.max().unwrap_or(1);
        if depth > NESTING_MAX {
            return Err(format!("args nested deeper than {NESTING_MAX}"));
        }
        let entries = values.into_iter().enumerate().map(|(i, v)| (format!("arg{i}"), v)).collect();
        Ok(Value::Args(Rc::new(Args { entries, depth })))
    }

    /// Names the type as Go does.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Value::Nil => "<nil>",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Byte(_) => "uint8",
            Value::Float(_) => "float64",
            Value::Text(_) => "string",
            Value::Labels(_) => "map[string]string",
            Value::Samples(_) => "template.queryResult",
            Value::Sample(_) => "*template.sample",
            Value::Args(_) => "map[string]interface {}",
            Value::Time(_) => "*time.Time",
            Value::Duration(_) => "*time.Duration",
            Value::Data(_) => {
                "struct { Labels map[string]string; ExternalLabels map[string]string; \
                 ExternalURL string; Value interface {} }"
            }
        }
    }

    /// Tells whether `if` takes the value for true: whether it is not empty.
    pub(crate) fn truth(&self) -> bool {
        match self {
            Value::Nil => false,
            Value::Bool(b) => *b,
            Value::Int(n) => *n != 0,
            Value::Byte(n) => *n != 0,
            Value::Float(v) => *v != 0.0,
            Value::Text(s) => !s.is_empty(),
            Value::Labels(labels) => !labels.is_empty(),
            Value::Samples(samples) => !samples.is_empty(),
            Value::Args(args) => !args.entries.is_empty(),
            Value::Sample(_) | Value::Time(_) | Value::Duration(_) | Value::Data(_) => true,
        }
    }

    /// Returns the length of what has one.
    pub(crate) fn len(&self) -> Option<usize> {
        match self {
            Value::Text(s) => Some(s.len()),
            Value::Labels(labels) => Some(labels.len()),
            Value::Samples(samples) => Some(samples.len()),
            Value::Args(args) => Some(args.entries.len()),
            _ => None,
        }
    }

    /// Estimates the work of reading the value once.
    pub(crate) fn size_bytes(&self) -> usize {
        match self {
            Value::Text(s) => s.len(),
            Value::Labels(labels) => labels.size_bytes(),
            Value::Samples(samples) => 64 * samples.len(),
            Value::Args(args) => 64 * args.entries.len(),
            _ => 8,
        }
    }
}
