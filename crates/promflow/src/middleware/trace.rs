//! The trace that a request belongs to.

use http::{HeaderMap, HeaderName};

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
    parse(headers).map(|parent| parent.trace_id)
}

/// Reads the trace id as [`trace_id`] does, of a trace that is recorded: an exemplar of another leads nowhere.
pub(super) fn sampled_trace_id(headers: &HeaderMap) -> Option<&str> {
    parse(headers).filter(|parent| parent.sampled).map(|parent| parent.trace_id)
}

struct TraceParent<'h> {
    trace_id: &'h str,
    sampled: bool,
}

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

fn parse(headers: &HeaderMap) -> Option<TraceParent<'_>> {
    let value = headers.get(&TRACEPARENT)?.to_str().ok()?;
    let mut parts = value.split('-');
    let (version, trace_id, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let known = version != "00" || parts.next().is_none();
    let hex = |text: &str, len| {
        text.len() == len && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let set = |text: &str| text.bytes().any(|b| b != b'0');
    let valid = known
        && (hex(version, 2) && version != "ff")
        && (hex(trace_id, 32) && set(trace_id))
        && (hex(parent, 16) && set(parent))
        && hex(flags, 2);
    let sampled = u8::from_str_radix(flags, 16).is_ok_and(|flags| flags & 1 == 1);
    valid.then_some(TraceParent { trace_id, sampled })
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

    #[test]
    fn exemplars_are_of_traces_that_are_recorded() {
        for (flags, sampled) in [("01", true), ("03", true), ("00", false), ("02", false)] {
            let value = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
            let headers = HeaderMap::from_iter([("traceparent".parse().unwrap(), value.parse().unwrap())]);
            assert!(trace_id(&headers).is_some());
            assert_eq!(sampled_trace_id(&headers).is_some(), sampled, "{flags}");
        }
    }
}
