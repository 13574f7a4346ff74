use promflow_model::MetricType;

use crate::{Definition, Library, Limits, MemoryTree, Scan, scan};

const MANIFEST: &str = "[package]\nname = \"app\"\n";

fn scan_files(files: &[(&str, &str)]) -> Scan {
    scan(&MemoryTree::new(files.iter().copied()), Limits::default()).expect("the tree is readable")
}

fn definitions(code: &str) -> Vec<Definition> {
    let found = scan_files(&[("Cargo.toml", MANIFEST), ("src/lib.rs", code)]);
    assert_eq!(found.problems, [], "{code}");
    found.definitions
}

fn one(code: &str) -> Definition {
    let mut found = definitions(code);
    assert_eq!(found.len(), 1, "{code}: {found:?}");
    found.remove(0)
}

#[track_caller]
fn check(code: &str, name: &str, kind: MetricType, labels: Option<&[&str]>, library: Library) {
    let found = one(code);
    let labels = labels.map(|labels| labels.iter().map(|label| (*label).to_owned()).collect());
    let expected = (name.to_owned(), kind, labels, library);
    assert_eq!((found.name, found.kind, found.labels, found.library), expected, "{code}");
}

#[test]
fn a_function_defines_a_metric_at_its_line_and_column() {
    let found = one(
        "fn f() {\n    let c = promflow::counter(\n        \"a_total\", \"Things.\", &[\"x\", \"y\"]);\n}",
    );
    assert_eq!((found.line, found.column), (2, 13));
    assert_eq!((found.file.as_str(), found.package.as_str()), ("src/lib.rs", "app"));
    assert_eq!(found.help.as_deref(), Some("Things."));
    assert_eq!(found.labels, Some(vec!["x".to_owned(), "y".to_owned()]));
}

#[test]
fn each_form_of_each_library_is_known() {
    use Library::{Metrics, Prometheus, PrometheusClient, Promflow};
    use MetricType::{Counter, Gauge, Histogram, Unknown};
    let none: Option<&[&str]> = Some(&[]);
    check("fn f(r: &R) { r.counter(\"a\", \"h\", &[\"x\"]); }", "a", Counter, Some(&["x"]), Promflow);
    check("fn f(r: &R) { r.gauge(\"a\", \"h\", &[])?.clone(); }", "a", Gauge, none, Promflow);
    check("fn f() { gauge(\"a\", \"h\") }", "a", Gauge, none, Promflow);
    check("fn f(l: L) { promflow::gauge(\"a\", \"h\", l) }", "a", Gauge, None, Promflow);
    check("fn f() { Counter::new(\"a\", \"h\") }", "a", Counter, none, Promflow);
    check(
        "static A: IntCounterVec = LazyLock::new(|| register_int_counter_vec!(\"a\", \"h\", &[\"x\"]).unwrap());",
        "a",
        Counter,
        Some(&["x"]),
        Promflow,
    );
    check(
        "fn f() { IntCounterVec::new(Opts::new(\"a\", \"h\").namespace(\"n\"), &[\"x\"]).unwrap() }",
        "n_a",
        Counter,
        Some(&["x"]),
        Prometheus,
    );
    check(
        "fn f() { let o = HistogramOpts::new(\"a\", \"h\"); HistogramVec::new(o, &[\"x\"]) }",
        "a",
        Histogram,
        Some(&["x"]),
        Prometheus,
    );
    check("fn f() { Gauge::with_opts(opts!(\"a\", \"h\")) }", "a", Gauge, none, Prometheus);
    check(
        "lazy_static! { static ref A: GaugeVec = register_gauge_vec!(opts!(\"a\", \"h\"), &[\"x\"]).unwrap(); }",
        "a",
        Gauge,
        Some(&["x"]),
        Prometheus,
    );
    check(
        "fn f(r: &mut Registry) { let c = Family::<L, Counter>::default(); r.register(\"a\", \"h\", c.clone()); }",
        "a_total",
        Counter,
        None,
        PrometheusClient,
    );
    check(
        "struct M { lag: Family<L, Gauge> }\nfn f(r: &mut R, m: M) { r.register(\"a\", \"h\", m.lag.clone()) }",
        "a",
        Gauge,
        None,
        PrometheusClient,
    );
    check("fn f(r: &mut R) { r.register(\"a\", \"h\", make()) }", "a", Unknown, None, PrometheusClient);
    check(
        "fn f() { metrics::counter!(\"a.b\", \"x\" => v.to_string()) }",
        "a_b",
        Counter,
        Some(&["x"]),
        Metrics,
    );
    check("fn f() { describe_gauge!(\"a\", Unit::Bytes, \"h\") }", "a", Gauge, None, Metrics);
}

