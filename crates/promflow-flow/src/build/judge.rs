//! Where the metric of a selector comes from, and whether it can: the state of each edge into a rule.

use std::collections::BTreeSet;

use promflow_model::{BUCKET_LABEL, MatchOp, Matcher, MetricType, QUANTILE_LABEL, duration, float};
use promflow_source::Definition;

use super::Builder;
use super::live::Seen;
use crate::catalogue::{SeriesOf, has_suffix, likely_family, series_names};
use crate::exporters;
use crate::graph::{DefinitionFacts, Details, Edge, Existence, Node, NodeKind, State};
use crate::nearest::{distance, in_words, nearest};
use crate::reads::Read;

/// What speaks against an edge.
pub(super) struct Fault {
    state: State,
    reason: String,
    nearest: Option<String>,
}

impl Fault {
    fn new(state: State, reason: String) -> Self {
        Self { state, reason, nearest: None }
    }

    pub(super) fn near(state: State, reason: String, nearest: Option<String>) -> Self {
        Self { state, reason, nearest }
    }

    pub(super) fn apply(self, edge: &mut Edge) {
        (edge.state, edge.reason, edge.nearest) = (self.state, Some(self.reason), self.nearest);
    }
}

impl<'a> Builder<'a> {
    /// Returns the edges that carry a selector's metric to a rule; at least one.
    pub(super) fn judge(&mut self, reader: &str, read: &Read) -> Vec<Edge> {
        let Some(name) = read.name.clone().filter(|_| read.name_matchers.is_empty()) else {
            return self.wildcard(reader, read);
        };
        if matches!(name.as_str(), "ALERTS" | "ALERTS_FOR_STATE") {
            return self.alert_edges(reader, read, &name);
        }
        let recordings = self.recordings.get(&name).cloned().unwrap_or_default();
        let mut edges: Vec<Edge> =
            recordings.into_iter().map(|source| self.recording_edge(source, reader, read)).collect();
        // Rules that record the same name with other labels are not what a selector means that fits one of them.
        if edges.iter().any(|edge| !edge.state.is_broken()) {
            edges.retain(|edge| !edge.state.is_broken());
        }
        if exporters::is_scrape_metric(&name) {
            edges.extend(self.scrape_edges(reader, read, &name));
        }
        edges.extend(self.definition_edges(reader, read, &name));
        if edges.is_empty() {
            edges.extend(self.foreign_edges(reader, read, &name));
        }
        if edges.is_empty() {
            edges.push(self.nowhere_edge(reader, read, &name));
        }
        edges
    }

    fn edge_to(&self, from: &str, reader: &str, family: &str) -> Edge {
        let mut edge = Edge::new(from, reader);
        edge.metrics = vec![family.to_owned()];
        edge
    }

    fn alert_edges(&mut self, reader: &str, read: &Read, name: &str) -> Vec<Edge> {
        let alerts = self.rules.iter().filter(|rule| rule.rule.kind == promflow_config::RuleKind::Alerting);
        let wanted: Vec<&Matcher> =
            read.matchers.iter().filter(|m| m.name == promflow_model::ALERT_NAME).collect();
        let matching = alerts.clone().filter(|alert| wanted.iter().all(|m| m.matches(&alert.rule.name)));
        let mut edges: Vec<Edge> = matching.map(|alert| self.edge_to(&alert.id, reader, name)).collect();
        if edges.is_empty() {
            let asked = wanted.first().map_or(String::new(), |m| m.value.clone());
            let near = nearest(&asked, alerts.map(|alert| alert.rule.name.as_str())).map(str::to_owned);
            let mut edge = self.ghost(reader, name, Existence::Nowhere);
            let reason = match &near {
                Some(near) => format!("no alert is called `{asked}`; `{near}` is near"),
                None => format!("no alert is called `{asked}`"),
            };
            Fault { state: State::Mismatch, reason, nearest: near }.apply(&mut edge);
            edges.push(edge);
        }
        edges
    }

    fn scrape_edges(&self, reader: &str, read: &Read, name: &str) -> Vec<Edge> {
        let all: Vec<usize> = (0..self.jobs.len()).collect();
        let (jobs, fault) = self.narrow(&all, read, name);
        let mut edges: Vec<Edge> = jobs
            .into_iter()
            .map(|job| {
                let mut edge = self.edge_to(&self.jobs[job].id, reader, name);
                let up = self.live().map(|live| live.up(&self.jobs[job].config.job_name));
                match up {
                    Some((_, 0)) | None => {}
                    Some(_) => edge.state = State::Alive,
                }
                edge
            })
            .collect();
        if let Some(fault) = fault {
            // One reason is enough: the first edge carries it, and the alert is not tied to jobs it does not mean.
            edges.truncate(1);
            edges.iter_mut().for_each(|edge| fault.clone_to(edge));
        }
        edges
    }

