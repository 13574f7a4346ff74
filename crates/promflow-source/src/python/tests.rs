use std::collections::BTreeMap;

use promflow_model::MetricType;

use crate::{Definition, Library, Limits, MemoryTree, Scan, scan};

fn scanned(files: &[(&str, &str)]) -> Scan {
    scan(&MemoryTree::new(files.iter().copied()), Limits::default()).expect("memory is readable")
}

#[track_caller]
fn found(code: &str) -> Vec<Definition> {
    let scan = scanned(&[("app/metrics.py", code)]);
    assert_eq!(scan.problems, [], "{code}");
    scan.definitions
}

#[track_caller]
fn one(code: &str) -> Definition {
    let found = found(&format!("from prometheus_client import *\nimport prometheus_client as pc\n{code}"));
    assert_eq!(found.len(), 1, "{code}: {found:#?}");
    found.into_iter().next().expect("one was found")
}

fn names(code: &str) -> Vec<String> {
    found(code).into_iter().map(|definition| definition.name).collect()
}

#[test]
fn every_class_is_read_with_its_name_as_it_is_exposed() {
    let cases = [
        ("Counter('a', 'A.')", "a_total", MetricType::Counter),
        ("Counter('a_total', 'A.')", "a_total", MetricType::Counter),
        ("Gauge('a', 'A.')", "a", MetricType::Gauge),
        ("Histogram('a_seconds', 'A.')", "a_seconds", MetricType::Histogram),
        ("Summary('a', 'A.')", "a", MetricType::Summary),
        ("Info('a', 'A.')", "a_info", MetricType::Info),
        ("Enum('a', 'A.', states=['x'])", "a", MetricType::StateSet),
        ("pc.Counter(name='a', documentation='A.')", "a_total", MetricType::Counter),
        (
            "Counter('requests', 'A.', namespace='app', subsystem='http')",
            "app_http_requests_total",
            MetricType::Counter,
        ),
        ("Gauge('size', 'A.', unit='bytes')", "size_bytes", MetricType::Gauge),
        ("Counter('sent_bytes_total', 'A.', unit='bytes')", "sent_bytes_total", MetricType::Counter),
    ];
    for (code, name, kind) in cases {
        let definition = one(code);
        assert_eq!((definition.name.as_str(), definition.kind), (name, kind), "{code}");
        assert_eq!(definition.help.as_deref(), Some("A."), "{code}");
        assert_eq!(definition.library, Library::PythonPrometheusClient);
    }
}

#[test]
fn labels_and_buckets_are_read_by_place_and_by_name() {
    let by_place =
        one("X = Histogram('a', 'A.', ['method', 'route'], buckets=(0.1, 1, 2 * 2, float('inf')))");
    assert_eq!(by_place.labels, Some(vec!["method".to_owned(), "route".to_owned()]));
    assert_eq!(by_place.buckets, Some(vec![0.1, 1.0, 4.0]));
    assert_eq!((by_place.line, by_place.column), (3, 5));
    let by_name = one("Gauge('a', 'A.', labelnames=('x',))");
    assert_eq!(by_name.labels, Some(vec!["x".to_owned()]));
    assert_eq!(one("Gauge('a', 'A.')").labels, Some(Vec::new()));
    assert_eq!(one("Gauge('a', 'A.', make())").labels, None);
    assert_eq!(one("Histogram('a', 'A.')").buckets.expect("the default").last(), Some(&10.0));
    assert_eq!(one("Histogram('a', 'A.', buckets=make())").buckets, None);
}

#[test]
fn constants_are_followed_through_files_and_what_is_put_together() {
    let scan = scanned(&[
        ("app/names.py", "PREFIX = 'shop'\nclass Labels:\n    COMMON = ['region']\n"),
        (
            "app/metrics.py",
            "from prometheus_client import Counter as C\nfrom app.names import PREFIX, Labels\n\
             MORE = [*Labels.COMMON, 'route']\nC(f'{PREFIX}_requests', 'A' + 'b.', MORE)\nC(PREFIX + '_orders', 'A.')\n\
             C('a_' + unknown(), 'A.')\n",
        ),
    ]);
    let names: Vec<&str> = scan.definitions.iter().map(|definition| definition.name.as_str()).collect();
    assert_eq!(names, ["shop_requests_total", "shop_orders_total"]);
    assert_eq!(scan.definitions[0].labels, Some(vec!["region".to_owned(), "route".to_owned()]));
    assert_eq!(scan.definitions[0].help.as_deref(), Some("Ab."));
}

