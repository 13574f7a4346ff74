//! Dashboards, and what they read.

use std::collections::BTreeSet;

use super::Builder;
use crate::dashboards::is_variable;
use crate::graph::{DashboardFacts, Details, Node, NodeKind};
use crate::reads;

impl Builder<'_> {
    /// Adds a node for each dashboard, with the edges into it.
    pub(super) fn add_dashboards(&mut self) {
        for dashboard in self.inputs.dashboards {
            let file = self.inputs.relative(&dashboard.file);
            let id =
                self.unique(format!("dashboard:{}", dashboard.uid.as_deref().unwrap_or(&dashboard.title)));
            let panels: BTreeSet<&str> = dashboard.queries.iter().map(|query| query.panel.as_str()).collect();
            self.push(Node {
                id: id.clone(),
                kind: NodeKind::Dashboard,
                name: dashboard.title.clone(),
                file: Some(file.clone()),
                line: None,
                group: None,
                details: Details::Dashboard(DashboardFacts {
                    panels: panels.len(),
                    url: dashboard.uid.as_ref().map(|uid| format!("/d/{uid}")),
                }),
            });
            for query in &dashboard.queries {
                let Ok(expr) = promflow_syntax::parse(&query.promql()) else {
                    let problem = format!(
                        "{file}: panel {:?}: cannot read the expression {:?}",
                        query.panel, query.expr
                    );
                    self.graph.problems.push(problem);
                    continue;
                };
                for mut read in reads::reads(&expr) {
                    // What a reader chooses while looking is no condition, and a name chosen so is any name.
                    read.matchers
                        .retain(|matcher| !is_variable(&matcher.value) && !is_variable(&matcher.name));
                    if read.name.as_deref().is_some_and(is_variable)
                        || read.name_matchers.iter().any(|m| is_variable(&m.value))
                    {
                        continue;
                    }
                    read.via = read.via.replace("promflow_variable", "$");
                    let mut edges = self.read_edges(&id, &read, 0);
                    edges
                        .iter_mut()
                        .for_each(|edge| edge.panel = Some(query.panel.clone()).filter(|p| !p.is_empty()));
                    self.graph.edges.extend(edges);
                }
            }
        }
    }
}