    /// Keeps the jobs that a selector's conditions on `job` mean; all of them with a fault when it means none.
    fn narrow(&self, jobs: &[usize], read: &Read, name: &str) -> (Vec<usize>, Option<Fault>) {
        let meant: Vec<usize> =
            jobs.iter().copied().filter(|job| self.jobs[*job].matches(&read.matchers)).collect();
        let Some(matcher) = read.matchers.iter().find(|m| m.name == "job").filter(|_| meant.is_empty())
        else {
            return (meant, None);
        };
        let names = || jobs.iter().map(|job| self.jobs[*job].config.job_name.as_str());
        let everywhere = || self.jobs.iter().map(|job| job.config.job_name.as_str());
        let near = Some(&matcher.value).filter(|_| matcher.op == MatchOp::Equal);
        let near = near.and_then(|value| nearest(value, names()).or_else(|| nearest(value, everywhere())));
        let reason = if everywhere().any(|job| matcher.matches(job)) {
            let from: Vec<String> = names().map(|job| format!("`{job}`")).collect();
            format!("`{name}` comes from job {}, not from one with {matcher}", from.join(", "))
        } else {
            format!(
                "no job has {matcher}{}",
                near.map_or(String::new(), |near| format!("; `{near}` is near"))
            )
        };
        let fault = Fault { nearest: near.map(str::to_owned), ..Fault::new(State::Mismatch, reason) };
        (jobs.to_vec(), Some(fault))
    }

    fn definition_edges(&self, reader: &str, read: &Read, name: &str) -> Vec<Edge> {
        let Some(series) = self.catalogue.series(name) else { return Vec::new() };
        let exposing: Vec<usize> =
            (0..self.jobs.len()).filter(|job| self.jobs[*job].families.contains_key(series.family)).collect();
        if exposing.is_empty() {
            return self.unscraped_edges(reader, &series);
        }
        let (jobs, fault) = self.narrow(&exposing, read, name);
        if fault.is_some() && self.has_other_source(read, name) {
            return Vec::new();
        }
        let edges = jobs.into_iter().map(|job| {
            let mut edge = self.edge_to(&self.jobs[job].id, reader, series.family);
            match (&fault, self.fault(job, &series, read, name)) {
                (Some(fault), _) => fault.clone_to(&mut edge),
                (None, Some(fault)) => fault.apply(&mut edge),
                (None, None) => self.enliven(&mut edge, job, &[name.to_owned()]),
            }
            edge
        });
        edges.collect()
    }

    /// Says whether a selector names a job whose code is not known, which may well have the metric.
    fn has_other_source(&self, read: &Read, name: &str) -> bool {
        self.jobs.iter().any(|job| {
            let may_expose = job.exporter.is_none_or(|exporter| exporter.exposes(name));
            job.families.is_empty() && may_expose && job.matches(&read.matchers)
        })
    }

    fn enliven(&self, edge: &mut Edge, job: usize, series: &[String]) {
        if let Some(seen) = self.seen(job, series) {
            (edge.state, edge.reason) = (seen.state, seen.reason);
            edge.samples_per_second = seen.samples_per_second;
        }
    }

    fn unscraped_edges(&self, reader: &str, series: &SeriesOf<'_>) -> Vec<Edge> {
        let packages: BTreeSet<&str> =
            series.definitions.iter().map(|at| self.catalogue.definition(*at).package.as_str()).collect();
        let edges = packages.into_iter().filter_map(|package| {
            let mut edge = self.edge_to(self.unscraped.get(package)?, reader, series.family);
            (edge.state, edge.reason) = self.unscraped_state(package);
            Some(edge)
        });
        edges.collect()
    }

    /// Returns what keeps a selector from ever finding the series of a job; nothing when one definition fits.
    fn fault(&self, job: usize, series: &SeriesOf<'_>, read: &Read, name: &str) -> Option<Fault> {
        if let Some(place) = self.jobs[job].series_dropper(name) {
            let place = self.inputs.relative(&place);
            return Some(Fault::new(State::Dropped, format!("relabelling at {place} drops `{name}`")));
        }
        let places = &self.jobs[job].families[series.family];
        let mut faults = places.iter().map(|at| {
            let definition = self.catalogue.definition(*at);
            type_fault(definition, series, name)
                .or_else(|| self.label_fault(job, definition, read))
                .or_else(|| value_fault(definition, read))
                .or_else(|| bucket_fault(definition, read))
                .or_else(|| self.range_fault(job, read))
        });
        let first = faults.next()?;
        if faults.any(|fault| fault.is_none()) { None } else { first }
    }