#[test]
fn uses_of_a_metrics_macro_are_one_definition() {
    let found = one(
        "fn f() { counter!(\"a\", \"x\" => \"1\"); counter!(\"a\", \"y\" => \"1\"); describe_counter!(\"a\", \"h\"); }",
    );
    assert_eq!(found.labels, Some(vec!["x".to_owned(), "y".to_owned()]));
    assert_eq!(found.help.as_deref(), Some("h"));
}

#[test]
fn a_unit_becomes_part_of_a_prometheus_client_name() {
    let found = one(
        "fn f(r: &mut R, h: Histogram) { r.register_with_unit(\"a\", \"h\", Unit::Seconds, Histogram::new()) }",
    );
    assert_eq!((found.name.as_str(), found.kind), ("a_seconds", MetricType::Histogram));
    assert_eq!(found.help.as_deref(), Some("h."));
}

#[test]
fn buckets_are_read_from_arguments_builders_constants_and_generators() {
    for code in [
        "fn f() { histogram(\"a\", \"h\", &[\"x\"], &[0.5, 1.0, 2.0]) }",
        "fn f() { histogram(\"a\", \"h\", &[\"x\"]).buckets(vec![0.5, 1.0, 2.0]) }",
        "const B: [f64; 3] = [0.5, 1.0, 2.0];\nfn f() { histogram(\"a\", \"h\", &[\"x\"], &B) }",
        "fn f() { histogram(\"a\", \"h\", &[\"x\"]).buckets(exponential_buckets(0.5, 2.0, 3).unwrap()).unwrap() }",
        "fn f() { register_histogram_vec!(\"a\", \"h\", &[\"x\"], vec![0.5, 1.0, 2.0]) }",
        "fn f() { HistogramVec::new(HistogramOpts::new(\"a\", \"h\").buckets(vec![0.5, 1., 2.]), &[\"x\"]) }",
    ] {
        let found = one(code);
        assert_eq!(found.buckets, Some(vec![0.5, 1.0, 2.0]), "{code}");
        assert_eq!(found.labels, Some(vec!["x".to_owned()]), "{code}");
    }
}

#[test]
fn a_builder_speaks_of_its_own_metric_alone() {
    let found = definitions(
        "fn f(r: R) { r.histogram(\"a\", \"h\", &[]).buckets(vec![1.0]); r.join(r.histogram(\"b\", \"h\", &[])); }",
    );
    assert_eq!(found[0].buckets, Some(vec![1.0]));
    assert_eq!(found[1].buckets, None);
}

#[test]
fn constants_are_followed_through_the_package_and_what_it_depends_on() {
    let found = scan_files(&[
        ("Cargo.toml", "[workspace]\n[workspace.dependencies]\nnames = { path = \"names\" }\n"),
        ("names/Cargo.toml", "[package]\nname = \"names\"\n"),
        (
            "names/src/lib.rs",
            "pub const BASE: &str = concat!(\"far\", \"_total\");\npub const L: &[&str] = &[\"x\"];",
        ),
        ("app/Cargo.toml", "[package]\nname = \"app\"\n[dependencies]\nnames.workspace = true\n"),
        ("app/src/names.rs", "pub const NEAR: &str = \"near_total\";\npub const BASE2: &str = names::BASE;"),
        (
            "app/src/main.rs",
            "fn f() { counter(names::NEAR, \"h\", names::L); counter(crate::names::BASE2, \"h\"); }",
        ),
        ("other/Cargo.toml", "[package]\nname = \"other\"\n"),
        ("other/src/lib.rs", "fn f() { counter(names::NEAR, \"h\"); }"),
    ]);
    let names: Vec<_> = found.definitions.iter().map(|d| (d.package.as_str(), d.name.as_str())).collect();
    assert_eq!(names, [("app", "near_total"), ("app", "far_total")]);
    assert_eq!(found.definitions[0].labels, Some(vec!["x".to_owned()]));
}

