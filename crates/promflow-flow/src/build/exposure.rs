//! The way from the code to the job: libraries, endpoints, exporters, targets.

use std::collections::{BTreeMap, BTreeSet};

use super::Builder;
use crate::catalogue::series_names;
use crate::graph::{Details, Edge, Node, NodeKind, State};

impl Builder<'_> {
    /// Adds what stands between definitions and jobs, once it is known which foreign metrics are read.
    pub(super) fn add_exposure(&mut self) {
        for job in 0..self.jobs.len() {
            if self.jobs[job].packages.is_empty() {
                self.add_foreign_endpoint(job);
            } else {
                self.add_endpoints(job);
            }
        }
    }

    fn endpoint(&mut self, job: usize, name: &str, package: Option<&str>) -> String {
        let view = &self.jobs[job];
        let (path, met_by) = (view.config.metrics_path.clone(), view.met_by);
        let id = match package {
            Some(package) => format!("endpoint:{}/{package}", view.config.job_name),
            None => format!("endpoint:{}", view.config.job_name),
        };
        let settings = package
            .and_then(|package| self.inputs.source?.package(package))
            .and_then(|package| package.settings.iter().find(|s| view.ports.contains(&s.port)));
        let (file, line) = (settings.map(|s| s.file.clone()), settings.map(|s| s.line));
        let id = self.unique(id);
        self.push(Node {
            id: id.clone(),
            kind: NodeKind::Endpoint,
            name: name.to_owned(),
            file,
            line,
            group: None,
            details: Details::Endpoint { path, package: package.map(str::to_owned), met_by },
        });
        id
    }

    /// Adds the endpoints of a job whose code is known, and the way of each definition to them.
    fn add_endpoints(&mut self, job: usize) {
        let Some(scan) = self.inputs.source else { return };
        for package in self.jobs[job].packages.clone() {
            // A program and its workers are one package, and each has an endpoint.
            let is_one_of_many =
                self.jobs.iter().filter(|other| other.packages.contains(&package)).count() > 1;
            let name = match is_one_of_many {
                true => format!("{package} ({})", self.jobs[job].config.job_name),
                false => package.clone(),
            };
            let endpoint = self.endpoint(job, &name, Some(&package));
            let closure = scan.closure(&package);
            let mut libraries: BTreeMap<String, Vec<(usize, String)>> = BTreeMap::new();
            let mut shown = BTreeSet::new();
            let families: Vec<(String, Vec<usize>)> =
                self.jobs[job].families.iter().map(|(name, at)| ((*name).to_owned(), at.clone())).collect();
            for (family, places) in families {
                for at in places {
                    let owner = scan.definitions[at].package.clone();
                    if !owner.is_empty() && !closure.contains(&owner) {
                        continue;
                    }
                    shown.insert(family.clone());
                    if owner == package || owner.is_empty() {
                        let edge = self.definition_edge(job, at, &endpoint);
                        self.link(edge);
                    } else {
                        libraries.entry(owner).or_default().push((at, family.clone()));
                    }
                }
            }
            for (library, members) in libraries {
                self.add_library(job, &library, &members, &endpoint);
            }
            self.add_way_to_job(job, &endpoint, &shown);
        }
    }

    fn definition_edge(&self, job: usize, definition: usize, to: &str) -> Edge {
        let defined = self.catalogue.definition(definition);
        let mut edge = Edge::new(self.definition_ids[definition].clone(), to);
        edge.metrics = vec![defined.name.clone()];
        if let Some(seen) = self.seen(job, &series_names(&defined.name, defined.kind)) {
            (edge.state, edge.reason) = (seen.state, seen.reason);
            edge.samples_per_second = seen.samples_per_second;
        }
        edge
    }

    fn add_library(&mut self, job: usize, library: &str, members: &[(usize, String)], endpoint: &str) {
        let id = format!("library:{library}");
        if !self.ids.contains_key(&id) {
            let id = self.unique(id.clone());
            let dir =
                self.inputs.source.and_then(|scan| scan.package(library)).map(|package| package.dir.clone());
            self.push(Node {
                id,
                kind: NodeKind::Library,
                name: library.to_owned(),
                file: dir.as_ref().map(|dir| {
                    if dir.is_empty() { "Cargo.toml".to_owned() } else { format!("{dir}/Cargo.toml") }
                }),
                line: None,
                group: None,
                details: Details::Library { dir: dir.unwrap_or_default() },
            });
        }
        let mut edge = Edge::new(id.clone(), endpoint);
        for (at, family) in members {
            let mut own = self.definition_edge(job, *at, &id);
            if own.state == State::Alive {
                edge.state = State::Alive;
            }
            // A library serves several jobs: what one of them shows is alive.
            match self.graph.edges.iter_mut().find(|other| other.from == own.from && other.to == own.to) {
                Some(other) if own.state == State::Alive => {
                    let sum = other.samples_per_second.unwrap_or(0.0) + own.samples_per_second.unwrap_or(0.0);
                    own.samples_per_second = Some(sum).filter(|sum| *sum > 0.0);
                    *other = own;
                }
                Some(_) => {}
                None => self.link(own),
            }
            edge.metrics.push(family.clone());
        }
        edge.metrics.sort();
        edge.metrics.dedup();
        self.link(edge);
    }

    /// Adds the endpoint of a job whose code is not here, with the families that somebody reads from it.
    fn add_foreign_endpoint(&mut self, job: usize) {
        let view = &self.jobs[job];
        let name = view.config.job_name.clone();
        let exporter = view.exporter;
        let endpoint = self.endpoint(job, &name, None);
        let families = self.foreign.get(&job).cloned().unwrap_or_default();
        self.add_way_to_job(job, &endpoint, &families);
        let Some(exporter) = exporter else { return };
        let id = self.unique(format!("exporter:{name}"));
        self.push(Node {
            id: id.clone(),
            kind: NodeKind::Exporter,
            name: exporter.product.to_owned(),
            file: None,
            line: None,
            group: None,
            details: Details::Exporter { product: exporter.product.to_owned() },
        });
        let mut edge = Edge::new(id, endpoint);
        edge.metrics = families.into_iter().collect();
        (edge.state, edge.reason) = match self.live().map(|live| live.up(&name)) {
            Some((up, _)) if up > 0 => (State::Alive, None),
            _ => {
                let reason =
                    format!("metrics of {} have no code here, and {}", exporter.product, self.unheard(job));
                (State::Unknown, Some(reason))
            }
        };
        self.link(edge);
    }

    /// Ties an endpoint to a job, through its targets where there are any.
    fn add_way_to_job(&mut self, job: usize, endpoint: &str, families: &BTreeSet<String>) {
        let view = &self.jobs[job];
        let (job_id, job_name) = (view.id.clone(), view.config.job_name.clone());
        let mut kept = Vec::new();
        let mut dropped: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for family in families {
            let kind = view.families.get(family.as_str()).map(|at| self.catalogue.definition(at[0]).kind);
            let mut places =
                series_names(family, kind.unwrap_or_default()).into_iter().map(|s| view.series_dropper(&s));
            match places.next().flatten().filter(|_| places.all(|place| place.is_some())) {
                Some(place) => dropped.entry(place).or_default().push(family.clone()),
                None => kept.push(family.clone()),
            }
        }
        let targets: Vec<String> = self
            .graph
            .nodes
            .iter()
            .filter(|node| node.kind == NodeKind::Target && node.group.as_ref() == Some(&job_name))
            .map(|node| node.id.clone())
            .collect();
        let last: Vec<String> = if targets.is_empty() { vec![endpoint.to_owned()] } else { targets.clone() };
        for target in targets {
            let mut edge = Edge::new(endpoint, target.clone());
            edge.metrics = families.iter().cloned().collect();
            (edge.state, edge.reason) = self.target_state(&target);
            self.link(edge);
        }
        for from in last {
            let mut edge = Edge::new(from.clone(), job_id.clone());
            edge.metrics.clone_from(&kept);
            (edge.state, edge.reason) = self.target_state(&from);
            self.link(edge);
            for (place, metrics) in &dropped {
                let mut edge = Edge::new(from.clone(), job_id.clone());
                edge.metrics.clone_from(metrics);
                edge.state = State::Dropped;
                edge.reason = Some(format!("relabelling at {} drops it", self.inputs.relative(place)));
                self.link(edge);
            }
        }
    }

    fn target_state(&self, id: &str) -> (State, Option<String>) {
        let facts = self.graph.nodes.iter().find(|node| node.id == id).map(|node| &node.details);
        match facts {
            Some(Details::Target(facts)) => match (facts.up, &facts.last_error) {
                (Some(true), _) => (State::Alive, None),
                (Some(false), error) => {
                    let error = error.as_deref().unwrap_or("the last scrape failed");
                    (State::Stale, Some(format!("target is down: {error}")))
                }
                (None, _) => (State::Defined, None),
            },
            _ => (State::Defined, None),
        }
    }
}