    fn label_fault(&self, job: usize, definition: &Definition, read: &Read) -> Option<Fault> {
        let job = &self.jobs[job];
        let labels = self.labels_of(job, definition);
        for matcher in read.matchers.iter().filter(|m| !m.matches_empty()) {
            let own = definition.labels.as_ref().is_some_and(|labels| labels.contains(&matcher.name));
            if let Some(place) = job.label_dropper(&matcher.name).filter(|_| own) {
                let place = self.inputs.relative(&place);
                let reason = format!(
                    "relabelling at {place} removes the label `{}` from `{}`",
                    matcher.name, definition.name
                );
                return Some(Fault::new(State::Mismatch, reason));
            }
            let Some(labels) = &labels else { continue };
            if labels.contains(&matcher.name) {
                continue;
            }
            let has: Vec<String> =
                definition.labels.iter().flatten().map(|label| format!("`{label}`")).collect();
            let has =
                if has.is_empty() { "it has none".to_owned() } else { format!("it has {}", has.join(", ")) };
            let reason = format!("`{}` has no label `{}`; {has}", definition.name, matcher.name);
            let near = nearest(&matcher.name, labels.iter().map(String::as_str)).map(str::to_owned);
            return Some(Fault { nearest: near, ..Fault::new(State::Mismatch, reason) });
        }
        None
    }

    /// Returns all labels that the series of a definition can have in a job, `None` when they cannot be told.
    pub(super) fn labels_of(
        &self,
        job: &super::JobView<'_>,
        definition: &Definition,
    ) -> Option<BTreeSet<String>> {
        let mut labels = job.target_labels()?;
        labels.extend(definition.labels.as_ref()?.iter().cloned());
        match definition.kind {
            MetricType::Histogram | MetricType::GaugeHistogram => {
                labels.insert(BUCKET_LABEL.to_owned());
            }
            MetricType::Summary => {
                labels.insert(QUANTILE_LABEL.to_owned());
            }
            MetricType::StateSet => {
                labels.insert(definition.name.clone());
            }
            MetricType::Unknown => return None,
            _ => {}
        }
        Some(labels)
    }

    fn range_fault(&self, job: usize, read: &Read) -> Option<Fault> {
        let (range_ms, interval_ms) = (read.rate_range_ms?, self.jobs[job].config.scrape_interval_ms);
        if range_ms >= 2 * interval_ms {
            return None;
        }
        let (range, interval) = (duration::format(range_ms), duration::format(interval_ms));
        let name = &self.jobs[job].config.job_name;
        let reason = format!(
            "{range} are too short: job `{name}` writes every {interval}, and two samples are needed"
        );
        Some(Fault::new(State::Stale, reason))
    }

