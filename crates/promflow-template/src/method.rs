//! The methods of Go's `time.Time` and `time.Duration` that templates call.

use crate::gotime::{self, Calendar};
use crate::value::Value;

/// Methods that Go has and that are not built yet.
const MISSING_OF_TIME: [&str; 24] = [
    "Add",
    "AddDate",
    "After",
    "AppendFormat",
    "Before",
    "Clock",
    "Compare",
    "Date",
    "Equal",
    "GoString",
    "ISOWeek",
    "In",
    "IsDST",
    "Local",
    "Location",
    "MarshalBinary",
    "MarshalJSON",
    "MarshalText",
    "Month",
    "Round",
    "Sub",
    "Truncate",
    "Weekday",
    "Zone",
];

const MISSING_OF_DURATION: [&str; 3] = ["Abs", "Round", "Truncate"];

/// Calls a method; `None` when Go has no such method.
pub(crate) fn call<'a>(
    receiver: &Value<'a>,
    name: &str,
    args: &[Value<'a>],
) -> Option<Result<Value<'a>, String>> {
    let count = |wanted: usize, value: Value<'a>| {
        if args.len() == wanted {
            Ok(value)
        } else {
            Err(format!("wrong number of args for {name}: want {wanted} got {}", args.len()))
        }
    };
    match receiver {
        Value::Time(t_ms) => {
            if MISSING_OF_TIME.contains(&name) {
                return Some(Err(format!("not supported yet: time.Time.{name}")));
            }
            if name == "Format" {
                return Some(match args {
                    [Value::Text(layout)] => Ok(Value::text(gotime::format_time(*t_ms, layout))),
                    [Value::Nil] => Err("invalid value; expected string".to_owned()),
                    [other] => {
                        Err(format!("wrong type for value; expected string; got {}", other.type_name()))
                    }
                    _ => Err(format!("wrong number of args for Format: want 1 got {}", args.len())),
                });
            }
            time_field(*t_ms, name).map(|value| count(0, value))
        }
        Value::Duration(ns) => {
            if MISSING_OF_DURATION.contains(&name) {
                return Some(Err(format!("not supported yet: time.Duration.{name}")));
            }
            duration_field(*ns, name).map(|value| count(0, value))
        }
        _ => None,
    }
}

fn time_field<'a>(t_ms: i64, name: &str) -> Option<Value<'a>> {
    let t = Calendar::new(t_ms);
    Some(match name {
        "String" => Value::text(gotime::time_string(t_ms)),
        "UTC" => Value::Time(t_ms),
        "Unix" => Value::Int(t_ms.div_euclid(1_000)),
        "UnixMilli" => Value::Int(t_ms),
        "UnixMicro" => Value::Int(t_ms.saturating_mul(1_000)),
        "UnixNano" => Value::Int(t_ms.saturating_mul(1_000_000)),
        "Year" => Value::Int(t.year),
        "Day" => Value::Int(t.day),
        "YearDay" => Value::Int(t.year_day),
        "Hour" => Value::Int(t.hour),
        "Minute" => Value::Int(t.minute),
        "Second" => Value::Int(t.second),
        "Nanosecond" => Value::Int(t.millisecond * 1_000_000),
        "IsZero" => Value::Bool(t_ms == -62_135_596_800_000),
        _ => return None,
    })
}

fn duration_field<'a>(ns: i64, name: &str) -> Option<Value<'a>> {
    Some(match name {
        "String" => Value::text(gotime::duration_string(ns)),
        "Hours" => Value::Float(ns as f64 / 3.6e12),
        "Minutes" => Value::Float(ns as f64 / 6e10),
        "Seconds" => Value::Float((ns / 1_000_000_000) as f64 + (ns % 1_000_000_000) as f64 / 1e9),
        "Milliseconds" => Value::Int(ns / 1_000_000),
        "Microseconds" => Value::Int(ns / 1_000),
        "Nanoseconds" => Value::Int(ns),
        _ => return None,
    })
}
