//! Tests of rules, in the format of `promtool test rules`.

mod read;

use std::collections::BTreeMap;

use crate::{Position, SourceText};

/// A file of rule tests.
///
/// Units: milliseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnitTestFile {
    /// The file's path as it was given.
    pub path: String,
    /// The rule files under test, relative to this file, with `*`.
    pub rule_files: Vec<String>,
    /// How often rules are evaluated; 0 is one minute.
    pub evaluation_interval_ms: i64,
    /// The order in which groups are evaluated; groups that are not named come first.
    pub group_eval_order: Vec<String>,
    /// Whether values are compared within a relative error.
    pub fuzzy_compare: bool,
    /// The tests.
    pub tests: Vec<TestGroup>,
}

/// One test: series, and what is expected of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TestGroup {
    /// The name.
    pub name: String,
    /// The time between two values of a series.
    pub interval_ms: i64,
    /// The time of the first value, in milliseconds since the epoch.
    pub start_timestamp_ms: i64,
    /// The series.
    pub input_series: Vec<InputSeries>,
    /// What alerts are expected.
    pub alert_rule_tests: Vec<AlertTest>,
    /// What expressions are expected to return.
    pub promql_expr_tests: Vec<PromqlTest>,
    /// `$externalLabels`.
    pub external_labels: BTreeMap<String, String>,
    /// `$externalURL`.
    pub external_url: String,
    /// Where the test is defined.
    pub position: Position,
}

/// A series and its values, in the notation of `promtool`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InputSeries {
    /// The series.
    pub series: SourceText,
    /// The values.
    pub values: SourceText,
}

/// The alerts expected at one time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertTest {
    /// When.
    pub eval_time_ms: i64,
    /// Which alert.
    pub alertname: String,
    /// What is firing.
    pub exp_alerts: Vec<ExpectedAlert>,
    /// Where it is defined.
    pub position: Position,
}

/// One alert expected to fire.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExpectedAlert {
    /// Its labels, without `alertname`.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

/// What an expression is expected to return at one time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PromqlTest {
    /// The expression.
    pub expr: SourceText,
    /// When.
    pub eval_time_ms: i64,
    /// The samples.
    pub exp_samples: Vec<ExpectedSample>,
    /// Where it is defined.
    pub position: Position,
}

/// One sample expected.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExpectedSample {
    /// The series.
    pub labels: SourceText,
    /// The value.
    pub value: f64,
    /// The native histogram in `promtool`'s notation, or `""`.
    pub histogram: String,
}

#[cfg(test)]
mod tests;