#[test]
fn helpers_are_followed_to_where_they_are_called() {
    let scan = scanned(&[
        (
            "app/make.py",
            "from prometheus_client import Counter, Gauge\n\
             def counter(name, help, labels=('job',), *, prefix='app'):\n    return Counter(f'{prefix}_{name}', help, labels)\n\
             class Made:\n    def gauge(self, name):\n        return Gauge(name, 'Of a class.')\n",
        ),
        (
            "app/use.py",
            "from app.make import counter\nA = counter('a', 'A.')\nB = counter('b', 'B.', ['x'], prefix='web')\n\
             def outer(name):\n    return counter(name + '_inner', 'C.')\nouter('c')\nmade.gauge('d')\n",
        ),
    ]);
    let found: Vec<(String, u32, String)> =
        scan.definitions.iter().map(|d| (d.name.clone(), d.line, d.file.clone())).collect();
    let file = "app/use.py".to_owned();
    assert_eq!(
        found,
        [
            ("app_a_total".to_owned(), 2, file.clone()),
            ("web_b_total".to_owned(), 3, file.clone()),
            ("app_c_inner_total".to_owned(), 6, file.clone()),
            ("d".to_owned(), 7, file),
        ]
    );
    assert_eq!(scan.definitions[0].labels, Some(vec!["job".to_owned()]));
}

#[test]
fn classes_of_the_same_name_from_elsewhere_are_no_metrics() {
    assert_eq!(names("from collections import Counter\nCounter('a', 'A.')"), [] as [&str; 0]);
    assert_eq!(names("from enum import Enum\nEnum('Colour', 'red green')"), [] as [&str; 0]);
    assert_eq!(names("import collections\ncollections.Counter('a')"), [] as [&str; 0]);
    assert_eq!(names("from promflow import Counter\nCounter('a', 'A.')"), ["a_total"]);
    assert_eq!(names("# Counter('a', 'A.')\nx = \"Counter('b', 'B.')\""), [] as [&str; 0]);
}

#[test]
fn label_values_are_known_when_the_code_gives_literal_ones_alone() {
    let code = "from prometheus_client import Counter, Enum\nOK = 'ok'\nX = Counter('x', 'X.', ['result', 'who'])\n\
                def f(who):\n    X.labels(OK, who).inc()\n    X.labels(result='failed', who='me').inc()\n\
                Y = Counter('y', 'Y.', ['a'])\nregister(Y)\nY.labels('b')\n\
                Enum('state', 'S.', ['who'], states=['up', 'down'])\n";
    let found = found(code);
    let values = |name: &str| found.iter().find(|d| d.name == name).map(|d| d.label_values.clone());
    let of = |label: &str, values: &[&str]| {
        BTreeMap::from([(label.to_owned(), values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>())])
    };
    assert_eq!(values("x_total"), Some(of("result", &["failed", "ok"])));
    assert_eq!(values("y_total"), Some(BTreeMap::new()), "what is handed on may get any label");
    assert_eq!(values("state"), Some(of("state", &["up", "down"])));
}

#[test]
fn projects_own_their_files_and_say_where_they_serve() {
    let scan = scanned(&[
        ("shop/pyproject.toml", "[project]\nname = \"web-shop\"\n"),
        (
            "shop/app/config.py",
            "import os\nclass Settings:\n    prometheus_port: int = int(os.getenv('PROMETHEUS_PORT', '8001'))\n    METRICS_PATH = '/metrics'\n",
        ),
        ("shop/app/m.py", "from prometheus_client import Gauge\nGauge('a', 'A.')\n"),
        ("shop/tests/m.py", "from prometheus_client import Gauge\nGauge('b', 'B.')\n"),
        ("shop/app/test_m.py", "from prometheus_client import Gauge\nGauge('c', 'C.')\n"),
        ("ext/Cargo.toml", "[package]\nname = \"ext\"\n"),
        ("ext/pyproject.toml", "[project]\nname = \"ext-py\"\n"),
    ]);
    assert_eq!(scan.definitions.len(), 1, "{:#?}", scan.definitions);
    assert_eq!(scan.definitions[0].package, "web-shop");
    let package = scan.package("web-shop").expect("it is there");
    assert!(package.is_program);
    assert_eq!(package.settings[0].port, 8001);
    assert_eq!(package.settings[0].metrics_path.as_deref(), Some("/metrics"));
    assert!(scan.package("ext-py").is_none(), "an extension module counts as its crate");
}