#[test]
fn a_constant_with_two_meanings_is_not_guessed() {
    let found = definitions(
        "mod a { pub const N: &str = \"a_total\"; }\nmod b { pub const N: &str = \"b_total\"; }\n\
         fn f() { counter(N, \"h\"); counter(b::N, \"h\"); }",
    );
    assert_eq!(found.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), ["b_total"]);
}

#[test]
fn code_of_tests_is_not_scanned() {
    let found = scan_files(&[
        ("Cargo.toml", MANIFEST),
        (
            "src/lib.rs",
            "#[cfg(test)] mod inner { fn f() { counter(\"a\", \"h\"); } }\n#[cfg(test)]\nmod checks;\n\
             #[test]\nfn g() { counter(\"b\", \"h\"); }\n#[cfg(all(test, unix))]\nstatic S: u8 = counter(\"c\", \"h\");\n\
             #[cfg(not(test))]\nfn h() { counter(\"real\", \"h\"); }\n#[tokio::test]\nasync fn i() { gauge(\"d\", \"h\"); }",
        ),
        ("src/checks.rs", "fn f() { counter(\"e\", \"h\"); }"),
        ("src/checks/more.rs", "fn f() { counter(\"f\", \"h\"); }"),
        ("src/part.rs", "#[cfg(test)]\nmod tests;"),
        ("src/part/tests.rs", "fn f() { counter(\"g\", \"h\"); }"),
        ("tests/it.rs", "fn f() { counter(\"h\", \"h\"); }"),
        ("benches/b.rs", "fn f() { counter(\"i\", \"h\"); }"),
    ]);
    assert_eq!(found.definitions.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), ["real"]);
}

#[test]
fn calls_that_only_look_alike_define_nothing() {
    for code in [
        "// counter(\"a\", \"h\")\n/// gauge(\"a\", \"h\")\nfn f() {}",
        "fn f() { counter(\"only a name\") }",
        "fn f() { counter(\"not a name\", \"h\") }",
        "fn f(name: &str) { counter(name, \"h\") }",
        "fn f() { info!(\"a\", \"b\"); log.info(\"a\", \"b\"); }",
        "fn f() { registry.register(\"a\"); let s = \"counter(\\\"a\\\", \\\"h\\\")\"; }",
        "macro_rules! m { ($n:expr) => { counter($n, \"h\") } }",
    ] {
        assert_eq!(definitions(code), [], "{code}");
    }
}

#[test]
fn a_file_that_does_not_parse_is_reported_and_the_rest_goes_on() {
    let found = scan_files(&[
        ("Cargo.toml", MANIFEST),
        ("src/bad.rs", "fn f( {\n  oops\n"),
        ("src/worse.rs", "fn f() {\n  let = ;\n}"),
        ("src/lib.rs", "fn f() { counter(\"a\", \"h\"); }"),
        ("b/Cargo.toml", "[package]\nname = \"b\nversion = 1\n"),
    ]);
    assert_eq!(found.definitions.len(), 1);
    let places: Vec<_> = found.problems.iter().map(|p| (p.file.as_str(), p.line)).collect();
    assert_eq!(places, [("b/Cargo.toml", 2), ("src/bad.rs", 1), ("src/worse.rs", 2)]);
}

