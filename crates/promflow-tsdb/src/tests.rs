use std::sync::atomic::{AtomicBool, Ordering};

use promflow_model::{Labels, Matcher, Metadata, MetricType, STALE_NAN, is_stale_nan};
use promflow_storage::{AppendError, Appendable, Queryable, SampleBuffer, SelectHints, SeriesRef};

use super::*;

fn head() -> Head {
    Head::open(HeadOptions::default()).expect("default options")
}

fn labels(metric: &str, n: usize) -> Labels {
    Labels::from_pairs([
        ("__name__", metric.to_owned()),
        ("instance", "localhost:9090".into()),
        ("n", n.to_string()),
    ])
}

fn append(head: &Head, labels: &Labels, t_ms: i64, value: f64) -> Result<SeriesRef, AppendError> {
    let mut appender = head.appender();
    let series = appender.append(None, labels, t_ms, value)?;
    appender.commit()?;
    Ok(series)
}

fn dump(head: &Head, matchers: &[Matcher], min_t_ms: i64, max_t_ms: i64) -> Vec<(Labels, SampleBuffer)> {
    let querier = head.querier(min_t_ms, max_t_ms).expect("a querier");
    let mut set = querier.select(true, &SelectHints::default(), matchers).expect("a series set");
    let mut all = Vec::new();
    while let Some(series) = set.next() {
        let series = series.expect("a series");
        let mut buffer = SampleBuffer::default();
        series.samples(&mut buffer).expect("samples");
        all.push((series.labels().clone(), buffer));
    }
    all
}

#[test]
fn samples_come_back_sorted_by_label_set_and_within_the_range() {
    let head = head();
    for i in 0..500i64 {
        let mut appender = head.appender();
        for n in [2, 0, 1] {
            appender.append(None, &labels("m", n), i * 1_000, (i * 10 + n as i64) as f64).expect("a sample");
        }
        appender.commit().expect("a commit");
    }
    let all = dump(&head, &[Matcher::equal("__name__", "m")], 100_000, 300_000);
    assert_eq!(all.iter().map(|(l, _)| l.get("n")).collect::<Vec<_>>(), ["0", "1", "2"]);
    for (n, (_, buffer)) in all.iter().enumerate() {
        assert_eq!(buffer.t_ms, (100..=300).map(|i| i * 1_000).collect::<Vec<_>>());
        assert_eq!(buffer.values[0], (1_000 + n) as f64);
    }
    assert_eq!(head.stats().samples_appended, 1_500);
    assert!(head.stats().chunks > 3);
}

#[test]
fn reference_is_good_for_later_batches_and_a_wrong_one_falls_back_to_the_label_set() {
    let head = head();
    let series = append(&head, &labels("m", 1), 1_000, 1.0).expect("a sample");
    let mut appender = head.appender();
    assert_eq!(appender.append(Some(series), &Labels::empty(), 2_000, 2.0), Ok(series));
    assert_eq!(appender.append(Some(SeriesRef(77_777)), &labels("m", 1), 3_000, 3.0), Ok(series));
    assert_eq!(
        appender.append(None, &Labels::empty(), 3_000, 3.0),
        Err(AppendError::InvalidLabels("empty labelset".to_owned()))
    );
    appender.commit().expect("a commit");
    assert_eq!(dump(&head, &[], 0, 9_999)[0].1.values, [1.0, 2.0, 3.0]);
}

#[test]
fn out_of_order_duplicate_and_out_of_bounds_samples_are_refused() {
    let head = head();
    let m = labels("m", 1);
    append(&head, &m, 10_000_000, 1.0).expect("a sample");
    assert_eq!(append(&head, &m, 9_999_999, 1.0), Err(AppendError::OutOfOrder));
    assert_eq!(append(&head, &m, 10_000_000, 2.0), Err(AppendError::DuplicateForTimestamp));
    assert!(append(&head, &m, 10_000_000, 1.0).is_ok(), "the same value again is no error");
    let hour_ms = 3_600_000;
    assert_eq!(append(&head, &labels("m", 2), 10_000_000 - hour_ms - 1, 1.0), Err(AppendError::OutOfBounds));
    assert!(append(&head, &labels("m", 2), 10_000_000 - hour_ms, 1.0).is_ok());
    assert_eq!(dump(&head, &[Matcher::equal("n", "1")], 0, i64::MAX)[0].1.values, [1.0]);
}

