use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{AlertState, Details, Existence, Graph, NodeKind, State};
use crate::live::{LiveMetric, LiveReceiver, LiveRule, LiveState, LiveTarget};
use crate::testing::{Planted, into};

fn definitions_of(graph: &Graph, alert: &str) -> Vec<String> {
    let node = graph.named(alert).find(|node| node.kind == NodeKind::Alert).expect("the alert is there");
    graph.definitions_of(&node.id).iter().map(|node| node.name.clone()).collect()
}

#[track_caller]
fn judged(expr: &str) -> (State, String, Option<String>) {
    let graph = Planted::new(&[&format!("alert: A, expr: '{expr}'")]).graph(None);
    let edges = into(&graph, NodeKind::Alert, "A");
    assert_eq!(edges.len(), 1, "{expr}: {edges:#?}");
    (edges[0].state, edges[0].reason.clone().unwrap_or_default(), edges[0].nearest.clone())
}

#[test]
fn definitions_upstream_of_an_alert_are_those_its_expression_reads() {
    let graph = Planted::new(&[
        "record: 'job:http_requests:rate5m', expr: 'sum by (job) (rate(http_requests_total[5m]))'",
        "record: 'job:lib:rate5m', expr: 'rate(lib_total[5m])'",
        "record: 'job:both:sum', expr: 'job:http_requests:rate5m + job:lib:rate5m'",
        "alert: Direct, expr: 'queue_size > 1'",
        "alert: Through, expr: 'job:http_requests:rate5m > 1'",
        "alert: Both, expr: 'job:both:sum > 1'",
        "alert: Suffix, expr: 'rate(http_request_duration_seconds_bucket{le=\"0.5\"}[5m]) > 1'",
        "alert: None, expr: 'vector(1)'",
        "alert: Scrape, expr: 'up == 0'",
        "alert: Foreign, expr: 'node_load1 > 1 and on (instance) up'",
    ])
    .graph(None);
    let cases: [(&str, &[&str]); 7] = [
        ("Direct", &["queue_size"]),
        ("Through", &["http_requests_total"]),
        ("Both", &["http_requests_total", "lib_total"]),
        ("Suffix", &["http_request_duration_seconds"]),
        ("None", &[]),
        ("Scrape", &[]),
        ("Foreign", &[]),
    ];
    for (alert, expected) in cases {
        assert_eq!(definitions_of(&graph, alert), expected, "{alert}");
    }
}

#[test]
fn a_way_leads_from_the_code_to_the_receiver_and_back() {
    let graph = Planted::new(&["alert: A, expr: 'lib_total > 1', labels: {severity: critical}"]).graph(None);
    let way = [
        "definition:lib/lib_total",
        "library:lib",
        "endpoint:backend/app",
        "target:backend/127.0.0.1:8000",
        "job:backend",
        "alert:A",
        "route:/0",
        "receiver:pager",
    ];
    let way: BTreeSet<String> = way.into_iter().map(str::to_owned).collect();
    assert_eq!(graph.downstream("definition:lib/lib_total").nodes, way);
    assert_eq!(graph.upstream("receiver:pager").nodes, way);
    assert_eq!(graph.downstream("no such node").nodes, BTreeSet::new());
}

#[test]
fn edges_name_the_families_that_flow_and_the_selectors_that_read() {
    let graph = Planted::new(&[
        "alert: A, expr: 'rate(http_request_duration_seconds_count{method=\"GET\"}[5m]) > 1'",
    ])
    .graph(None);
    let edge = into(&graph, NodeKind::Alert, "A")[0];
    assert_eq!(edge.from, "job:backend");
    assert_eq!(edge.via, "http_request_duration_seconds_count{method=\"GET\"}");
    assert_eq!(edge.function, "rate 5m");
    assert_eq!(edge.metrics, ["http_request_duration_seconds"]);
    let way = into(&graph, NodeKind::Job, "backend");
    assert_eq!(
        way[0].metrics,
        ["http_request_duration_seconds", "http_requests_total", "lib_total", "queue_size"]
    );
}

