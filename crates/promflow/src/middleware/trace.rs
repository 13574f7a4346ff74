//! The trace that a request belongs to.

use http::HeaderMap;

/// Reads the trace id from the header `traceparent`; none when there is none or it is malformed.
///
/// Source: W3C Trace Context, section 3.2.
///
/// ```
/// let mut headers = http::HeaderMap::new();
/// let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// headers.insert("traceparent", parent.parse().unwrap());
/// assert_eq!(promflow::middleware::trace_id(&headers), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
/// ```
pub fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get("traceparent")?.to_str().ok()?;
    let mut parts = value.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let known = version != "00" || parts.next().is_none();
    let hex = |text: &str, len| {
        text.len() == len && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let set = |text: &str| text.bytes().any(|b| b != b'0');
    let valid = known
        && (hex(version, 2) && version != "ff")
        && (hex(trace, 32) && set(trace))
        && (hex(parent, 16) && set(parent))
        && hex(flags, 2);
    valid.then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_trace_parents_have_no_trace() {
        for value in [
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf9-00f067aa0ba902b7-01",
            "",
        ] {
            let headers = HeaderMap::from_iter([("traceparent".parse().unwrap(), value.parse().unwrap())]);
            assert_eq!(trace_id(&headers), None, "{value}");
        }
        let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more";
        let headers = HeaderMap::from_iter([("traceparent".parse().unwrap(), later.parse().unwrap())]);
        assert!(trace_id(&headers).is_some());
    }
}