#[test]
fn of_two_values_in_one_batch_the_first_stays() {
    let head = head();
    let mut appender = head.appender();
    for value in [1.0, 2.0] {
        appender.append(None, &labels("m", 1), 1_000, value).expect("a sample");
    }
    assert_eq!(appender.commit().expect("a commit").samples, 1);
    assert_eq!(dump(&head, &[], 0, 9_999)[0].1.values, [1.0]);
}

#[test]
fn batch_that_is_rolled_back_leaves_no_sample_and_its_series_goes() {
    let head = head();
    let mut appender = head.appender();
    appender.append(None, &labels("m", 1), 1_000, 1.0).expect("a sample");
    head.truncate(2_000);
    assert_eq!(head.stats().series, 1, "a series with a sample in an open batch stays");
    appender.rollback();
    assert!(dump(&head, &[], 0, 9_999).is_empty());
    head.truncate(2_000);
    assert_eq!((head.stats().series, head.stats().bytes), (0, 0));
}

#[test]
fn stale_markers_are_kept_bit_for_bit() {
    let head = head();
    append(&head, &labels("m", 1), 1_000, 1.0).expect("a sample");
    append(&head, &labels("m", 1), 2_000, STALE_NAN).expect("a stale marker");
    assert!(is_stale_nan(dump(&head, &[], 0, 9_999)[0].1.values[1]));
}

#[test]
fn retention_drops_old_chunks_and_series_without_samples() {
    let options = HeadOptions { retention_ms: 1_000_000, ..HeadOptions::default() };
    let head = Head::open(options).expect("valid options");
    append(&head, &labels("gone", 1), 0, 1.0).expect("a sample");
    for i in 0..400i64 {
        append(&head, &labels("m", 1), i * 10_000, i as f64).expect("a sample");
    }
    head.truncate(4_000_000);
    let stats = head.stats();
    assert_eq!((stats.series, stats.series_removed), (1, 1));
    let all = dump(&head, &[], 0, i64::MAX);
    assert!(all[0].1.t_ms[0] > 1_500_000, "whole chunks before the cut are gone");
    assert_eq!(stats.min_t_ms, Some(all[0].1.t_ms[0]));
    assert_eq!(*all[0].1.t_ms.last().expect("samples"), 3_990_000);
    let values = head.querier(0, i64::MAX).expect("a querier").label_values("__name__", &[]);
    assert_eq!(values, Ok(vec!["m".to_owned()]));
    head.truncate(i64::MAX);
    assert_eq!((head.stats().series, head.stats().chunks, head.stats().bytes), (0, 0, 0));
    assert_eq!(head.stats().min_t_ms, None);
}

#[test]
fn over_the_budget_old_chunks_go_first_then_new_series_are_refused() {
    let options = HeadOptions { max_bytes: 200_000, ..HeadOptions::default() };
    let head = Head::open(options).expect("valid options");
    let mut x = 1u64;
    let mut noise = || {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (x >> 11) as f64
    };
    for i in 0..3_000i64 {
        let mut appender = head.appender();
        for n in 0..20 {
            appender.append(None, &labels("m", n), i * 10_000, noise()).expect("existing series go on");
        }
        appender.commit().expect("a commit");
        assert!(head.stats().bytes < 240_000, "{:?}", head.stats());
    }
    let stats = head.stats();
    assert!(stats.evictions > 0 && stats.chunks_removed > 0);
    let all = dump(&head, &[], 0, i64::MAX);
    assert_eq!(all.len(), 20);
    assert!(all.iter().all(|(_, b)| b.t_ms[0] > 10_000_000 && b.t_ms.last() == Some(&29_990_000)));

    let mut refused = None;
    for n in 20..5_000 {
        if let Err(error) = append(&head, &labels("m", n), 30_000_000, 1.0) {
            refused = Some(error);
            break;
        }
    }
    assert_eq!(
        refused.expect("a refusal").to_string(),
        "head limit of 200000 bytes reached: new series are refused, samples of existing series are still taken"
    );
    append(&head, &labels("m", 3), 30_000_000, 1.0).expect("existing series go on");
    assert!(head.stats().series_refused > 0);

    // An hour later the series that ended are the oldest there is, and make room.
    append(&head, &labels("m", 3), 33_600_000, 1.0).expect("existing series go on");
    head.truncate(33_600_000);
    for n in 0..30 {
        append(&head, &labels("late", n), 33_600_000, 1.0).expect("room was made");
    }
}

