//! Reads files of rule tests.

use std::path::Path;

use promflow_model::time;

use super::{AlertTest, ExpectedAlert, ExpectedSample, InputSeries, PromqlTest, TestGroup, UnitTestFile};
use crate::load::read_file;
use crate::node::Node;
use crate::reader::{Fields, Reader};
use crate::{ConfigError, FileSystem};

impl UnitTestFile {
    /// Reads a file of rule tests.
    ///
    /// Errors: as [`UnitTestFile::parse`], and the file cannot be read.
    pub fn load(path: &Path, fs: &dyn FileSystem) -> Result<UnitTestFile, Vec<ConfigError>> {
        let text = read_file(fs, path).map_err(|err| vec![err])?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// Reads the text of a file of rule tests; expressions, series and values are kept as texts.
    ///
    /// Errors: every mistake at its place.
    /// Source: Prometheus cmd/promtool/unittest.go.
    pub fn parse(path: &str, text: &str) -> Result<UnitTestFile, Vec<ConfigError>> {
        let reader = Reader::new(path, text);
        let root = reader.root();
        let mut fields = reader.fields(&root, "main.unitTestFile");
        let file = UnitTestFile {
            path: path.to_owned(),
            rule_files: fields.plain_strings("rule_files"),
            evaluation_interval_ms: fields.duration_ms("evaluation_interval").unwrap_or(0),
            group_eval_order: fields.plain_strings("group_eval_order"),
            fuzzy_compare: fields.bool("fuzzy_compare").unwrap_or(false),
            tests: list(&mut fields, "tests", read_test),
        };
        fields.finish();
        reader.finish(file)
    }
}

fn list<T>(
    fields: &mut Fields<'_, '_>,
    name: &'static str,
    read: impl Fn(&Reader<'_>, &Node) -> T,
) -> Vec<T> {
    fields.items(name, "[]main.testGroup").iter().map(|item| read(fields.reader, item)).collect()
}

fn read_test(reader: &Reader<'_>, node: &Node) -> TestGroup {
    let mut fields = reader.fields(node, "main.testGroup");
    let start = fields.string("start_timestamp");
    let start_timestamp_ms = start.map_or(0, |text| {
        time::parse_api(&text).unwrap_or_else(|message| {
            fields.error("start_timestamp", message);
            0
        })
    });
    let test = TestGroup {
        name: fields.string_or_empty("name"),
        interval_ms: fields.duration_ms("interval").unwrap_or(0),
        start_timestamp_ms,
        input_series: list(&mut fields, "input_series", read_series),
        alert_rule_tests: list(&mut fields, "alert_rule_test", read_alert_test),
        promql_expr_tests: list(&mut fields, "promql_expr_test", read_promql_test),
        external_labels: fields.string_map("external_labels"),
        external_url: fields.string_or_empty("external_url"),
        position: reader.position(node.place),
    };
    fields.finish();
    test
}

fn read_series(reader: &Reader<'_>, node: &Node) -> InputSeries {
    let mut fields = reader.fields(node, "main.series");
    let series = InputSeries {
        series: fields.source_text("series").unwrap_or_default(),
        values: fields.source_text("values").unwrap_or_default(),
    };
    fields.finish();
    series
}

fn read_alert_test(reader: &Reader<'_>, node: &Node) -> AlertTest {
    let mut fields = reader.fields(node, "main.alertTestCase");
    let test = AlertTest {
        eval_time_ms: fields.duration_ms("eval_time").unwrap_or(0),
        alertname: fields.string_or_empty("alertname"),
        exp_alerts: list(&mut fields, "exp_alerts", |reader, node| {
            let mut fields = reader.fields(node, "main.alert");
            let alert = ExpectedAlert {
                labels: fields.string_map("exp_labels"),
                annotations: fields.string_map("exp_annotations"),
            };
            fields.finish();
            alert
        }),
        position: reader.position(node.place),
    };
    fields.finish();
    test
}

fn read_promql_test(reader: &Reader<'_>, node: &Node) -> PromqlTest {
    let mut fields = reader.fields(node, "main.promqlTestCase");
    let test = PromqlTest {
        expr: fields.source_text("expr").unwrap_or_default(),
        eval_time_ms: fields.duration_ms("eval_time").unwrap_or(0),
        exp_samples: list(&mut fields, "exp_samples", |reader, node| {
            let mut fields = reader.fields(node, "main.sample");
            let sample = ExpectedSample {
                labels: fields.source_text("labels").unwrap_or_default(),
                value: fields.f64("value").unwrap_or(0.0),
                histogram: fields.string_or_empty("histogram"),
            };
            fields.finish();
            sample
        }),
        position: reader.position(node.place),
    };
    fields.finish();
    test
}
