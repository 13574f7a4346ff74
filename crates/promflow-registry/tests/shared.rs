//! Processes that share an arena.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use promflow_registry::{
    ArenaErrorKind, Format, GaugeMode, Keep, Native, OVERFLOW, Options, Registry, SharedOptions, Warning,
};

/// How many increments a child makes before it says so.
const INCREMENTS: u64 = 200_000;

fn open(path: &Path) -> Registry {
    Registry::open_shared(path, Options::default(), &SharedOptions::default()).unwrap()
}

fn page(registry: &Registry) -> String {
    String::from_utf8(registry.encode(Format::Text)).unwrap()
}

/// Starts this program again as a process that counts; `what` is one of the jobs of [`child_process`].
fn spawn(path: &Path, what: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_process", "--ignored", "--nocapture"])
        .env("ARENA", path)
        .env("JOB", what)
        .stdout(Stdio::piped())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap()
}

fn wait_for(child: &mut Child, line: &str) {
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|l| l.contains(line)), "the child never said {line:?}");
}

/// Counts accounts that change places all the time.
fn count_ranked(registry: &Registry) {
    let used = registry.metric("used_total", "Used.").labels(&["user"]).ranked_counter("user", 3).unwrap();
    let steps = registry.counter("steps_total", "Steps.", &[]);
    for i in 0u64.. {
        used.add(&[&format!("u{}", i / 50 % 200)], 1.0);
        steps.with(&[]).inc();
        if i == 5000 {
            println!("counted");
        }
    }
}

#[test]
#[ignore = "the other tests run it as a process of its own"]
fn child_process() {
    let registry = open(Path::new(&std::env::var_os("ARENA").unwrap()));
    if std::env::var("JOB").unwrap() == "ranked" {
        return count_ranked(&registry);
    }
    let done = registry.counter("done_total", "Done.", &["job"]);
    let mode = GaugeMode::LiveSum;
    let active = registry.metric("active", "Active.").mode(mode).gauge().unwrap();
    let peak = registry.metric("peak", "Peak.").mode(GaugeMode::Max).gauge().unwrap();
    active.with(&[]).set(1.0);
    peak.with(&[]).set(f64::from(std::process::id()));
    let seconds = registry.histogram("seconds", "Seconds.", &[], &[1.0, 2.0]);
    for i in 0..INCREMENTS {
        done.with(&["all"]).inc();
        seconds.with(&[]).observe((i % 3) as f64);
    }
    println!("counted");
    if std::env::var("JOB").unwrap() == "for ever" {
        // Killed somewhere in here: while it counts, while it makes series, while it holds the lock.
        let noise = registry.counter("noise_total", "Noise.", &["i"]);
        for i in 0u64.. {
            noise.with_unlimited(&[&i.to_string()]).inc();
        }
    }
    // Lives until its parent has read what it counted.
    let _ = std::io::stdin().read(&mut [0]);
}

#[test]
fn kill_9_of_one_of_four_processes_loses_no_count() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cells");
    let mut killed = spawn(&path, "for ever");
    let mut others: Vec<Child> = (0..3).map(|_| spawn(&path, "once")).collect();
    wait_for(&mut killed, "counted");
    killed.kill().unwrap();
    killed.wait().unwrap();
    others.iter_mut().for_each(|child| wait_for(child, "counted"));

    let registry = open(&path);
    let total = 4 * INCREMENTS;
    let text = page(&registry);
    assert!(text.contains(&format!("done_total{{job=\"all\"}} {total}\n")), "{text}");
    assert!(text.contains(&format!("seconds_count {total}\n")), "{text}");
    assert!(text.contains("\nactive 3\n"), "the killed process is not active any more: {text}");
    let highest = others.iter().map(Child::id).chain([killed.id()]).max().unwrap();
    assert!(text.contains(&format!("\npeak {highest}\n")), "what ended keeps its peak: {text}");
    // The killed one may have held the lock: series are still made, and they are seen.
    registry.counter("after_total", "After.", &["x"]).with(&["1"]).inc();
    assert!(page(&open(&path)).contains("after_total{x=\"1\"} 1\n"));
    for child in &mut others {
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    }
    assert!(page(&registry).contains(&format!("done_total{{job=\"all\"}} {total}\n")));
    assert!(!page(&registry).contains("\nactive "), "nobody is active");
}

#[test]
fn processes_killed_at_any_moment_leave_a_readable_arena() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cells");
    for round in 1..=6u64 {
        let mut child = spawn(&path, "for ever");
        wait_for(&mut child, "counted");
        std::thread::yield_now();
        child.kill().unwrap();
        child.wait().unwrap();
        let text = page(&open(&path));
        assert!(text.contains(&format!("done_total{{job=\"all\"}} {}\n", round * INCREMENTS)), "{text}");
    }
}