#[test]
fn deep_nesting_is_refused_without_overflowing_the_stack() {
    let brackets = format!("fn f() {{ {}1{} }}", "(".repeat(5_000), ")".repeat(5_000));
    let signs = format!("fn f() {{ {}1 }}", "-".repeat(60_000));
    let longest = format!("fn f() {{ {}1 }}", "- ".repeat(45_000));
    let sum = format!("fn f() {{ 1{} }}", " + 1".repeat(20_000));
    let found = scan_files(&[
        ("src/a.rs", &brackets),
        ("src/b.rs", &signs),
        ("src/c.rs", &longest),
        ("src/d.rs", &sum),
        ("src/lib.rs", "fn f() { counter(\"a\", \"h\"); }"),
    ]);
    assert_eq!(found.definitions.len(), 1);
    let messages: Vec<_> = found.problems.iter().map(|p| (p.file.as_str(), p.message.as_str())).collect();
    assert_eq!(messages, [("src/a.rs", "nested too deeply"), ("src/b.rs", "nested too deeply")]);
}

#[test]
fn limits_are_kept_and_named() {
    let files =
        [("src/a.rs", "fn f() { counter(\"a\", \"h\"); counter(\"b\", \"h\"); }"), ("src/b.rs", "fn g() {}")];
    let tree = MemoryTree::new(files);
    let few = scan(&tree, Limits { files: 1, definitions: 1, ..Limits::default() }).expect("readable");
    assert_eq!((few.files, few.definitions.len()), (1, 1));
    assert_eq!(few.problems.len(), 2);
    let short = scan(&tree, Limits { file_bytes: 10, ..Limits::default() }).expect("readable");
    assert_eq!(short.problems[0].message, "cannot be read: longer than 10 bytes");
}

#[test]
fn settings_are_the_surest_default_in_the_package() {
    let port = |code: &str| {
        let found = scan_files(&[("Cargo.toml", MANIFEST), ("src/lib.rs", code)]);
        let settings = found.packages[0].settings.iter();
        settings.map(|s| (s.port, s.metrics_path.clone(), s.line)).collect::<Vec<_>>()
    };
    let metrics = Some("/metrics".to_owned());
    type Found = Vec<(u16, Option<String>, u32)>;
    let cases: [(&str, Found); 14] = [
        (
            "fn f() { get(\"PROMETHEUS_PORT\").read(8000, \"a port\"); get(\"PROMETHEUS_METRICS_PATH\").read(\"/m\".to_owned()) }",
            vec![(8000, Some("/m".to_owned()), 1)],
        ),
        ("fn f() { std::env::var(\"PORT\").unwrap_or(\"8000\".into()) }", vec![(8000, None, 1)]),
        ("fn f() { env_or(\"METRICS_PORT\", 9001) }", vec![(9001, None, 1)]),
        ("const PORT_GAP: f64 = 4.0;\nconst BACKEND_PORT: u16 = 8000;\nconst SUPPORTED: u16 = 2;", vec![]),
        ("const DEFAULT_PORT: u16 = 8002;", vec![(8002, None, 1)]),
        ("fn f() { Settings { port: 8000, metrics_path: \"/metrics\".into() } }", vec![(8000, metrics, 1)]),
        (
            "impl Default for Settings {\n fn default() -> Self { Self { port: 8000 } } }",
            vec![(8000, None, 2)],
        ),
        ("const PORT: u16 = 8001;\nfn f() { Config { port: PORT } }", vec![(8001, None, 2)]),
        ("fn f() { TcpListener::bind(\"127.0.0.1:8000\") }", vec![(8000, None, 1)]),
        ("fn f() { bind(\"127.0.0.1:0\"); bind(addr); }", vec![]),
        ("fn f() { bind(\"10.0.0.1:8000\"); }", vec![]),
        ("fn f() { Point { port: 8000 } }", vec![]),
        (
            "struct Args {\n #[arg(long = \"web.listen-address\", default_value = \"127.0.0.1:9090\")]\n a: String,\n \
             #[arg(long, default_value = \"127.0.0.1:9093\")] alertmanager: String }",
            vec![(9090, None, 2)],
        ),
        ("// PROMETHEUS_PORT=8000\nfn f() {}", vec![]),
    ];
    for (code, expected) in cases {
        assert_eq!(port(code), expected, "{code}");
    }
}

