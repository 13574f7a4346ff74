use super::*;

#[test]
fn a_test_file_is_read_with_its_places() {
    let file = UnitTestFile::parse(
        "t.yml",
        "rule_files: [alerts.yml]
evaluation_interval: 1m
tests:
- name: down
  interval: 15s
  external_labels: {zone: eu}
  input_series:
  - series: up{job=\"a\"}
    values: '0x10'
  alert_rule_test:
  - eval_time: 5m
    alertname: Down
    exp_alerts:
    - exp_labels: {job: a, code: 500}
      exp_annotations: {summary: down}
  promql_expr_test:
  - expr: sum(up)
    eval_time: 0
    exp_samples: [{labels: '{}', value: 1e3}, {labels: x, value: NaN}]
",
    )
    .unwrap_or_else(|errors| panic!("{}", errors[0]));
    let test = &file.tests[0];
    assert_eq!((test.interval_ms, test.position.to_string()), (15_000, "t.yml:4:3".to_owned()));
    assert_eq!(test.input_series[0].values.text, "0x10");
    assert_eq!(test.alert_rule_tests[0].exp_alerts[0].labels["code"], "500");
    assert_eq!(test.promql_expr_tests[0].exp_samples[0].value, 1000.0);
    assert!(test.promql_expr_tests[0].exp_samples[1].value.is_nan());
}

#[test]
fn unknown_keys_are_refused() {
    let errors =
        UnitTestFile::parse("t.yml", "tests: [{interval: 1m, input_serie: []}]").expect_err("unknown");
    assert_eq!(errors[0].message, "field input_serie not found in type main.testGroup");
    assert_eq!(errors[0].hint.as_deref(), Some("did you mean \"input_series\"?"));
}

#[test]
fn real_test_suites_load() {
    let Some(dir) = promflow_testkit::conformance("ruletests") else { return };
    let mut suites = 0;
    for entry in std::fs::read_dir(dir).expect("listed") {
        let path = entry.expect("listed").path().join("test.yml");
        if path.exists() {
            let file = UnitTestFile::load(&path, &crate::OsFileSystem);
            let file = file.unwrap_or_else(|errors| panic!("{}", errors[0]));
            assert!(!file.tests.is_empty(), "{}", path.display());
            suites += 1;
        }
    }
    assert!(suites >= 12, "{suites}");
}