#[test]
fn each_registry_sees_what_the_other_registers_counts_and_removes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cells");
    let (a, b) = (open(&path), open(&path));
    let in_a = a.counter("jobs_total", "Jobs.", &["queue"]);
    in_a.with(&["mail"]).inc();
    assert!(page(&b).contains("jobs_total{queue=\"mail\"} 1\n"));
    let in_b = b.counter("jobs_total", "Jobs.", &["queue"]);
    in_b.with(&["mail"]).add(1.5);
    in_b.with(&["sms"]).inc();
    assert!(page(&a).contains("jobs_total{queue=\"mail\"} 2.5\njobs_total{queue=\"sms\"} 1\n"));
    let conflict = a.try_gauge("jobs_total", "Jobs.", &["queue"]).unwrap_err().to_string();
    assert!(conflict.contains("it is registered with type counter, not gauge"), "{conflict}");

    assert!(in_a.remove(&["mail"]));
    assert!(!page(&b).contains("mail"));
    in_b.with(&["mail"]).inc();
    assert!(page(&a).contains("jobs_total{queue=\"mail\"} 1\n"), "it begins again, and is seen");

    let native = b.metric("size_bytes", "Sizes.").native(Native::default()).histogram().unwrap();
    native.with(&[]).observe_with_exemplar(3.0, &[("trace_id", "abc")]);
    let same = a.metric("size_bytes", "Sizes.").native(Native::default()).histogram().unwrap();
    assert_eq!(same.with(&[]).native(), native.with(&[]).native());
    assert_eq!(same.with(&[]).native().positive, [(13, 1)]);
    let open_metrics = String::from_utf8(a.encode(Format::OpenMetrics)).unwrap();
    assert!(open_metrics.contains("# {trace_id=\"abc\"} 3 "), "{open_metrics}");
}

#[test]
fn the_limit_of_series_holds_for_all_processes_together() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cells");
    let registries = [open(&path), open(&path)];
    let families = registries.each_ref().map(|r| r.counter("users_total", "Users.", &["user"]));
    for family in &families {
        family.limit_series(10);
    }
    for i in 0..100 {
        families[i % 2].with(&[&i.to_string()]).inc();
    }
    let sum: f64 = (0..10).map(|i| families[0].with(&[&i.to_string()]).value()).sum();
    assert_eq!(sum + families[1].with(&[OVERFLOW]).value(), 100.0);
    assert!(families[0].series_count() <= 12, "{}", families[0].series_count());
    assert!(families[0].remove(&["3"]));
    families[1].with(&["late"]).inc();
    assert!(page(&registries[0]).contains("user=\"late\""), "room that one process made is the other's, too");
}

#[test]
fn full_arenas_count_in_the_overflow_series_and_warn_once() {
    let directory = tempfile::tempdir().unwrap();
    let options = SharedOptions { size_bytes_max: 1, ..SharedOptions::default() };
    let path = directory.path().join("cells");
    let registry = Registry::open_shared(&path, Options::default(), &options).unwrap();
    let warnings = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = warnings.clone();
    registry.on_warning(move |warning| heard.lock().unwrap().push(warning.clone()));
    let users = registry.counter("users_total", "Users.", &["user"]);
    for i in 0..5000 {
        users.with_unlimited(&[&i.to_string()]).inc();
    }
    let mut sum = 0.0;
    users.for_each(|_, counter| sum += counter.value());
    assert_eq!(sum, 5000.0);
    assert!(users.with(&[OVERFLOW]).value() > 1000.0);
    let error = registry.try_counter("late_total", &"Late. ".repeat(1000), &[]).unwrap_err().to_string();
    assert!(error.contains("its 131072 bytes are full"), "{error}");
    let warnings = warnings.lock().unwrap();
    let of_users = |w: &&Warning| matches!(w, Warning::Arena { metric, .. } if metric == "users_total");
    assert_eq!(warnings.iter().filter(of_users).count(), 1, "{warnings:?}");
}

#[test]
fn files_that_are_no_arena_are_refused_with_a_reason() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cells");
    let kind = |path: &Path| {
        let error = Registry::open_shared(path, Options::default(), &SharedOptions::default()).unwrap_err();
        assert!(error.to_string().starts_with("cannot use shared registry \""), "{error}");
        error.kind
    };
    std::fs::write(&path, "x".repeat(100)).unwrap();
    assert_eq!(kind(&path), ArenaErrorKind::NotAnArena);
    assert_eq!(kind(&directory.path().join("missing/cells")), ArenaErrorKind::NotFound);
    let reset = SharedOptions { reset: true, ..SharedOptions::default() };
    drop(Registry::open_shared(&path, Options::default(), &reset).unwrap());

    let edit = |at: u64, bytes: &[u8]| {
        OpenOptions::new().write(true).open(&path).unwrap().write_all_at(bytes, at).unwrap();
    };
    edit(64 + 40, b"X");
    assert_eq!(kind(&path), ArenaErrorKind::Damaged { at_line: 1 });
    edit(8, &99u64.to_ne_bytes());
    assert_eq!(kind(&path), ArenaErrorKind::Version { found: 99, expected: 2 });
    edit(8, &2u64.to_ne_bytes());
    OpenOptions::new().write(true).open(&path).unwrap().set_len(200).unwrap();
    assert_eq!(kind(&path), ArenaErrorKind::Damaged { at_line: 0 });
}

