//! Reads rule files.

use std::collections::HashMap;
use std::path::Path;

use promflow_model::METRIC_NAME;
use promflow_model::quote::quote;
use promflow_syntax::Expr;

use super::{Rule, RuleFile, RuleGroup, RuleKind, RuleText};
use crate::load::read_file;
use crate::node::{Node, Place};
use crate::reader::{Fields, Reader};
use crate::{ConfigError, FileSystem, SourceText, ValidationScheme};

impl RuleFile {
    /// Reads a rule file.
    ///
    /// Errors: as [`RuleFile::parse`], and the file cannot be read.
    pub fn load(
        path: &Path,
        fs: &dyn FileSystem,
        scheme: ValidationScheme,
    ) -> Result<RuleFile, Vec<ConfigError>> {
        let text = read_file(fs, path).map_err(|err| vec![err])?;
        Self::parse(&path.display().to_string(), &text, scheme)
    }

    /// Reads the text of a rule file; `path` stands in messages and positions. Templates are not looked into.
    ///
    /// Errors: every mistake at its place, those inside expressions too; Prometheus's texts.
    /// Source: Prometheus model/rulefmt.
    pub fn parse(path: &str, text: &str, scheme: ValidationScheme) -> Result<RuleFile, Vec<ConfigError>> {
        let reader = Reader::new(path, text);
        let root = reader.root();
        let mut fields = reader.fields(&root, "rulefmt.RuleGroups");
        let mut groups: Vec<RuleGroup> = Vec::new();
        let mut names = HashMap::new();
        for item in fields.items("groups", "[]rulefmt.RuleGroup") {
            let group = read_group(&reader, item, scheme);
            if let Some(first) = names.insert(group.name.clone(), group.position.clone())
                && !group.name.is_empty()
            {
                reader.error_with_hint(
                    item.place,
                    format!("groupname: {} is repeated in the same file", quote(&group.name)),
                    Some(format!("the first one is at {first}")),
                );
            }
            groups.push(group);
        }
        fields.finish();
        reader.finish(RuleFile { path: path.to_owned(), groups })
    }

    /// Iterates over all rules with their groups.
    pub fn rules(&self) -> impl Iterator<Item = (&RuleGroup, &Rule)> {
        self.groups.iter().flat_map(|group| group.rules.iter().map(move |rule| (group, rule)))
    }
}

fn read_group(reader: &Reader<'_>, node: &Node, scheme: ValidationScheme) -> RuleGroup {
    let mut fields = reader.fields(node, "rulefmt.RuleGroup");
    let name = fields.string_or_empty("name");
    if name.is_empty() {
        reader.error(fields.value_place("name"), "Groupname must not be empty");
    }
    let group = RuleGroup {
        interval_ms: fields.duration_ms("interval").filter(|ms| *ms > 0),
        query_offset_ms: fields.duration_ms("query_offset"),
        limit: fields.u64("limit").unwrap_or(0),
        labels: read_labels(&mut fields, "labels", scheme, &|place, text| reader.error(place, text)),
        rules: fields
            .items("rules", "[]rulefmt.Rule")
            .iter()
            .enumerate()
            .filter_map(|(i, item)| read_rule(reader, item, &name, i + 1, scheme))
            .collect(),
        position: reader.position(node.place),
        name,
    };
    fields.finish();
    group
}

