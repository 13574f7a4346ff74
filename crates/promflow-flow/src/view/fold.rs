//! Which nodes are folded together, step by step: first what nobody reads, last what is wrong.

use super::Facts;
use crate::graph::{DefinitionFacts, Details, Existence, Node, NodeKind};

/// The last step.
pub(super) const LEVEL_MAX: usize = 9;
/// From which step on also what is wrong is folded: not only because a lane is too high.
pub(super) const LEVEL_NOTABLE: usize = 8;

impl Facts<'_> {
    /// Returns the id of the fold that a node belongs to at a step, `None` when it is drawn on its own.
    pub(super) fn fold(&self, node: &Node, level: usize) -> Option<String> {
        let group = node.group.as_deref().unwrap_or("");
        let is_notable = self.notable.contains(node.id.as_str());
        if is_notable && level < LEVEL_NOTABLE {
            return None;
        }
        let mark = if is_notable { "!" } else { "" };
        match &node.details {
            Details::Definition(facts) => self.fold_definition(node, facts, level),
            Details::Rule(_) if node.kind == NodeKind::Recording && level >= 2 => match level {
                2..=4 => Some(format!("fold:recordings/{group}")),
                5 => Some(format!("fold:recordings/{}", node.file.as_deref().unwrap_or(""))),
                _ => Some("fold:recordings".to_owned()),
            },
            Details::Rule(_) if node.kind == NodeKind::Alert && level >= 4 => match level {
                4 => Some(format!("fold:alerts/{group}")),
                5 | 6 => Some(format!("fold:alerts/{}", node.file.as_deref().unwrap_or(""))),
                // At last by who is told, which is what tells alerts apart when there are very many.
                _ => Some(format!("fold:alerts/{}{mark}", self.way(node))),
            },
            Details::Library { .. } if level >= 6 => Some("fold:libraries".to_owned()),
            Details::Exporter { .. } if level >= 6 => Some("fold:exporters".to_owned()),
            Details::Endpoint { .. } if level >= 6 => Some("fold:endpoints".to_owned()),
            Details::Job(_) if level >= 6 => Some(format!("fold:jobs{mark}")),
            Details::Route(_) if level >= LEVEL_MAX => Some("fold:routes".to_owned()),
            _ => None,
        }
    }

    fn fold_definition(&self, node: &Node, facts: &DefinitionFacts, level: usize) -> Option<String> {
        match facts.existence {
            Existence::Code if level >= 6 => Some("fold:metrics".to_owned()),
            Existence::Code if level >= 3 => Some(format!("fold:metrics/{}", facts.package)),
            Existence::Code if level >= 1 && facts.is_unread => {
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

    /// Returns where an alert goes: its routes, or its severity when no route is known.
    fn way(&self, alert: &Node) -> String {
        match (self.routes.get(alert.id.as_str()), &alert.details) {
            (Some(routes), _) => routes.iter().copied().collect::<Vec<_>>().join(" + "),
            (None, Details::Rule(rule)) if !rule.severity().is_empty() => rule.severity().to_owned(),
            _ => "no severity".to_owned(),
        }
    }
}
