//! The way of an alert: routes as Alertmanager walks them, receivers, runbooks.

use std::collections::BTreeSet;

use promflow_config::RuleKind;
use promflow_config::alertmanager::Route;
use promflow_model::{ALERT_NAME, Matcher};
use promflow_syntax::ast::VectorSelector;

use super::Builder;
use super::rules::RuleView;
use crate::graph::{AlertState, Details, Edge, Node, NodeKind, ReceiverFacts, RouteFacts, State};
use crate::shape::{self, LabelValue, Shape};

/// A route that an alert takes.
struct Taken<'a> {
    /// The place of each route on the way among its siblings.
    path: Vec<usize>,
    route: &'a Route,
    /// The label that decides whether it is taken, when that cannot be told.
    doubt: Option<String>,
}

impl<'a> Builder<'a> {
    /// Adds routes, receivers and runbooks, and the way of each alert to them.
    pub(super) fn add_delivery(&mut self) {
        self.add_runbooks();
        let Some(file) = self.inputs.alertmanager else {
            self.add_alertmanagers();
            return;
        };
        for receiver in &file.receivers {
            let live = self.live().and_then(|live| live.receivers.get(&receiver.name));
            let mut channels: Vec<String> = receiver.integrations.iter().map(|i| i.kind.clone()).collect();
            channels.dedup();
            let facts = ReceiverFacts {
                channels,
                last_sent_ms: live.and_then(|live| live.last_sent_ms),
                sent: live.map(|live| live.sent),
                failed: live.map(|live| live.failed),
            };
            let (file, line) = self.place(&receiver.position);
            self.push(Node {
                id: format!("receiver:{}", receiver.name),
                kind: NodeKind::Receiver,
                name: receiver.name.clone(),
                file,
                line,
                group: None,
                details: Details::Receiver(facts),
            });
        }
        self.add_routes(&file.route, &[], &[]);
        for alert in 0..self.rules.len() {
            if self.rules[alert].rule.kind == RuleKind::Alerting {
                self.deliver(alert, &file.route);
            }
        }
    }

    fn add_routes(&mut self, route: &Route, path: &[usize], above: &[String]) {
        let mut matchers = above.to_vec();
        matchers.extend(route.matchers.iter().map(ToString::to_string));
        let own: Vec<String> = route.matchers.iter().map(ToString::to_string).collect();
        let name = if own.is_empty() { "default route".to_owned() } else { own.join(", ") };
        let (file, line) = self.place(&route.position);
        let facts = RouteFacts {
            matchers: matchers.clone(),
            receiver: route.receiver.clone(),
            group_by: if route.group_by_all { vec!["...".to_owned()] } else { route.group_by.clone() },
            group_wait_ms: route.group_wait_ms,
            repeat_interval_ms: route.repeat_interval_ms,
            mute_time_intervals: route.mute_time_intervals.clone(),
            continues: route.continues,
        };
        self.push(Node {
            id: route_id(path),
            kind: NodeKind::Route,
            name,
            file,
            line,
            group: None,
            details: Details::Route(facts),
        });
        self.link(Edge::new(route_id(path), format!("receiver:{}", route.receiver)));
        for (place, child) in route.routes.iter().enumerate() {
            self.add_routes(child, &[path, &[place]].concat(), &matchers);
        }
    }

    /// Ties an alert to the routes it takes and these to their receivers.
    fn deliver(&mut self, alert: usize, root: &Route) {
        let shape = self.alert_shape(&self.rules[alert]);
        let mut taken = Vec::new();
        walk(root, &shape, &mut Vec::new(), None, &mut taken);
        let (id, name) = (self.rules[alert].id.clone(), self.rules[alert].rule.name.clone());
        let fires = self.rules[alert].live.is_some_and(|live| live.state == Some(AlertState::Firing));
        for Taken { path, route, doubt } in taken {
            let mut edge = Edge::new(id.clone(), route_id(&path));
            edge.via = route.matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            edge.alerts = vec![name.clone()];
            if let Some(label) = doubt {
                edge.state = State::Undecidable;
                edge.reason = Some(format!("depends on the label `{label}` of the series that fires"));
            } else if fires {
                edge.state = State::Alive;
            }
            let state = edge.state;
            self.link(edge);
            self.receive(&route_id(&path), &route.receiver, &name, state);
        }
    }

    /// Ties a route to its receiver; one edge for all alerts that go over it.
    fn receive(&mut self, route: &str, receiver: &str, alert: &str, state: State) {
        let to = format!("receiver:{receiver}");
        let at = self.graph.edges.iter().position(|edge| edge.from == route && edge.to == to);
        let Some(at) = at else { return };
        let facts = self.graph.nodes.iter().find_map(|node| match &node.details {
            Details::Receiver(facts) if node.name == receiver => Some(facts),
            _ => None,
        });
        let failing = facts.is_some_and(|facts| facts.failed.unwrap_or(0) > 0 && facts.sent == facts.failed);
        let edge = &mut self.graph.edges[at];
        if let Err(place) = edge.alerts.binary_search_by(|other| other.as_str().cmp(alert)) {
            edge.alerts.insert(place, alert.to_owned());
        }
        if failing {
            edge.state = State::Stale;
            edge.reason = Some(format!("every notification to `{receiver}` failed"));
        } else if state == State::Alive {
            edge.state = State::Alive;
        }
    }

