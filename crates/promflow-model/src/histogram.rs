//! Native histograms: one sample that holds all buckets.
//!
//! Buckets are sparse: spans say which bucket indices follow each other, and a list holds what those buckets count.
//! With an exponential schema the upper bound of bucket `i` is `2^(i * 2^-schema)`; with [`CUSTOM_BUCKETS_SCHEMA`]
//! the bounds stand in `custom_values`.

use std::fmt;

/// The least exponential schema, the coarsest.
pub const EXPONENTIAL_SCHEMA_MIN: i32 = -4;
/// The greatest exponential schema, the finest.
pub const EXPONENTIAL_SCHEMA_MAX: i32 = 8;
/// The schema of histograms with explicit bounds.
pub const CUSTOM_BUCKETS_SCHEMA: i32 = -53;

/// Says whether the schema is one of the exponential ones.
pub fn is_exponential_schema(schema: i32) -> bool {
    (EXPONENTIAL_SCHEMA_MIN..=EXPONENTIAL_SCHEMA_MAX).contains(&schema)
}

/// A run of buckets whose indices follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// The gap to the end of the span before; in the first span, the index of its first bucket.
    pub offset: i32,
    /// The number of buckets.
    pub length: u32,
}

/// What is known of a counter reset before a histogram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CounterResetHint {
    /// Nothing: a reader compares the buckets.
    #[default]
    Unknown,
    /// A reset came before.
    CounterReset,
    /// No reset came before.
    NotCounterReset,
    /// The histogram is a gauge, which knows no resets.
    GaugeType,
}

/// A native histogram of whole counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// What is known of a counter reset.
    pub counter_reset_hint: CounterResetHint,
    /// -4 to 8, or [`CUSTOM_BUCKETS_SCHEMA`].
    pub schema: i32,
    /// The width of the zero bucket to either side.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: u64,
    /// All observations, NaN among them.
    pub count: u64,
    /// The sum of all observations.
    pub sum: f64,
    /// Where the positive buckets are.
    pub positive_spans: Vec<Span>,
    /// Where the negative buckets are.
    pub negative_spans: Vec<Span>,
    /// Positive buckets, each as the difference to the one before.
    pub positive_buckets: Vec<i64>,
    /// Negative buckets, each as the difference to the one before.
    pub negative_buckets: Vec<i64>,
    /// Upper bounds without `+Inf`, with [`CUSTOM_BUCKETS_SCHEMA`] alone.
    pub custom_values: Vec<f64>,
}

/// A native histogram of fractional counts, as rates and sums give.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FloatHistogram {
    /// What is known of a counter reset.
    pub counter_reset_hint: CounterResetHint,
    /// -4 to 8, or [`CUSTOM_BUCKETS_SCHEMA`].
    pub schema: i32,
    /// The width of the zero bucket to either side.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations, NaN among them.
    pub count: f64,
    /// The sum of all observations.
    pub sum: f64,
    /// Where the positive buckets are.
    pub positive_spans: Vec<Span>,
    /// Where the negative buckets are.
    pub negative_spans: Vec<Span>,
    /// Positive buckets, absolute.
    pub positive_buckets: Vec<f64>,
    /// Negative buckets, absolute.
    pub negative_buckets: Vec<f64>,
    /// Upper bounds without `+Inf`, with [`CUSTOM_BUCKETS_SCHEMA`] alone.
    pub custom_values: Vec<f64>,
}

/// A native histogram of either form.
#[derive(Clone, Debug, PartialEq)]
pub enum NativeHistogram {
    /// Whole counts.
    Int(Histogram),
    /// Fractional counts.
    Float(FloatHistogram),
}

impl NativeHistogram {
    /// Checks the histogram as [`Histogram::validate`] does.
    ///
    /// Errors: the first thing that does not fit.
    pub fn validate(&self) -> Result<(), HistogramError> {
        match self {
            Self::Int(histogram) => histogram.validate(),
            Self::Float(histogram) => histogram.validate(),
        }
    }

    /// Returns the histogram with fractional counts.
    pub fn to_float(&self) -> FloatHistogram {
        match self {
            Self::Int(histogram) => histogram.to_float(),
            Self::Float(histogram) => histogram.clone(),
        }
    }
}

impl From<Histogram> for NativeHistogram {
    fn from(histogram: Histogram) -> Self {
        Self::Int(histogram)
    }
}

