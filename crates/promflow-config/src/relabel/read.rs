//! Reads relabelling rules.

use promflow_model::quote::quote;
use promflow_regex::{Error, ErrorKind, Regex};

use super::{DEFAULT_REGEX, DEFAULT_REPLACEMENT, DEFAULT_SEPARATOR, RelabelAction, RelabelConfig};
use crate::ValidationScheme;
use crate::node::{Node, NodeKind};
use crate::reader::{Fields, Reader};

/// The target labels that may hold variables where names are plain ASCII.
const LEGACY_TARGET: &str = r"(?:(?:[a-zA-Z_]|\$(?:\{\w+\}|\w+))+\w*)+";

/// Reads a list of relabelling rules; `null_message` is said of an empty item.
pub(crate) fn read_list(
    fields: &mut Fields<'_, '_>,
    name: &'static str,
    scheme: ValidationScheme,
    null_message: &str,
) -> Vec<RelabelConfig> {
    let mut configs = Vec::new();
    for item in fields.items(name, "[]*relabel.Config") {
        if matches!(item.kind, NodeKind::Null) {
            fields.reader.error(item.place, null_message);
        } else {
            configs.extend(read(fields.reader, item, scheme));
        }
    }
    configs
}

/// Source: Prometheus model/relabel Config.UnmarshalYAML and Validate.
fn read(reader: &Reader<'_>, node: &Node, scheme: ValidationScheme) -> Option<RelabelConfig> {
    let mut fields = reader.fields(node, "relabel.plain");
    let source_labels = fields.strings("source_labels");
    for (name, place) in &source_labels {
        if !ValidationScheme::Utf8.is_label_name(name) {
            reader.error(*place, format!("{} is not a valid label name", quote(name)));
        }
    }
    let separator = fields.string("separator");
    let pattern = fields.string("regex");
    let regex = Regex::new(pattern.as_deref().unwrap_or(DEFAULT_REGEX))
        .map_err(|err| fields.error("regex", message_of(&err)))
        .ok();
    let action = read_action(&mut fields);
    let config = RelabelConfig {
        source_labels: source_labels.into_iter().map(|(name, _)| name).collect(),
        separator: separator.unwrap_or_else(|| DEFAULT_SEPARATOR.to_owned()),
        modulus: fields.u64("modulus").unwrap_or(0),
        target_label: fields.string_or_empty("target_label"),
        replacement: fields.string("replacement").unwrap_or_else(|| DEFAULT_REPLACEMENT.to_owned()),
        action: action.unwrap_or_default(),
        regex: regex?,
        name_validation_scheme: scheme,
        position: reader.position(node.place),
    };
    if action.is_some()
        && let Err((key, message)) = validate(&config, &fields)
    {
        fields.error(key, message);
    }
    fields.finish();
    Some(config)
}

/// Writes a pattern's error in Go's words, which show the anchors that Prometheus puts around the pattern.
fn message_of(err: &Error) -> String {
    let text = err.to_string();
    match err.kind() {
        ErrorKind::MissingParen | ErrorKind::UnexpectedParen => {
            text.replacen(&format!("`{}`", err.expr()), &format!("`^(?s:{})$`", err.expr()), 1)
        }
        _ => text,
    }
}

fn read_action(fields: &mut Fields<'_, '_>) -> Option<RelabelAction> {
    let Some(text) = fields.string("action") else { return Some(RelabelAction::Replace) };
    let lower = text.to_lowercase();
    let action = RelabelAction::ALL.into_iter().find(|action| action.as_str() == lower);
    if action.is_none() {
        let near = crate::hint::nearest(&lower, RelabelAction::ALL.map(RelabelAction::as_str));
        fields.reader.error_with_hint(
            fields.value_place("action"),
            format!("unknown relabel action {}", quote(&text)),
            near.map(|name| format!("did you mean \"{name}\"?")),
        );
    }
    action
}

fn validate(config: &RelabelConfig, fields: &Fields<'_, '_>) -> Result<(), (&'static str, String)> {
    use RelabelAction::*;
    let action = config.action.as_str();
    let scheme = config.name_validation_scheme;
    let target = &config.target_label;
    let with_variables = |name: &str| match scheme {
        ValidationScheme::Utf8 => scheme.is_label_name(name),
        ValidationScheme::Legacy => Regex::new(LEGACY_TARGET).is_ok_and(|regex| regex.is_match(name)),
    };
    if config.action == HashMod && config.modulus == 0 {
        let message = "relabel configuration for hashmod requires non-zero modulus";
        return Err(("modulus", message.to_owned()));
    }
    let writes = matches!(config.action, Replace | HashMod | Lowercase | Uppercase | KeepEqual | DropEqual);
    if writes && target.is_empty() {
        let message = format!("relabel configuration for {action} action requires 'target_label' value");
        return Err(("target_label", message));
    }
    let target_valid = if config.action == Replace && target.contains('$') {
        with_variables(target)
    } else {
        scheme.is_label_name(target)
    };
    if writes && !target_valid {
        return Err((
            "target_label",
            format!("{} is invalid 'target_label' for {action} action", quote(target)),
        ));
    }
    let default_replacement = config.replacement == DEFAULT_REPLACEMENT;
    if matches!(config.action, Lowercase | Uppercase | KeepEqual | DropEqual) && !default_replacement {
        let only = matches!(config.action, KeepEqual | DropEqual);
        if !only {
            return Err(("replacement", format!("'replacement' can not be set for {action} action")));
        }
    }
    if config.action == LabelMap && !with_variables(&config.replacement) {
        let message = format!("{} is invalid 'replacement' for {action} action", quote(&config.replacement));
        return Err(("replacement", message));
    }
    let default_rest = config.modulus == 0 && config.separator == DEFAULT_SEPARATOR && default_replacement;
    if matches!(config.action, KeepEqual | DropEqual) && (fields.has("regex") || !default_rest) {
        let message =
            format!("{action} action requires only 'source_labels' and `target_label`, and no other fields");
        return Err(("action", message));
    }
    let names_alone = config.source_labels.is_empty() && target.is_empty() && default_rest;
    if matches!(config.action, LabelDrop | LabelKeep) && !names_alone {
        return Err(("action", format!("{action} action requires only 'regex', and no other fields")));
    }
    Ok(())
}
