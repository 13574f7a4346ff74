//! Sizes in bytes: `15MB` and `15MiB` are both powers of 1024.

/// The units, largest first.
const UNITS: [(char, u32); 6] = [('E', 60), ('P', 50), ('T', 40), ('G', 30), ('M', 20), ('K', 10)];

/// Parses a size.
///
/// Units: bytes.
/// Errors: Prometheus's text.
/// Source: alecthomas/units ParseBase2Bytes.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    let invalid = || format!("units: invalid {text}");
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let number: f64 = number.parse().map_err(|_| invalid())?;
        let unit_len = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_len);
        let shift = shift_of(unit).ok_or_else(|| format!("units: unknown unit {unit} in {text}"))?;
        total += number * (1u64 << shift) as f64;
        rest = after;
    }
    if total >= i64::MAX as f64 {
        return Err("units: overflow parsing unit".to_owned());
    }
    Ok(if negative { -(total as i64) } else { total as i64 })
}

fn shift_of(unit: &str) -> Option<u32> {
    if unit == "B" {
        return Some(0);
    }
    let prefix = unit.strip_suffix("iB").or_else(|| unit.strip_suffix('B'))?;
    UNITS.iter().find(|(c, _)| prefix.len() == 1 && prefix.starts_with(*c)).map(|(_, shift)| *shift)
}

/// Writes a size as Prometheus shows it: `15MiB`, `1GiB512MiB`.
///
/// Units: bytes.
pub(crate) fn format(size_bytes: i64) -> String {
    if size_bytes == 0 {
        return "0B".to_owned();
    }
    let mut out = String::new();
    if size_bytes < 0 {
        out.push('-');
    }
    let mut rest = size_bytes.unsigned_abs();
    for (c, shift) in UNITS {
        let amount = rest >> shift;
        if amount > 0 {
            out.push_str(&format!("{amount}{c}iB"));
            rest &= (1 << shift) - 1;
        }
    }
    if rest > 0 {
        out.push_str(&format!("{rest}B"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024_whatever_the_unit() {
        for (text, bytes, printed) in [
            ("15MB", 15 << 20, "15MiB"),
            ("15MiB", 15 << 20, "15MiB"),
            ("1.5GB", 3 << 29, "1GiB512MiB"),
            ("512B", 512, "512B"),
            ("0", 0, "0B"),
            ("-1GiB", -(1 << 30), "-1GiB"),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
            assert_eq!(format(bytes), printed);
        }
    }

    #[test]
    fn malformed_sizes_are_refused() {
        assert_eq!(parse("100"), Err("units: unknown unit  in 100".to_owned()));
        assert_eq!(parse("1XB"), Err("units: unknown unit XB in 1XB".to_owned()));
        for bad in ["", "MB", "1.2.3MB", "-", "99999999EB"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
