//! Functions of one value at a time.

use std::f64::consts::PI;

/// A function of each value, some with parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MathFunction {
    Simple(Simple),
    Round,
    Clamp,
    ClampMin,
    ClampMax,
}

/// A function of a value.
type Simple = fn(f64) -> f64;

const SIMPLE: [(&str, Simple); 23] = [
    ("abs", f64::abs),
    ("acos", f64::acos),
    ("acosh", f64::acosh),
    ("asin", f64::asin),
    ("asinh", asinh),
    ("atan", f64::atan),
    ("atanh", f64::atanh),
    ("ceil", f64::ceil),
    ("cos", f64::cos),
    ("cosh", f64::cosh),
    ("deg", |v| v * 180.0 / PI),
    ("exp", f64::exp),
    ("floor", f64::floor),
    ("ln", f64::ln),
    ("log10", f64::log10),
    ("log2", f64::log2),
    ("rad", |v| v * PI / 180.0),
    ("sgn", sgn),
    ("sin", f64::sin),
    ("sinh", f64::sinh),
    ("sqrt", f64::sqrt),
    ("tan", f64::tan),
    ("tanh", f64::tanh),
];

impl MathFunction {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "round" => Some(Self::Round),
            "clamp" => Some(Self::Clamp),
            "clamp_min" => Some(Self::ClampMin),
            "clamp_max" => Some(Self::ClampMax),
            _ => SIMPLE.iter().find(|(n, _)| *n == name).map(|(_, f)| Self::Simple(*f)),
        }
    }

    /// Applies the function to a value with the parameters of its step; `None` when there is no result.
    #[inline]
    pub(crate) fn apply(self, value: f64, params: &[f64]) -> Option<f64> {
        Some(match self {
            Self::Simple(f) => f(value),
            Self::Round => {
                // Dividing by the inverse is more exact than multiplying.
                let inverse = 1.0 / params.first().copied().unwrap_or(1.0);
                (value * inverse + 0.5).floor() / inverse
            }
            Self::Clamp => return clamp(value, params[0], params[1]),
            Self::ClampMin => return clamp(value, params[0], f64::INFINITY),
            Self::ClampMax => return clamp(value, f64::NEG_INFINITY, params[0]),
        })
    }
}

fn clamp(value: f64, min: f64, max: f64) -> Option<f64> {
    if max < min {
        return None;
    }
    Some(go_max(min, go_min(max, value)))
}

/// Returns the larger number as Go's `math.Max` does: NaN wins, and 0 over -0.
pub(crate) fn go_max(a: f64, b: f64) -> f64 {
    if a == f64::INFINITY || b == f64::INFINITY {
        return f64::INFINITY;
    }
    if a.is_nan() || b.is_nan() {
        return f64::NAN;
    }
    if a == 0.0 && b == 0.0 {
        return if a.is_sign_negative() { b } else { a };
    }
    if a > b { a } else { b }
}

/// Returns the smaller number as Go's `math.Min` does: NaN wins, and -0 over 0.
pub(crate) fn go_min(a: f64, b: f64) -> f64 {
    -go_max(-a, -b)
}

fn sgn(value: f64) -> f64 {
    if value < 0.0 {
        -1.0
    } else if value > 0.0 {
        1.0
    } else {
        value
    }
}

/// The standard library's `asinh` keeps the sign and is exact for small values, but overflows to infinity for huge
/// ones, where Go takes the logarithm.
fn asinh(value: f64) -> f64 {
    let magnitude = value.abs();
    if magnitude > (1u64 << 28) as f64 {
        return (magnitude.ln() + std::f64::consts::LN_2).copysign(value);
    }
    value.asinh()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clamps_and_rounds_as_documented() {
        assert_eq!(MathFunction::Clamp.apply(5.0, &[0.0, 3.0]), Some(3.0));
        assert_eq!(MathFunction::Clamp.apply(5.0, &[3.0, 0.0]), None);
        assert!(MathFunction::ClampMax.apply(f64::NAN, &[3.0]).is_some_and(f64::is_nan));
        assert_eq!(MathFunction::Round.apply(-2.5, &[]), Some(-2.0));
        assert_eq!(MathFunction::Round.apply(7.3, &[5.0]), Some(5.0));
    }

    #[test]
    fn extremes_follow_go() {
        assert!(go_max(f64::NAN, 1.0).is_nan());
        assert_eq!(go_max(f64::NAN, f64::INFINITY), f64::INFINITY);
        assert!(go_min(0.0, -0.0).is_sign_negative());
    }
}