impl From<FloatHistogram> for NativeHistogram {
    fn from(histogram: FloatHistogram) -> Self {
        Self::Float(histogram)
    }
}

impl Histogram {
    /// Says whether the bounds stand in `custom_values`.
    pub fn uses_custom_buckets(&self) -> bool {
        self.schema == CUSTOM_BUCKETS_SCHEMA
    }

    /// Checks that spans, buckets, bounds and count fit each other.
    ///
    /// Errors: the first thing that does not fit.
    /// Source: Prometheus model/histogram Validate.
    pub fn validate(&self) -> Result<(), HistogramError> {
        let layout = Layout {
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            has_zero_count: self.zero_count != 0,
            positive: (&self.positive_spans, self.positive_buckets.len()),
            negative: (&self.negative_spans, self.negative_buckets.len()),
            custom_values: &self.custom_values,
        };
        layout.validate()?;
        let positive = sum_of_deltas(&self.positive_buckets).map_err(|e| e.on("positive"))?;
        let negative = sum_of_deltas(&self.negative_buckets).map_err(|e| e.on("negative"))?;
        let buckets = positive.saturating_add(negative).saturating_add(u128::from(self.zero_count));
        let count = u128::from(self.count);
        if self.sum.is_nan() && buckets > count {
            return Err(HistogramError::new(format!(
                "{buckets} observations found in buckets, but the Count field is {count}: \
                 {COUNT_NOT_BIG_ENOUGH}"
            )));
        }
        if !self.sum.is_nan() && buckets != count {
            return Err(HistogramError::new(format!(
                "{buckets} observations found in buckets, but the Count field is {count}: {COUNT_MISMATCH}"
            )));
        }
        Ok(())
    }

    /// Returns the histogram with fractional counts, whose buckets are absolute.
    pub fn to_float(&self) -> FloatHistogram {
        FloatHistogram {
            counter_reset_hint: self.counter_reset_hint,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count as f64,
            count: self.count as f64,
            sum: self.sum,
            positive_spans: self.positive_spans.clone(),
            negative_spans: self.negative_spans.clone(),
            positive_buckets: absolute(&self.positive_buckets).map(|count| count as f64).collect(),
            negative_buckets: absolute(&self.negative_buckets).map(|count| count as f64).collect(),
            custom_values: self.custom_values.clone(),
        }
    }
}

impl FloatHistogram {
    /// Says whether the bounds stand in `custom_values`.
    pub fn uses_custom_buckets(&self) -> bool {
        self.schema == CUSTOM_BUCKETS_SCHEMA
    }

    /// Checks that spans, buckets, bounds and count fit each other. The count is not compared with the sum of the
    /// buckets, which rounding moves.
    ///
    /// Errors: the first thing that does not fit.
    /// Source: Prometheus model/histogram Validate.
    pub fn validate(&self) -> Result<(), HistogramError> {
        let layout = Layout {
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            has_zero_count: self.zero_count != 0.0,
            positive: (&self.positive_spans, self.positive_buckets.len()),
            negative: (&self.negative_spans, self.negative_buckets.len()),
            custom_values: &self.custom_values,
        };
        layout.validate()?;
        check_counts(&self.positive_buckets).map_err(|e| e.on("positive"))?;
        check_counts(&self.negative_buckets).map_err(|e| e.on("negative"))
    }
}

/// Returns the counts of buckets that are written as differences.
pub fn absolute(deltas: &[i64]) -> impl Iterator<Item = i64> + '_ {
    deltas.iter().scan(0i64, |count, delta| {
        *count = count.wrapping_add(*delta);
        Some(*count)
    })
}

/// Says what does not fit in a native histogram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistogramError(String);

impl HistogramError {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    fn on(self, side: &str) -> Self {
        Self(format!("{side} side: {}", self.0))
    }
}

impl fmt::Display for HistogramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for HistogramError {}

const COUNT_NOT_BIG_ENOUGH: &str =
    "histogram's observation count should be at least the number of observations found in the buckets";
const COUNT_MISMATCH: &str = "histogram's observation count should equal the number of observations found in the \
                              buckets (in absence of NaN)";
const NEGATIVE_BUCKET: &str = "histogram has a bucket whose observation count is negative";

