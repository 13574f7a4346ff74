//! Relabelling: rules that change, keep or drop a label set.

pub(crate) mod read;

use md5::{Digest, Md5};
use promflow_model::LabelsBuilder;
use promflow_regex::Regex;

use crate::{Position, ValidationScheme};

const DEFAULT_SEPARATOR: &str = ";";
const DEFAULT_REGEX: &str = "(.*)";
const DEFAULT_REPLACEMENT: &str = "$1";

/// One relabelling rule.
#[derive(Clone, Debug, PartialEq)]
pub struct RelabelConfig {
    /// The labels whose values, joined, are looked at.
    pub source_labels: Vec<String>,
    /// What joins them.
    pub separator: String,
    /// What the joined values, or for some actions the label names, have to match as a whole.
    pub regex: Regex,
    /// The number of buckets of `hashmod`.
    pub modulus: u64,
    /// The label that is written; may hold `$1`.
    pub target_label: String,
    /// What is written; may hold `$1`.
    pub replacement: String,
    /// What is done.
    pub action: RelabelAction,
    /// Which names may be written.
    pub name_validation_scheme: ValidationScheme,
    /// Where the rule is defined.
    pub position: Position,
}

/// What a relabelling rule does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RelabelAction {
    /// Writes the expanded replacement where the regex matches.
    #[default]
    Replace,
    /// Drops what does not match.
    Keep,
    /// Drops what matches.
    Drop,
    /// Drops what does not have the value of the target label.
    KeepEqual,
    /// Drops what has the value of the target label.
    DropEqual,
    /// Writes a hash of the joined values, modulo `modulus`.
    HashMod,
    /// Copies labels whose names match.
    LabelMap,
    /// Removes labels whose names match.
    LabelDrop,
    /// Removes labels whose names do not match.
    LabelKeep,
    /// Writes the joined values in lower case.
    Lowercase,
    /// Writes the joined values in upper case.
    Uppercase,
}

impl RelabelAction {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Replace,
        Self::Keep,
        Self::Drop,
        Self::KeepEqual,
        Self::DropEqual,
        Self::HashMod,
        Self::LabelMap,
        Self::LabelDrop,
        Self::LabelKeep,
        Self::Lowercase,
        Self::Uppercase,
    ];

    /// Returns the action as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Keep => "keep",
            Self::Drop => "drop",
            Self::KeepEqual => "keepequal",
            Self::DropEqual => "dropequal",
            Self::HashMod => "hashmod",
            Self::LabelMap => "labelmap",
            Self::LabelDrop => "labeldrop",
            Self::LabelKeep => "labelkeep",
            Self::Lowercase => "lowercase",
            Self::Uppercase => "uppercase",
        }
    }
}

/// Applies the rules in order and says whether the label set is kept.
///
/// Source: Prometheus model/relabel ProcessBuilder.
pub fn process(configs: &[RelabelConfig], builder: &mut LabelsBuilder) -> bool {
    dropped_by(configs, builder).is_none()
}

/// Applies the rules in order and returns the index of the one that drops the label set, `None` when it is kept.
pub fn dropped_by(configs: &[RelabelConfig], builder: &mut LabelsBuilder) -> Option<usize> {
    configs.iter().position(|config| !apply(config, builder))
}

/// Applies one rule and says whether the label set is kept.
pub fn apply(config: &RelabelConfig, builder: &mut LabelsBuilder) -> bool {
    let target = &config.target_label;
    let value = joined(config, builder);
    match config.action {
        RelabelAction::Drop => return !config.regex.is_match(&value),
        RelabelAction::Keep => return config.regex.is_match(&value),
        RelabelAction::DropEqual => return builder.get(target) != value,
        RelabelAction::KeepEqual => return builder.get(target) == value,
        RelabelAction::Replace => replace(config, &value, builder),
        RelabelAction::Lowercase => {
            builder.set(target, &value.to_lowercase());
        }
        RelabelAction::Uppercase => {
            builder.set(target, &value.to_uppercase());
        }
        RelabelAction::HashMod => {
            let digest = Md5::digest(value.as_bytes());
            let tail = digest.iter().skip(8).fold(0u64, |hash, byte| hash << 8 | u64::from(*byte));
            builder.set(target, &(tail % config.modulus.max(1)).to_string());
        }
        RelabelAction::LabelMap => {
            let renamed: Vec<(String, String)> = builder
                .iter()
                .filter(|(name, _)| config.regex.is_match(name))
                .map(|(name, value)| (config.regex.replace_all(name, &config.replacement), value.to_owned()))
                .collect();
            for (name, value) in renamed {
                builder.set(&name, &value);
            }
        }
        RelabelAction::LabelDrop => {
            builder.retain(|name, _| !config.regex.is_match(name));
        }
        RelabelAction::LabelKeep => {
            builder.retain(|name, _| config.regex.is_match(name));
        }
    }
    true
}

fn joined(config: &RelabelConfig, builder: &LabelsBuilder) -> String {
    let mut value = String::new();
    for (i, name) in config.source_labels.iter().enumerate() {
        if i > 0 {
            value.push_str(&config.separator);
        }
        value.push_str(builder.get(name));
    }
    value
}

fn replace(config: &RelabelConfig, value: &str, builder: &mut LabelsBuilder) {
    let Some(captures) = config.regex.captures(value) else { return };
    let expand = |template: &str| {
        let mut out = String::new();
        config.regex.expand(template, &captures, &mut out);
        out
    };
    let target = expand(&config.target_label);
    if config.name_validation_scheme.is_label_name(&target) {
        builder.set(&target, &expand(&config.replacement));
    }
}

#[cfg(test)]
mod tests;
