//! Definitions, and the libraries and endpoints that show them.

use std::collections::{BTreeMap, BTreeSet};

use super::Builder;
use crate::graph::{DefinitionFacts, Details, Edge, Existence, Node, NodeKind, State};

impl Builder<'_> {
    /// Adds a node for each definition, and an endpoint for each package that no job scrapes.
    pub(super) fn add_definitions(&mut self) {
        let Some(scan) = self.inputs.source else { return };
        for (index, definition) in scan.definitions.iter().enumerate() {
            let id = self.unique(format!("definition:{}/{}", definition.package, definition.name));
            self.definition_ids.push(id.clone());
            let facts = DefinitionFacts {
                existence: Existence::Code,
                metric_type: definition.kind,
                help: definition.help.clone(),
                labels: definition.labels.clone(),
                buckets: definition.buckets.clone(),
                unit: definition.unit.clone(),
                library: definition.library.as_str().to_owned(),
                package: definition.package.clone(),
                ..self.live_facts(index)
            };
            self.push(Node {
                id,
                kind: NodeKind::Definition,
                name: definition.name.clone(),
                file: Some(definition.file.clone()),
                line: Some(definition.line),
                group: Some(definition.package.clone()).filter(|package| !package.is_empty()),
                details: Details::Definition(facts),
            });
        }
        self.add_unscraped();
    }

    /// Adds what belongs to packages that no job scrapes: each definition must lead somewhere.
    fn add_unscraped(&mut self) {
        let Some(scan) = self.inputs.source else { return };
        let scraped: BTreeSet<usize> =
            self.jobs.iter().flat_map(|job| job.families.values().flatten().copied()).collect();
        let mut loose: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, definition) in scan.definitions.iter().enumerate() {
            if !scraped.contains(&index) {
                loose.entry(&definition.package).or_default().push(index);
            }
        }
        for (package, definitions) in loose {
            let id = self.unique(format!("endpoint:{package}"));
            let name = if package.is_empty() { "code outside of packages" } else { package };
            self.push(Node {
                id: id.clone(),
                kind: NodeKind::Endpoint,
                name: name.to_owned(),
                file: None,
                line: None,
                group: None,
                details: Details::Endpoint {
                    path: String::new(),
                    package: Some(package.to_owned()),
                    met_by: None,
                },
            });
            self.unscraped.insert(package.to_owned(), id.clone());
            for index in definitions {
                let mut edge = Edge::new(self.definition_ids[index].clone(), id.clone());
                edge.metrics = vec![scan.definitions[index].name.clone()];
                (edge.state, edge.reason) = self.unscraped_state(package);
                self.link(edge);
            }
        }
    }

    /// Returns how it stands with metrics of a package that no job scrapes.
    pub(super) fn unscraped_state(&self, package: &str) -> (State, Option<String>) {
        if self.jobs.is_empty() {
            return (State::Defined, None);
        }
        (State::Dropped, Some(format!("no job scrapes `{package}`")))
    }
}