/// What both forms have in common.
struct Layout<'a> {
    schema: i32,
    zero_threshold: f64,
    has_zero_count: bool,
    positive: (&'a [Span], usize),
    negative: (&'a [Span], usize),
    custom_values: &'a [f64],
}

impl Layout<'_> {
    fn validate(&self) -> Result<(), HistogramError> {
        if self.schema == CUSTOM_BUCKETS_SCHEMA {
            return self.validate_custom().map_err(|e| HistogramError(format!("custom buckets: {}", e.0)));
        }
        if !is_exponential_schema(self.schema) {
            return Err(HistogramError::new(format!(
                "schema {}: histogram has an invalid schema, which must be between {EXPONENTIAL_SCHEMA_MIN} \
                 and {EXPONENTIAL_SCHEMA_MAX} for exponential buckets, or {CUSTOM_BUCKETS_SCHEMA} for custom \
                 buckets",
                self.schema
            )));
        }
        if self.zero_threshold.is_nan() || self.zero_threshold < 0.0 {
            return Err(HistogramError::new("histogram has a zero threshold below 0"));
        }
        if !self.custom_values.is_empty() {
            return Err(HistogramError::new("histogram with exponential schema must not have custom bounds"));
        }
        check_spans(self.positive.0, self.positive.1).map_err(|e| e.on("positive"))?;
        check_spans(self.negative.0, self.negative.1).map_err(|e| e.on("negative"))
    }

    fn validate_custom(&self) -> Result<(), HistogramError> {
        for pair in self.custom_values.windows(2) {
            if !matches!(pair[0].partial_cmp(&pair[1]), Some(std::cmp::Ordering::Less)) {
                return Err(HistogramError::new(format!(
                    "previous bound is {} and current is {}: histogram custom bounds must be in strictly \
                     increasing order",
                    pair[0], pair[1]
                )));
            }
        }
        if self.custom_values.iter().any(|bound| !bound.is_finite()) {
            return Err(HistogramError::new("histogram custom bounds must be finite"));
        }
        let end = check_spans(self.positive.0, self.positive.1)
            .and_then(|()| self.positive.0.first().map_or(Ok(()), |s| first_offset(*s)))
            .map(|()| {
                self.positive.0.iter().map(|s| i64::from(s.offset) + i64::from(s.length)).sum::<i64>()
            })?;
        if end > self.custom_values.len() as i64 + 1 {
            return Err(HistogramError::new(format!(
                "only {} custom bounds defined which is insufficient to cover total span length of {end}: \
                 histogram custom bounds are too few",
                self.custom_values.len()
            )));
        }
        let message = if self.has_zero_count {
            "must have zero count of 0"
        } else if self.zero_threshold != 0.0 {
            "must have zero threshold of 0"
        } else if !self.negative.0.is_empty() {
            "must not have negative spans"
        } else if self.negative.1 > 0 {
            "must not have negative buckets"
        } else {
            return Ok(());
        };
        Err(HistogramError::new(message))
    }
}

fn check_spans(spans: &[Span], buckets: usize) -> Result<(), HistogramError> {
    let mut needed = 0u64;
    for (i, span) in spans.iter().enumerate() {
        if i > 0 && span.offset < 0 {
            return Err(negative_offset(i, *span));
        }
        needed += u64::from(span.length);
    }
    if needed != buckets as u64 {
        return Err(HistogramError::new(format!(
            "spans need {needed} buckets, have {buckets} buckets: histogram spans specify different number of \
             buckets than provided"
        )));
    }
    Ok(())
}

fn first_offset(span: Span) -> Result<(), HistogramError> {
    if span.offset < 0 { Err(negative_offset(0, span)) } else { Ok(()) }
}

fn negative_offset(index: usize, span: Span) -> HistogramError {
    let (number, offset) = (index + 1, span.offset);
    HistogramError::new(format!(
        "span number {number} with offset {offset}: histogram has a span whose offset is negative"
    ))
}

fn sum_of_deltas(deltas: &[i64]) -> Result<u128, HistogramError> {
    let (mut count, mut sum) = (0i128, 0u128);
    for (i, delta) in deltas.iter().enumerate() {
        count += i128::from(*delta);
        if count < 0 {
            return Err(HistogramError::new(format!(
                "bucket number {} has observation count of {count}: {NEGATIVE_BUCKET}",
                i + 1
            )));
        }
        sum = sum.saturating_add(count.unsigned_abs());
    }
    Ok(sum)
}