#[test]
fn a_fine_selector_is_defined_on_paper() {
    for expr in [
        "http_requests_total > 1",
        "http_requests_total{status=~\"5..\",job=\"backend\",instance=\"x\"} > 1",
        "http_requests_total{nothing=\"\"} > 1",
        "rate(http_requests_total[30s]) > 1",
        "rate(http_request_duration_seconds_bucket{le=\"+Inf\"}[5m]) > 1",
        "histogram_quantile(0.9, rate(http_request_duration_seconds_bucket[5m])) > 0.9",
        "histogram_quantile(0.9, rate(http_request_duration_seconds_bucket[5m])) < 9",
        "up{job=\"node\"} == 0",
    ] {
        assert_eq!(judged(expr), (State::Defined, String::new(), None), "{expr}");
    }
}

#[test]
fn what_cannot_be_found_has_a_state_a_reason_and_the_nearest_name() {
    use State::{Dropped, Mismatch, NeverSeen, Stale, Unknown};
    let cases: [(&str, State, &str, Option<&str>); 17] = [
        (
            "http_request_total > 1",
            NeverSeen,
            "`http_request_total` is defined nowhere; `http_requests_total` in `app/src/main.rs:3` is one letter away",
            Some("http_requests_total"),
        ),
        ("nothing_like_it > 1", NeverSeen, "`nothing_like_it` is defined nowhere", None),
        ("redis_up == 0", NeverSeen, "`redis_up` is a metric of Redis, which no job scrapes", None),
        ("upp == 0", NeverSeen, "`upp` is defined nowhere; `up` is one letter away", Some("up")),
        (
            "http_requests_total{statuss=\"500\"} > 1",
            Mismatch,
            "`http_requests_total` has no label `statuss`; it has `method`, `endpoint`, `status`",
            Some("status"),
        ),
        ("lib_total{a=\"b\"} > 1", Mismatch, "`lib_total` has no label `a`; it has none", None),
        (
            "http_requests_total{job=\"bakend\"} > 1",
            Mismatch,
            "no job has job=\"bakend\"; `backend` is near",
            Some("backend"),
        ),
        (
            "up{job=\"bakend\"} == 0",
            Mismatch,
            "no job has job=\"bakend\"; `backend` is near",
            Some("backend"),
        ),
        (
            "queue_size{job=\"node\"} > 1",
            Mismatch,
            "`queue_size` comes from job `backend`, not from one with job=\"node\"",
            None,
        ),
        (
            "rate(http_request_duration_seconds_bucket{le=\"0.3\"}[5m]) > 1",
            Mismatch,
            "`http_request_duration_seconds` has no bucket 0.3; the nearest is 0.1",
            Some("0.1"),
        ),
        (
            "histogram_quantile(0.9, sum by (le) (rate(http_request_duration_seconds_bucket[5m]))) > 1",
            Mismatch,
            "the highest bucket of `http_request_duration_seconds` is 1, which no quantile exceeds, so it never comes above 1",
            Some("1"),
        ),
        (
            "queue_size_bucket > 1",
            Mismatch,
            "`queue_size` is a gauge, so there is no `queue_size_bucket`, but `queue_size`",
            Some("queue_size"),
        ),
        (
            "queue_size{topic=\"x\"} > 1",
            Mismatch,
            "relabelling at monitoring/prometheus.yml:9:9 removes the label `topic` from `queue_size`",
            None,
        ),
        (
            "secret_total > 1",
            Dropped,
            "relabelling at monitoring/prometheus.yml:8:9 drops `secret_total`",
            None,
        ),
        ("lost_total > 1", Dropped, "no job scrapes `lost`", None),
        (
            "rate(http_requests_total[20s]) > 1",
            Stale,
            "20s are too short: job `backend` writes every 15s, and two samples are needed",
            None,
        ),
        ("node_load1 > 1", Unknown, "metrics of node have no code here, and no server was asked", None),
    ];
    for (expr, state, reason, nearest) in cases {
        assert_eq!(judged(expr), (state, reason.to_owned(), nearest.map(str::to_owned)), "{expr}");
    }
}