/// Reads one rule; `None` when its expression does not parse, which is noted.
fn read_rule(
    reader: &Reader<'_>,
    node: &Node,
    group: &str,
    number: usize,
    scheme: ValidationScheme,
) -> Option<Rule> {
    let mut fields = reader.fields(node, "rulefmt.Rule");
    let record = fields.string_or_empty("record");
    let alert = fields.string_or_empty("alert");
    let (kind, name) = if record.is_empty() {
        (RuleKind::Alerting, alert.clone())
    } else {
        (RuleKind::Recording, record.clone())
    };
    let fail = |place: Place, message: String| {
        let message = format!("group {}, rule {number}, {}: {message}", quote(group), quote(&name));
        reader.error(place, message);
    };
    match (record.is_empty(), alert.is_empty()) {
        (false, false) => {
            fail(fields.place_of("alert"), "only one of 'record' and 'alert' must be set".to_owned());
        }
        (true, true) => fail(node.place, "one of 'record' or 'alert' must be set".to_owned()),
        _ => {}
    }
    let expr_source = fields.source_text("expr").filter(|source| !source.text.is_empty());
    let for_ms = fields.duration_ms("for").unwrap_or(0);
    let keep_firing_for_ms = fields.duration_ms("keep_firing_for").unwrap_or(0);
    let labels = read_labels(&mut fields, "labels", scheme, &fail);
    let annotations = read_annotations(&mut fields, scheme, &fail);
    if kind == RuleKind::Recording {
        for (key, is_set) in [
            ("annotations", !annotations.is_empty()),
            ("for", for_ms != 0),
            ("keep_firing_for", keep_firing_for_ms != 0),
        ] {
            if is_set {
                fail(fields.place_of(key), format!("invalid field '{key}' in recording rule"));
            }
        }
        let place = fields.value_place("record");
        if !scheme.is_metric_name(&record) {
            fail(place, format!("invalid recording rule name: {record}"));
        } else if record.contains(['{', '}']) {
            let text = "braces present in the recording rule name; should it be in expr?";
            fail(place, format!("{text}: {record}"));
        }
    }
    let expr = match &expr_source {
        Some(source) => parse_expr(source, &fail),
        None => {
            fail(fields.value_place("expr"), "field 'expr' must be set in rule".to_owned());
            None
        }
    };
    fields.finish();
    Some(Rule {
        kind,
        name,
        expr: expr?,
        expr_source: expr_source?,
        for_ms,
        keep_firing_for_ms,
        labels,
        annotations,
        position: reader.position(node.place),
    })
}

fn parse_expr(source: &SourceText, fail: &dyn Fn(Place, String)) -> Option<Expr> {
    let errors = match promflow_syntax::parse(&source.text) {
        Ok(expr) => return Some(expr),
        Err(errors) => errors,
    };
    for error in errors.errors() {
        let at = source.position_at(error.span.start);
        let place = Place { line: at.line, column: at.column, start: usize::MAX };
        fail(place, format!("could not parse expression: {}", errors.render(error)));
    }
    None
}

/// Reads labels, sorted by name.
fn read_labels(
    fields: &mut Fields<'_, '_>,
    key: &'static str,
    scheme: ValidationScheme,
    fail: &dyn Fn(Place, String),
) -> Vec<RuleText> {
    read_texts(fields, key, &|name, place| {
        if !scheme.is_label_name(name) || name == METRIC_NAME {
            fail(place, format!("invalid label name: {name}"));
        }
    })
}

fn read_annotations(
    fields: &mut Fields<'_, '_>,
    scheme: ValidationScheme,
    fail: &dyn Fn(Place, String),
) -> Vec<RuleText> {
    read_texts(fields, "annotations", &|name, place| {
        if !scheme.is_label_name(name) {
            fail(place, format!("invalid annotation name: {name}"));
        }
    })
}

fn read_texts(
    fields: &mut Fields<'_, '_>,
    key: &'static str,
    check_name: &dyn Fn(&str, Place),
) -> Vec<RuleText> {
    let Some(node) = fields.node(key) else { return Vec::new() };
    let mut texts = Vec::new();
    for (key, _, value) in fields.reader.string_map(node) {
        check_name(&key.text, key.place);
        let empty = || SourceText { position: fields.reader.position(value.place), ..SourceText::default() };
        let is_null = matches!(value.kind, crate::node::NodeKind::Null);
        let value = if is_null { Some(empty()) } else { fields.reader.source_text(value) };
        texts.extend(value.map(|value| RuleText { name: key.text.clone(), value }));
    }
    texts.sort_by(|a, b| a.name.cmp(&b.name));
    texts
}
