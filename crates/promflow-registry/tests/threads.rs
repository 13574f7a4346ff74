//! Many threads at once.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;

use promflow_registry::{Format, Keep, Native, Options, Registry, SharedOptions};

const STEPS: u64 = 20_000;
const LABELS: usize = 97;

/// Adds up the samples of a page whose lines begin so.
fn sum_of(registry: &Registry, start: &str) -> f64 {
    let page = String::from_utf8(registry.encode(Format::Text)).unwrap();
    let lines = page.lines().filter(|line| line.starts_with(start));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

/// Counts in as many threads, while another one writes pages all the time, and checks every total.
fn count_in(registry: &Registry, threads: usize) {
    let counters = registry.counter("steps_total", "Steps.", &["thread_free", "i"]);
    let fractions = registry.counter("fractions_total", "Fractions.", &[]);
    let gauge = registry.gauge("level", "Level.", &[]);
    let classic = registry.histogram("seconds", "Seconds.", &["i"], &[0.25, 0.5, 1.0]);
    let native = registry.metric("bytes", "Bytes.").native(Native { buckets_max: 12, ..Native::default() });
    let native = native.histogram().unwrap();
    let waits = registry.metric("wait_seconds", "Waits.").quantiles(&[0.0, 0.5, 1.0]).summary().unwrap();
    let used = registry.metric("used_total", "Used.").labels(&["user"]).ranked_counter("user", 4).unwrap();
    let left = registry.metric("left", "Left.").labels(&["user"]);
    let left = left.ranked_gauge("user", Keep::Largest(4)).unwrap();
    let (barrier, done) = (Barrier::new(threads + 1), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    for i in 0..STEPS {
                        let label = (i as usize * 31 % LABELS).to_string();
                        counters.with(&["x", &label]).inc();
                        fractions.with(&[]).add(0.5);
                        gauge.with(&[]).add(1.0);
                        gauge.with(&[]).add(-1.0);
                        waits.with(&[]).observe((i % 4 + 1) as f64);
                        used.add(&[&label], 1.0);
                        left.set(&[&label], i as f64);
                        classic.with(&[&label]).observe((i % 5) as f64 * 0.25);
                        native
                            .with(&[])
                            .observe_with_exemplar(2f64.powi((i % 40) as i32 - 20), &[("t", &label)]);
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            barrier.wait();
            while !done.load(Ordering::Relaxed) {
                let page = String::from_utf8(registry.encode(Format::OpenMetrics)).unwrap();
                assert!(page.ends_with("# EOF\n"));
            }
        });
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        done.store(true, Ordering::Relaxed);
    });
    let total = threads as u64 * STEPS;
    let mut sum = 0.0;
    counters.for_each(|_, counter| sum += counter.value());
    assert_eq!((sum, counters.series_count()), (total as f64, LABELS));
    assert_eq!(fractions.with(&[]).value(), total as f64 / 2.0);
    assert_eq!(gauge.with(&[]).value(), 0.0);
    let (mut count, mut seconds) = (0, 0.0);
    classic.for_each(|_, histogram| {
        count += histogram.count();
        seconds += histogram.sum();
    });
    assert_eq!((count, seconds), (total, total as f64 / 2.0));
    let near = |value: f64, expected: f64| (value - expected).abs() <= 0.022 * expected;
    let quantiles = waits.with(&[]).quantiles();
    assert!(quantiles.iter().zip([1.0, 2.0, 4.0]).all(|((_, v), e)| near(*v, e)), "{quantiles:?}");
    assert_eq!(waits.with(&[]).count(), total);
    assert_eq!((used.total(&[""]), sum_of(registry, "used_total{")), (total as f64, total as f64));
    let page = String::from_utf8(registry.encode(Format::Text)).unwrap();
    assert_eq!(page.lines().filter(|line| line.starts_with("left{")).count(), 4, "{page}");
    let snapshot = native.with(&[]).native();
    assert_eq!((snapshot.count, native.with(&[]).count()), (total, total));
    assert!(snapshot.positive.len() <= 12, "{snapshot:?}");
}

#[test]
fn as_many_threads_as_processors_count_exactly() {
    count_in(&Registry::new(), available_parallelism().map_or(2, usize::from));
}

#[test]
fn more_threads_than_processors_count_exactly() {
    count_in(&Registry::new(), 8 * available_parallelism().map_or(2, usize::from));
}

#[test]
fn threads_count_exactly_in_a_shared_arena() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cells");
    let registry = Registry::open_shared(path, Options::default(), &SharedOptions::default()).unwrap();
    count_in(&registry, 4 * available_parallelism().map_or(2, usize::from));
}

#[test]
fn lookups_go_on_while_a_page_is_written() {
    let registry = Registry::new();
    let family = registry.counter("n_total", "N.", &["i"]);
    family.with(&["1"]);
    let looked_up = std::sync::mpsc::channel();
    let again = family.clone();
    // A hook runs in the midst of a page, a visitor in the midst of a family.
    registry.before_scrape(move || {
        again.for_each(|_, _| {
            let (family, sender) = (again.clone(), looked_up.0.clone());
            let thread = std::thread::spawn(move || {
                family.with(&["1"]).inc();
                family.with(&["2"]).inc();
                sender.send(()).unwrap();
            });
            thread.join().unwrap();
        });
    });
    registry.encode(Format::Text);
    assert_eq!(looked_up.1.try_iter().count(), 1);
    assert_eq!(family.with(&["1"]).value() + family.with(&["2"]).value(), 2.0);
}