#[test]
fn a_job_that_goes_leaves_its_metrics_dropped() {
    let without = Planted::new(&["alert: A, expr: 'http_requests_total > 1'"])
        .change("monitoring/prometheus.yml", "127.0.0.1:8000", "127.0.0.1:8888")
        .graph(None);
    let edge = into(&without, NodeKind::Alert, "A")[0];
    assert_eq!((edge.state, edge.from.as_str()), (State::Dropped, "endpoint:app"));
    assert!(without.broken().count() > 1);
}

#[test]
fn a_comment_above_a_job_names_its_code_where_settings_do_not() {
    let commented = Planted::new(&["alert: A, expr: 'http_requests_total > 1'"])
        .change("app/src/main.rs", "Settings { port: 8000,", "Other { port: 8000,")
        .change(
            "monitoring/prometheus.yml",
            "  - job_name: backend",
            "  # promflow: source=app\n  - job_name: backend",
        );
    let graph = commented.graph(None);
    assert_eq!(into(&graph, NodeKind::Alert, "A")[0].state, State::Defined);
    let endpoint = graph.node("endpoint:backend/app").expect("the endpoint is there");
    assert!(
        matches!(&endpoint.details, Details::Endpoint { met_by: Some(met), .. } if met.as_str() == "comment")
    );
}

#[test]
fn a_program_inherits_the_settings_of_its_library() {
    let graph = Planted::new(&["alert: A, expr: 'http_requests_total > 1'"])
        .change("app/src/main.rs", "Settings { port: 8000,", "Other { port: 8000,")
        .with(
            "lib/src/lib.rs",
            "fn f() { var(\"PROMETHEUS_PORT\").unwrap_or(8000); counter(\"lib_total\", \"h\", &[]); }",
        )
        .graph(None);
    assert_eq!(into(&graph, NodeKind::Alert, "A")[0].state, State::Defined);
    assert!(graph.node("endpoint:backend/app").is_some());
}

#[test]
fn a_wildcard_says_how_many_metrics_it_can_mean_and_passes_each_on() {
    let graph = Planted::new(&[
        "record: 'job:http:sum', expr: 'sum by (job) (http_requests_total)'",
        "alert: A, expr: '{__name__=~\"http_.*|job:http.*\"} > 1'",
    ])
    .graph(None);
    let edge = into(&graph, NodeKind::Alert, "A")[0];
    assert_eq!(
        (edge.state, edge.reason.as_deref()),
        (State::Undecidable, Some("can mean 3 metrics known here"))
    );
    let wildcard = graph.node(&edge.from).expect("the wildcard is there");
    assert!(
        matches!(&wildcard.details, Details::Definition(facts) if facts.existence == Existence::Wildcard)
    );
    let upstream: Vec<_> =
        definitions_of(&graph, "A").into_iter().filter(|name| !name.starts_with('{')).collect();
    assert_eq!(upstream, ["http_request_duration_seconds", "http_requests_total"]);
}

#[test]
fn alerts_on_alerts_follow_the_alert_they_name() {
    let graph = Planted::new(&[
        "alert: First, expr: 'queue_size > 1'",
        "alert: Second, expr: 'ALERTS{alertname=\"First\"} > 0'",
        "alert: Third, expr: 'ALERTS{alertname=\"Frist\"} > 0'",
    ])
    .graph(None);
    assert_eq!(into(&graph, NodeKind::Alert, "Second")[0].from, "alert:First");
    assert_eq!(definitions_of(&graph, "Second"), ["queue_size"]);
    let third = into(&graph, NodeKind::Alert, "Third")[0];
    assert_eq!((third.state, third.nearest.as_deref()), (State::Mismatch, Some("First")));
}