#[test]
fn a_definition_is_exposed_by_those_that_depend_on_its_package() {
    let found = scan_files(&[
        ("Cargo.toml", "[workspace]\n[workspace.dependencies]\nlib = { path = \"lib\" }\n"),
        ("lib/Cargo.toml", "[package]\nname = \"lib\"\n"),
        ("lib/src/lib.rs", "fn f() { counter(\"a\", \"h\"); }"),
        (
            "mid/Cargo.toml",
            "[package]\nname = \"mid\"\n[target.'cfg(unix)'.dependencies]\nlib.workspace = true\n",
        ),
        (
            "top/Cargo.toml",
            "[package]\nname = \"top\"\n[dependencies]\nm = { path = \"../mid\", package = \"mid\" }\n",
        ),
        ("out/Cargo.toml", "[package]\nname = \"out\"\n[dev-dependencies]\nlib.workspace = true\n"),
    ]);
    let exposing = |name: &str| found.exposed_by(name).len();
    assert_eq!([exposing("lib"), exposing("mid"), exposing("top"), exposing("out")], [1, 1, 1, 0]);
    assert_eq!(found.package("top").map(|p| p.uses.clone()), Some(vec!["mid".to_owned()]));
}

#[test]
fn what_git_ignores_is_not_scanned() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("created");
        std::fs::write(path, text).expect("written");
    };
    let code = "fn f() { counter(\"a\", \"h\"); }";
    write(".gitignore", "/made\n");
    for path in ["made/a.rs", "target/a.rs", "src/fixtures/a.rs", ".hidden/a.rs", "src/lib.rs", "notes.txt"] {
        write(path, code);
    }
    let found = scan(&crate::DiskTree::new(dir.path()), Limits::default()).expect("readable");
    assert_eq!(found.definitions.iter().map(|d| d.file.as_str()).collect::<Vec<_>>(), ["src/lib.rs"]);
    assert!(scan(&crate::DiskTree::new(dir.path().join("none")), Limits::default()).is_err());
}

#[test]
fn names_put_together_from_constants_are_read() {
    let code = "const P: &str = \"shop\";\nfn f(n: &str) {\n    counter(format!(\"{P}_{}_total\", \"orders\"), \"h\");\n\
                counter(&format!(\"{prefix}_{{}}\", prefix = P), \"h\");\n    counter(format!(\"{n}_total\"), \"h\");\n\
                gauge(&format!(\"{P}_{unit}\", unit = \"bytes\"), \"h\");\n}";
    let names: Vec<String> = definitions(code).into_iter().map(|definition| definition.name).collect();
    assert_eq!(names, ["shop_orders_total", "shop_bytes"]);
}

#[test]
fn helpers_are_followed_to_where_they_are_called() {
    let found = scan_files(&[
        ("Cargo.toml", "[package]\nname = \"app\"\n[dependencies]\nlib = { path = \"lib\" }\n"),
        ("lib/Cargo.toml", "[package]\nname = \"lib\"\n"),
        (
            "lib/src/lib.rs",
            "const P: &str = \"shop\";\npub fn made(name: &str, help: &str, labels: &[&str]) -> IntCounterVec {\n\
             register_int_counter_vec!(Opts::new(format!(\"{P}_{name}\"), help), labels).unwrap()\n}\n\
             pub struct Kit;\nimpl Kit { pub fn wait(&self, name: &str) -> Histogram { self.r.histogram(&format!(\"{name}_seconds\"), \"W.\", &[]).buckets(vec![1.0]) } }",
        ),
        (
            "src/main.rs",
            "const L: [&str; 1] = [\"route\"];\nfn main() {\n  made(\"orders_total\", \"O.\", &L);\n  lib::made(concat!(\"jobs\", \"_total\"), \"J.\", &[]);\n  kit.wait(\"queue\");\n}",
        ),
        ("other/Cargo.toml", "[package]\nname = \"other\"\n"),
        ("other/src/lib.rs", "fn f() { made(\"no_total\", \"h\", &[]); }"),
    ]);
    let told: Vec<(&str, &str, &str, u32)> = found
        .definitions
        .iter()
        .map(|d| (d.package.as_str(), d.name.as_str(), d.file.as_str(), d.line))
        .collect();
    assert_eq!(
        told,
        [
            ("app", "shop_orders_total", "src/main.rs", 3),
            ("app", "shop_jobs_total", "src/main.rs", 4),
            ("app", "queue_seconds", "src/main.rs", 5),
        ]
    );
    assert_eq!(found.definitions[0].labels, Some(vec!["route".to_owned()]));
    assert_eq!(found.definitions[2].buckets, Some(vec![1.0]));
}

