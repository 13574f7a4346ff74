use super::*;
use crate::ValidationScheme;

fn parse(text: &str) -> Result<RuleFile, Vec<crate::ConfigError>> {
    RuleFile::parse("r.yml", text, ValidationScheme::Utf8)
}

#[test]
fn rules_are_read_with_their_places() {
    let file = parse(
        "groups:
- name: g
  interval: 30s
  limit: 10
  labels: {team: db}
  rules:
  - record: job:up:sum
    expr: sum by (job) (up)
  - alert: Down
    expr: |
      up
        == 0
    for: 5m
    keep_firing_for: 1m
    labels: {severity: page}
    annotations:
      summary: \"{{ $labels.job }} is down\"
      description:
",
    )
    .unwrap_or_else(|errors| panic!("{}", errors[0]));
    let [record, alert] = &file.groups[0].rules[..] else { panic!("two rules") };
    assert_eq!((record.kind, record.position.to_string()), (RuleKind::Recording, "r.yml:7:5".to_owned()));
    assert_eq!((alert.for_ms, alert.keep_firing_for_ms), (300_000, 60_000));
    assert_eq!(alert.expr_source.position_at(alert.expr_source.text.find("==").unwrap_or(0)).line, 12);
    assert_eq!(alert.expr_source.position_at(5).column, 9);
    assert_eq!(alert.annotations[1].name, "summary");
    assert_eq!(alert.annotations[1].value.position.to_string(), "r.yml:17:16");
    assert_eq!(alert.annotations[0].value.text, "");
    assert_eq!((file.groups[0].limit, file.groups[0].interval_ms), (10, Some(30_000)));
    assert_eq!(file.groups[0].labels[0].value.text, "db");
    assert_eq!(file.rules().count(), 2);
}

#[test]
fn every_mistake_is_reported_at_its_place() {
    let errors = parse(
        "groups:
- name: g
  rules:
  - alert: A
    expr: |
      sum(
        up ==
      )
    labels: {__name__: x}
  - record: r
    expr: up
    for: 1m
- name: g
  rulez: []
",
    )
    .expect_err("mistakes");
    let shown: Vec<String> = errors.iter().map(|e| format!("{}: {}", e.position(), e.message)).collect();
    assert_eq!(shown.len(), 5, "{shown:#?}");
    assert!(shown[0].starts_with(
        "r.yml:8:7: group \"g\", rule 1, \"A\": could not parse expression: 3:1: parse error: "
    ));
    assert_eq!(shown[1], "r.yml:9:14: group \"g\", rule 1, \"A\": invalid label name: __name__");
    assert_eq!(shown[2], "r.yml:12:5: group \"g\", rule 2, \"r\": invalid field 'for' in recording rule");
    assert_eq!(shown[3], "r.yml:13:3: groupname: \"g\" is repeated in the same file");
    assert_eq!(shown[4], "r.yml:14:3: field rulez not found in type rulefmt.RuleGroup");
}

#[test]
fn faulty_rules_are_refused_with_upstream_texts() {
    for (rule, expected) in [
        ("{record: a, alert: b, expr: up}", "only one of 'record' and 'alert' must be set"),
        ("{expr: up}", "one of 'record' or 'alert' must be set"),
        ("{alert: a}", "field 'expr' must be set in rule"),
        ("{alert: a, expr: ''}", "field 'expr' must be set in rule"),
        ("{record: a, expr: up, annotations: {x: y}}", "invalid field 'annotations' in recording rule"),
        ("{record: a, expr: up, keep_firing_for: 1m}", "invalid field 'keep_firing_for' in recording rule"),
        (
            "{record: 'a{b}', expr: up}",
            "braces present in the recording rule name; should it be in expr?: a{b}",
        ),
        ("{alert: a, expr: up, annotations: {'': y}}", "invalid annotation name: "),
        ("{alert: a, expr: up, for: 5}", "not a valid duration string: \"5\""),
        ("{alert: a, expr: up, exprs: up}", "field exprs not found in type rulefmt.Rule"),
        ("{alert: a, expr: 'nope('}", "could not parse expression: 1:"),
        ("{alert: a, expr: 'up\"'}", "could not parse expression: 1:"),
    ] {
        let errors = parse(&format!("groups:\n- name: g\n  rules:\n  - {rule}\n")).expect_err(rule);
        assert!(errors.iter().any(|e| e.message.contains(expected)), "{rule}: {}", errors[0]);
    }
    assert_eq!(
        parse("groups: [{rules: []}]").expect_err("no name")[0].message,
        "Groupname must not be empty"
    );
    let legacy = RuleFile::parse(
        "r",
        "groups: [{name: g, rules: [{record: a.b, expr: up}]}]",
        ValidationScheme::Legacy,
    );
    assert!(legacy.expect_err("not plain")[0].message.contains("invalid recording rule name: a.b"));
}

#[test]
fn real_rule_files_load() {
    let Some(dir) = promflow_testkit::conformance("rules") else { return };
    let (mut files, mut rules) = (0, 0);
    for entry in std::fs::read_dir(dir).expect("listed") {
        let path = entry.expect("listed").path();
        if path.extension().is_none_or(|extension| extension != "yml") {
            continue;
        }
        let file = RuleFile::load(&path, &crate::OsFileSystem, ValidationScheme::Utf8)
            .unwrap_or_else(|errors| panic!("{}", errors[0]));
        files += 1;
        for (_, rule) in file.rules() {
            rules += 1;
            assert!(rule.position.line > 0 && rule.expr_source.position.line >= rule.position.line);
        }
    }
    assert_eq!((files, rules > 800), (49, true), "{rules} rules");
}
