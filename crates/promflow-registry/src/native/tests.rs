use super::*;

#[test]
fn snapshots_become_valid_histograms_of_the_model() {
    let registry = crate::Registry::new();
    let family = registry.metric("h", "H.").native(Native::default()).histogram().unwrap();
    for value in [0.0, 1.0, 1.05, 1.2, 8.0, -3.0] {
        family.with(&[]).observe(value);
    }
    let histogram = family.with(&[]).native().to_model();
    histogram.validate().unwrap();
    assert_eq!(histogram.positive_spans.len(), 3, "{histogram:?}");
    assert_eq!(histogram.positive_buckets, [1, 0, 0, 0], "{histogram:?}");
    let page = registry.encode(promflow_exposition::Format::Protobuf);
    assert!(!page.is_empty());
}

#[test]
fn values_fall_into_the_bucket_whose_bound_is_not_below_them() {
    for (value, schema, index) in [
        (1.0, 0, 0),
        (1.5, 0, 1),
        (2.0, 0, 1),
        (2.1, 0, 2),
        (0.5, 0, -1),
        (1.0, 3, 0),
        (2.0, 3, 8),
        (4.0, 8, 512),
        (1.0905077326652577, 3, 1),
        (1.0905077326652577f64.next_up(), 3, 2),
        (100.0, -2, 2),
        (1e300, -4, 63),
        (f64::from_bits(1), -4, -67),
        (f64::MAX, 0, 1024),
        (f64::INFINITY, 0, 1025),
    ] {
        assert_eq!(index_of(value, schema), index, "{value} at {schema}");
    }
}

#[test]
fn factors_choose_prometheus_schema() {
    for (factor, schema) in [(1.1, 3), (2.0, 0), (1.5, 1), (65536.0, -4), (1e9, -4), (1.0, 8), (1.00271, 8)] {
        assert_eq!(schema_of(factor), schema, "{factor}");
    }
}
