//! Rules, and what they read.

use std::collections::BTreeMap;

use promflow_config::{Rule, RuleGroup, RuleKind};

use super::Builder;
use crate::graph::{Details, Edge, Node, NodeKind, RuleFacts, State};
use crate::live::LiveRule;
use crate::reads::{self, Read};

/// A rule and its node.
pub(super) struct RuleView<'a> {
    pub(super) rule: &'a Rule,
    pub(super) id: String,
    /// The rule's labels with those of its group.
    pub(super) labels: BTreeMap<String, String>,
    /// How often its group is evaluated, when the group says so.
    pub(super) interval_ms: Option<i64>,
    /// What the server says about it.
    pub(super) live: Option<&'a LiveRule>,
}

impl<'a> Builder<'a> {
    /// Adds a node for each rule.
    pub(super) fn add_rules(&mut self) {
        for file in self.inputs.rule_files {
            for group in &file.groups {
                for rule in &group.rules {
                    self.add_rule(group, rule);
                }
            }
        }
    }

    fn add_rule(&mut self, group: &'a RuleGroup, rule: &'a Rule) {
        let kind = match rule.kind {
            RuleKind::Recording => NodeKind::Recording,
            RuleKind::Alerting => NodeKind::Alert,
        };
        let id = self.unique(format!("{}:{}", kind.as_str(), rule.name));
        let texts = group.labels.iter().chain(&rule.labels);
        let labels: BTreeMap<String, String> =
            texts.map(|text| (text.name.clone(), text.value.text.clone())).collect();
        let live = self.live_rule(&group.name, &rule.name, &labels);
        let global = self.inputs.config.map(|config| config.global.evaluation_interval_ms);
        let annotations = rule.annotations.iter();
        let facts = RuleFacts {
            expr: rule.expr_source.text.trim().to_owned(),
            interval_ms: group.interval_ms.or(global),
            labels: labels.clone(),
            annotations: annotations.map(|text| (text.name.clone(), text.value.text.clone())).collect(),
            for_ms: rule.for_ms,
            keep_firing_for_ms: rule.keep_firing_for_ms,
            cannot_fire: false,
            alert_state: live.and_then(|live| live.state),
            active: live.filter(|live| live.state.is_some()).map(|live| live.active),
            last_fired_ms: live.and_then(|live| live.last_fired_ms),
            healthy: live.and_then(|live| live.healthy),
            last_error: live.and_then(|live| live.last_error.clone()),
            evaluation_seconds: live.and_then(|live| live.evaluation_seconds),
        };
        let (file, line) = self.place(&rule.position);
        self.push(Node {
            id: id.clone(),
            kind,
            name: rule.name.clone(),
            file,
            line,
            group: Some(group.name.clone()),
            details: Details::Rule(Box::new(facts)),
        });
        if kind == NodeKind::Recording {
            self.recordings.entry(rule.name.clone()).or_default().push(self.rules.len());
        }
        self.rules.push(RuleView { rule, id, labels, interval_ms: group.interval_ms, live });
    }

    fn live_rule(&self, group: &str, name: &str, labels: &BTreeMap<String, String>) -> Option<&'a LiveRule> {
        let of_name = |rule: &&LiveRule| rule.group == group && rule.name == name;
        let rules = &self.live()?.rules;
        let exact = rules.iter().filter(of_name).find(|rule| &rule.labels == labels);
        exact.or_else(|| rules.iter().find(of_name))
    }

    /// Adds the edges into each rule.
    pub(super) fn add_reads(&mut self) {
        for reader in 0..self.rules.len() {
            let id = self.rules[reader].id.clone();
            let for_ms = self.rules[reader].rule.for_ms;
            for read in reads::reads(&self.rules[reader].rule.expr) {
                let edges = self.read_edges(&id, &read, for_ms);
                self.graph.edges.extend(edges);
            }
        }
    }

    /// Returns the edges of one selector into its reader.
    pub(super) fn read_edges(&mut self, reader: &str, read: &Read, for_ms: i64) -> Vec<Edge> {
        let mut edges = self.judge(reader, read);
        for edge in &mut edges {
            edge.via.clone_from(&read.via);
            edge.function.clone_from(&read.function);
        }
        // A rule that reads what it wrote before is no step of the way.
        edges.retain(|edge| edge.from != edge.to);
        self.judge_for(&mut edges, read, for_ms);
        edges
    }

    /// Returns an edge from a recording rule to one that reads it.
    pub(super) fn recording_edge(&self, source: usize, reader: &str, read: &Read) -> Edge {
        let rule = &self.rules[source];
        let mut edge = Edge::new(rule.id.clone(), reader);
        edge.metrics = vec![rule.rule.name.clone()];
        if let Some(fault) = self.recording_fault(source, read) {
            fault.apply(&mut edge);
            return edge;
        }
        match rule.live {
            Some(LiveRule { healthy: Some(true), .. }) => edge.state = State::Alive,
            Some(LiveRule { healthy: Some(false), last_error, .. }) => {
                edge.state = State::Stale;
                let error = last_error.as_deref().unwrap_or("the last evaluation failed");
                edge.reason = Some(format!("`{}` is not recorded: {error}", rule.rule.name));
            }
            _ => {}
        }
        edge
    }
}
