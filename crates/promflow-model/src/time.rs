//! Timestamps in milliseconds since the epoch, and their RFC 3339 form, in UTC.

use jiff::Timestamp;

/// Tells the time: the loops ask it, so that tests can control them.
pub trait Clock: Send + Sync {
    /// Returns the time in milliseconds since the epoch.
    fn now_ms(&self) -> i64;
}

/// Writes RFC 3339 with as many fraction digits as are needed, as Go's `time.RFC3339Nano` in UTC.
///
/// Units: milliseconds since the epoch; beyond the calendar's range the number itself is written.
pub fn format_rfc3339(t_ms: i64) -> String {
    match Timestamp::from_millisecond(t_ms) {
        Ok(t) => t.to_string(),
        Err(_) => t_ms.to_string(),
    }
}

/// Parses RFC 3339, with any offset.
///
/// Units: milliseconds since the epoch, rounded towards it.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// Parses a time as the HTTP API takes it: seconds since the epoch with a fraction, or RFC 3339.
///
/// Units: milliseconds since the epoch.
/// Errors: Prometheus's text.
pub fn parse_api(text: &str) -> Result<i64, String> {
    if let Some(seconds) = crate::float::parse(text) {
        let ms = (seconds * 1000.0).round();
        if ms.is_finite() && ms.abs() < 9.2e18 {
            return Ok(ms as i64);
        }
    }
    parse_rfc3339(text)
        .ok_or_else(|| format!("cannot parse {} to a valid timestamp", crate::quote::quote(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_times_are_seconds_or_rfc3339() {
        assert_eq!(parse_api("1435781451.781"), Ok(1_435_781_451_781));
        assert_eq!(parse_api("2015-07-01T20:10:51.781Z"), Ok(1_435_781_451_781));
        assert_eq!(parse_api("2015-06-30T22:10:51.781+02:00"), Ok(1_435_695_051_781));
        assert_eq!(parse_api("x"), Err("cannot parse \"x\" to a valid timestamp".to_owned()));
        assert!(parse_api("NaN").is_err());
    }

    #[test]
    fn times_print_without_needless_digits() {
        assert_eq!(format_rfc3339(1_435_781_451_781), "2015-07-01T20:10:51.781Z");
        assert_eq!(format_rfc3339(0), "1970-01-01T00:00:00Z");
    }
}