#[test]
fn reader_never_sees_half_a_batch() {
    const SERIES: usize = 3_000;
    let head = head();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for job in ["a", "b"] {
            let (head, done) = (&head, &done);
            scope.spawn(move || {
                let mut refs = vec![None; SERIES];
                for i in 1..=60i64 {
                    let mut appender = head.appender();
                    for (n, series) in refs.iter_mut().enumerate() {
                        *series = Some(
                            appender.append(*series, &labels(job, n), i * 1_000, i as f64).expect("a sample"),
                        );
                    }
                    appender.commit().expect("a commit");
                }
                done.store(true, Ordering::SeqCst);
            });
        }
        while !done.load(Ordering::SeqCst) {
            for job in ["a", "b"] {
                let all = dump(&head, &[Matcher::equal("__name__", job)], 0, i64::MAX);
                assert!(all.is_empty() || all.len() == SERIES, "{} series", all.len());
                let counts: std::collections::BTreeSet<usize> = all.iter().map(|(_, b)| b.len()).collect();
                assert!(counts.len() <= 1, "{counts:?}");
            }
            head.truncate(1_000);
        }
    });
    assert_eq!(head.stats().samples_appended, 2 * 60 * SERIES as u64);
}

#[test]
fn label_names_and_values_follow_the_matchers() {
    let head = head();
    append(&head, &labels("m", 1), 1_000, 1.0).expect("a sample");
    append(&head, &Labels::from_pairs([("__name__", "other"), ("job", "j")]), 1_000, 1.0).expect("a sample");
    let querier = head.querier(0, 9_999).expect("a querier");
    let other = [Matcher::equal("__name__", "other")];
    assert_eq!(
        querier.label_names(&[]),
        Ok(vec!["__name__".into(), "instance".into(), "job".into(), "n".into()])
    );
    assert_eq!(querier.label_names(&other), Ok(vec!["__name__".into(), "job".into()]));
    assert_eq!(querier.label_values("__name__", &[]), Ok(vec!["m".into(), "other".into()]));
    assert_eq!(querier.label_values("n", &other), Ok(vec![]));
    let beyond = head.querier(50_000, 60_000).expect("a querier");
    assert_eq!(beyond.label_names(&[]), Ok(vec![]));
}

#[test]
fn cardinality_names_the_largest() {
    let head = head();
    for n in 0..5 {
        append(&head, &labels("big", n), 1_000, 1.0).expect("a sample");
    }
    append(&head, &labels("small", 0), 1_000, 1.0).expect("a sample");
    let top = head.cardinality(2);
    assert_eq!(top.series_by_metric, [("big".to_owned(), 5), ("small".to_owned(), 1)]);
    assert_eq!(top.values_by_label, [("n".to_owned(), 5), ("__name__".to_owned(), 2)]);
    assert_eq!(
        top.series_by_pair,
        [("instance=localhost:9090".to_owned(), 6), ("__name__=big".to_owned(), 5)]
    );
    assert_eq!(top.label_pairs, 8);
}

#[test]
fn metadata_is_the_latest_and_bounded() {
    let head = Head::open(HeadOptions { max_metadata: 1, ..HeadOptions::default() }).expect("valid options");
    let metadata =
        |help: &str| Metadata { kind: MetricType::Counter, unit: String::new(), help: help.into() };
    let mut appender = head.appender();
    appender.update_metadata("m", &metadata("old"));
    appender.update_metadata("m", &metadata("new"));
    appender.update_metadata("n", &metadata("one too many"));
    drop(appender);
    assert_eq!(head.metadata("m"), Some(metadata("new")));
    assert_eq!(head.metadata("n"), None);
    assert_eq!(head.all_metadata(), [("m".to_owned(), metadata("new"))]);
}

#[test]
fn series_takes_less_than_a_quarter_of_what_prometheus_takes() {
    const SERIES: usize = 20_000;
    let head = head();
    let sets: Vec<Labels> = (0..SERIES)
        .map(|n| {
            Labels::from_pairs([
                ("__name__", format!("bench_metric_{}", n % 100)),
                ("instance", format!("10.0.0.{}:9100", n / 1_000)),
                ("job", "bench".to_owned()),
                ("shard", (n % 1_000).to_string()),
            ])
        })
        .collect();
    for i in 0..60i64 {
        let mut appender = head.appender();
        for (n, set) in sets.iter().enumerate() {
            appender.append(None, set, i * 15_000, (n as i64 * i) as f64).expect("a sample");
        }
        appender.commit().expect("a commit");
    }
    let bytes = head.stats().bytes / SERIES;
    assert!(bytes < 2_241 / 4, "{bytes} bytes per series");
}

#[test]
fn senseless_options_are_named() {
    let open = |options| Head::open(options).expect_err("senseless").to_string();
    let retention = HeadOptions { retention_ms: 0, ..HeadOptions::default() };
    assert_eq!(open(retention), "retention must be above zero, got 0 ms");
}