#[test]
fn a_call_that_is_a_definition_is_not_followed_into_the_function_of_that_name() {
    let found = definitions(
        "impl R { fn counter(&self, name: &str, help: &str) -> C { self.inner.counter(name, help) } }\n\
         fn f(r: &R) { r.counter(\"a_total\", \"A.\"); }",
    );
    assert_eq!(found.iter().map(|d| (d.name.as_str(), d.line)).collect::<Vec<_>>(), [("a_total", 2)]);
}

#[test]
fn registries_put_their_prefix_before_names_and_families_have_the_labels_of_their_struct() {
    let found = definitions(
        "#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]\nstruct Labels { method: String, r#type: Kind }\n\
         struct M { jobs: Family<Labels, Counter>, up: Gauge }\n\
         impl M {\n fn new(registry: &mut Registry) -> Self {\n  let inner = registry.sub_registry_with_prefix(\"http\");\n\
         \u{20} inner.register(\"jobs\", \"J\", m.jobs.clone());\n  registry.register(\"up\", \"U\", m.up.clone());\n }\n}\n\
         fn main() {\n let mut registry = Registry::with_prefix(\"shop\");\n M::new(&mut registry);\n\
         let mut plain = <Registry>::default();\n plain.sub_registry_with_prefix(\"db\").register(\"size\", \"S\", <Gauge>::default());\n}",
    );
    let told: Vec<(&str, Option<Vec<String>>)> =
        found.iter().map(|d| (d.name.as_str(), d.labels.clone())).collect();
    let labels = Some(vec!["method".to_owned(), "type".to_owned()]);
    assert_eq!(
        told,
        [("shop_http_jobs_total", labels), ("shop_up", Some(vec![])), ("db_size", Some(vec![]))]
    );
}

fn names(code: &str) -> Vec<String> {
    definitions(code).into_iter().map(|definition| definition.name).collect()
}

/// Returns name, line and labels of what a file defines, in order.
fn told(code: &str) -> Vec<(String, u32, Option<Vec<String>>)> {
    definitions(code).into_iter().map(|d| (d.name, d.line, d.labels)).collect()
}

#[test]
fn what_a_macro_of_the_code_makes_is_defined_where_it_is_called() {
    let code = r#"
        macro_rules! count {
            ($name:expr, $help:literal $(, $label:expr)* $(,)?) => {
                counter($name, $help, &[$($label),*])
            };
        }
        const PREFIX: &str = "shop_";
        fn f() {
            count!("a_total", "h");
            count!("b_total", "h", "x", "y",);
            let both = (count!(concat!("c", "_total"), "h"), 1);
        }
        static D: Counter = count!(format!("{PREFIX}d_total"), "h", "z");
    "#;
    let labels = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
    assert_eq!(
        told(code),
        [
            ("a_total".to_owned(), 9, labels(&[])),
            ("b_total".to_owned(), 10, labels(&["x", "y"])),
            ("c_total".to_owned(), 11, labels(&[])),
            ("shop_d_total".to_owned(), 13, labels(&["z"])),
        ]
    );
}

