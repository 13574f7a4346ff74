use std::sync::Barrier;

use promflow_exposition::{Mode, Parser};

use super::*;
use crate::OVERFLOW;

fn text(registry: &Registry) -> String {
    String::from_utf8(registry.encode(Format::Text)).unwrap()
}

#[test]
fn page_has_every_type_and_is_valid_in_both_formats() {
    let registry = Registry::with_options(Options { created_timestamps: true, ..Options::default() });
    registry.counter("jobs_total", "Jobs.", &["queue"]).with(&["a\"b"]).add(1.5);
    registry.gauge("depth", "Depth.", &[]).with(&[]).set(-2.0);
    let sizes = registry.histogram("size_bytes", "Sizes.", &["kind"], &[1.0, 10.0, f64::INFINITY]);
    for size in [0.5, 1.0, 7.0, 100.0, f64::NAN] {
        sizes.with(&["x"]).observe(size);
    }
    registry.summary("pause_seconds", "Pauses.", &[]).with(&[]).observe(0.25);
    assert_eq!(
        text(&registry),
        r#"# HELP depth Depth.
# TYPE depth gauge
depth -2
# HELP jobs_total Jobs.
# TYPE jobs_total counter
jobs_total{queue="a\"b"} 1.5
# HELP pause_seconds Pauses.
# TYPE pause_seconds summary
pause_seconds_sum 0.25
pause_seconds_count 1
# HELP size_bytes Sizes.
# TYPE size_bytes histogram
size_bytes_bucket{kind="x",le="1"} 2
size_bytes_bucket{kind="x",le="10"} 3
size_bytes_bucket{kind="x",le="+Inf"} 4
size_bytes_sum{kind="x"} 108.5
size_bytes_count{kind="x"} 4
"#
    );
    for format in [Format::Text, Format::OpenMetrics] {
        let page = registry.encode(format);
        assert!(Parser::new(&page, format, Mode::Strict).all(|e| e.is_ok()));
    }
    let open_metrics = String::from_utf8(registry.encode(Format::OpenMetrics)).unwrap();
    assert!(open_metrics.contains("jobs_created{queue=\"a\\\"b\"} "));
}

#[test]
fn registration_is_idempotent_and_conflicts_say_in_what() {
    let registry = Registry::new();
    registry.counter("a_total", "A.", &["x"]).with(&["1"]).inc();
    registry.counter("a_total", "A.", &["x"]).with(&["1"]).inc();
    assert_eq!(registry.counter("a_total", "A.", &["x"]).with(&["1"]).value(), 2.0);
    registry.histogram("h", "H.", &[], &[1.0]);
    let refused = |result: Result<(), RegisterError>| result.unwrap_err().to_string();
    for (error, expected) in [
        (
            refused(registry.try_gauge("a_total", "A.", &["x"]).map(drop)),
            r#"cannot register metric "a_total": it is registered with type counter, not gauge"#,
        ),
        (
            refused(registry.try_counter("a_total", "A.", &["y"]).map(drop)),
            r#"cannot register metric "a_total": it is registered with labels ["x"], not ["y"]"#,
        ),
        (
            refused(registry.try_histogram("h", "H.", &[], &[2.0]).map(drop)),
            r#"cannot register metric "h": it is registered with buckets [1.0], not [2.0]"#,
        ),
        (
            refused(registry.try_gauge("h_count", "H.", &[]).map(drop)),
            r#"cannot register metric "h_count": its sample "h_count" has the name of one of metric "h""#,
        ),
        (
            refused(registry.try_gauge("a", "", &[]).map(drop)),
            r#"cannot register metric "a": the help text is empty"#,
        ),
        (
            refused(registry.try_gauge("a.b", "A.", &[]).map(drop)),
            r#"cannot register metric "a.b": not supported yet: UTF-8 metric names"#,
        ),
        (
            refused(registry.try_histogram("g", "G.", &["le"], &[1.0]).map(drop)),
            r#"cannot register metric "g": label name "le" is reserved"#,
        ),
        (
            refused(registry.try_histogram("g", "G.", &[], &[2.0, 1.0]).map(drop)),
            r#"cannot register metric "g": bucket bounds must be finite, increasing and at least one"#,
        ),
        (
            refused(registry.try_gauge("g", "G.", &["x", "x"]).map(drop)),
            r#"cannot register metric "g": label name "x" stands twice"#,
        ),
    ] {
        assert_eq!(error, expected);
    }
}