#[test]
fn what_is_no_python_is_a_problem_with_its_place_and_the_rest_goes_on() {
    let scan = scanned(&[
        ("a.py", "def f(:\n    pass\n"),
        ("b.py", "from prometheus_client import Gauge\nGauge('a', 'A.')\n"),
    ]);
    assert_eq!(scan.definitions.len(), 1);
    assert_eq!(scan.problems.len(), 1);
    assert!(scan.problems[0].to_string().starts_with("a.py:1:7: not Python:"), "{}", scan.problems[0]);
}

#[test]
fn deep_code_is_refused_and_never_overflows() {
    let deep = [
        format!("x = {}1{}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("x = a{}", ".a".repeat(500_000)),
        format!("x = {}1", "-".repeat(500_000)),
        format!("x = ({}1)", "not ".repeat(100_000)),
        format!("x = ({}1)", "1 if y else ".repeat(50_000)),
        (0..3_000).fold(String::new(), |code, depth| code + &" ".repeat(depth) + "if x:\n"),
        format!("x = {}", "f'{".repeat(2_000)),
    ];
    for code in deep {
        let scan = scanned(&[("a.py", &code)]);
        assert_eq!(scan.problems.len(), 1, "{}", &code[..20]);
    }
}

#[test]
fn loops_over_lists_and_dictionaries_define_a_metric_for_each_element() {
    let code = "from prometheus_client import Counter, Gauge\nNAMES = ('a', 'b')\n\
                SPECS = {'c': ('C.', ['x']), 'd': ('D.', [])}\n\
                BY_NAME = {name: Counter(f'shop_{name}', 'Of a list.') for name in NAMES}\n\
                for name, (text, labels) in SPECS.items():\n    BY_NAME[name] = Gauge(name, text, labels)\n\
                for place, name in enumerate(['e']):\n    Gauge(name, 'E.')\n\
                def make(prefix, names):\n    return [Gauge(f'{prefix}_{name}', 'F.') for name in names]\n\
                make('app', ['f', 'g'])\n";
    assert_eq!(names(code), ["shop_a_total", "shop_b_total", "c", "d", "e", "app_f", "app_g"]);
    let found = found(code);
    assert_eq!(found[2].labels, Some(vec!["x".to_owned()]));
    assert_eq!((found[2].line, found[5].line), (6, 11), "in the loop itself, and at the helper's call");
}

#[test]
fn texts_are_put_together_in_every_way_that_code_does() {
    let code = "from prometheus_client import Gauge\nP = 'Web-Shop'\nN = {'q': 'queue', 'l': ['list']}\n\
                Gauge('{}_{kind}'.format('a', kind='b'), 'A.')\nGauge('%s_size' % 'c', 'C.')\nGauge('%s_%d' % ('d', 2), 'D.')\n\
                Gauge('_'.join(['e', N['q']]), 'E.')\nGauge(P.lower().replace('-', '_'), 'P.')\nGauge(N['l'][0], 'L.')\n\
                Gauge(P % unknown(), 'no')\nGauge(N['none'], 'no')\n";
    assert_eq!(names(code), ["a_b", "c_size", "d_2", "e_queue", "web_shop", "list"]);
}

#[test]
fn objects_that_hold_metrics_are_followed_to_where_they_are_made() {
    let scan = scanned(&[
        (
            "app/metrics.py",
            "from dataclasses import dataclass, field\nfrom prometheus_client import Counter, Gauge, Histogram\n\
             class Metrics:\n    def __init__(self, namespace, labels=None):\n        self._ns = namespace\n\
             \x20       self.requests = Counter('requests', 'R.', labels or ['job'], namespace=namespace)\n\
             \x20   def gauge(self, name, help=''):\n        return Gauge(f'{self._ns}_{name}', help)\n\
             class Base:\n    def __init__(self, name, *, buckets=None):\n\
             \x20       self.metric = Histogram(name, 'B.', buckets=buckets or Histogram.DEFAULT_BUCKETS)\n\
             class Heir(Base):\n    pass\n\
             class Named(Base):\n    def __init__(self):\n        super().__init__('named_seconds', buckets=[1, 2])\n\
             class Own(Counter):\n    def __init__(self, name):\n        super().__init__(f'own_{name}', 'O.')\n\
             @dataclass\nclass Held:\n    held: Counter = field(default_factory=lambda: Counter('held', 'H.'))\n",
        ),
        (
            "app/use.py",
            "from app.metrics import Metrics, Heir, Own\nmetrics = Metrics('shop')\nmetrics.gauge('size', 'S.')\n\
             Heir('heir_seconds')\nOwn('thing')\n",
        ),
    ]);
    let found: Vec<(&str, &str, u32)> =
        scan.definitions.iter().map(|d| (d.name.as_str(), d.file.as_str(), d.line)).collect();
    assert_eq!(
        found,
        [
            ("named_seconds", "app/metrics.py", 16),
            ("held_total", "app/metrics.py", 22),
            ("shop_requests_total", "app/use.py", 2),
            ("shop_size", "app/use.py", 3),
            ("heir_seconds", "app/use.py", 4),
            ("own_thing_total", "app/use.py", 5),
        ]
    );
    assert_eq!(scan.definitions[0].buckets, Some(vec![1.0, 2.0]));
    assert_eq!(scan.definitions[2].labels, Some(vec!["job".to_owned()]));
    assert_eq!(scan.definitions[4].buckets.as_ref().map(Vec::len), Some(14));
}

#[test]
fn partials_and_defaults_and_what_collectors_yield_are_metrics() {
    let code = "from functools import partial\nfrom prometheus_client import Counter, Gauge\n\
                from prometheus_client.core import GaugeMetricFamily, CounterMetricFamily, HistogramMetricFamily\n\
                AppCounter = partial(Counter, namespace='app')\nAppCounter('jobs', 'J.', ['queue'])\n\
                def setup(prefix='web'):\n    Gauge(f'{prefix}_up', 'U.')\nsetup()\n\
                class Collector:\n    def collect(self):\n        yield GaugeMetricFamily('disk_free_bytes', 'D.', labels=['mount'])\n\
                \x20       c = CounterMetricFamily('reads', 'R.', None, ['device'])\n        yield c\n\
                \x20       yield HistogramMetricFamily('read_seconds', 'H.', labels=['device'])\n";
    let found = found(code);
    let told: Vec<(&str, Option<&str>)> = found
        .iter()
        .map(|d| (d.name.as_str(), d.labels.as_ref().and_then(|labels| labels.first()).map(String::as_str)))
        .collect();
    assert_eq!(
        told,
        [
            ("app_jobs_total", Some("queue")),
            ("web_up", None),
            ("disk_free_bytes", Some("mount")),
            ("reads_total", Some("device")),
            ("read_seconds", Some("device")),
        ]
    );
    assert_eq!(found[4].buckets, None, "a collector gives them later");
}

#[test]
fn a_project_exposes_what_the_libraries_of_the_tree_define() {
    let scan = scanned(&[
        ("lib/pyproject.toml", "[project]\nname = \"shop_metrics\"\n"),
        (
            "lib/shop_metrics/backend.py",
            "from prometheus_client import Counter\nrequests = Counter('requests', 'R.')\n\
             def counter(name):\n    return Counter(f'lib_{name}', 'L.')\n",
        ),
        (
            "web/pyproject.toml",
            "[project]\nname = \"web\"\ndependencies = [\"fastapi>=0.1\", \"Shop.Metrics[extra] ~= 1.0\"]\n",
        ),
        (
            "web/app.py",
            "from shop_metrics.backend import counter, requests\ncounter('web')\nrequests.inc()\n",
        ),
        ("batch/requirements.txt", "# what it needs\nshop-metrics==1.0  # ours\n-r more.txt\n"),
        ("batch/run.py", "from shop_metrics import backend\nbackend.counter('batch')\n"),
        ("other/requirements.txt", "flask\n"),
        ("other/run.py", "counter('no')\n"),
    ]);
    let exposed = |package: &str| {
        let mut names: Vec<&str> = scan.exposed_by(package).iter().map(|d| d.name.as_str()).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(exposed("web"), ["lib_web_total", "requests_total"]);
    assert_eq!(exposed("batch"), ["lib_batch_total", "requests_total"]);
    assert_eq!(exposed("other"), [] as [&str; 0]);
    assert_eq!(
        scan.package("web").map(|web| web.dependencies.clone()),
        Some(vec!["shop_metrics".to_owned()])
    );
}

#[test]
fn helpers_that_call_each_other_in_circles_end() {
    let calls: String = (0..40).map(|at| format!("    a(f'{{x}}_{at}')\n    b(f'{{x}}_{at}')\n")).collect();
    let code = format!(
        "from prometheus_client import Gauge\ndef a(x):\n    Gauge(f'{{x}}_{{y}}', 'G.')\n{calls}def b(x):\n{calls}a('start')\n"
    );
    assert_eq!(names(&code), [] as [&str; 0]);
}
