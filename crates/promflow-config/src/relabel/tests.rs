use promflow_model::Labels;

use super::*;
use crate::reader::Reader;

fn parse(yaml: &str) -> Result<Vec<RelabelConfig>, Vec<crate::ConfigError>> {
    parse_as(yaml, ValidationScheme::Utf8)
}

fn parse_as(yaml: &str, scheme: ValidationScheme) -> Result<Vec<RelabelConfig>, Vec<crate::ConfigError>> {
    let text = format!("r:\n{yaml}");
    let reader = Reader::new("f.yml", &text);
    let root = reader.root();
    let mut fields = reader.fields(&root, "t");
    let configs = read::read_list(&mut fields, "r", scheme, "empty or null rule");
    fields.finish();
    reader.finish(configs)
}

/// Applies rules to `a="foo", b="bar", c="baz"` and returns what is left, or which rule dropped it.
fn check(yaml: &str, expected: &str) {
    let configs = parse(yaml).unwrap_or_else(|errors| panic!("{yaml}: {}", errors[0]));
    let mut builder = LabelsBuilder::new(&Labels::from_pairs([("a", "foo"), ("b", "bar"), ("c", "baz")]));
    let result = match dropped_by(&configs, &mut builder) {
        Some(i) => format!("dropped by {i}"),
        None => builder.labels().to_string(),
    };
    assert_eq!(result, expected, "{yaml}");
}

#[test]
fn every_action_does_what_it_does_in_prometheus() {
    for (yaml, expected) in [
        // Prometheus model/relabel/relabel_test.go.
        (
            "- {source_labels: [a], regex: f(.*), target_label: d, replacement: 'ch${1}-ch${1}'}",
            r#"{a="foo", b="bar", c="baz", d="choo-choo"}"#,
        ),
        (
            "- {source_labels: [a, b], regex: 'f(.*);(.*)r', target_label: a, replacement: 'b${1}${2}m'}\n\
             - {source_labels: [c, a], regex: '(b).*b(.*)ba(.*)', target_label: d, replacement: '$1$2$2$3'}",
            r#"{a="boobam", b="bar", c="baz", d="boooom"}"#,
        ),
        (
            "- {source_labels: [a], regex: '.*o.*', action: drop}\n- {source_labels: [a], target_label: d}",
            "dropped by 0",
        ),
        ("- {source_labels: [a], regex: no-match, action: keep}", "dropped by 0"),
        ("- {source_labels: [a], regex: 'f.*', action: keep}", r#"{a="foo", b="bar", c="baz"}"#),
        ("- {source_labels: [a], regex: no-match, target_label: d}", r#"{a="foo", b="bar", c="baz"}"#),
        (
            "- {source_labels: [a], regex: f, target_label: b, replacement: bar}",
            r#"{a="foo", b="bar", c="baz"}"#,
        ),
        ("- {target_label: a, replacement: ''}", r#"{b="bar", c="baz"}"#),
        (
            "- {source_labels: [a], regex: 'f(.*)', target_label: '${1}', replacement: x}",
            r#"{a="foo", b="bar", c="baz", oo="x"}"#,
        ),
        (
            "- {source_labels: [c], target_label: d, separator: ';', action: hashmod, modulus: 1000}",
            r#"{a="foo", b="bar", c="baz", d="976"}"#,
        ),
        (
            "- {regex: '(b.*)', action: labelmap, replacement: 'bar_$1'}",
            r#"{a="foo", b="bar", bar_b="bar", c="baz"}"#,
        ),
        ("- {regex: '(b|c)', action: labeldrop}", r#"{a="foo"}"#),
        ("- {regex: '(b|c)', action: labelkeep}", r#"{b="bar", c="baz"}"#),
        (
            "- {source_labels: [a], action: uppercase, target_label: d}\n\
             - {source_labels: [d], action: lowercase, target_label: e}",
            r#"{a="foo", b="bar", c="baz", d="FOO", e="foo"}"#,
        ),
        ("- {source_labels: [a], action: keepequal, target_label: b}", "dropped by 0"),
        ("- {source_labels: [a], action: dropequal, target_label: b}", r#"{a="foo", b="bar", c="baz"}"#),
        ("- {source_labels: [a], action: dropequal, target_label: a}", "dropped by 0"),
        ("- {source_labels: [a], target_label: d, replacement: '$2'}", r#"{a="foo", b="bar", c="baz"}"#),
        (
            "- {target_label: d, replacement: x}\n- {action: drop, source_labels: [d], regex: x}",
            "dropped by 1",
        ),
        (
            "- {source_labels: [a, zz], separator: '', target_label: d}",
            r#"{a="foo", b="bar", c="baz", d="foo"}"#,
        ),
    ] {
        check(yaml, expected);
    }
}

#[test]
fn faulty_rules_are_refused_with_upstream_texts() {
    for (yaml, expected) in [
        (
            "- {action: hashmod, target_label: x}",
            "relabel configuration for hashmod requires non-zero modulus",
        ),
        ("- {source_labels: [a]}", "relabel configuration for replace action requires 'target_label' value"),
        ("- {action: lowercase, source_labels: [a]}", "lowercase action requires 'target_label' value"),
        (
            "- {action: uppercase, target_label: x, replacement: y}",
            "'replacement' can not be set for uppercase action",
        ),
        (
            "- {action: keepequal, target_label: x, regex: y}",
            "keepequal action requires only 'source_labels' and `target_label`, and no other fields",
        ),
        (
            "- {action: labeldrop, regex: y, target_label: x}",
            "labeldrop action requires only 'regex', and no other fields",
        ),
        ("- {action: labelmap, replacement: ''}", "\"\" is invalid 'replacement' for labelmap action"),
        ("- {action: kep}", "unknown relabel action \"kep\""),
        ("- {target_label: x, regex: '('}", "error parsing regexp: missing closing )"),
        ("- {target_label: x, source_labels: ['']}", "\"\" is not a valid label name"),
        ("- {target_lable: x}", "field target_lable not found in type relabel.plain"),
        ("-", "empty or null rule"),
    ] {
        let errors = parse(yaml).expect_err(yaml);
        assert!(errors.iter().any(|e| e.message.contains(expected)), "{yaml}: {}", errors[0]);
        assert!(errors.iter().all(|e| e.line >= 2), "{yaml}");
    }
}

#[test]
fn plain_names_are_enforced_under_the_legacy_scheme() {
    let bad = "- {target_label: 'a.b', replacement: x}";
    assert!(parse(bad).is_ok());
    let errors = parse_as(bad, ValidationScheme::Legacy).expect_err("not a plain name");
    assert_eq!(errors[0].message, "\"a.b\" is invalid 'target_label' for replace action");
    assert!(parse_as("- {target_label: 'a_${1}', replacement: x}", ValidationScheme::Legacy).is_ok());
    let configs =
        parse_as("- {source_labels: [a], target_label: '$1', replacement: x}", ValidationScheme::Legacy)
            .expect("valid");
    let mut builder = LabelsBuilder::new(&Labels::from_pairs([("a", "x.y")]));
    assert!(process(&configs, &mut builder));
    assert_eq!(builder.labels(), Labels::from_pairs([("a", "x.y")]));
}
