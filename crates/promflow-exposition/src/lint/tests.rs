use std::io::Write;
use std::process::{Command, Stdio};

use promflow_model::MetricType;
use promflow_testkit::program;

use super::*;
use crate::{HistogramPoint, LabelText, Number, Writer};

/// Pages that break every rule of promlint, and some that break none.
const PAGES: &[&str] = &[
    "",
    "untyped_thing 1\nuntyped_total 2\n",
    "# HELP a_total A.\n# TYPE a_total counter\na_total 1\n",
    "# TYPE aCamel gauge\naCamel{someLabel=\"1\",b=\"2\"} 1\naCamel{someLabel=\"2\",b=\"2\"} 1\n",
    "# HELP x_total X.\n# TYPE x_total gauge\nx_total 1\n# TYPE y counter\ny 1\n",
    "# TYPE a_bucket counter\na_bucket{le=\"1\"} 1\na_bucket{le=\"2\"} 1\n",
    "# TYPE a_count counter\na_count 1\n# TYPE b_sum gauge\nb_sum{quantile=\"1\"} 1\n",
    "# HELP a:b A.\n# TYPE a:b gauge\na:b 1\n",
    "# TYPE a_counter_b gauge\na_counter_b 1\n# TYPE t_gauge_histogram gauge\nt_gauge_histogram 1\n",
    "# TYPE a_ms_b_kb gauge\na_ms_b_kb 1\n# TYPE size_m gauge\nsize_m 1\n",
    "# TYPE h_milliseconds histogram\nh_milliseconds_bucket{quantile=\"x\",le=\"1\"} 1\n\
     h_milliseconds_bucket{quantile=\"x\",le=\"+Inf\"} 1\nh_milliseconds_sum{quantile=\"x\"} 1\n\
     h_milliseconds_count{quantile=\"x\"} 1\n",
    "# TYPE s_bits summary\ns_bits{aB=\"1\",quantile=\"0.5\"} 1\ns_bits_sum{aB=\"1\"} 1\ns_bits_count{aB=\"1\"} 1\n",
    "# HELP megabytes_k A.\n# TYPE megabytes_k gauge\nmegabytes_k 1\n# TYPE x_fahrenheit gauge\nx_fahrenheit 1\n",
    "# TYPE kelvin gauge\nkelvin 1\n# TYPE kilodays gauge\nkilodays 1\n",
    "# HELP only_help A.\n# HELP later B.\nlater 1\n",
];

fn shown(problems: &[LintProblem]) -> String {
    problems.iter().map(|p| format!("{} {}\n", p.metric, p.text)).collect()
}

fn promtool(page: &str) -> (Option<i32>, String) {
    let mut child = Command::new(program("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn problems_are_those_of_promtool() {
    for page in PAGES {
        let problems = lint(page.as_bytes(), Format::Text).unwrap_or_else(|e| panic!("{e} in {page}"));
        let (code, expected) = promtool(page);
        assert_eq!(shown(&problems), expected, "{page}");
        assert_eq!(code, Some(if problems.is_empty() { 0 } else { 3 }), "{page}");
    }
}

#[test]
fn the_first_word_that_is_a_unit_counts() {
    let problems = lint(b"# HELP a_minutes_seconds A.\na_minutes_seconds 1\n", Format::Text).unwrap();
    assert_eq!(shown(&problems), "a_minutes_seconds use base unit \"seconds\" instead of \"minutes\"\n");
}

#[test]
fn pages_that_promtool_refuses_are_refused_with_a_place() {
    for (page, expected) in [
        ("a 1\na{b=\"c\"} x\n", "2:10: invalid value \"x\""),
        ("# TYPE a gauge\na 1", "2:4: expected end of line, got end of input"),
        ("a{b=\"\\x\"} 1\n", "1:6: invalid escape sequence"),
        ("a 1\n# TYPE a gauge\n", "2:1: TYPE line for metric \"a\" after its samples"),
    ] {
        assert_eq!(promtool(page).0, Some(1), "{page}");
        let error = lint(page.as_bytes(), Format::Text).expect_err(page).to_string();
        assert!(error.starts_with(expected), "{error}, expected {expected}");
    }
}

#[test]
fn every_format_has_the_same_problems() {
    let page = |format| {
        let none = LabelText::default();
        let mut writer = Writer::new(format);
        writer.family("requests_total", MetricType::Counter, "", "");
        writer.counter(&none, Number::Int(1), None, None);
        writer.family("wait_minutes", MetricType::Histogram, "", "Wait.");
        let point = HistogramPoint { bounds: &[1.0], counts: &[1, 1], sum: 1.0, exemplars: &[] };
        writer.histogram(&LabelText::new([("aB", "1")]), point, None);
        writer.family("build_info", MetricType::Info, "", "Build.");
        writer.info(&LabelText::new([("le", "1")]));
        writer.finish()
    };
    for format in [Format::Text, Format::OpenMetrics, Format::Protobuf] {
        assert_eq!(
            shown(&lint(&page(format), format).unwrap()),
            "build_info non-histogram metrics should not have \"le\" label\nrequests_total no help text\n\
             wait_minutes label names should be written in 'snake_case' not 'camelCase'\n\
             wait_minutes use base unit \"seconds\" instead of \"minutes\"\n",
            "{format:?}"
        );
    }
}