fn check_counts(counts: &[f64]) -> Result<(), HistogramError> {
    match counts.iter().position(|count| *count < 0.0) {
        Some(i) => Err(HistogramError::new(format!(
            "bucket number {} has observation count of {}: {NEGATIVE_BUCKET}",
            i + 1,
            counts[i]
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(offset: i32, length: u32) -> Span {
        Span { offset, length }
    }

    fn exponential() -> Histogram {
        Histogram {
            schema: 2,
            zero_threshold: 0.001,
            zero_count: 2,
            count: 12,
            sum: 18.4,
            positive_spans: vec![span(-3, 2), span(1, 2)],
            positive_buckets: vec![1, 1, -1, 0],
            negative_spans: vec![span(0, 1)],
            negative_buckets: vec![5],
            ..Histogram::default()
        }
    }

    fn custom() -> Histogram {
        Histogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count: 4,
            sum: 7.0,
            positive_spans: vec![span(0, 1), span(1, 1)],
            positive_buckets: vec![1, 2],
            custom_values: vec![1.0, 2.0],
            ..Histogram::default()
        }
    }

    fn refused(histogram: &Histogram, expected: &str) {
        let error = histogram.validate().expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}, expected {expected}");
    }

    #[test]
    fn whole_and_fractional_forms_hold_the_same_counts() {
        let float = exponential().to_float();
        assert_eq!(float.positive_buckets, [1.0, 2.0, 1.0, 1.0]);
        assert_eq!(float.negative_buckets, [5.0]);
        assert_eq!((float.count, float.zero_count, float.sum), (12.0, 2.0, 18.4));
        assert_eq!(float.validate(), Ok(()));
        assert_eq!(NativeHistogram::from(exponential()).to_float(), float);
    }

    #[test]
    fn histograms_whose_parts_fit_are_valid() {
        assert_eq!(exponential().validate(), Ok(()));
        assert_eq!(custom().validate(), Ok(()));
        assert_eq!(Histogram::default().validate(), Ok(()));
        let with_nan = Histogram { count: 13, sum: f64::NAN, ..exponential() };
        assert_eq!(with_nan.validate(), Ok(()));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let base = exponential();
        refused(&Histogram { schema: 9, ..base.clone() }, "schema 9: histogram has an invalid schema");
        refused(&Histogram { count: 13, ..base.clone() }, "12 observations found in buckets");
        let fewer = Histogram { count: 11, sum: f64::NAN, ..base.clone() };
        refused(&fewer, "should be at least the number of observations");
        let gap = Histogram { positive_spans: vec![span(0, 2), span(-1, 2)], ..base.clone() };
        refused(&gap, "positive side: span number 2 with offset -1");
        let short = Histogram { positive_spans: vec![span(0, 3)], ..base.clone() };
        refused(&short, "positive side: spans need 3 buckets, have 4 buckets");
        let below = Histogram { negative_buckets: vec![-5], ..base.clone() };
        refused(&below, "negative side: bucket number 1 has observation count of -5");
        refused(&Histogram { custom_values: vec![1.0], ..base }, "must not have custom bounds");
    }

    #[test]
    fn custom_bounds_are_checked() {
        refused(&Histogram { custom_values: vec![2.0, 1.0], ..custom() }, "strictly increasing order");
        refused(&Histogram { custom_values: vec![1.0, f64::INFINITY], ..custom() }, "must be finite");
        refused(&Histogram { custom_values: vec![1.0], ..custom() }, "only 1 custom bounds defined");
        refused(&Histogram { zero_count: 1, ..custom() }, "must have zero count of 0");
        let negative = Histogram { positive_spans: vec![span(-1, 1), span(1, 1)], ..custom() };
        refused(&negative, "custom buckets: span number 1 with offset -1");
    }

    #[test]
    fn extreme_parts_overflow_nothing() {
        let histogram = Histogram {
            positive_spans: vec![span(i32::MAX, u32::MAX); 3],
            positive_buckets: vec![i64::MAX, i64::MAX, i64::MIN],
            zero_count: u64::MAX,
            count: u64::MAX,
            ..Histogram::default()
        };
        assert!(histogram.validate().is_err());
        assert!(Histogram { schema: CUSTOM_BUCKETS_SCHEMA, ..histogram.clone() }.validate().is_err());
        assert_eq!(histogram.to_float().positive_buckets.len(), 3);
    }
}