#[test]
fn a_stopped_process_holds_up_nobody_who_counts_or_writes_a_page() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cells");
    // It makes series without end, so that it is stopped with the lock of the file more often than not.
    let mut child = spawn(&path, "for ever");
    wait_for(&mut child, "counted");
    let registry = open(&path);
    let done = registry.counter("done_total", "Done.", &["job"]);
    let signal = |signal: &str| {
        let status = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(status.success());
    };
    for round in 1..=5 {
        signal("-STOP");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| done.with(&["all"]).inc()));
            }
        });
        let total = INCREMENTS + round * 40_000;
        let text = page(&registry);
        assert!(text.contains(&format!("done_total{{job=\"all\"}} {total}\n")), "{total}");
        signal("-CONT");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn ranked_metrics_and_quantiles_are_those_of_all_processes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cells");
    let registries = [open(&path), open(&path)];
    let used = registries.each_ref().map(|registry| {
        registry.metric("used_total", "Used.").labels(&["user", "type"]).ranked_counter("user", 2).unwrap()
    });
    let left = registries.each_ref().map(|registry| {
        let builder = registry.metric("left", "Left.").labels(&["user"]);
        builder.ranked_gauge("user", Keep::Smallest(2)).unwrap()
    });
    let waits = registries
        .each_ref()
        .map(|registry| registry.metric("wait_seconds", "Waits.").quantiles(&[0.5, 1.0]).summary().unwrap());
    for i in 0..1000u32 {
        let here = i as usize % 2;
        used[here].add(&["ann", "voice"], 5.0);
        used[1 - here].add(&["bob", "voice"], 4.0);
        used[here].add(&[&format!("u{i}"), "voice"], 1.0);
        left[here].set(&[&format!("u{i}")], f64::from((i * 7919) % 1009));
        waits[here].with(&[]).observe(if here == 0 { 1.0 } else { 16.0 });
    }
    left[0].set(&["u0"], 77.0);
    let pages = registries.each_ref().map(page);
    assert_eq!(pages[0], pages[1]);
    for line in [
        "used_total{user=\"ann\",type=\"voice\"} 5000\n",
        "used_total{user=\"bob\",type=\"voice\"} 4000\n",
        "used_total{user=\"__other__\",type=\"voice\"} 1000\n",
        "wait_seconds_count 1000\n",
    ] {
        assert!(pages[0].contains(line), "{line} in {}", pages[0]);
    }
    assert_eq!((used[0].total(&["", "voice"]), used[1].total(&["", "voice"])), (10_000.0, 10_000.0));
    let balances: Vec<&str> = pages[0].lines().filter(|line| line.starts_with("left{")).collect();
    let values = balances.iter().map(|line| line.rsplit(' ').next().unwrap());
    let mut smallest: Vec<u32> = (1..1000).map(|i| (i * 7919) % 1009).collect();
    smallest.sort_unstable();
    let mut found: Vec<u32> = values.map(|value| value.parse().unwrap()).collect();
    found.sort_unstable();
    assert_eq!(found, smallest[..2], "{balances:?}");
    let quantiles = waits[0].with(&[]).quantiles();
    let near = |value: f64, expected: f64| (value - expected).abs() <= 0.022 * expected;
    assert!(near(quantiles[0].1, 1.0) && near(quantiles[1].1, 16.0), "{quantiles:?}");
    // Who comes later finds them, and a ranking that differs is refused.
    assert_eq!(page(&open(&path)), pages[0]);
    let refused = registries[0].metric("left", "Left.").labels(&["user"]);
    let refused = refused.ranked_gauge("user", Keep::Largest(2)).unwrap_err().to_string();
    assert!(refused.contains("it is registered with ranking"), "{refused}");
}

#[test]
fn a_killed_process_leaves_the_sum_of_a_ranked_counter_exact() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cells");
    for round in 1..=4 {
        let mut child = spawn(&path, "ranked");
        wait_for(&mut child, "counted");
        child.kill().unwrap();
        child.wait().unwrap();
        let registry = open(&path);
        let used =
            registry.metric("used_total", "Used.").labels(&["user"]).ranked_counter("user", 3).unwrap();
        let text = page(&registry);
        let sum: f64 = text
            .lines()
            .filter(|line| line.starts_with("used_total{"))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum();
        // What the killed one counted last was counted or was not.
        let steps = registry.counter("steps_total", "Steps.", &[]).with(&[]).value();
        assert!((0.0..=f64::from(round)).contains(&(sum - steps)), "{sum} and {steps}: {text}");
        assert_eq!(used.total(&[""]), sum);
    }
}
