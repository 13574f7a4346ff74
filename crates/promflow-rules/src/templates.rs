//! Templates of rule files, checked when they are read.

use promflow_config::{ConfigError, RuleFile, RuleKind, RuleText};
use promflow_template::Template;

/// Returns every template of a rule file that does not parse, at its place.
pub fn template_errors(file: &RuleFile) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    for group in &file.groups {
        for rule in group.rules.iter().filter(|rule| rule.kind == RuleKind::Alerting) {
            let name = format!("__alert_{}", rule.name);
            for (what, texts) in [("label", &rule.labels), ("annotation", &rule.annotations)] {
                errors.extend(texts.iter().filter_map(|text| template_error(&name, what, text)));
            }
        }
    }
    errors
}

fn template_error(template: &str, what: &str, text: &RuleText) -> Option<ConfigError> {
    let error = Template::parse(template, &text.value.text).err()?;
    let place = text.value.position_at(error.span().start);
    Some(ConfigError {
        file: place.file.to_string(),
        line: place.line,
        column: place.column,
        message: format!("{what} {:?}: {}", text.name, error.detail()),
        snippet: text.value.text.lines().next().map(str::to_owned),
        hint: None,
    })
}

#[cfg(test)]
mod tests {
    use promflow_config::ValidationScheme;

    use super::*;

    #[test]
    fn a_template_that_does_not_parse_is_named_with_its_place() {
        let text = "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up == 0\n    annotations:\n      d: 'x {{ $labels.job | nothere }}'\n";
        let file = RuleFile::parse("a.yml", text, ValidationScheme::Utf8).expect("the YAML is fine");
        let errors = template_errors(&file);
        assert_eq!(errors.len(), 1);
        assert_eq!((errors[0].line, errors[0].file.as_str()), (7, "a.yml"));
        assert!(errors[0].message.contains("nothere"), "{}", errors[0]);
    }
}
