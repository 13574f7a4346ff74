//! From files to the graph.

mod boards;
mod code;
mod delivery;
mod exposure;
mod jobs;
mod judge;
mod live;
mod meet;
mod rules;
#[cfg(test)]
mod tests;
mod through;
mod wildcard;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use promflow_config::alertmanager::AlertmanagerFile;
use promflow_config::{Config, Position, RuleFile, ScrapeConfig, TargetGroup};
use promflow_source::{Definition, Scan};

use crate::catalogue::Catalogue;
use crate::dashboards::Dashboard;
use crate::graph::{Edge, Graph, Node};
use crate::live::LiveState;
use jobs::JobView;
use rules::RuleView;

/// What a graph is built from; everything may be missing.
#[derive(Clone, Default)]
pub struct FlowInputs<'a> {
    /// `prometheus.yml`, for its Alertmanagers and external labels.
    pub config: Option<&'a Config>,
    /// All jobs.
    pub jobs: &'a [ScrapeConfig],
    /// The target groups that a job has from files, by job.
    pub targets: BTreeMap<String, Vec<TargetGroup>>,
    /// The rule files.
    pub rule_files: &'a [RuleFile],
    /// Grafana's dashboards.
    pub dashboards: &'a [Dashboard],
    /// `alertmanager.yml`.
    pub alertmanager: Option<&'a AlertmanagerFile>,
    /// What the source code defines.
    pub source: Option<&'a Scan>,
    /// What a server said.
    pub live: Option<&'a LiveState>,
    /// The directory that file names are relative to in the graph.
    pub root: Option<&'a Path>,
    /// The directory that the file names of the inputs are relative to.
    pub base: Option<&'a Path>,
    /// What could not be read.
    pub problems: Vec<String>,
}

/// Builds the graph; the same inputs give the same graph.
pub fn build(inputs: &FlowInputs<'_>) -> Graph {
    let no_definitions: &[Definition] = &[];
    let definitions = inputs.source.map_or(no_definitions, |scan| &scan.definitions);
    let mut builder = Builder {
        inputs,
        catalogue: Catalogue::new(definitions),
        graph: Graph { problems: inputs.problems.clone(), ..Graph::default() },
        ids: BTreeMap::new(),
        definition_ids: Vec::new(),
        unscraped: BTreeMap::new(),
        jobs: Vec::new(),
        rules: Vec::new(),
        recordings: BTreeMap::new(),
        foreign: BTreeMap::new(),
        names: OnceCell::new(),
    };
    if let Some(scan) = inputs.source {
        builder.graph.problems.extend(scan.problems.iter().map(ToString::to_string));
    }
    builder.add_jobs();
    builder.add_definitions();
    builder.add_rules();
    builder.add_reads();
    builder.add_dashboards();
    builder.add_exposure();
    builder.add_delivery();
    builder.graph.settle();
    crate::questions::mark(&mut builder.graph);
    builder.graph
}

/// A graph in the making.
struct Builder<'a> {
    inputs: &'a FlowInputs<'a>,
    catalogue: Catalogue<'a>,
    graph: Graph,
    /// How often an id was asked for.
    ids: BTreeMap<String, usize>,
    /// The ids of the definition nodes, by the definition's place.
    definition_ids: Vec<String>,
    /// The endpoints of packages that no job scrapes, by package.
    unscraped: BTreeMap<String, String>,
    jobs: Vec<JobView<'a>>,
    rules: Vec<RuleView<'a>>,
    /// The places of the recording rules among `rules`, by the name they record.
    recordings: BTreeMap<String, Vec<usize>>,
    /// Families that are read from a job whose code is not known, by the job's place.
    foreign: BTreeMap<usize, BTreeSet<String>>,
    /// The names of all series that are known.
    names: OnceCell<BTreeSet<String>>,
}

impl<'a> Builder<'a> {
    /// Returns an id that no other node has.
    fn unique(&mut self, id: String) -> String {
        let count = self.ids.entry(id.clone()).or_insert(0);
        *count += 1;
        if *count == 1 { id } else { format!("{id}#{count}") }
    }

    fn push(&mut self, node: Node) {
        self.graph.nodes.push(node);
    }

    fn link(&mut self, edge: Edge) {
        self.graph.edges.push(edge);
    }

    fn live(&self) -> Option<&'a LiveState> {
        self.inputs.live
    }

    /// Returns a place's file, relative to the root, and its line.
    fn place(&self, position: &Position) -> (Option<String>, Option<u32>) {
        if position.file.is_empty() {
            return (None, None);
        }
        let line = Some(position.line).filter(|line| *line > 0);
        (Some(self.inputs.relative(&position.file)), line)
    }
}

impl FlowInputs<'_> {
    /// Returns an input's file name relative to the root, with `/` between its parts.
    fn relative(&self, path: &str) -> String {
        let given = Path::new(path);
        let whole = self.base.map_or_else(|| given.to_owned(), |base| base.join(given));
        let inside = self.root.and_then(|root| whole.strip_prefix(root).ok()).unwrap_or(given);
        let parts = inside.components().filter(|part| !matches!(part, Component::CurDir));
        let parts: Vec<_> = parts.map(|part| part.as_os_str().to_string_lossy()).collect();
        match parts.split_first() {
            Some((first, rest)) if first == "/" => format!("/{}", rest.join("/")),
            _ => parts.join("/"),
        }
    }
}
