//! The lock-free parts under many schedules of their threads:
//! `RUSTFLAGS="--cfg shuttle" cargo test -p promflow-registry --lib schedules`.

use std::sync::Arc;

use shuttle::thread;

use crate::series::pack;
use crate::table::Table;
use crate::{Format, Native, Registry};

const SCHEDULES: usize = 2000;

/// Runs a test under schedules chosen at random, and under those that most often find what few switches break.
fn check(test: impl Fn() + Send + Sync + Clone + 'static) {
    shuttle::check_random(test.clone(), SCHEDULES);
    shuttle::check_pct(test, SCHEDULES, 3);
}

#[test]
fn keys_are_inserted_once_and_found_while_rows_grow() {
    check(|| {
        let table = Arc::new(Table::new());
        let keys = ["a", "b", "c", "d", "e"];
        let threads: Vec<_> = (0..3)
            .map(|t| {
                let table = table.clone();
                thread::spawn(move || {
                    for i in 0..keys.len() {
                        let key = [keys[(i + t) % keys.len()]];
                        let hash = table.hash(&key);
                        let (entry, _) = table.insert(hash, &pack(&key), key[0], true).unwrap();
                        assert_eq!(entry.metric, key[0]);
                        let found = table.get(hash, &key).expect("a key that was inserted is found");
                        assert!(std::ptr::eq(found, entry), "a key has one cell");
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!((table.len(), table.iter().count()), (keys.len(), keys.len()));
    });
}

#[test]
fn series_that_are_removed_and_counted_at_once_are_never_torn() {
    check(|| {
        let registry = Registry::new();
        let family = registry.counter("n_total", "N.", &["i"]);
        let counting = family.clone();
        let counter = thread::spawn(move || (0..3).for_each(|_| counting.with(&["x"]).inc()));
        let removing = family.clone();
        let remover = thread::spawn(move || removing.remove(&["x"]));
        counter.join().unwrap();
        remover.join().unwrap();
        let value = family.with(&["x"]).value();
        assert!((0.0..=3.0).contains(&value) && family.series_count() == 1, "{value}");
    });
}

#[test]
fn histograms_are_consistent_at_every_moment() {
    check(|| {
        let registry = Registry::new();
        let histogram = registry.histogram("h", "H.", &[], &[1.0]).with(&[]).clone();
        let threads: Vec<_> = [0.5, 2.0]
            .map(|value| {
                let histogram = histogram.clone();
                thread::spawn(move || (0..2).for_each(|_| histogram.observe(value)))
            })
            .into();
        let mut before = 0;
        for _ in 0..3 {
            let page = String::from_utf8(registry.encode(Format::Text)).unwrap();
            let value = |name: &str| -> u64 {
                let line = page.lines().find(|line| line.starts_with(name)).unwrap();
                line.rsplit(' ').next().unwrap().parse().unwrap()
            };
            let (inner, outer, count) =
                (value("h_bucket{le=\"1\"}"), value("h_bucket{le=\"+Inf\"}"), value("h_count"));
            assert!(inner <= outer && outer == count && count >= before, "{page}");
            before = count;
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!((histogram.count(), histogram.sum()), (4, 5.0));
    });
}

#[test]
fn native_buckets_are_added_and_halved_without_losing_a_count() {
    check(|| {
        let registry = Registry::new();
        let native = Native { buckets_max: 2, factor: 2.0, ..Native::default() };
        let histogram = registry.metric("h", "H.").native(native).histogram().unwrap().with(&[]).clone();
        let threads: Vec<_> = [[1.0, 4.0], [16.0, 64.0]]
            .map(|values| {
                let histogram = histogram.clone();
                thread::spawn(move || values.iter().for_each(|value| histogram.observe(*value)))
            })
            .into();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let snapshot = histogram.native();
        assert_eq!(snapshot.positive.iter().map(|(_, count)| count).sum::<u64>(), 4);
        assert!(snapshot.positive.len() <= 2, "{snapshot:?}");
    });
}

#[test]
fn exemplars_are_one_writers_or_anothers() {
    check(|| {
        let registry = Registry::new();
        let counter = registry.counter("n_total", "N.", &[]).with(&[]).clone();
        let threads: Vec<_> = ["aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"]
            .map(|id| {
                let counter = counter.clone();
                thread::spawn(move || {
                    counter.inc_with_exemplar(&[("id", id)]);
                })
            })
            .into();
        let page = String::from_utf8(registry.encode(Format::OpenMetrics)).unwrap();
        let id: Vec<char> = page.split("{id=\"").nth(1).unwrap_or("").chars().take(16).collect();
        assert!(id.windows(2).all(|pair| pair[0] == pair[1]), "{page}");
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn ranked_counters_lose_nothing_when_accounts_change_places() {
    check(|| {
        let registry = Registry::new();
        let builder = registry.metric("n_total", "N.").labels(&["user"]);
        let used = builder.ranked_counter("user", 1).unwrap();
        used.add(&["a"], 1.0);
        let threads: Vec<_> = [["a", "b"], ["b", "c"]]
            .map(|users| {
                let used = used.clone();
                thread::spawn(move || {
                    users.iter().for_each(|user| {
                        used.add(&[user], 4.0);
                    })
                })
            })
            .into();
        let sum = || -> f64 {
            let page = String::from_utf8(registry.encode(Format::Text)).unwrap();
            let lines = page.lines().filter(|line| line.starts_with("n_total{"));
            lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
        };
        assert!(sum() <= 17.0);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!((sum(), used.total(&[""])), (17.0, 17.0));
    });
}

#[test]
fn quantiles_are_those_of_some_of_the_observations_at_every_moment() {
    check(|| {
        let registry = Registry::new();
        let summary = registry.metric("s", "S.").quantiles(&[0.5]).summary().unwrap().with(&[]).clone();
        let threads: Vec<_> = [1.0, 64.0]
            .map(|value| {
                let summary = summary.clone();
                thread::spawn(move || summary.observe(value))
            })
            .into();
        let median = summary.quantiles()[0].1;
        assert!(median.is_nan() || (0.9..70.0).contains(&median), "{median}");
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!((summary.count(), summary.sum()), (2, 65.0));
    });
}
