//! How strings and numbers stand on a page.

use promflow_model::float;

/// Writes a string between quotes.
pub(crate) fn push_quoted(out: &mut String, s: &str) {
    out.push('"');
    let mut rest = s;
    while let Some(i) = rest.bytes().position(|b| matches!(b, b'"' | b'\\' | b'\n')) {
        out.push_str(&rest[..i]);
        out.push_str(match rest.as_bytes()[i] {
            b'"' => "\\\"",
            b'\n' => "\\n",
            _ => "\\\\",
        });
        rest = &rest[i + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

/// Writes a float as OpenMetrics wants it in `le` and `quantile`: always with a point or an exponent.
pub(crate) fn push_float_with_point(out: &mut String, v: f64) {
    let start = out.len();
    out.push_str(&float::format_g(v));
    if v.is_finite() && !out[start..].contains(['.', 'e']) {
        out.push_str(".0");
    }
}