    /// Returns edges from jobs whose code is not here: exporters by their prefix, others because nothing speaks against it.
    fn foreign_edges(&mut self, reader: &str, read: &Read, name: &str) -> Vec<Edge> {
        let family = likely_family(name);
        let by_page: Vec<usize> = (0..self.jobs.len())
            .filter(|job| {
                let page = self.live().and_then(|live| live.metrics.get(&self.jobs[*job].config.job_name));
                page.is_some_and(|page| page.contains_key(name))
            })
            .collect();
        // A name that is only a slip away from one of ours is taken for a slip, whatever else might have it.
        let slip = self.near_name(name).is_some_and(|near| distance(&near, name) <= 2);
        let jobs_where = |fits: &dyn Fn(&super::JobView<'_>) -> bool| -> Vec<usize> {
            (0..self.jobs.len()).filter(|job| !slip && fits(&self.jobs[*job])).collect()
        };
        let linking = jobs_where(&|job| job.linked.iter().any(|library| library.exposes(name)));
        let owners = jobs_where(&|job| job.exporter.is_some_and(|exporter| exporter.exposes(name)));
        let all = jobs_where(&|_| exporters::is_runtime_metric(name));
        // Nor is it taken for a stranger's when it is that of a known program, unless the job is named after it.
        let product = exporters::product_of(name);
        let may_expose = |job: &super::JobView<'_>| {
            product.is_none_or(|product| {
                exporters::of_job(&job.config.job_name, &[])
                    .is_some_and(|exporter| exporter.product == product)
            })
        };
        let opaque = jobs_where(&|job| job.families.is_empty() && job.exporter.is_none() && may_expose(job));
        let Some(jobs) = [by_page, linking, owners, all, opaque].into_iter().find(|jobs| !jobs.is_empty())
        else {
            return Vec::new();
        };
        let (jobs, fault) = self.narrow(&jobs, read, name);
        let mut edges = Vec::new();
        for job in jobs {
            let mut edge = self.edge_to(&self.jobs[job].id, reader, family);
            match (&fault, self.jobs[job].series_dropper(name), self.range_fault(job, read)) {
                (Some(fault), ..) => fault.clone_to(&mut edge),
                (None, Some(place), _) => {
                    let place = self.inputs.relative(&place);
                    Fault::new(State::Dropped, format!("relabelling at {place} drops `{name}`"))
                        .apply(&mut edge);
                }
                (None, None, Some(fault)) => fault.apply(&mut edge),
                (None, None, None) => self.judge_foreign(&mut edge, job, name),
            }
            if !edge.state.is_broken() {
                self.foreign.entry(job).or_default().insert(family.to_owned());
            }
            edges.push(edge);
        }
        edges
    }

    /// Judges a metric whose code is not here by the server's word alone.
    fn judge_foreign(&self, edge: &mut Edge, job: usize, name: &str) {
        let view = &self.jobs[job];
        let page = self.live().and_then(|live| live.metrics.get(&view.config.job_name));
        match (self.seen(job, &[name.to_owned()]), page) {
            (Some(seen), Some(page)) if self.is_absent(job, &seen) => {
                let near = nearest(name, page.keys().map(String::as_str));
                let reason = match near {
                    Some(near) => {
                        format!("no page of job `{}` shows `{name}`; `{near}` is near", view.config.job_name)
                    }
                    None => format!("no page of job `{}` shows `{name}`", view.config.job_name),
                };
                let near = near.map(str::to_owned);
                Fault { state: State::NeverSeen, reason, nearest: near }.apply(edge);
            }
            (Some(_), _) => self.enliven(edge, job, &[name.to_owned()]),
            (None, _) => {
                let library = view.linked.iter().find(|library| library.exposes(name));
                let whose = match (view.exporter, &view.config.source_dir) {
                    _ if let Some(library) = library => {
                        format!("it comes from the library `{}`, whose code is not here", library.package)
                    }
                    (Some(exporter), _) => format!("metrics of {} have no code here", exporter.product),
                    (None, Some(dir)) => format!("no definitions were found in `{dir}`"),
                    (None, None) => format!("the code behind job `{}` is not known", view.config.job_name),
                };
                Fault::new(State::Unknown, format!("{whose}, and {}", self.unheard(job))).apply(edge);
            }
        }
    }

    /// Says whether a page that shows everything does not show a metric.
    fn is_absent(&self, job: usize, seen: &Seen) -> bool {
        let view = &self.jobs[job];
        let is_captured = self.live().is_some_and(|live| live.captured.contains(&view.config.job_name));
        seen.state == State::Defined && seen.reason.is_some() && (view.exporter.is_some() || is_captured)
    }

    fn nowhere_edge(&mut self, reader: &str, read: &Read, name: &str) -> Edge {
        let unjudged = self.inputs.source.is_none_or(|scan| scan.files == 0)
            && self.jobs.is_empty()
            && self.live().is_none();
        let existence = if unjudged { Existence::Unjudged } else { Existence::Nowhere };
        let mut edge = self.ghost(reader, name, existence);
        edge.metrics = vec![likely_family(name).to_owned()];
        if unjudged {
            Fault::new(State::Unknown, "neither code nor configuration to judge by".to_owned())
                .apply(&mut edge);
            return edge;
        }
        let near = self.near_name(name);
        let reason = match &near {
            Some(near) => {
                let place = self.catalogue.series(near).map(|series| {
                    let definition = self.catalogue.definition(series.definitions[0]);
                    format!(" in `{}:{}`", definition.file, definition.line)
                });
                let words = in_words(distance(near, name));
                format!("`{name}` is defined nowhere; `{near}`{} is {words}", place.unwrap_or_default())
            }
            None => match exporters::product_of(name) {
                Some(product) => format!("`{name}` is a metric of {product}, which no job scrapes"),
                None => format!("`{name}` is defined nowhere"),
            },
        };
        // A name that only a job selector could explain is as wrong as the job.
        let reason = match read.matchers.iter().find(|m| m.name == "job") {
            Some(matcher) if !self.jobs.iter().any(|job| job.matches(&read.matchers)) => {
                format!("{reason}, and no job has {matcher}")
            }
            _ => reason,
        };
        Fault { state: State::NeverSeen, reason, nearest: near }.apply(&mut edge);
        edge
    }

    /// Returns the known name that a name is nearest to.
    fn near_name(&self, name: &str) -> Option<String> {
        let names = self.names.get_or_init(|| self.known_names());
        nearest(name, names.iter().map(String::as_str)).map(str::to_owned)
    }

    /// Returns the names of all series that are known: recorded, made by scrapes, defined, or seen live.
    fn known_names(&self) -> BTreeSet<String> {
        let mut names: BTreeSet<String> = self.recordings.keys().cloned().collect();
        names.extend(exporters::scrape_metrics().map(str::to_owned));
        for family in self.catalogue.families() {
            let series = self.catalogue.series(family);
            let kind =
                series.map_or(MetricType::Unknown, |s| self.catalogue.definition(s.definitions[0]).kind);
            names.extend(series_names(family, kind));
        }
        let pages = self.live().into_iter().flat_map(|live| live.metrics.values());
        names.extend(pages.flat_map(|page| page.keys().cloned()));
        names
    }

    /// Adds a node that stands for no line of code, and returns the edge from it.
    pub(super) fn ghost(&mut self, reader: &str, name: &str, existence: Existence) -> Edge {
        let prefix = if existence == Existence::Wildcard { "wildcard" } else { "missing" };
        let id = format!("{prefix}:{name}");
        if !self.ids.contains_key(&id) {
            let id = self.unique(id.clone());
            self.push(Node {
                id,
                kind: NodeKind::Definition,
                name: name.to_owned(),
                file: None,
                line: None,
                group: None,
                details: Details::Definition(DefinitionFacts { existence, ..DefinitionFacts::default() }),
            });
        }
        Edge::new(id, reader)
    }
}