#[test]
fn alerts_take_the_routes_that_alertmanager_would_send_them() {
    let graph = Planted::new(&[
        "alert: Critical, expr: 'queue_size > 1', labels: {severity: critical}",
        "alert: Info, expr: 'queue_size > 1', labels: {severity: info}",
        "alert: Other, expr: 'queue_size > 1'",
        "alert: Open, expr: 'node_load1 > 1'",
        "alert: Closed, expr: 'sum(node_load1) > 1'",
        "alert: Template, expr: 'queue_size > 1', labels: {severity: '{{ $labels.job }}'}",
    ])
    .graph(None);
    let routes = |alert: &str| -> Vec<(String, State)> {
        let edges = graph.edges.iter().filter(|edge| edge.from == format!("alert:{alert}"));
        edges.map(|edge| (edge.to.clone(), edge.state)).collect()
    };
    let fine = |routes: &[&str]| routes.iter().map(|r| ((*r).to_owned(), State::Defined)).collect::<Vec<_>>();
    assert_eq!(routes("Critical"), fine(&["route:/0"]));
    // `continue` goes on to the next sibling, which the external label lets in.
    assert_eq!(routes("Info"), fine(&["route:/1", "route:/2"]));
    assert_eq!(routes("Other"), fine(&["route:/"]));
    assert_eq!(routes("Closed"), fine(&["route:/"]));
    for alert in ["Open", "Template"] {
        let found = routes(alert);
        assert!(
            found.len() > 2 && found.iter().all(|(_, state)| *state == State::Undecidable),
            "{alert}: {found:?}"
        );
    }
}

#[test]
fn a_live_server_brings_edges_to_life() {
    let planted = Planted::new(&[
        "record: 'job:http:rate', expr: 'sum by (job) (rate(http_requests_total[5m]))'",
        "record: broken, expr: 'sum(queue_size)'",
        "alert: A, expr: 'job:http:rate > 1', labels: {severity: critical}",
        "alert: B, expr: 'broken > 1'",
        "alert: C, expr: 'node_load1 > 1'",
        "alert: D, expr: 'node_laod5 > 1'",
        "alert: E, expr: 'lib_total > 1'",
    ]);
    let metric = |last_sample_ms| LiveMetric { series: 3, samples_per_second: Some(0.5), last_sample_ms };
    let rule = |name: &str, healthy, state| LiveRule {
        group: "group".to_owned(),
        name: name.to_owned(),
        healthy: Some(healthy),
        last_error: (!healthy).then(|| "many-to-many".to_owned()),
        state,
        active: 1,
        ..LiveRule::default()
    };
    let target = |job: &str, instance: &str, up| LiveTarget {
        job: job.to_owned(),
        instance: instance.to_owned(),
        up: Some(up),
        ..LiveTarget::default()
    };
    let live = LiveState {
        now_ms: 1_000_000,
        targets: vec![target("backend", "127.0.0.1:8000", true), target("node", "127.0.0.1:9100", true)],
        rules: vec![
            rule("job:http:rate", true, None),
            rule("broken", false, None),
            rule("A", true, Some(AlertState::Firing)),
        ],
        metrics: BTreeMap::from([
            (
                "backend".to_owned(),
                BTreeMap::from([
                    ("http_requests_total".to_owned(), metric(None)),
                    ("queue_size".to_owned(), metric(Some(1_000))),
                ]),
            ),
            (
                "node".to_owned(),
                BTreeMap::from([
                    ("node_load1".to_owned(), metric(None)),
                    ("node_load5".to_owned(), metric(None)),
                ]),
            ),
        ]),
        receivers: BTreeMap::from([(
            "pager".to_owned(),
            LiveReceiver { sent: 2, ..LiveReceiver::default() },
        )]),
        ..LiveState::default()
    };
    let graph = planted.graph(Some(&live));
    let state = |name: &str| into(&graph, NodeKind::Alert, name).iter().map(|e| e.state).collect::<Vec<_>>();
    assert_eq!(state("A"), [State::Alive]);
    assert_eq!(state("B"), [State::Stale]);
    assert_eq!(state("C"), [State::Alive]);
    assert_eq!(state("D"), [State::NeverSeen]);
    assert_eq!(into(&graph, NodeKind::Alert, "D")[0].nearest.as_deref(), Some("node_load5"));
    assert_eq!(state("E"), [State::Defined]);
    let read = into(&graph, NodeKind::Recording, "job:http:rate")[0];
    assert_eq!((read.state, read.samples_per_second), (State::Alive, Some(0.5)));
    assert_eq!(into(&graph, NodeKind::Recording, "broken")[0].state, State::Stale);
    assert_eq!(into(&graph, NodeKind::Receiver, "pager")[0].state, State::Alive);
    let job = graph.node("job:backend").expect("the job is there");
    assert!(matches!(&job.details, Details::Job(facts) if facts.up == Some(1) && facts.targets == 1));
}