    /// Returns what is known of the labels of an alert as Alertmanager sees it.
    fn alert_shape(&self, alert: &RuleView<'_>) -> Shape {
        let labels_of = |selector: &VectorSelector| self.closed_labels(selector);
        let mut shape = shape::shape(&alert.rule.expr, &labels_of);
        for (name, value) in &alert.labels {
            shape.set(name, Some(value.as_str()).filter(|value| !value.contains("{{")));
        }
        shape.set(ALERT_NAME, Some(&alert.rule.name));
        let Some(config) = self.inputs.config else { return shape };
        for (name, value) in config.global.external_labels.iter() {
            if shape.label(name) == LabelValue::Absent {
                shape.set(name, Some(value));
            }
        }
        // Relabelling may change anything it names.
        for rule in &config.alerting.alert_relabel_configs {
            shape.set(&rule.target_label, None);
        }
        shape
    }

    /// Returns the labels that a selector's series can have, when all of them come from code that is known.
    pub(super) fn closed_labels(&self, selector: &VectorSelector) -> Option<BTreeSet<String>> {
        let series = self.catalogue.series(selector.metric_name())?;
        let mut labels = BTreeSet::new();
        let matchers: Vec<Matcher> = selector.matchers.iter().filter(|m| m.name == "job").cloned().collect();
        let exposing = self.jobs.iter().filter(|job| job.matches(&matchers));
        let mut known = false;
        for job in exposing {
            for at in job.families.get(series.family).into_iter().flatten() {
                labels.extend(self.labels_of(job, self.catalogue.definition(*at))?);
                known = true;
            }
        }
        known.then_some(labels)
    }

    fn add_runbooks(&mut self) {
        for alert in 0..self.rules.len() {
            let rule = &self.rules[alert];
            let is_runbook = |name: &str| matches!(name, "runbook_url" | "runbook");
            let Some(text) = rule.rule.annotations.iter().find(|text| is_runbook(&text.name)) else {
                continue;
            };
            let url = text.value.text.trim().to_owned();
            if url.is_empty() || url.contains("{{") {
                continue;
            }
            let (from, name) = (rule.id.clone(), rule.rule.name.clone());
            let id = format!("runbook:{url}");
            let last = url.rsplit('/').find(|part| !part.is_empty()).unwrap_or(&url).to_owned();
            self.push(Node {
                id: id.clone(),
                kind: NodeKind::Runbook,
                name: last,
                file: None,
                line: None,
                group: None,
                details: Details::Runbook { url },
            });
            let mut edge = Edge::new(from, id);
            edge.alerts = vec![name];
            self.link(edge);
        }
    }

    /// Adds a receiver for each Alertmanager when its own configuration is not known.
    fn add_alertmanagers(&mut self) {
        let Some(config) = self.inputs.config else { return };
        let groups = config.alerting.alertmanagers.iter().flat_map(|a| &a.static_configs);
        let addresses: BTreeSet<String> =
            groups.flat_map(|group| group.targets.iter().map(|t| t.get("__address__").to_owned())).collect();
        let alerts: Vec<(String, String)> = self
            .rules
            .iter()
            .filter(|rule| rule.rule.kind == RuleKind::Alerting)
            .map(|rule| (rule.id.clone(), rule.rule.name.clone()))
            .collect();
        for address in addresses {
            let id = format!("receiver:{address}");
            self.push(Node {
                id: id.clone(),
                kind: NodeKind::Receiver,
                name: address,
                file: None,
                line: None,
                group: None,
                details: Details::Receiver(ReceiverFacts {
                    channels: vec!["alertmanager".to_owned()],
                    ..ReceiverFacts::default()
                }),
            });
            for (from, name) in &alerts {
                let mut edge = Edge::new(from.clone(), id.clone());
                edge.alerts = vec![name.clone()];
                self.link(edge);
            }
        }
    }
}

fn route_id(path: &[usize]) -> String {
    let parts: Vec<String> = path.iter().map(ToString::to_string).collect();
    format!("route:/{}", parts.join("/"))
}

/// Walks the tree as Alertmanager does; where a label decides that is not known, both ways are taken.
///
/// Source: Alertmanager dispatch.Route.Match.
fn walk<'r>(
    route: &'r Route,
    shape: &Shape,
    path: &mut Vec<usize>,
    doubt: Option<String>,
    taken: &mut Vec<Taken<'r>>,
) {
    let mut is_taken_below = false;
    for (place, child) in route.routes.iter().enumerate() {
        let Ok(own_doubt) = matches(&child.matchers, shape) else { continue };
        let certain = own_doubt.is_none();
        path.push(place);
        walk(child, shape, path, doubt.clone().or(own_doubt), taken);
        path.pop();
        is_taken_below |= certain;
        if certain && !child.continues {
            break;
        }
    }
    if !is_taken_below {
        let doubt = doubt.or_else(|| {
            // It is taken for certain only if no child may take the alert.
            let mut doubts =
                route.routes.iter().filter_map(|child| matches(&child.matchers, shape).ok().flatten());
            doubts.next()
        });
        taken.push(Taken { path: path.clone(), route, doubt });
    }
}

/// Says whether an alert matches: `Err` for no, a label when that label decides.
fn matches(matchers: &[Matcher], shape: &Shape) -> Result<Option<String>, ()> {
    let mut doubt = None;
    for matcher in matchers {
        let fits = match shape.label(&matcher.name) {
            LabelValue::Known(value) => matcher.matches(&value),
            LabelValue::Absent => matcher.matches_empty(),
            LabelValue::Any => {
                doubt.get_or_insert_with(|| matcher.name.clone());
                true
            }
        };
        if !fits {
            return Err(());
        }
    }
    Ok(doubt)
}
