//! Durations in Prometheus's grammar: `1h30m`, `15s`, `500ms`, units in falling order, no sign, no fraction.

/// Parses a duration. `0` stands for no time.
///
/// Units: milliseconds.
/// Errors: Prometheus's text, with the duration quoted.
/// Source: prometheus/common model.ParseDuration.
pub fn parse(text: &str) -> Result<i64, String> {
    match text {
        "0" => return Ok(0),
        "" => return Err("empty duration string".to_owned()),
        _ => {}
    }
    let invalid = || format!("not a valid duration string: {}", crate::quote::quote(text));
    let overflow = || "duration out of range".to_owned();
    let mut rest = text;
    let mut total: i64 = 0;
    let mut last_unit = usize::MAX;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return Err(invalid());
        }
        let (number, after) = rest.split_at(digits);
        let name_len = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (name, after) = after.split_at(name_len);
        if name.is_empty() {
            return Err(invalid());
        }
        let unknown = || {
            let (name, text) = (crate::quote::quote(name), crate::quote::quote(text));
            format!("unknown unit {name} in duration {text}")
        };
        let unit = UNITS.iter().position(|(n, _)| *n == name).ok_or_else(unknown)?;
        if last_unit != usize::MAX && unit <= last_unit {
            return Err(invalid());
        }
        last_unit = unit;
        let amount: i64 = number.parse().map_err(|_| overflow())?;
        total =
            amount.checked_mul(UNITS[unit].1).and_then(|ms| total.checked_add(ms)).ok_or_else(overflow)?;
        rest = after;
    }
    // Go keeps durations in nanoseconds; what does not fit there is out of range there.
    if total > i64::MAX / 1_000_000 { Err(overflow()) } else { Ok(total) }
}

/// The units in falling order, in milliseconds.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Writes a duration, years and weeks only where they come out even.
///
/// Units: milliseconds; a negative duration gets a sign.
/// Source: prometheus/common model.Duration.String.
pub fn format(duration_ms: i64) -> String {
    if duration_ms == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    if duration_ms < 0 {
        out.push('-');
    }
    let mut rest = duration_ms.unsigned_abs();
    for (name, ms) in UNITS {
        let ms = ms as u64;
        let exact_only = matches!(name, "y" | "w");
        if exact_only && !rest.is_multiple_of(ms) {
            continue;
        }
        let amount = rest / ms;
        if amount > 0 {
            out.push_str(&format!("{amount}{name}"));
            rest -= amount * ms;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_as_prometheus_prints_them() {
        for (text, ms, printed) in [
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
            ("324ms", 324, "324ms"),
            ("5m", 300_000, "5m"),
            ("1h30m", 5_400_000, "1h30m"),
            ("90m", 5_400_000, "1h30m"),
            ("4d1h", 349_200_000, "4d1h"),
            ("14d", 1_209_600_000, "2w"),
            ("10w", 6_048_000_000, "10w"),
            ("1y", 31_536_000_000, "1y"),
            ("8w5d", 5_270_400_000, "61d"),
        ] {
            assert_eq!(parse(text), Ok(ms), "{text}");
            assert_eq!(format(ms), printed);
        }
    }

    #[test]
    fn malformed_durations_are_refused_with_upstream_text() {
        for bad in ["1", "1y1m1d", "-1w", "1.5d", "d", "294y", "200y 10h", "5m5m", " 5m"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert_eq!(parse(""), Err("empty duration string".to_owned()));
        assert_eq!(parse("1"), Err("not a valid duration string: \"1\"".to_owned()));
        assert_eq!(parse("294y"), Err("duration out of range".to_owned()));
        assert_eq!(parse("1.5d"), Err("unknown unit \".\" in duration \"1.5d\"".to_owned()));
    }
}