#[test]
fn a_macro_that_makes_items_from_a_list_defines_each() {
    let code = r#"
        macro_rules! metrics {
            ($($(#[$meta:meta])* $vis:vis $kind:ident $name:ident: $help:literal [$($label:ident),*];)*) => {
                $(
                    $(#[$meta])*
                    $vis static $name: LazyLock<Metric> = LazyLock::new(|| {
                        $kind(concat!("app_", stringify!($name)), $help, &[$(stringify!($label)),*])
                    });
                )*
            };
        }
        metrics! {
            /// Counts.
            pub counter requests_total: "Requests." [method, path];
            gauge queue: "Jobs waiting." [];
        }
    "#;
    let found = definitions(code);
    let told: Vec<_> =
        found.iter().map(|d| (d.name.as_str(), d.kind, d.line, d.labels.clone().unwrap())).collect();
    let labels = vec!["method".to_owned(), "path".to_owned()];
    assert_eq!(
        told,
        [
            ("app_requests_total", MetricType::Counter, 14, labels),
            ("app_queue", MetricType::Gauge, 15, Vec::new())
        ]
    );
    assert_eq!(found[1].help.as_deref(), Some("Jobs waiting."));
}

#[test]
fn macros_call_macros_choose_their_rule_and_shadow_those_of_libraries() {
    let code = r#"
        macro_rules! inner { ($kind:ident, $n:expr) => { $kind($n, "h") } }
        macro_rules! outer {
            (counter $n:expr) => { inner!(counter, concat!($n, "_total")) };
            ($kind:ident $n:expr; $($rest:tt)*) => { inner!($kind, $n); outer!($($rest)*); };
            () => {};
        }
        // As `metrics` has one, but not that one.
        macro_rules! gauge { ($n:ident) => { register_gauge!(stringify!($n), "h").unwrap() } }
        fn f() {
            outer!(counter "a");
            outer!(gauge "b"; histogram "c";);
            gauge!(d);
        }
    "#;
    assert_eq!(names(code), ["a_total", "b", "c", "d"]);
}

#[test]
fn a_macro_of_another_file_or_package_is_known_and_the_nearest_wins() {
    let found = scan_files(&[
        ("base/Cargo.toml", "[package]\nname = \"base\"\n"),
        (
            "base/src/lib.rs",
            "#[macro_export] macro_rules! m { ($n:literal) => { counter(concat!(\"base_\", $n), \"h\") } }\n\
             #[macro_export] macro_rules! n { ($n:literal) => { $crate::counter($n, \"h\") } }",
        ),
        ("app/Cargo.toml", "[package]\nname = \"app\"\n[dependencies]\nbase = { path = \"../base\" }\n"),
        ("app/src/macros.rs", "macro_rules! m { ($n:literal) => { counter(concat!(\"app_\", $n), \"h\") } }"),
        ("app/src/main.rs", "fn main() {\n    m!(\"a\");\n    base::n!(\"b\");\n}"),
        ("other/Cargo.toml", "[package]\nname = \"other\"\n"),
        ("other/src/lib.rs", "fn f() { n!(\"c\"); m!(\"d\"); }"),
    ]);
    let told: Vec<_> = found
        .definitions
        .iter()
        .map(|d| (d.name.as_str(), d.file.as_str(), d.package.as_str(), d.line))
        .collect();
    assert_eq!(told, [("app_a", "app/src/main.rs", "app", 2), ("b", "app/src/main.rs", "app", 3)]);
}

#[test]
fn what_does_not_match_a_macro_is_read_as_its_arguments() {
    let code = r#"
        macro_rules! wrap { (only $n:literal) => { () } }
        fn f() { wrap!(counter("a", "h")); wrap!(only "b"); }
    "#;
    assert_eq!(names(code), ["a"]);
}

#[test]
fn a_macro_without_end_ends() {
    let code = r#"
        macro_rules! again { ($($t:tt)*) => { again!($($t)* $($t)*) } }
        macro_rules! deeper { ($($t:tt)*) => { deeper!(($($t)*)) } }
        macro_rules! empty { ($($($t:tt)?)*) => { counter("no", "h"); } }
        macro_rules! bad { ($n:expr) => { $($n)* }; ($($n:expr)*) => { $n } }
        fn f() { again!(x y z); deeper!(x); empty!(a b); bad!(1); bad!(); counter("real", "h"); }
    "#;
    assert_eq!(names(code).last().map(String::as_str), Some("real"));
}

#[test]
fn an_expression_that_was_handed_on_is_no_path() {
    let code = r#"
        macro_rules! one { ($n:path) => { counter($n, "h") }; ($n:expr) => { gauge($n, "h") } }
        macro_rules! all { ($($n:expr),*) => { $(one!($n);)* } }
        fn f() { all!(concat!("a", "_total"), "b"); }
    "#;
    assert_eq!(names(code), ["a_total", "b"]);
}
