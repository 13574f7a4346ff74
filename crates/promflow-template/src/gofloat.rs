//! Floats as Go's `strconv` writes them.

use promflow_model::float;

/// More digits than any float has behind its point; what is beyond them is zeros.
const FLOAT_DIGITS_MAX: usize = 1_100;

/// Writes a float as Go's `strconv.FormatFloat`; without a precision the shortest digits that read back.
pub(crate) fn format_float(v: f64, verb: char, precision: Option<usize>) -> String {
    let text = match (verb.to_ascii_lowercase(), precision) {
        _ if !v.is_finite() => float::format_g(v),
        ('f', None) => float::format_f(v),
        ('e', None) => float::format_e(v),
        ('f', Some(p)) => fixed(v, p),
        ('e', Some(p)) => exponential(v, p),
        (_, None) => float::format_g(v),
        (_, Some(p)) => general(v, p),
    };
    if verb.is_ascii_uppercase() { text.replace('e', "E") } else { text }
}

fn fixed(v: f64, precision: usize) -> String {
    let exact = precision.min(FLOAT_DIGITS_MAX);
    let mut text = format!("{v:.exact$}");
    text.extend(std::iter::repeat_n('0', precision - exact));
    text
}

/// Returns digits with their point, and the decimal exponent.
fn scientific(v: f64, precision: usize) -> (String, i32) {
    let exact = precision.min(FLOAT_DIGITS_MAX);
    let text = format!("{v:.exact$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let mut mantissa = mantissa.to_owned();
    mantissa.extend(std::iter::repeat_n('0', precision - exact));
    (mantissa, exponent.parse().unwrap_or(0))
}

fn with_exponent(mantissa: &str, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

fn exponential(v: f64, precision: usize) -> String {
    let (mantissa, exponent) = scientific(v, precision);
    with_exponent(&mantissa, exponent)
}

fn general(v: f64, precision: usize) -> String {
    let digits = precision.max(1);
    let (mantissa, exponent) = scientific(v, digits - 1);
    let trimmed = if mantissa.contains('.') {
        mantissa.trim_end_matches('0').trim_end_matches('.')
    } else {
        mantissa.as_str()
    };
    let significant = trimmed.bytes().filter(u8::is_ascii_digit).count();
    let mut threshold = digits as i32;
    // Go switches late to the exponent when the digits end before the point anyway.
    if digits > significant && significant as i32 > exponent {
        threshold = significant as i32;
    }
    if exponent < -4 || exponent >= threshold {
        return with_exponent(trimmed, exponent);
    }
    fixed(v, (significant as i32 - 1 - exponent).max(0) as usize)
}

/// Adds the point and the zeros that the flag `#` asks for.
pub(crate) fn with_point(text: &str, verb: char, precision: Option<usize>) -> String {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let mut out = mantissa.to_owned();
    if !out.contains('.') {
        out.push('.');
    }
    if "vgG".contains(verb) {
        let significant = mantissa.trim_start_matches(['0', '.']).bytes().filter(u8::is_ascii_digit).count();
        let significant = if mantissa == "0" { 1 } else { significant };
        let wanted = precision.unwrap_or(6);
        out.extend(std::iter::repeat_n('0', wanted.saturating_sub(significant)));
    }
    out + exponent
}