#[test]
fn a_job_that_was_not_scraped_yet_is_not_down() {
    let target = LiveTarget {
        job: "backend".to_owned(),
        instance: "127.0.0.1:8000".to_owned(),
        ..LiveTarget::default()
    };
    let live = LiveState { targets: vec![target], ..LiveState::default() };
    let graph = Planted::new(&["alert: A, expr: 'http_requests_total > 1'"]).graph(Some(&live));
    let job = graph.node("job:backend").expect("the job is there");
    assert!(matches!(&job.details, Details::Job(facts) if facts.untried && facts.up.is_none()), "{job:?}");
    let read = into(&graph, NodeKind::Alert, "A")[0];
    assert_eq!(
        (read.state, read.reason.as_deref()),
        (State::Defined, Some("job `backend` is not scraped yet"))
    );
}

#[test]
fn targets_that_are_down_make_what_they_feed_stale() {
    let live = LiveState {
        targets: vec![LiveTarget {
            job: "backend".to_owned(),
            instance: "127.0.0.1:8000".to_owned(),
            up: Some(false),
            last_error: Some("connection refused".to_owned()),
            ..LiveTarget::default()
        }],
        ..LiveState::default()
    };
    let graph = Planted::new(&["alert: A, expr: 'http_requests_total > 1'"]).graph(Some(&live));
    let edge = into(&graph, NodeKind::Alert, "A")[0];
    assert_eq!(edge.reason.as_deref(), Some("0 of 1 targets of job `backend` are up"));
    let way = into(&graph, NodeKind::Job, "backend")[0];
    assert_eq!(
        (way.state, way.reason.as_deref()),
        (State::Stale, Some("target is down: connection refused"))
    );
}

#[test]
fn the_same_files_give_the_same_graph() {
    let planted =
        || Planted::new(&["alert: A, expr: 'queue_size > 1 or http_requests_total > 2'"]).graph(None);
    assert_eq!(planted(), planted());
}

#[test]
fn a_live_page_tells_whose_code_is_behind_a_job() {
    let planted = Planted::new(&["alert: A, expr: 'queue_size > 1'"]).change(
        "app/src/main.rs",
        "Settings { port: 8000,",
        "Other { port: 8000,",
    );
    let page = ["queue_size", "http_requests_total"].map(|name| (name.to_owned(), LiveMetric::default()));
    let live = LiveState {
        metrics: BTreeMap::from([("backend".to_owned(), BTreeMap::from(page))]),
        ..LiveState::default()
    };
    assert_eq!(into(&planted.graph(None), NodeKind::Alert, "A")[0].state, State::Dropped);
    let graph = planted.graph(Some(&live));
    assert_eq!(into(&graph, NodeKind::Alert, "A")[0].state, State::Alive);
    let endpoint = graph.node("endpoint:backend/app").expect("the endpoint is there");
    assert!(
        matches!(&endpoint.details, Details::Endpoint { met_by: Some(met), .. } if met.as_str() == "page")
    );
}

