use std::time::Duration;

use crate::metric::Metric;
use crate::{RegisterErrorKind, Registry, Summary};

/// A summary of a minute, cut into slices of twelve seconds.
fn summary(registry: &Registry, quantiles: &[f64]) -> Summary {
    let builder = registry.metric("s", "S.").quantiles(quantiles).max_age(Duration::from_secs(60));
    builder.summary().unwrap().with(&[]).clone()
}

fn observe(summary: &Summary, value: f64, now_ms: u64) {
    let series = summary.cell().series();
    let shape = series.shape.quantiles.as_ref().unwrap();
    super::observe(summary.cell().block(), series, shape, value, now_ms);
}

fn read(summary: &Summary, now_ms: u64) -> Vec<f64> {
    let series = summary.cell().series();
    let shape = series.shape.quantiles.as_ref().unwrap();
    super::read(summary.cell().block(), series, shape, now_ms).into_iter().map(|(_, value)| value).collect()
}

#[test]
fn quantiles_are_off_by_two_percent_at_most() {
    let quantiles = [0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0];
    for (scale, sign) in [(1e-6, 1.0), (1.0, 1.0), (1e6, 1.0), (1.0, -1.0)] {
        let summary = summary(&Registry::new(), &quantiles);
        let mut values: Vec<f64> =
            (1..=10_000).map(|i| sign * scale * f64::from(i * 7919 % 10_007).powi(2)).collect();
        values.iter().for_each(|value| observe(&summary, *value, 1000));
        values.sort_by(f64::total_cmp);
        for (quantile, found) in quantiles.iter().zip(read(&summary, 1000)) {
            let rank = ((quantile * values.len() as f64).ceil() as usize).max(1);
            let exact = values[rank - 1];
            assert!((found - exact).abs() <= 0.022 * exact.abs(), "{quantile}: {found} for {exact}");
        }
    }
}

#[test]
fn zeros_and_values_beyond_all_buckets_have_their_rank() {
    let summary = summary(&Registry::new(), &[0.1, 0.3, 0.5, 0.7, 1.0]);
    for value in [f64::NEG_INFINITY, -1.0, 0.0, 1e-300, 1.0, f64::INFINITY, 1e300, 1.0, -0.0, -1.0] {
        observe(&summary, value, 0);
    }
    let near = |a: f64, b: f64| a == b || (a - b).abs() <= 0.022 * b.abs();
    let expected = [f64::NEG_INFINITY, -1.0, 0.0, 1.0, f64::INFINITY];
    let found = read(&summary, 0);
    assert!(found.iter().zip(expected).all(|(a, b)| near(*a, b)), "{found:?}");
}

#[test]
fn observations_are_forgotten_when_they_are_old() {
    let summary = summary(&Registry::new(), &[0.5]);
    assert!(read(&summary, 0)[0].is_nan());
    let start = 1_000_000_000;
    (0..10).for_each(|_| observe(&summary, 1.0, start));
    let near = |now_ms: u64, expected: f64| {
        let found = read(&summary, now_ms)[0];
        assert!((found - expected).abs() < 0.022 * expected, "{found} at {now_ms}");
    };
    (0..5).for_each(|_| observe(&summary, 100.0, start + 30_000));
    near(start + 47_000, 1.0);
    near(start + 61_000, 100.0);
    assert!(read(&summary, start + 100_000)[0].is_nan());
    // Rounds later, in the place of an old slice.
    observe(&summary, 7.0, start + 600_000);
    near(start + 600_000, 7.0);
    // A clock that was set back far, and one that was wrong before.
    observe(&summary, 9.0, start - 300_000);
    near(start - 300_000, 9.0);
}

#[test]
fn summaries_without_observations_have_quantiles_on_the_page() {
    let registry = Registry::new();
    let summary = summary(&registry, &[0.9, 0.5]);
    let page = || String::from_utf8(registry.encode(crate::Format::Text)).unwrap();
    assert!(page().contains("s{quantile=\"0.5\"} NaN\ns{quantile=\"0.9\"} NaN\ns_sum 0\n"), "{}", page());
    summary.observe(0.0);
    assert!(page().contains("s{quantile=\"0.5\"} 0\n"), "{}", page());
    let refused = |quantiles: &[f64]| {
        let error = registry.metric("t", "T.").quantiles(quantiles).summary().unwrap_err();
        assert_eq!(error.kind, RegisterErrorKind::InvalidQuantiles);
    };
    refused(&[1.5]);
    refused(&[f64::NAN]);
    let conflict = registry.try_summary("s", "S.", &[]).unwrap_err().to_string();
    assert!(conflict.contains("it is registered with quantiles"), "{conflict}");
}
