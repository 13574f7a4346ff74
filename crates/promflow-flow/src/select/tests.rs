use std::collections::BTreeSet;

use super::{select, select_ids};
use crate::Graph;
use crate::testing::Planted;

fn graph() -> Graph {
    Planted::new(&[
        "record: 'job:http_requests:rate5m', expr: 'sum by (job) (rate(http_requests_total[5m]))'",
        "alert: Errors, expr: 'job:http_requests:rate5m > 1', labels: {severity: critical}",
        "alert: Queue, expr: 'queue_size > 1', labels: {severity: info}",
        "alert: Typo, expr: 'http_request_total > 1'",
    ])
    .graph(None)
}

#[track_caller]
fn check(expr: &str, expected: &[&str]) {
    let ids = select_ids(&graph(), expr).unwrap_or_else(|e| panic!("{expr}: {e}"));
    let expected: BTreeSet<String> = expected.iter().map(|id| (*id).to_owned()).collect();
    assert_eq!(ids, expected, "{expr}");
}

#[track_caller]
fn refused(expr: &str, message: &str) {
    let error = select(&graph(), expr).expect_err(expr);
    assert_eq!(error.to_string(), message, "{expr}");
}

#[test]
fn names_and_keys_select_nodes() {
    check("Errors", &["alert:Errors"]);
    check("alert:Errors", &["alert:Errors"]);
    check("job:http_requests:rate5m", &["recording:job:http_requests:rate5m"]);
    check("\"job:http_requests:rate5m\"", &["recording:job:http_requests:rate5m"]);
    check("Err*", &["alert:Errors"]);
    check("kind:alert", &["alert:Errors", "alert:Queue", "alert:Typo"]);
    check("severity:critical", &["alert:Errors"]);
    check("receiver:pager,kind:receiver", &["receiver:pager"]);
    check("label:topic,kind:definition", &["definition:app/queue_size"]);
    check("package:lib", &["definition:lib/lib_total", "library:lib"]);
    check("job:backend", &["endpoint:backend/app", "job:backend", "target:backend/127.0.0.1:8000"]);
    check("state:broken,kind:alert", &["alert:Typo"]);
    check("type:histogram", &["definition:app/http_request_duration_seconds"]);
}

#[test]
fn words_say_what_nodes_are() {
    check(
        "is:unread",
        &[
            "definition:app/http_request_duration_seconds",
            "definition:app/secret_total",
            "definition:lib/lib_total",
            "definition:lost/lost_total",
        ],
    );
    check("is:missing", &["missing:http_request_total"]);
    check("is:mute", &["alert:Typo"]);
    check("is:broken,kind:alert", &["alert:Typo"]);
    check("is:nohelp", &[]);
    check("is:firing", &[]);
    check("is:unroutable", &[]);
    check("is:missing|broken,kind:alert", &["alert:Typo"]);
    let untold = Planted::new(&["alert: A, expr: 'queue_size > 1'"])
        .change("app/src/main.rs", "\"Queue.\"", "\"\"")
        .graph(None);
    let of = |expr: &str| select_ids(&untold, expr).expect("it is one").into_iter().collect::<Vec<_>>();
    assert_eq!(of("is:nohelp"), ["definition:app/queue_size"]);
    refused(
        "is:unred",
        "1:4: `unred` is no is; there are unread, missing, nohelp, mute, unroutable, firing, failing, broken; did you mean `unread`?",
    );
}

#[test]
fn values_have_alternatives_and_labels_are_keys() {
    check("severity:critical|info", &["alert:Errors", "alert:Queue"]);
    check("Err*|Qu*", &["alert:Errors", "alert:Queue"]);
    check("metric:queue*", &["definition:app/queue_size"]);
    check("kind:al*", &["alert:Errors", "alert:Queue", "alert:Typo"]);
    let labelled = Planted::new(&["alert: A, expr: 'queue_size > 1', labels: {team: web}"]).graph(None);
    let team = select_ids(&labelled, "team:web").expect("a label of a rule is a key");
    assert_eq!(team.into_iter().collect::<Vec<_>>(), ["alert:A"]);
}

#[test]
fn terms_are_joined_intersected_and_taken_away() {
    check("Errors Queue", &["alert:Errors", "alert:Queue"]);
    check("kind:alert,severity:info", &["alert:Queue"]);
    check("kind:alert,-severity:info", &["alert:Errors", "alert:Typo"]);
    check("kind:alert -Typo -Queue", &["alert:Errors"]);
    check("kind:alert , severity:info  Errors", &["alert:Errors", "alert:Queue"]);
    let all = graph().nodes.len();
    assert_eq!(select_ids(&graph(), "-Typo").expect("it is one").len(), all - 1);
}

#[test]
fn signs_go_up_and_down_as_far_as_they_say() {
    let way = [
        "alert:Errors",
        "definition:app/http_requests_total",
        "endpoint:backend/app",
        "job:backend",
        "recording:job:http_requests:rate5m",
        "target:backend/127.0.0.1:8000",
    ];
    check("+Errors", &way);
    check("1+Errors", &["alert:Errors", "recording:job:http_requests:rate5m"]);
    check("Errors+", &["alert:Errors", "route:/0", "receiver:pager"]);
    check("Errors+1", &["alert:Errors", "route:/0"]);
    check("1+Errors+1", &["recording:job:http_requests:rate5m", "alert:Errors", "route:/0"]);
    check("+Errors,kind:definition", &["definition:app/http_requests_total"]);
    check("+Errors -kind:target -kind:endpoint", &[way[0], way[1], way[3], way[4]]);
    check("0+Errors", &["alert:Errors"]);
}

#[test]
fn a_part_keeps_the_edges_between_its_nodes() {
    let part = select(&graph(), "1+Errors").expect("it is one");
    assert_eq!(part.edges.len(), 1);
    assert_eq!(part.edges[0].metrics, ["job:http_requests:rate5m"]);
}

#[test]
fn mistakes_are_told_with_their_column_and_what_was_meant() {
    refused("Erors", "1:1: nothing is called `Erors`; did you mean `Errors`?");
    refused("Queue +Erors", "1:8: nothing is called `Erors`; did you mean `Errors`?");
    refused("errors", "1:1: nothing is called `errors`; did you mean `Errors`?");
    refused("", "1:1: nothing is selected; an example is `+HttpHighErrorRatio`");
    refused("kind:", "1:1: a word is missing after `kind:`");
    refused("Errors,", "1:8: a name or `key:value` is missing");
    refused("Errors++", "1:8: unexpected '+' after `Errors`");
    refused("\"Errors", "1:1: the quote is not closed");
    refused("99999999999999999999+Errors", "1:1: 99999999999999999999 is too far");
    refused("job:backnd", "1:5: `backnd` is no job; there are backend, node; did you mean `backend`?");
    let kinds = select(&graph(), "kind:alrt").expect_err("no kind");
    assert_eq!((kinds.nearest(), kinds.column()), (Some("alert"), 6));
    let keys = select(&graph(), "knd:alert").expect_err("no key");
    assert_eq!(keys.nearest(), Some("kind"));
    assert!(select(&graph(), &"+".repeat(20_000)).is_err());
}

#[test]
fn every_key_and_word_is_documented() {
    let text = include_str!("../../../../docs/selection.md");
    let keys = super::keys::KEYS.iter().map(|key| format!("`{key}:`"));
    let words = super::keys::IS.iter().map(|word| format!("`{word}`"));
    for wanted in keys.chain(words) {
        assert!(text.contains(&wanted), "docs/selection.md says nothing of {wanted}");
    }
}