/// Judges the edge of the alert `A` behind other rules.
#[track_caller]
fn judged_behind(rules: &[&str], expr: &str) -> (State, String) {
    let alert = format!("alert: A, expr: '{expr}', for: 10m");
    let rules: Vec<&str> = rules.iter().copied().chain([alert.as_str()]).collect();
    let graph = Planted::new(&rules).graph(None);
    let edge = into(&graph, NodeKind::Alert, "A")[0].clone();
    (edge.state, edge.reason.unwrap_or_default())
}

#[test]
fn buckets_and_labels_are_judged_through_recordings() {
    let quantile = "record: 'job:latency:p99', expr: 'histogram_quantile(0.99, sum by (job, le) (rate(http_request_duration_seconds_bucket[5m])))'";
    let buckets = "record: 'job:buckets:rate5m', expr: 'sum by (job, le) (rate(http_request_duration_seconds_bucket[5m]))'";
    let again = "record: 'job:latency:max', expr: 'max by (job) (job:latency:p99)'";
    let (state, reason) = judged_behind(&[quantile], "job:latency:p99 > 5");
    assert_eq!(state, State::Mismatch);
    assert!(reason.starts_with("the highest bucket of `http_request_duration_seconds` is 1,"), "{reason}");
    assert_eq!(judged_behind(&[quantile], "max(job:latency:p99) > 5").0, State::Mismatch);
    assert_eq!(judged_behind(&[quantile], "job:latency:p99 > 0.5").0, State::Defined);
    assert_eq!(judged_behind(&[quantile], "sum(job:latency:p99) > 5").0, State::Defined);
    assert_eq!(judged_behind(&[quantile, again], "job:latency:p99 < 5").0, State::Defined);
    assert_eq!(
        judged_behind(&[buckets], "histogram_quantile(0.9, job:buckets:rate5m) > 5").0,
        State::Mismatch
    );
    assert_eq!(
        judged_behind(&[buckets], "histogram_quantile(0.9, job:buckets:rate5m) > 0.5").0,
        State::Defined
    );
    let (state, reason) = judged_behind(&[quantile], "job:latency:p99{method=\"GET\"} > 0.5");
    assert_eq!(state, State::Mismatch);
    assert_eq!(reason, "`job:latency:p99` is recorded without the label `method`; it has `job`");
    assert_eq!(judged_behind(&[quantile], "job:latency:p99{job=\"backend\"} > 0.5").0, State::Defined);
}

#[test]
fn what_is_written_less_often_than_a_sample_counts_never_lasts() {
    let rule = "record: 'slow:sum', expr: 'sum(queue_size)'";
    let graph = |interval: &str| {
        Planted::new(&[
            rule,
            "alert: A, expr: 'slow:sum > 1', for: 15m",
            "alert: B, expr: 'max_over_time(slow:sum[1h]) > 1', for: 15m",
        ])
        .change(
            "monitoring/rules/a.yml",
            "  - name: group\n",
            &format!("  - name: group\n    interval: {interval}\n"),
        )
        .graph(None)
    };
    let slow = graph("10m");
    let edge = into(&slow, NodeKind::Alert, "A")[0];
    assert_eq!(edge.state, State::Stale);
    assert_eq!(
        edge.reason.as_deref(),
        Some("it is recorded every 10m, a sample counts for 5m, so `for: 15m` starts over and over")
    );
    assert_eq!(into(&slow, NodeKind::Alert, "B")[0].state, State::Defined);
    assert_eq!(into(&graph("1m"), NodeKind::Alert, "A")[0].state, State::Defined);
}

