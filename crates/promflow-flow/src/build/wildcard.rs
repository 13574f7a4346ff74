//! Selectors that can mean many metrics.

use std::collections::{BTreeMap, BTreeSet};

use super::Builder;
use crate::catalogue::series_names;
use crate::graph::{Edge, Existence, State};
use crate::reads::Read;

impl Builder<'_> {
    /// Ties a rule to a node that stands for all that its selector can mean, and that node to what it means here.
    pub(super) fn wildcard(&mut self, reader: &str, read: &Read) -> Vec<Edge> {
        let fits = |series: &str| read.name_matchers.iter().all(|matcher| matcher.matches(series));
        let mut by_source: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for job in self.jobs.iter().filter(|job| job.matches(&read.matchers)) {
            for (family, places) in &job.families {
                let kind = self.catalogue.definition(places[0]).kind;
                if series_names(family, kind).iter().any(|series| fits(series)) {
                    by_source.entry(job.id.clone()).or_default().insert((*family).to_owned());
                }
            }
            let page = self.live().and_then(|live| live.metrics.get(&job.config.job_name));
            for series in page.into_iter().flat_map(BTreeMap::keys).filter(|series| fits(series)) {
                let family = self.catalogue.series(series).map_or(series.as_str(), |series| series.family);
                by_source.entry(job.id.clone()).or_default().insert(family.to_owned());
            }
        }
        for (name, rules) in &self.recordings {
            // A rule may select what it records itself; that is no step of the way.
            let others = rules.iter().filter(|rule| self.rules[**rule].id != reader && fits(name));
            for rule in others {
                by_source.entry(self.rules[*rule].id.clone()).or_default().insert(name.clone());
            }
        }
        let names: BTreeSet<String> = by_source.values().flatten().cloned().collect();
        let mut out = self.ghost(reader, &read.via, Existence::Wildcard);
        out.state = State::Undecidable;
        out.reason = Some(match names.len() {
            0 => "can mean any metric; none of those known here".to_owned(),
            1 => "can mean 1 metric known here".to_owned(),
            n => format!("can mean {n} metrics known here"),
        });
        out.metrics = names.into_iter().collect();
        let mut edges = Vec::new();
        // A recording that reads the wildcard stands behind it; going back into it would make a circle.
        for (source, metrics) in by_source.into_iter().filter(|(source, _)| source != reader) {
            let mut edge = Edge::new(source, out.from.clone());
            edge.metrics = metrics.into_iter().collect();
            (edge.state, edge.reason) = (State::Undecidable, out.reason.clone());
            edges.push(edge);
        }
        edges.push(out);
        edges
    }
}
