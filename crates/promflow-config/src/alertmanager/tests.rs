use super::*;

const TREE: &str = "
global: {resolve_timeout: 5m, smtp_smarthost: 'mail.example:25', smtp_from: a@example.com}
route:
  receiver: default
  group_by: [alertname, job]
  routes:
  - matchers: [severity=\"page\"]
    receiver: pager
    continue: true
    group_wait: 5s
  - match: {team: db}
    receiver: db
    routes:
    - match_re: {severity: 'warning|info'}
      mute_time_intervals: [nights]
    - matchers: ['env!~\"dev|test\"']
      receiver: pager
  - matchers: [team=\"db\"]
    receiver: never
receivers:
- name: default
- name: pager
  pagerduty_configs: [{routing_key: hunter2}]
  webhook_configs: [{url: 'http://x/', send_resolved: false}]
- name: db
  email_configs: [{to: db@example.com}]
- name: never
time_intervals: [{name: nights, time_intervals: [{times: [{start_time: '22:00', end_time: '24:00'}]}]}]
inhibit_rules:
- source_matchers: [severity=page]
  target_match: {severity: warning}
  equal: [alertname]
templates: ['*.tmpl']
";

fn taken(file: &AlertmanagerFile, pairs: &[(&str, &str)]) -> Vec<String> {
    let labels = Labels::from_pairs(pairs.iter().copied());
    file.route.matches(&labels).iter().map(|route| route.receiver.clone()).collect()
}

#[test]
fn alerts_walk_the_tree_as_in_alertmanager() {
    let file = AlertmanagerFile::parse("am.yml", TREE).unwrap_or_else(|errors| panic!("{}", errors[0]));
    assert_eq!(taken(&file, &[]), ["default"]);
    assert_eq!(taken(&file, &[("severity", "page")]), ["pager"]);
    assert_eq!(taken(&file, &[("severity", "page"), ("team", "db"), ("env", "dev")]), ["pager", "db"]);
    assert_eq!(taken(&file, &[("team", "db"), ("severity", "info")]), ["db"]);
    assert_eq!(taken(&file, &[("team", "db"), ("env", "prod")]), ["pager"]);
}

#[test]
fn routes_inherit_what_they_do_not_set() {
    let file = AlertmanagerFile::parse("am.yml", TREE).unwrap_or_else(|errors| panic!("{}", errors[0]));
    let [page, db, _] = &file.route.routes[..] else { panic!("three routes") };
    assert_eq!((page.group_wait_ms, page.group_interval_ms), (5_000, 300_000));
    assert_eq!(page.group_by, ["alertname", "job"]);
    assert_eq!(db.routes[0].receiver, "db");
    assert_eq!(db.routes[0].mute_time_intervals, ["nights"]);
    assert_eq!(db.routes[1].position.to_string(), "am.yml:16:7");
    let kinds = |name: &str| -> Vec<(String, bool)> {
        let receiver = file.receiver(name).expect("no such receiver");
        receiver.integrations.iter().map(|i| (i.kind.clone(), i.send_resolved)).collect()
    };
    assert_eq!(kinds("pager"), [("pagerduty".to_owned(), true), ("webhook".to_owned(), false)]);
    assert_eq!(kinds("db"), [("email".to_owned(), false)]);
    assert_eq!(file.inhibit_rules[0].equal, ["alertname"]);
    assert!(!format!("{file:?}").contains("hunter2"));
}

#[test]
fn mistakes_are_refused_with_alertmanagers_texts() {
    let receivers = "receivers: [{name: a}]\n";
    for (text, expected) in [
        ("receivers: [{name: a}]\n", "no routes provided"),
        ("route: {group_wait: 1s}\n", "root route must specify a default receiver"),
        ("route: {receiver: a, match: {x: y}}\n", "root route must not have any matchers"),
        ("route: {receiver: b}\n", "undefined receiver \"b\" used in route"),
        (
            "route: {receiver: a, routes: [{mute_time_intervals: [x]}]}\n",
            "undefined time interval \"x\" used in route",
        ),
        ("route: {receiver: a, group_interval: 0s}\n", "group_interval cannot be zero"),
        ("route: {receiver: a, repeat_interval: 0s}\n", "repeat_interval cannot be zero"),
        ("route: {receiver: a, group_by: [x, x]}\n", "duplicated label \"x\" in group_by"),
        ("route: {receiver: a, group_by: ['...', x]}\n", "cannot have wildcard group_by"),
        ("route: {receiver: a, routes: [{matchers: ['x=~\"(\"']}]}\n", "error parsing regexp"),
        ("route: {receiver: a, grup_by: [x]}\n", "field grup_by not found in type config.plain"),
        ("route: {receiver: a}\nglobal: {resolve: 1m}\n", "field resolve not found in type config.plain"),
        (
            "route: {receiver: a}\ninhibit_rules: [{source: x}]\n",
            "field source not found in type config.plain",
        ),
        ("route: {receiver: a}\ntime_intervals: [{}]\n", "missing name in time interval"),
    ] {
        let text = if text.starts_with("receivers") { text.to_owned() } else { format!("{receivers}{text}") };
        let errors = AlertmanagerFile::parse("am.yml", &text).expect_err(&text);
        assert!(errors.iter().any(|e| e.message.contains(expected)), "{text}: {}", errors[0]);
    }
    let twice = "route: {receiver: a}\nreceivers: [{name: a}, {name: a}, {}]\n";
    let errors = AlertmanagerFile::parse("am.yml", twice).expect_err("a name twice");
    let messages: Vec<&str> = errors.iter().map(|e| e.message.as_str()).collect();
    assert_eq!(messages, ["notification config name \"a\" is not unique", "missing name in receiver"]);
}
