use std::sync::{Barrier, PoisonError};
use std::thread::available_parallelism;

use crate::arena::Arena;
use crate::{Family, Metric, Options, Registry, SharedOptions};

const STEPS: u64 = 5_000;
const LABELS: usize = 61;

/// Holds every lock that a family has while a function runs.
fn holding_locks_of<M: Metric>(family: &Family<M>, run: impl FnOnce()) {
    let inner = &*family.0;
    let _births = inner.table.hold_births();
    let _sorted = inner.sorted.lock().unwrap_or_else(PoisonError::into_inner);
    let _watched = inner.watched.lock().unwrap_or_else(PoisonError::into_inner);
    run();
}

/// Lets threads find series and count in them while one thread holds every lock that there is. That they come to an end
/// proves that none of them takes one, however the threads are scheduled.
fn count_while_every_lock_is_held(registry: &Registry, threads: usize) {
    let counters = registry.counter("steps_total", "Steps.", &["kind", "i"]);
    let gauges = registry.gauge("level", "Level.", &["i"]);
    let histograms = registry.histogram("seconds", "Seconds.", &["i"], &[0.25, 0.5, 1.0]);
    let labels: Vec<String> = (0..LABELS).map(|i| i.to_string()).collect();
    for label in &labels {
        counters.with(&["x", label]);
        gauges.with(&[label]);
        histograms.with(&[label]);
    }
    let barrier = Barrier::new(threads);
    let count = || {
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let (labels, barrier) = (&labels, &barrier);
                let (counters, gauges, histograms) = (&counters, &gauges, &histograms);
                scope.spawn(move || {
                    barrier.wait();
                    for i in 0..STEPS {
                        let label = labels[(i as usize * 31 + thread) % LABELS].as_str();
                        counters.with(&["x", label]).inc();
                        gauges.with(&[label]).add(1.0);
                        histograms.with(&[label]).observe(0.75);
                    }
                });
            }
        });
    };
    let held_by_all = || {
        holding_locks_of(&counters, || holding_locks_of(&gauges, || holding_locks_of(&histograms, count)));
    };
    registry.holding_state(|arena| match arena {
        Arena::Heap(heap) => {
            let _held = heap.lock().unwrap_or_else(PoisonError::into_inner);
            held_by_all();
        }
        Arena::Shared(shared) => shared.exclusively(held_by_all).unwrap(),
    });
    let total = (threads as u64 * STEPS) as f64;
    let mut sums = [0.0; 3];
    counters.for_each(|_, counter| sums[0] += counter.value());
    gauges.for_each(|_, gauge| sums[1] += gauge.value());
    histograms.for_each(|_, histogram| sums[2] += histogram.count() as f64);
    assert_eq!(sums, [total; 3]);
}

fn processors() -> usize {
    available_parallelism().map_or(2, usize::from)
}

#[test]
fn as_many_threads_as_processors_find_series_while_every_lock_is_held() {
    count_while_every_lock_is_held(&Registry::new(), processors());
}

#[test]
fn many_more_threads_than_processors_find_series_while_every_lock_is_held() {
    count_while_every_lock_is_held(&Registry::new(), 16 * processors());
}

#[test]
fn threads_find_shared_series_while_every_lock_is_held() {
    let directory = tempfile::tempdir().unwrap();
    let (path, shared) = (directory.path().join("cells"), SharedOptions::default());
    let registry = Registry::open_shared(path, Options::default(), &shared).unwrap();
    count_while_every_lock_is_held(&registry, 4 * processors());
}
