use std::sync::{Barrier, Mutex};

use promflow_exposition::{Mode, Negotiated, Parser};
use promflow_model::MetricType;

use super::*;
use crate::{Keep, LabelGuard, Native, OVERFLOW, SCHEMA_CUSTOM, SCHEMA_MIN};

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
            refused(registry.try_gauge("", "A.", &[]).map(drop)),
            r#"cannot register metric "": the name is empty"#,
        ),
        (
            refused(registry.try_gauge("a.total", "A.", &[]).map(drop)),
            r#"cannot register metric "a.total": its sample "a.total" has the name of one of metric "a_total""#,
        ),
        (
            refused(registry.try_gauge("g", "G.", &["x.y", "x_y"]).map(drop)),
            r#"cannot register metric "g": label name "x_y" stands twice"#,
        ),
        (
            refused(registry.try_gauge("g", "G.", &[""]).map(drop)),
            r#"cannot register metric "g": a label name is empty"#,
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
fn names_of_any_characters_are_written_as_the_scraper_reads_them() {
    let registry = Registry::new();
    registry.set_default_labels(&[("service.name".to_owned(), "shop".to_owned())]).unwrap();
    let labels = ["http.route", "a:b", "größe"];
    registry.counter("http.requests_total", "Requests.", &labels).with(&["/x", "1", "2"]).inc();
    registry.histogram("warte.zeit", "Wait.", &[], &[0.5]).with(&[]).observe(0.25);
    let page = |accept: &str| {
        let negotiated = Negotiated::from_accept(accept);
        (String::from_utf8(registry.encode_negotiated(&negotiated)).unwrap(), negotiated.format)
    };
    for (accept, lines) in [
        (
            "text/plain;version=0.0.4",
            [
                "# TYPE http_requests_total counter\n",
                "http_requests_total{service_name=\"shop\",http_route=\"/x\",a_b=\"1\",gr__e=\"2\"} 1\n",
                "warte_zeit_bucket{service_name=\"shop\",le=\"0.5\"} 1\n",
                "warte_zeit_sum{service_name=\"shop\"} 0.25\n",
            ],
        ),
        (
            "text/plain;version=1.0.0;escaping=allow-utf-8",
            [
                "# TYPE \"http.requests_total\" counter\n",
                "{\"http.requests_total\",\"service.name\"=\"shop\",\"http.route\"=\"/x\",\"a:b\"=\"1\",\"größe\"=\"2\"} 1\n",
                "{\"warte.zeit_bucket\",\"service.name\"=\"shop\",le=\"0.5\"} 1\n",
                "{\"warte.zeit_sum\",\"service.name\"=\"shop\"} 0.25\n",
            ],
        ),
        (
            "application/openmetrics-text;version=1.0.0;escaping=values",
            [
                "# TYPE U__http_2e_requests_ counter\n",
                "U__http_2e_requests__total{U__service_2e_name=\"shop\",U__http_2e_route=\"/x\",U__a_3a_b=\"1\",U__gr_f6__df_e=\"2\"} 1\n",
                "U__warte_2e_zeit_bucket{U__service_2e_name=\"shop\",le=\"0.5\"} 1\n",
                "U__warte_2e_zeit_sum{U__service_2e_name=\"shop\"} 0.25\n",
            ],
        ),
    ] {
        let (page, format) = page(accept);
        for line in lines {
            assert!(page.contains(line), "{line} in {page}");
        }
        let mut parser = Parser::new(page.as_bytes(), format, Mode::Strict);
        assert!(parser.all(|entry| entry.is_ok()), "{page}");
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

#[test]
fn limits_are_told_once() {
    let registry = Registry::new();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let warnings = heard.clone();
    registry.on_warning(move |warning| warnings.lock().unwrap().push(warning.to_string()));
    let users = registry.metric("users_total", "Users.").labels(&["user"]).series_limit(1).counter().unwrap();
    for user in ["a", "b", "c"] {
        users.with(&[user]).inc();
    }
    assert_eq!(
        *heard.lock().unwrap(),
        [r#"metric "users_total" reached its limit of 1 series: further label values share one"#]
    );
}

#[test]
fn removed_series_leave_the_page_and_begin_again_at_zero() {
    let registry = Registry::new();
    let family = registry.counter("n_total", "N.", &["method", "path"]);
    for (method, path) in [("GET", "/"), ("GET", "/a"), ("PUT", "/a")] {
        family.with(&[method, path]).inc_by(7);
    }
    assert!(family.remove(&["GET", "/"]) && !family.remove(&["GET", "/"]) && !family.remove(&["?", "?"]));
    assert_eq!(family.remove_where(&[("path", "/a"), ("method", "PUT")]), 1);
    assert_eq!(family.remove_where(&[("no", "label")]), 0);
    assert_eq!(text(&registry).lines().last(), Some("n_total{method=\"GET\",path=\"/a\"} 7"));
    family.with(&["GET", "/"]).inc();
    assert_eq!(family.with(&["GET", "/"]).value(), 1.0);
    family.clear();
    assert_eq!((family.series_count(), text(&registry)), (0, String::new()));
    let plain = registry.gauge("plain", "Plain.", &[]);
    plain.with(&[]).set(2.0);
    plain.clear();
    assert!(text(&registry).contains("plain 0\n"), "a metric without labels is there from the start");
}

#[test]
fn idle_series_expire_and_kept_handles_bring_them_back_with_their_counts() {
    let registry = Registry::new();
    let family = registry.counter("n_total", "N.", &["i"]);
    let idle = Duration::ZERO;
    let kept = family.with(&["kept"]).clone();
    kept.inc();
    family.with(&["busy"]).inc();
    assert_eq!(family.expire_idle(Duration::from_secs(3600)), 0);
    family.with(&["busy"]).inc();
    // What is seen to have changed was counted in just now; the rest has been idle for longer than nothing.
    assert_eq!(family.expire_idle(Duration::from_nanos(1)), 1);
    assert_eq!(family.series_count(), 1);
    kept.inc();
    family.expire_idle(Duration::from_secs(3600));
    assert!(text(&registry).contains("n_total{i=\"kept\"} 2\n"));
    assert_eq!(family.expire_idle(idle), 2);
    assert_eq!(family.with(&["kept"]).value(), 2.0, "a lookup brings it back, too");
    assert!(text(&registry).contains("n_total{i=\"kept\"} 2\n"));
}

#[test]
fn guards_keep_label_values_few() {
    let registry = Registry::new();
    let family = registry.counter("n_total", "N.", &["plan", "user"]);
    let allow = LabelGuard::Allow(vec!["free".to_owned(), "paid".to_owned()]);
    family.guard(&[("plan", allow), ("user", LabelGuard::Hash(4))]).unwrap();
    for i in 0..1000 {
        family.with(&[["free", "paid", "x"][i % 3], &i.to_string()]).inc();
    }
    assert_eq!(family.series_count(), 3 * 4);
    let page = text(&registry);
    assert!(page.contains("n_total{plan=\"__other__\",user=\"3\"} "), "{page}");
    assert_eq!(
        family.guard(&[("no", LabelGuard::Hash(1))]).unwrap_err().to_string(),
        r#"cannot register metric "n_total": it has no label "no""#
    );
}

#[test]
fn the_largest_users_are_shown_and_the_sum_is_exact() {
    let registry = Registry::new();
    let labels = ["user", "type"];
    let used =
        registry.metric("credits_used_total", "Used.").labels(&labels).ranked_counter("user", 2).unwrap();
    let mut total = 0.0;
    for i in 0..5000u64 {
        // Two users count much, thousands a little.
        for (user, amount) in [("ann", 50.0), ("bob", 40.0), (&*format!("u{i}"), 1.0)] {
            assert!(used.add(&[user, "voice"], amount));
            total += amount;
        }
    }
    assert!(used.add(&["eve", "text"], 3.0) && !used.add(&["eve", "text"], -3.0));
    let page = text(&registry);
    assert_eq!(used.total(&["", "voice"]), total);
    assert!(page.contains("credits_used_total{user=\"ann\",type=\"voice\"} 250000\n"), "{page}");
    assert!(page.contains("credits_used_total{user=\"bob\",type=\"voice\"} 200000\n"), "{page}");
    assert!(page.contains("credits_used_total{user=\"__other__\",type=\"voice\"} 5000\n"), "{page}");
    assert!(page.contains("credits_used_total{user=\"eve\",type=\"text\"} 3\n"), "{page}");
    assert_eq!(page.lines().count(), 2 + 4);
}

#[test]
fn who_overtakes_is_shown_and_nothing_goes_down() {
    let registry = Registry::new();
    let used = registry.metric("used_total", "Used.").labels(&["user"]).ranked_counter("user", 1).unwrap();
    used.add(&["ann"], 5.0);
    used.add(&["bob"], 4.0);
    assert!(text(&registry).ends_with("used_total{user=\"__other__\"} 4\nused_total{user=\"ann\"} 5\n"));
    used.add(&["bob"], 4.0);
    assert!(text(&registry).ends_with("used_total{user=\"__other__\"} 9\nused_total{user=\"bob\"} 4\n"));
    assert_eq!(used.total(&[""]), 13.0);
}

#[test]
fn accounts_that_count_alike_keep_their_places() {
    let registry = Registry::new();
    let used = registry.metric("used_total", "Used.").labels(&["user"]).ranked_counter("user", 5).unwrap();
    let shown = || -> Vec<String> {
        let page = text(&registry);
        page.lines()
            .filter(|l| l.starts_with("used_total"))
            .map(|l| l.split('}').next().unwrap().to_owned())
            .collect()
    };
    for round in 0..50 {
        for user in 0..10 {
            assert!(used.add(&[&user.to_string()], 1.0));
        }
        assert_eq!(
            shown()[..5],
            ["0", "1", "2", "3", "4"].map(|u| format!("used_total{{user=\"{u}\"")),
            "{round}"
        );
    }
    // An account of the overflow's name is what is not shown, and names of any length are told apart.
    used.add(&[OVERFLOW], 3.0);
    for (end, amount) in [("a", 400.0), ("b", 500.0)] {
        used.add(&[&[&"x".repeat(300), end].concat()], amount);
    }
    assert_eq!(used.total(&[""]), 500.0 + 3.0 + 900.0);
    let page = text(&registry);
    assert!(page.contains("\"} 400\n") && page.contains("\"} 500\n"), "{page}");
    assert!(page.contains("used_total{user=\"__other__\"} 353\n"), "{page}");
}

#[test]
fn the_smallest_balances_are_shown() {
    let registry = Registry::new();
    let builder = registry.metric("credits_remaining", "Left.").labels(&["user"]);
    let left = builder.ranked_gauge("user", Keep::Smallest(2)).unwrap();
    for i in (0..1000).rev() {
        left.set(&[&format!("u{i}")], f64::from(i));
    }
    left.set(&["u0"], 5000.0);
    left.set(&["u999"], -1.0);
    assert!(left.remove(&["u1"]));
    let page = text(&registry);
    assert!(
        page.ends_with("credits_remaining{user=\"u2\"} 2\ncredits_remaining{user=\"u999\"} -1\n"),
        "{page}"
    );
    assert!(registry.try_gauge("credits_remaining", "Left.", &[]).is_err());
}

#[test]
fn state_sets_infos_and_units_are_written() {
    let registry = Registry::new();
    registry.try_info("build_info", "Build.", &[("version", "1.2"), ("revision", "abc")]).unwrap();
    let state = registry.metric("job_state", "State.").labels(&["job"]).state_set(&["idle", "busy"]).unwrap();
    assert!(state.with(&["a"]).set("busy") && !state.with(&["a"]).set("gone"));
    assert!(state.with(&["a"]).enable("idle", true) && state.with(&["a"]).is_on("busy"));
    assert!(state.with(&["a"]).enable("busy", false));
    registry.metric("wait_seconds", "Wait.").unit("seconds").gauge().unwrap();
    let page = String::from_utf8(registry.encode(Format::OpenMetrics)).unwrap();
    for line in [
        "build_info{version=\"1.2\",revision=\"abc\"} 1\n",
        "# TYPE job_state stateset\njob_state{job=\"a\",job_state=\"idle\"} 1\njob_state{job=\"a\",job_state=\"busy\"} 0\n",
        "# UNIT wait_seconds seconds\n",
    ] {
        assert!(page.contains(line), "{line} in {page}");
    }
    assert!(Parser::new(page.as_bytes(), Format::OpenMetrics, Mode::Strict).all(|e| e.is_ok()));
    let refused = registry.metric("wait_ms", "Wait.").unit("seconds").gauge().unwrap_err();
    assert_eq!(refused.kind, RegisterErrorKind::InvalidUnit("seconds".to_owned()));
    let refused = registry.metric("s", "S.").state_set(&["a", "a"]).unwrap_err();
    assert_eq!(refused.kind, RegisterErrorKind::InvalidStates);
}

#[test]
fn callbacks_and_collectors_write_at_their_place() {
    struct Own;
    impl Collector for Own {
        fn sample_names(&self) -> Vec<String> {
            vec!["c_own".to_owned()]
        }
        fn collect(&self, writer: &mut Writer) {
            writer.family("c_own", MetricType::Gauge, "", "Own.");
            writer.gauge(&LabelText::default(), 3.0);
        }
    }
    let registry = Registry::new();
    registry.gauge("b", "B.", &[]);
    registry.register_collector(Own).unwrap();
    let read = |emit: &mut dyn FnMut(&[&str], f64)| {
        emit(&["y"], 2.0);
        emit(&["x"], 1.0);
        emit(&["too", "many"], 9.0);
    };
    registry.try_gauge_fn("a", "A.", &["k"], read).unwrap();
    registry.try_counter_fn("d_total", "D.", &[], |emit| emit(&[], 0.5)).unwrap();
    let lines: Vec<String> =
        text(&registry).lines().filter(|l| !l.starts_with('#')).map(str::to_owned).collect();
    assert_eq!(lines, ["a{k=\"x\"} 1", "a{k=\"y\"} 2", "b 0", "c_own 3", "d_total 0.5"]);
    assert!(registry.register_collector(Own).is_err() && registry.try_gauge("c_own", "C.", &[]).is_err());
    assert!(registry.unregister("c_own") && registry.unregister("b") && !registry.unregister("c_own"));
    registry.gauge("c_own", "C.", &[]);
    assert!(text(&registry).contains("c_own 0\n"));
}

#[test]
fn exemplars_stand_beside_what_they_are_examples_of() {
    let registry = Registry::new();
    let counter = registry.counter("n_total", "N.", &[]).with(&[]).clone();
    assert!(counter.inc_with_exemplar(&[("trace_id", "t1")]));
    let histogram = registry.histogram("h", "H.", &[], &[1.0, 2.0]).with(&[]).clone();
    assert!(histogram.observe_with_exemplar(1.5, &[("trace_id", "ä\"b")]));
    assert!(!histogram.observe_with_exemplar(0.5, &[("trace_id", &"x".repeat(200))]), "too long");
    let page = String::from_utf8(registry.encode(Format::OpenMetrics)).unwrap();
    assert!(page.contains("n_total 1 # {trace_id=\"t1\"} 1 "), "{page}");
    assert!(page.contains("h_bucket{le=\"2.0\"} 2 # {trace_id=\"ä\\\"b\"} 1.5 "), "{page}");
    assert!(page.contains("h_bucket{le=\"1.0\"} 1\n"), "{page}");
    assert!(!text(&registry).contains(" # {"));
}

#[test]
fn native_histograms_halve_their_resolution_and_lose_nothing() {
    let registry = Registry::new();
    let native = Native { buckets_max: 10, zero_threshold: 1e-3, ..Native::default() };
    let family = registry.metric("h", "H.").native(native).buckets(&[1.0]).histogram().unwrap();
    let histogram = family.with(&[]);
    let values: Vec<f64> = (1..500).map(|i| f64::from(i) * if i % 4 == 0 { -0.5 } else { 0.5 }).collect();
    values.iter().for_each(|value| histogram.observe(*value));
    [0.0, 1e-4, f64::NAN].iter().for_each(|value| histogram.observe(*value));
    let snapshot = histogram.native();
    assert_eq!((snapshot.zero_count, snapshot.count, histogram.count()), (2, 501, 501));
    assert!(snapshot.positive.len() + snapshot.negative.len() <= 10, "{snapshot:?}");
    assert!((SCHEMA_MIN..3).contains(&snapshot.schema), "{snapshot:?}");
    let bound = |index: i32| 2f64.powf(f64::from(index) / 2f64.powi(i32::from(snapshot.schema)));
    for (side, sign) in [(&snapshot.positive, 1.0), (&snapshot.negative, -1.0)] {
        for (index, count) in side {
            let inside = |v: &&f64| **v * sign > bound(index - 1) && **v * sign <= bound(*index);
            assert_eq!(values.iter().filter(inside).count() as u64, *count, "bucket {index}");
        }
    }
    let classic = registry.histogram("c", "C.", &[], &[1.0, 2.0]);
    classic.with(&[]).observe(1.5);
    let custom = classic.with(&[]).native();
    assert_eq!(
        (custom.schema, custom.positive, custom.custom_bounds),
        (SCHEMA_CUSTOM, vec![(1, 1)], vec![1.0, 2.0])
    );
}
