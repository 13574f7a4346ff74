//! Which nodes are folded together, step by step: first what nobody reads, last what is wrong.

use super::{Facts, Tone, tone};
use crate::graph::{DefinitionFacts, Details, Existence, Node, NodeKind};

/// The last step.
pub(super) const LEVEL_MAX: usize = 8;

impl Facts<'_> {
    /// Returns the id of the fold that a node belongs to at a step, `None` when it is drawn on its own.
    pub(super) fn fold(&self, node: &Node, level: usize) -> Option<String> {
        let group = node.group.as_deref().unwrap_or("");
        let is_notable = self.notable.contains(node.id.as_str());
        if is_notable && level < 7 {
            return None;
        }
        match &node.details {
            Details::Definition(facts) => self.fold_definition(node, facts, level),
            Details::Rule(_) if node.kind == NodeKind::Recording && level >= 2 => match level {
                2..=4 => Some(format!("fold:recordings/{group}")),
                5 => Some(format!("fold:recordings/{}", node.file.as_deref().unwrap_or(""))),
                _ => Some("fold:recordings".to_owned()),
            },
            Details::Rule(_) if node.kind == NodeKind::Alert && level >= 4 => match level {
                4 => Some(format!("fold:alerts/{group}")),
                5..=7 => Some(format!("fold:alerts/{}{}", node.file.as_deref().unwrap_or(""), mark(node))),
                _ => Some(format!("fold:alerts{}", mark(node))),
            },
            Details::Library { .. } if level >= 6 => Some("fold:libraries".to_owned()),
            Details::Exporter { .. } if level >= 6 => Some("fold:exporters".to_owned()),
            Details::Endpoint { .. } if level >= 6 => Some("fold:endpoints".to_owned()),
            Details::Job(_) if level >= 6 => Some(format!("fold:jobs{}", mark(node))),
            Details::Route(_) if level >= 8 => Some("fold:routes".to_owned()),
            _ => None,
        }
    }

    fn fold_definition(&self, node: &Node, facts: &DefinitionFacts, level: usize) -> Option<String> {
        match facts.existence {
            Existence::Code if level >= 6 => Some("fold:metrics".to_owned()),
            Existence::Code if level >= 3 => Some(format!("fold:metrics/{}", facts.package)),
            Existence::Code if level >= 1 && !self.read.contains(node.name.as_str()) => {
                Some(format!("fold:unread/{}", facts.package))
            }
            Existence::Nowhere | Existence::Unjudged if level >= 6 => Some("fold:names".to_owned()),
            Existence::Nowhere | Existence::Unjudged if level >= 3 => {
                let prefix = node.name.split(['_', ':']).next().unwrap_or("");
                Some(format!("fold:names/{prefix}"))
            }
            Existence::Wildcard if level >= 3 => Some("fold:wildcards".to_owned()),
            _ => None,
        }
    }
}

/// Keeps what is wrong apart from what is fine.
fn mark(node: &Node) -> &'static str {
    match tone(node) {
        Tone::Bad => "!",
        Tone::Warning => "?",
        _ => "",
    }
}