impl Fault {
    fn clone_to(&self, edge: &mut Edge) {
        let Self { state, reason, nearest } = self;
        Self { state: *state, reason: reason.clone(), nearest: nearest.clone() }.apply(edge);
    }
}

fn type_fault(definition: &Definition, series: &SeriesOf<'_>, name: &str) -> Option<Fault> {
    if has_suffix(definition.kind, series.suffix) {
        return None;
    }
    let kind = definition.kind.as_str();
    let names = series_names(series.family, definition.kind);
    let shown: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let reason =
        format!("`{}` is a {kind}, so there is no `{name}`, but {}", series.family, shown.join(", "));
    Some(Fault { nearest: names.into_iter().next(), ..Fault::new(State::Mismatch, reason) })
}

/// Speaks against a value that the code never gives a label, when it gives it but a few.
fn value_fault(definition: &Definition, read: &Read) -> Option<Fault> {
    for matcher in read.matchers.iter().filter(|matcher| !matcher.matches_empty()) {
        let Some(values) = definition.label_values.get(&matcher.name) else { continue };
        if values.iter().any(|value| matcher.matches(value)) {
            continue;
        }
        let known: Vec<String> = values.iter().map(|value| format!("\"{value}\"")).collect();
        let reason = format!(
            "the code never sets `{}` of `{}` to what {matcher} asks for; it has {}",
            matcher.name,
            definition.name,
            known.join(", ")
        );
        let near = Some(&matcher.value).filter(|_| matcher.op == MatchOp::Equal);
        let near = near.and_then(|value| nearest(value, values.iter().map(String::as_str)));
        return Some(Fault { nearest: near.map(str::to_owned), ..Fault::new(State::Mismatch, reason) });
    }
    None
}

pub(super) fn bucket_fault(definition: &Definition, read: &Read) -> Option<Fault> {
    let buckets = definition.buckets.as_ref()?;
    let top = buckets.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if let Some(above) = read.quantile_above.filter(|above| *above >= top) {
        let (top, above) = (float::format_g(top), float::format_g(above));
        let reason = format!(
            "the highest bucket of `{}` is {top}, which no quantile exceeds, so it never comes above {above}",
            definition.name
        );
        return Some(Fault { nearest: Some(top), ..Fault::new(State::Mismatch, reason) });
    }
    let matcher = read.matchers.iter().find(|m| m.name == BUCKET_LABEL && m.op == MatchOp::Equal)?;
    let bound = float::parse(&matcher.value)?;
    if bound.is_infinite() || buckets.contains(&bound) {
        return None;
    }
    let near = buckets.iter().copied().min_by(|a, b| (a - bound).abs().total_cmp(&(b - bound).abs()));
    let near = near.map(float::format_g);
    let reason = match &near {
        Some(near) => format!("`{}` has no bucket {}; the nearest is {near}", definition.name, matcher.value),
        None => format!("`{}` has no bucket {}", definition.name, matcher.value),
    };
    Some(Fault { nearest: near, ..Fault::new(State::Mismatch, reason) })
}