#[test]
fn default_labels_stand_on_every_series_and_refuse_collisions() {
    let registry = Registry::new();
    registry.gauge("a", "A.", &["x"]).with(&["1"]).set(1.0);
    registry.gauge("b", "B.", &[]);
    registry.set_default_labels(&[("env".to_owned(), "dev".to_owned())]).unwrap();
    assert!(text(&registry).contains("a{env=\"dev\",x=\"1\"} 1\n"));
    assert!(text(&registry).contains("b{env=\"dev\"} 0\n"));
    assert_eq!(
        registry.try_gauge("c", "C.", &["env"]).unwrap_err().to_string(),
        r#"cannot register metric "c": label name "env" is a default label of the registry"#
    );
    let collides = registry.set_default_labels(&[("x".to_owned(), "1".to_owned())]);
    assert_eq!(collides.unwrap_err().kind, RegisterErrorKind::DefaultLabel("x".to_owned()));
}

#[test]
fn series_beyond_the_limit_share_one_and_are_counted() {
    let registry = Registry::new();
    let paths = registry.counter("paths_total", "Paths.", &["path", "code"]);
    paths.limit_series(10);
    for i in 0..1000 {
        paths.with(&[&format!("/{i}"), "200"]).inc();
    }
    assert_eq!(paths.series_count(), 11);
    assert_eq!(paths.with(&[OVERFLOW, OVERFLOW]).value(), 990.0);
    assert_eq!(paths.with(&["/3", "200"]).value(), 1.0);
    assert!(text(&registry).contains("promflow_series_overflowed_total{metric=\"paths_total\"} 990\n"));
}

#[test]
fn ten_thousand_series_are_found_again() {
    let registry = Registry::new();
    let users = registry.counter("users_total", "Users.", &["user"]);
    users.limit_series(20_000);
    for _ in 0..2 {
        for i in 0..10_000 {
            users.with(&[&i.to_string()]).inc();
        }
    }
    assert_eq!(users.series_count(), 10_000);
    assert!((0..10_000).all(|i| users.with(&[&i.to_string()]).value() == 2.0));
    assert_eq!(text(&registry).lines().count(), 10_002);
}

#[test]
fn threads_that_bring_the_same_series_lose_no_count() {
    const THREADS: usize = 8;
    let registry = Registry::new();
    let family = registry.counter("n_total", "N.", &["i"]);
    let barrier = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                barrier.wait();
                for i in 0..1000 {
                    family.with(&[&(i % 500).to_string()]).inc();
                }
            });
        }
    });
    assert_eq!(family.series_count(), 500);
    assert!((0..500).all(|i| family.with(&[&i.to_string()]).value() == 2.0 * THREADS as f64));
}

#[test]
fn hooks_run_before_a_page_and_may_register() {
    let registry = Registry::new();
    let cpu = registry.counter("cpu_seconds_total", "CPU.", &[]);
    let (again, total) = (registry.clone(), cpu.clone());
    registry.before_scrape(move || {
        total.with(&[]).advance_to(2.5);
        total.with(&[]).advance_to(1.0);
        again.gauge("late", "Late.", &[]);
    });
    let page = text(&registry);
    assert!(page.contains("cpu_seconds_total 2.5\n") && page.contains("late 0\n"), "{page}");
}

#[test]
fn wrong_number_of_values_and_negative_amounts_are_refused() {
    let registry = Registry::new();
    let family = registry.counter("n_total", "N.", &["i"]);
    assert_eq!(
        family.try_with(&[]).unwrap_err().to_string(),
        r#"metric "n_total" has 1 labels, but 0 values were given"#
    );
    let counter = family.with(&["1"]);
    assert!(![-1.0, f64::NAN, f64::INFINITY].into_iter().any(|v| counter.add(v)));
    assert!(counter.add(2.0) && counter.value() == 2.0);
}

#[test]
fn label_free_metrics_and_named_combinations_exist_at_zero() {
    let registry = Registry::new();
    registry.counter("a_total", "A.", &[]);
    registry.counter("b_total", "B.", &["x", "y"]).init(&[["1", "2"], ["1", "3"]]);
    registry.counter("c_total", "C.", &["x"]);
    let page = text(&registry);
    assert!(page.contains("a_total 0\n") && page.contains("b_total{x=\"1\",y=\"3\"} 0\n"));
    assert!(!page.contains("c_total"));
}
