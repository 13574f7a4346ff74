//! Rule files.

mod read;

use promflow_syntax::Expr;

use crate::{Position, SourceText};

/// A rule file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleFile {
    /// The file's path as it was given.
    pub path: String,
    /// The groups, in the file's order.
    pub groups: Vec<RuleGroup>,
}

/// Rules that are evaluated one after another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleGroup {
    /// The name, unique in the file.
    pub name: String,
    /// How often the group is evaluated, where it differs from the global interval.
    pub interval_ms: Option<i64>,
    /// How far before now the group is evaluated, where it differs from the global offset.
    pub query_offset_ms: Option<i64>,
    /// The most series or alerts that one rule may make; 0 is no limit.
    pub limit: u64,
    /// Labels of every rule of the group that does not set them itself, sorted by name.
    pub labels: Vec<RuleText>,
    /// The rules, in the file's order.
    pub rules: Vec<Rule>,
    /// Where the group is defined.
    pub position: Position,
}

/// What a rule makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleKind {
    /// Series.
    Recording,
    /// Alerts.
    Alerting,
}

/// A rule.
///
/// Units: milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Whether it records or alerts.
    pub kind: RuleKind,
    /// The name of the series or alert.
    pub name: String,
    /// The expression.
    pub expr: Expr,
    /// The expression as written, and where.
    pub expr_source: SourceText,
    /// How long the expression has to hold before the alert fires.
    pub for_ms: i64,
    /// How long the alert goes on firing after the expression held last.
    pub keep_firing_for_ms: i64,
    /// The rule's own labels, sorted by name; an alert's are templates.
    pub labels: Vec<RuleText>,
    /// The alert's annotations, sorted by name; templates.
    pub annotations: Vec<RuleText>,
    /// Where the rule is defined.
    pub position: Position,
}

/// A label or annotation of a rule: a name, and a value that may be a template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleText {
    /// The name.
    pub name: String,
    /// The value, and where it stands.
    pub value: SourceText,
}

#[cfg(test)]
mod tests;
