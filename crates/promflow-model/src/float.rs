//! Floats as Go prints them: shortest digits, in the layouts that Prometheus uses on its several surfaces.

/// Writes as Go's `FormatFloat(v, 'g', -1, 64)` and `%v`, the exposition formats and `le` values: the exponent form
/// below 1e-4 and from 1e6 on.
pub fn format_g(v: f64) -> String {
    layout(v, |exp| !(-4..6).contains(&exp))
}

/// Writes as Go's `FormatFloat(v, 'f', -1, 64)`: never an exponent.
pub fn format_f(v: f64) -> String {
    layout(v, |_| false)
}

/// Writes as Go's `FormatFloat(v, 'e', -1, 64)`: always an exponent.
pub fn format_e(v: f64) -> String {
    layout(v, |_| true)
}

/// Writes as Prometheus's JSON API writes a sample value: `f`, but `e` below 1e-6 and from 1e21 on.
pub fn format_json(v: f64) -> String {
    layout(v, |exp| v != 0.0 && !(-6..21).contains(&exp))
}

/// Writes the value's shortest digits; `exponential` decides on the decimal exponent.
fn layout(v: f64, exponential: impl Fn(i32) -> bool) -> String {
    if v.is_nan() {
        return "NaN".to_owned();
    }
    if v.is_infinite() {
        return if v > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let mut buffer = zmij::Buffer::new();
    let (digits, exp) = shortest_digits(buffer.format_finite(v));
    let mut out = String::with_capacity(24);
    if v.is_sign_negative() {
        out.push('-');
    }
    if exponential(exp) {
        push_exponential(&mut out, &digits, exp);
    } else {
        push_fixed(&mut out, &digits, exp);
    }
    out
}

/// Takes a decimal text apart: significant digits without zeros at either end (`0` is one digit), and the
/// exponent of the first.
fn shortest_digits(text: &str) -> (String, i32) {
    let text = text.trim_start_matches('-');
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((m, e)) => (m, e.parse::<i32>().expect("BUG: exponent of a formatted float")),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all: String = [whole, fraction].concat();
    let leading_zeros = all.bytes().take_while(|b| *b == b'0').count();
    let digits = all[leading_zeros..].trim_end_matches('0');
    if digits.is_empty() {
        return ("0".to_owned(), 0);
    }
    (digits.to_owned(), whole.len() as i32 - 1 - leading_zeros as i32 + exponent)
}

fn push_exponential(out: &mut String, digits: &str, exp: i32) {
    out.push_str(&digits[..1]);
    if digits.len() > 1 {
        out.push('.');
        out.push_str(&digits[1..]);
    }
    out.push('e');
    out.push(if exp < 0 { '-' } else { '+' });
    out.push_str(&format!("{:02}", exp.unsigned_abs()));
}

fn push_fixed(out: &mut String, digits: &str, exp: i32) {
    if exp < 0 {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', (-exp - 1) as usize));
        out.push_str(digits);
        return;
    }
    let whole = exp as usize + 1;
    if digits.len() <= whole {
        out.push_str(digits);
        out.extend(std::iter::repeat_n('0', whole - digits.len()));
    } else {
        out.push_str(&digits[..whole]);
        out.push('.');
        out.push_str(&digits[whole..]);
    }
}

/// Parses a float as the exposition formats and PromQL accept it: decimal, `Inf`, `NaN` and their spellings in
/// any case, hexadecimal floats not included.
///
/// Errors: the text is no number, or is out of range (Rust's own parser would give infinity).
pub fn parse(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let v: f64 = text.parse().ok()?;
    (v.is_finite() || !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')).then_some(v)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_those_of_go() {
        // value, g, f, e, json
        let table: &[(f64, &str, &str, &str, &str)] = &[
            (0.0, "0", "0", "0e+00", "0"),
            (-0.0, "-0", "-0", "-0e+00", "-0"),
            (1.0, "1", "1", "1e+00", "1"),
            (0.5, "0.5", "0.5", "5e-01", "0.5"),
            (123456.0, "123456", "123456", "1.23456e+05", "123456"),
            (1546544.0, "1.546544e+06", "1546544", "1.546544e+06", "1546544"),
            (1e20, "1e+20", "100000000000000000000", "1e+20", "100000000000000000000"),
            (1e21, "1e+21", "1000000000000000000000", "1e+21", "1e+21"),
            (0.0001, "0.0001", "0.0001", "1e-04", "0.0001"),
            (0.00001, "1e-05", "0.00001", "1e-05", "0.00001"),
            (1e-7, "1e-07", "0.0000001", "1e-07", "1e-07"),
            (-2.5e-8, "-2.5e-08", "-0.000000025", "-2.5e-08", "-2.5e-08"),
            (f64::INFINITY, "+Inf", "+Inf", "+Inf", "+Inf"),
            (f64::NAN, "NaN", "NaN", "NaN", "NaN"),
        ];
        for (v, g, f, e, json) in table {
            assert_eq!(format_g(*v), *g);
            assert_eq!(format_f(*v), *f);
            assert_eq!(format_e(*v), *e);
            assert_eq!(format_json(*v), *json);
        }
    }

    #[test]
    fn parse_refuses_what_is_out_of_range() {
        assert_eq!(parse("1e308"), Some(1e308));
        assert_eq!(parse("1e309"), None);
        assert_eq!(parse("+Inf"), Some(f64::INFINITY));
        assert!(parse("nan").is_some_and(f64::is_nan));
        assert_eq!(parse(""), None);
        assert_eq!(parse("1_000"), None);
    }
}
