//! Which values the code gives a label, where it gives none but literal ones.

use std::collections::{BTreeMap, BTreeSet};

use super::resolve::Resolver;
use super::value::Value;
use super::{Call, FileFindings};
use crate::Definition;

/// How many values are still a list that somebody thought of.
const VALUES_MAX: usize = 50;

/// Notes the values of labels of metrics whose variable is used for nothing but calls of `labels`.
pub(super) fn note_values(
    resolver: &Resolver<'_>,
    files: &[FileFindings],
    definitions: &mut [(Definition, Option<String>)],
) {
    let mut named: BTreeMap<String, usize> = BTreeMap::new();
    for (_, variable) in definitions.iter() {
        *named.entry(variable.clone().unwrap_or_default()).or_default() += 1;
    }
    for (definition, variable) in definitions.iter_mut() {
        let Some(variable) = variable.as_ref().filter(|variable| named.get(*variable) == Some(&1)) else {
            continue;
        };
        let Some(labels) = definition.labels.clone().filter(|labels| !labels.is_empty()) else { continue };
        let is_only_labelled = files.iter().all(|file| !file.other_uses.contains_key(variable));
        let uses: Vec<(usize, &Call)> = files
            .iter()
            .enumerate()
            .flat_map(|(index, file)| file.label_uses.iter().map(move |call| (index, call)))
            .filter(|(_, call)| call.name == *variable)
            .collect();
        if !is_only_labelled || uses.is_empty() {
            continue;
        }
        for (place, label) in labels.iter().enumerate() {
            let values: Option<BTreeSet<String>> = uses
                .iter()
                .map(|(file, call)| {
                    let keyword = call.keywords.iter().find(|(own, _)| own == label).map(|(_, value)| value);
                    let value = keyword.or_else(|| call.args.get(place))?;
                    // A parameter may be anything, whatever else has its name.
                    let is_local =
                        matches!(value, Value::Name(name) if files[*file].is_local(call.scope, name));
                    if is_local { None } else { resolver.text(*file, value, &[]) }
                })
                .collect();
            if let Some(values) = values.filter(|values| values.len() <= VALUES_MAX) {
                definition.label_values.insert(label.clone(), values.into_iter().collect());
            }
        }
    }
}