#[test]
fn a_captured_page_decides_about_code_that_is_not_here() {
    let rules = [
        "alert: A, expr: 'node_load1 > 1'",
        "alert: B, expr: 'node_laod5 > 1'",
        "alert: C, expr: 'node_filefd > 1'",
    ];
    let mut live = LiveState::default();
    live.capture("node", "# TYPE node_load1 gauge\nnode_load1 0.5\nnode_load5{a=\"b\"} 1\n").expect("a page");
    let graph = Planted::new(&rules).graph(Some(&live));
    let state = |alert: &str| into(&graph, NodeKind::Alert, alert)[0];
    assert_eq!(state("A").state, State::Defined);
    assert_eq!((state("B").state, state("B").nearest.as_deref()), (State::NeverSeen, Some("node_load5")));
    assert_eq!(state("C").state, State::NeverSeen);
    assert!(LiveState::default().capture("node", "{").is_err());
}

#[test]
fn values_that_the_code_never_sets_are_told() {
    let python = "from prometheus_client import Counter\nX = Counter('orders_total', 'Orders.', ['result'])\n\
                  def f():\n    X.labels('ok').inc()\n    X.labels('failed').inc()\n";
    let rules = [
        "alert: A, expr: 'orders_total{result=\"fail\"} > 1'",
        "alert: B, expr: 'orders_total{result=~\"f.*\"} > 1'",
    ];
    let graph = Planted::new(&rules)
        .with("shop/pyproject.toml", "[project]\nname = \"shop\"\n")
        .with("shop/shop/metrics.py", python)
        .with("shop/shop/config.py", "PROMETHEUS_PORT = 9100\n")
        .graph(None);
    let edge = into(&graph, NodeKind::Alert, "A")[0];
    assert_eq!((edge.state, edge.from.as_str()), (State::Mismatch, "job:node"));
    assert!(
        edge.reason.as_deref().is_some_and(|reason| reason.contains("it has \"failed\", \"ok\"")),
        "{edge:?}"
    );
    assert_eq!(into(&graph, NodeKind::Alert, "B")[0].state, State::Defined);
}

#[test]
fn dashboards_read_as_rules_do_and_their_mistakes_are_told() {
    let board = r#"{"title": "Shop", "uid": "shop", "schemaVersion": 39, "panels": [
        {"title": "Requests", "targets": [{"expr": "rate(http_requests_total{job=~\"$job\",status=~\"5..\"}[$__rate_interval])"}]},
        {"title": "Typo", "targets": [{"expr": "http_request_total"}]},
        {"title": "Wrong", "targets": [{"expr": "sum("}]}]}"#;
    let graph = Planted::new(&[]).with("monitoring/dashboards/shop.json", board).graph(None);
    let edges = into(&graph, NodeKind::Dashboard, "Shop");
    assert_eq!(edges.len(), 2);
    assert_eq!((edges[0].from.as_str(), edges[0].state), ("job:backend", State::Defined));
    assert_eq!(edges[0].panel.as_deref(), Some("Requests"));
    assert_eq!(
        (edges[1].state, edges[1].nearest.as_deref()),
        (State::NeverSeen, Some("http_requests_total"))
    );
    assert_eq!(graph.problems().len(), 1, "{:?}", graph.problems());
    let hit = crate::questions::breaks(&graph, "http_requests_total").expect("a metric");
    assert_eq!(hit.dashboards[0].name, "Shop");
}

#[test]
fn of_recordings_of_one_name_those_that_fit_are_read() {
    let rules = [
        "record: 'q:seconds', expr: 'max(queue_size)', labels: {quantile: '0.5'}",
        "record: 'q:seconds', expr: 'max(queue_size)', labels: {quantile: '0.9'}",
        "alert: A, expr: 'q:seconds{quantile=\"0.9\"} > 1'",
        "alert: B, expr: 'q:seconds{quantile=\"0.8\"} > 1'",
    ];
    let graph = Planted::new(&rules).graph(None);
    let a = into(&graph, NodeKind::Alert, "A");
    assert_eq!((a.len(), a[0].state), (1, State::Defined));
    let b = into(&graph, NodeKind::Alert, "B");
    assert!(b.iter().all(|edge| edge.state == State::Mismatch && edge.nearest.is_some()), "{b:#?}");
}
