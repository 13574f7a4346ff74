use super::{breaks, diff, feeds, missing, prune};
use crate::live::{LiveMetric, LiveState};
use crate::testing::Planted;

const RULES: [&str; 4] = [
    "record: 'job:http_requests:rate5m', expr: 'sum by (job, status) (rate(http_requests_total[5m]))'",
    "alert: Errors, expr: 'job:http_requests:rate5m{status=~\"5..\"} > 1', labels: {severity: critical}",
    "alert: Queue, expr: 'queue_size > 1', labels: {severity: info}",
    "alert: Typo, expr: 'http_request_total > 1'",
];

fn names(hits: &[super::Hit]) -> Vec<&str> {
    hits.iter().map(|hit| hit.name.as_str()).collect()
}

#[test]
fn an_alert_is_fed_by_lines_of_code() {
    let graph = Planted::new(&RULES).graph(None);
    let answer = feeds(&graph, "Errors").expect("it is there");
    assert_eq!(answer.definitions.len(), 1);
    assert_eq!(answer.definitions[0].file.as_deref(), Some("app/src/main.rs"));
    let text = answer.text();
    assert!(text.contains("└─ recording job:http_requests:rate5m"), "{text}");
    assert!(text.contains("http_requests_total  app/src/main.rs:3"), "{text}");
    let typo = feeds(&graph, "Typo").expect("it is there");
    assert_eq!(typo.broken.len(), 1);
    assert!(typo.text().contains("no line of code here feeds it"), "{}", typo.text());
    let error = feeds(&graph, "Erors").expect_err("there is none");
    assert_eq!(error.to_string(), "no alert is called `Erors`; did you mean `Errors`?");
}

#[test]
fn what_goes_takes_readers_with_it_up_to_who_is_told() {
    let graph = Planted::new(&RULES).graph(None);
    let metric = breaks(&graph, "http_requests_total").expect("a metric");
    assert_eq!(metric.kinds, ["definition"]);
    assert_eq!(names(&metric.recordings), ["job:http_requests:rate5m"]);
    assert_eq!(names(&metric.alerts), ["Errors"]);
    assert!(metric.recordings[0].direct && !metric.alerts[0].direct);
    assert_eq!(metric.receivers[0].name, "pager");
    assert_eq!(metric.receivers[0].alerts, ["Errors"]);
    let label = breaks(&graph, "status").expect("a label");
    assert_eq!((label.kinds.clone(), names(&label.alerts)), (vec!["label"], vec!["Errors"]));
    let of_another = breaks(&graph, "queue_size{status}");
    assert!(of_another.is_err(), "{of_another:?}");
    let job = breaks(&graph, "backend").expect("a job");
    assert_eq!(names(&job.alerts), ["Errors", "Queue"]);
    let series = breaks(&graph, "http_request_duration_seconds_bucket").expect("a series of a histogram");
    assert!(series.text().contains("nothing breaks"), "{}", series.text());
    let severity = breaks(&graph, "severity").expect("routes ask for it");
    assert_eq!(severity.routes.len(), 3);
    let error = breaks(&graph, "http_request_totals").expect_err("there is none");
    assert_eq!(error.nearest(), Some("http_requests_total"));
}

#[test]
fn what_is_missing_has_the_nearest_name_and_its_readers() {
    let graph = Planted::new(&RULES).graph(None);
    let answer = missing(&graph);
    // The job's relabelling removes no label that is read here.
    assert_eq!(answer.missing.len(), 1, "{answer:#?}");
    let name = &answer.missing[0];
    assert_eq!((name.name.as_str(), name.state), ("http_request_total", "never_seen"));
    assert_eq!(name.nearest.as_deref(), Some("http_requests_total"));
    assert_eq!((name.nearest_file.as_deref(), name.nearest_line), (Some("app/src/main.rs"), Some(3)));
    assert_eq!(name.readers[0].name, "Typo");
}

