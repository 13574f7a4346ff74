//! Classic buckets, whatever they come from.

use std::borrow::Cow;

use promflow_model::histogram::{NativeHistogram, Span};

use super::point::{Exemplar, HistogramPoint, Number};

/// Counts per bucket, not cumulative.
#[derive(Clone, Debug)]
enum Counts<'a> {
    Whole(Cow<'a, [u64]>),
    Fractional(Vec<f64>),
}

/// A histogram as the formats write it: cumulative buckets, count and sum.
#[derive(Clone, Debug)]
pub(super) struct Classic<'a> {
    bounds: &'a [f64],
    counts: Counts<'a>,
    exemplars: &'a [Option<Exemplar>],
    pub(super) count: Number,
    pub(super) sum: f64,
}

impl<'a> Classic<'a> {
    pub(super) fn of_point(point: HistogramPoint<'a>) -> Self {
        Self {
            bounds: point.bounds,
            counts: Counts::Whole(Cow::Borrowed(point.counts)),
            exemplars: point.exemplars,
            count: Number::Int(point.counts.iter().sum()),
            sum: point.sum,
        }
    }

    /// Takes the custom buckets of a native histogram, or the bucket `+Inf` alone.
    pub(super) fn of_native(histogram: &'a NativeHistogram) -> Self {
        let (bounds, counts) = match histogram {
            NativeHistogram::Int(h) if h.uses_custom_buckets() => {
                let buckets = promflow_model::histogram::absolute(&h.positive_buckets);
                let counts =
                    dense(&h.positive_spans, h.custom_values.len(), buckets.map(|c| c.max(0) as u64));
                (&*h.custom_values, Counts::Whole(Cow::Owned(counts)))
            }
            NativeHistogram::Int(h) => (&[][..], Counts::Whole(Cow::Owned(vec![h.count]))),
            NativeHistogram::Float(h) if h.uses_custom_buckets() => {
                let buckets = h.positive_buckets.iter().copied();
                let counts = dense(&h.positive_spans, h.custom_values.len(), buckets);
                (&*h.custom_values, Counts::Fractional(counts))
            }
            NativeHistogram::Float(h) => (&[][..], Counts::Fractional(vec![h.count])),
        };
        let (count, sum) = match histogram {
            NativeHistogram::Int(h) => (Number::Int(h.count), h.sum),
            NativeHistogram::Float(h) => (Number::Float(h.count), h.sum),
        };
        Self { bounds, counts, exemplars: &[], count, sum }
    }

    /// Returns the bounds without `+Inf`.
    pub(super) fn bounds(&self) -> &'a [f64] {
        self.bounds
    }

    pub(super) fn has_negative_bounds(&self) -> bool {
        self.bounds.first().is_some_and(|b| *b < 0.0)
    }

    /// Iterates over bound, cumulative count and exemplar of the buckets, `+Inf` last.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (f64, Number, Option<&'a Exemplar>)> + '_ {
        let (mut whole, mut fractional) = (0u64, 0.0);
        let length = match &self.counts {
            Counts::Whole(counts) => counts.len(),
            Counts::Fractional(counts) => counts.len(),
        };
        (0..length).map(move |i| {
            let bound = self.bounds.get(i).copied().unwrap_or(f64::INFINITY);
            let cumulative = match &self.counts {
                Counts::Whole(counts) => {
                    whole += counts[i];
                    Number::Int(whole)
                }
                Counts::Fractional(counts) => {
                    fractional += counts[i];
                    Number::Float(fractional)
                }
            };
            // The count knows of NaN, which no bucket but the last counts.
            let cumulative = if bound == f64::INFINITY { self.count } else { cumulative };
            (bound, cumulative, self.exemplars.get(i).and_then(Option::as_ref))
        })
    }
}

/// Spreads the buckets of spans over all bounds and `+Inf`; what lies beyond is left out.
fn dense<T: Copy + Default>(spans: &[Span], bounds: usize, buckets: impl Iterator<Item = T>) -> Vec<T> {
    let mut counts = vec![T::default(); bounds + 1];
    let mut buckets = buckets;
    let mut index = 0i64;
    for span in spans {
        index += i64::from(span.offset);
        for _ in 0..span.length {
            let Some(count) = buckets.next() else {
                return counts;
            };
            if let Some(slot) = usize::try_from(index).ok().and_then(|i| counts.get_mut(i)) {
                *slot = count;
            }
            index += 1;
        }
    }
    counts
}
