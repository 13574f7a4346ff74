//! Samples.

/// The bit pattern that marks the end of a series.
///
/// Source: Prometheus model/value.
pub const STALE_NAN: f64 = f64::from_bits(0x7ff0_0000_0000_0002);
/// The bit pattern of an ordinary NaN, as Prometheus stores it.
pub const NORMAL_NAN: f64 = f64::from_bits(0x7ff8_0000_0000_0001);

/// Says whether a value is the stale marker; other NaNs are not.
pub fn is_stale_nan(value: f64) -> bool {
    value.to_bits() == STALE_NAN.to_bits()
}

/// A value at a time.
///
/// Units: milliseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When, in milliseconds since the epoch.
    pub t_ms: i64,
    /// What.
    pub value: f64,
}