#[test]
fn what_can_go_is_what_nobody_reads_and_what_cannot_fire() {
    let rules = [
        RULES[0],
        RULES[1],
        "alert: Typo, expr: 'http_request_total > 1'",
        "record: 'dead:sum', expr: 'sum(never_defined)'",
        "alert: Behind, expr: 'dead:sum > 1'",
        "alert: Absent, expr: 'absent(never_defined)'",
        "alert: Or, expr: 'never_defined > 1 or queue_size > 1'",
        "record: 'series:count', expr: 'count({__name__=~\".+\"})'",
    ];
    let mut live = LiveState::default();
    let metric = |series| LiveMetric { series, ..LiveMetric::default() };
    live.metrics.entry("node".to_owned()).or_default().extend([
        ("node_cpu_seconds_total".to_owned(), metric(16)),
        ("node_load1".to_owned(), metric(1)),
        ("up".to_owned(), metric(1)),
    ]);
    let graph = Planted::new(&rules).graph(None);
    let answer = prune(&graph, Some(&live));
    let unread: Vec<&str> = answer.unread.iter().map(|metric| metric.name.as_str()).collect();
    assert_eq!(
        unread,
        [
            "node_cpu_seconds_total",
            "node_load1",
            "http_request_duration_seconds",
            "lib_total",
            "lost_total",
            "secret_total"
        ]
    );
    assert_eq!(answer.unread[2].place.line, Some(4));
    let dead: Vec<&str> = answer.dead_alerts.iter().map(|alert| alert.name.as_str()).collect();
    assert_eq!(dead, ["Behind", "Typo"]);
    assert_eq!(answer.dead_alerts[0].causes[0].state, "never_seen");
    let drop =
        answer.drops.iter().find(|drop| drop.job == "backend").expect("the backend has unread metrics");
    assert!(
        drop.yaml.contains("regex: http_request_duration_seconds(_bucket|_sum|_count)|lib_total"),
        "{}",
        drop.yaml
    );
}

#[test]
fn a_diff_tells_what_broke_what_came_and_what_went() {
    let before = Planted::new(&RULES).graph(None);
    let after = Planted::new(&RULES)
        .change("app/src/main.rs", "http_requests_total", "http_hits_total")
        .change("monitoring/rules/a.yml", "queue_size > 1", "queue_size > 2")
        .graph(None);
    let answer = diff(&before, &after, "main", "HEAD");
    assert_eq!(answer.nodes.added.len(), 1);
    assert_eq!(answer.nodes.removed[0].name, "http_requests_total");
    let changed: Vec<(&str, &str)> = answer
        .nodes
        .changed
        .iter()
        .flat_map(|node| node.changes.iter().map(|change| (node.name.as_str(), change.what.as_str())))
        .collect();
    assert_eq!(changed, [("Queue", "expr")]);
    assert_eq!(answer.edges.broken.len(), 1, "{:#?}", answer.edges.broken);
    assert!(
        answer.text.contains("**Breaks**\n- `job:http_requests:rate5m` reads `http_requests_total`"),
        "{}",
        answer.text
    );
    let back = diff(&after, &before, "HEAD", "main");
    assert!(back.edges.broken.is_empty());
    assert!(diff(&before, &before, "a", "a").is_empty());
    let moved = Planted::new(&RULES).change("app/src/main.rs", "fn metrics", "\n\nfn metrics").graph(None);
    assert!(diff(&before, &moved, "a", "b").is_empty(), "what only moved does not differ");
}

#[test]
fn answers_are_the_same_each_time_and_serialize() {
    let graph = Planted::new(&RULES).graph(None);
    let once = serde_json::to_value(feeds(&graph, "Errors").expect("it is there")).expect("it serializes");
    assert_eq!(once["question"], "feeds");
    assert_eq!(once["tree"][0]["children"][0]["edge"]["state"], "defined");
    let again = serde_json::to_value(feeds(&graph, "Errors").expect("it is there")).expect("it serializes");
    assert_eq!(once, again);
    let pruned = serde_json::to_value(prune(&graph, None)).expect("it serializes");
    assert!(pruned["unread"][0]["seriesNames"].is_array() && pruned["deadAlerts"].is_array());
}
