//! Units of measure as words.

use crate::page::{MetricType, sanitize_name};

/// Units of UCUM, and the words that Prometheus's names have for them.
const WORDS: [(&str, &str); 31] = [
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tebibytes"),
    ("KBy", "kilobytes"),
    ("kBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("bit", "bits"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("kg", "kilograms"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("%", "percent"),
    ("K", "kelvins"),
    ("Pa", "pascals"),
    ("$", "dollars"),
];
/// Units after a slash.
const PER: [(&str, &str); 7] = [
    ("s", "second"),
    ("min", "minute"),
    ("h", "hour"),
    ("d", "day"),
    ("wk", "week"),
    ("mo", "month"),
    ("y", "year"),
];

/// Returns the word that a unit adds to a name; empty for a plain number, or for what is counted (`{request}`).
pub(super) fn word(unit: &str, kind: MetricType) -> String {
    if unit == "1" {
        return if kind == MetricType::Gauge { "ratio".to_owned() } else { String::new() };
    }
    let (unit, per) = unit.split_once('/').unwrap_or((unit, ""));
    let find = |words: &[(&str, &str)], unit: &str| {
        let known = words.iter().find(|(short, _)| *short == unit);
        known.map_or_else(|| unit.to_owned(), |(_, word)| (*word).to_owned())
    };
    let mut parts = Vec::new();
    if is_word(unit) {
        parts.push(find(&WORDS, unit));
    }
    if is_word(per) {
        parts.push(format!("per_{}", find(&PER, per)));
    }
    match parts.join("_") {
        joined if joined.is_empty() => joined,
        joined => sanitize_name(&joined, false).trim_matches('_').to_owned(),
    }
}

/// An annotation in braces is no unit.
fn is_word(unit: &str) -> bool {
    !unit.is_empty() && !unit.contains(['{', '}'])
}
