//! Quantiles and fractions of classic histograms.
//!
//! Source: Prometheus promql/quantile.go.

/// A bucket: how many observations were at most the upper bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bucket {
    pub(crate) upper: f64,
    pub(crate) count: f64,
}

/// Counts that differ by less than this part of themselves are equal but for rounding.
const SMALL_DELTA: f64 = 1e-12;

/// What had to be repaired: where counts fell although the bound rose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Repair {
    pub(crate) bucket_min: f64,
    pub(crate) bucket_max: f64,
    pub(crate) diff_max: f64,
}

/// Returns a quantile, and what had to be repaired for it; sorts and merges the buckets, of which there is one at
/// least.
pub(crate) fn quantile(q: f64, buckets: &mut Vec<Bucket>) -> (f64, Option<Repair>) {
    if q.is_nan() {
        return (f64::NAN, None);
    }
    if q < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if q > 1.0 {
        return (f64::INFINITY, None);
    }
    sort_and_merge(buckets);
    if buckets[buckets.len() - 1].upper != f64::INFINITY {
        return (f64::NAN, None);
    }
    let repair = make_monotonic(buckets);
    let last = buckets.len() - 1;
    let observations = buckets[last].count;
    if last == 0 || observations == 0.0 {
        return (f64::NAN, None);
    }
    let mut rank = q * observations;
    let reached = |bucket: &Bucket| bucket.count >= rank;
    let b = buckets[..last].partition_point(|bucket| !reached(bucket));
    if b == last {
        return (buckets[last - 1].upper, repair);
    }
    if b == 0 && buckets[0].upper <= 0.0 {
        return (buckets[0].upper, repair);
    }
    let Bucket { upper: end, mut count } = buckets[b];
    let mut start = 0.0;
    if b > 0 {
        start = buckets[b - 1].upper;
        count -= buckets[b - 1].count;
        rank -= buckets[b - 1].count;
    }
    (start + (end - start) * (rank / count), repair)
}

/// Returns the fraction of observations between two values; sorts and merges the buckets, of which there is one at
/// least.
pub(crate) fn fraction(lower: f64, upper: f64, buckets: &mut Vec<Bucket>) -> f64 {
    sort_and_merge(buckets);
    let count = buckets[buckets.len() - 1].count;
    if buckets[buckets.len() - 1].upper != f64::INFINITY || count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let lower_rank = rank_of(lower, buckets).map_or(count, |rank| if rank > count { count } else { rank });
    let upper_rank = rank_of(upper, buckets).map_or(count, |rank| if rank > count { count } else { rank });
    (upper_rank - lower_rank) / count
}

/// Returns how many observations lie below a value, interpolated within its bucket.
fn rank_of(value: f64, buckets: &[Bucket]) -> Option<f64> {
    let mut rank = 0.0;
    let mut start = f64::NEG_INFINITY;
    for (i, bucket) in buckets.iter().enumerate() {
        if i == 0 && bucket.upper > 0.0 {
            start = 0.0;
        }
        if start >= value {
            return Some(rank);
        }
        if bucket.upper > value && start == f64::NEG_INFINITY {
            // There is no interpolating in a bucket without a lower bound: all of it counts as below.
            return Some(bucket.count);
        }
        if bucket.upper > value {
            let part = (value - start) / (bucket.upper - start);
            return Some(rank + (bucket.count - rank) * part);
        }
        rank = bucket.count;
        start = bucket.upper;
    }
    None
}

fn sort_and_merge(buckets: &mut Vec<Bucket>) {
    buckets.sort_by(|a, b| a.upper.partial_cmp(&b.upper).unwrap_or(std::cmp::Ordering::Equal));
    buckets.dedup_by(|next, kept| {
        let same = next.upper == kept.upper;
        if same {
            kept.count += next.count;
        }
        same
    });
}

fn make_monotonic(buckets: &mut [Bucket]) -> Option<Repair> {
    let mut repair: Option<Repair> = None;
    let mut previous = buckets[0].count;
    for bucket in &mut buckets[1..] {
        let current = bucket.count;
        if current == previous {
            continue;
        }
        if almost_equal(previous, current) {
            bucket.count = previous;
            continue;
        }
        if current < previous {
            bucket.count = previous;
            let seen = repair.get_or_insert(Repair {
                bucket_min: bucket.upper,
                bucket_max: bucket.upper,
                diff_max: 0.0,
            });
            seen.bucket_min = seen.bucket_min.min(bucket.upper);
            seen.bucket_max = seen.bucket_max.max(bucket.upper);
            seen.diff_max = seen.diff_max.max(previous - current);
            continue;
        }
        previous = current;
    }
    repair
}

fn almost_equal(a: f64, b: f64) -> bool {
    if a.is_nan() && b.is_nan() || a == b {
        return true;
    }
    let sum = a.abs() + b.abs();
    let diff = (a - b).abs();
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return diff < SMALL_DELTA * f64::MIN_POSITIVE;
    }
    diff / sum.min(f64::MAX) < SMALL_DELTA
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(pairs: &[(f64, f64)]) -> Vec<Bucket> {
        pairs.iter().map(|(upper, count)| Bucket { upper: *upper, count: *count }).collect()
    }

    #[test]
    fn quantiles_interpolate_within_a_bucket() {
        let mut b = buckets(&[(10.0, 5.0), (f64::INFINITY, 20.0), (20.0, 15.0)]);
        assert_eq!(quantile(0.5, &mut b), (15.0, None));
        assert_eq!(quantile(1.0, &mut b), (20.0, None));
        assert!(quantile(0.5, &mut buckets(&[(10.0, 5.0)])).0.is_nan());
    }

    #[test]
    fn falling_counts_are_raised_and_told() {
        let mut b = buckets(&[(1.0, 10.0), (2.0, 8.0), (f64::INFINITY, 12.0)]);
        let (_, repair) = quantile(0.5, &mut b);
        assert_eq!(repair, Some(Repair { bucket_min: 2.0, bucket_max: 2.0, diff_max: 2.0 }));
        assert_eq!(b[1].count, 10.0);
    }

    #[test]
    fn fractions_count_parts_of_buckets() {
        let mut b = buckets(&[(10.0, 5.0), (20.0, 15.0), (f64::INFINITY, 20.0)]);
        assert_eq!(fraction(0.0, 10.0, &mut b), 0.25);
        assert_eq!(fraction(10.0, 15.0, &mut b), 0.25);
        assert_eq!(fraction(f64::NEG_INFINITY, f64::INFINITY, &mut b), 1.0);
    }
}
