//! `alertmanager.yml`: which receiver gets which alert.

mod matcher;
mod read;

use promflow_model::{Labels, Matcher};

use crate::Position;

pub use matcher::parse_matchers;

/// The contents of `alertmanager.yml`, as far as the way of an alert needs them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertmanagerFile {
    /// The file's path as it was given.
    pub path: String,
    /// The root of the routing tree.
    pub route: Route,
    /// The receivers, in the file's order.
    pub receivers: Vec<Receiver>,
    /// Rules that silence alerts while others fire.
    pub inhibit_rules: Vec<InhibitRule>,
    /// The names of the time intervals.
    pub time_intervals: Vec<TimeInterval>,
    /// Paths of notification templates, with `*`.
    pub templates: Vec<String>,
}

/// A node of the routing tree; what it does not set it has from its parent.
///
/// Units: milliseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Route {
    /// The receiver's name.
    pub receiver: String,
    /// What an alert has to match; of `match`, `match_re` and `matchers` together.
    pub matchers: Vec<Matcher>,
    /// Labels by which alerts are put into one notification, sorted.
    pub group_by: Vec<String>,
    /// Whether every label counts (`group_by: ['...']`).
    pub group_by_all: bool,
    /// How long a new group waits.
    pub group_wait_ms: i64,
    /// How long before a group with changes is sent again.
    pub group_interval_ms: i64,
    /// How long before a group without changes is sent again.
    pub repeat_interval_ms: i64,
    /// Whether alerts that match go on to the next sibling.
    pub continues: bool,
    /// The names of the time intervals during which nothing is sent.
    pub mute_time_intervals: Vec<String>,
    /// The names of the time intervals outside which nothing is sent.
    pub active_time_intervals: Vec<String>,
    /// The children.
    pub routes: Vec<Route>,
    /// Where the route is defined.
    pub position: Position,
}

/// A receiver.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Receiver {
    /// The name.
    pub name: String,
    /// Its channels; none for a receiver that swallows alerts.
    pub integrations: Vec<Integration>,
    /// Where the receiver is defined.
    pub position: Position,
}

/// One channel of a receiver.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Integration {
    /// The kind: `webhook`, `email`, `slack`, ...
    pub kind: String,
    /// Whether it is told of resolved alerts.
    pub send_resolved: bool,
    /// Where the channel is defined.
    pub position: Position,
}

/// A rule that silences target alerts while a source alert fires.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InhibitRule {
    /// What a source alert has to match.
    pub source_matchers: Vec<Matcher>,
    /// What a target alert has to match.
    pub target_matchers: Vec<Matcher>,
    /// Labels that both must have with equal values.
    pub equal: Vec<String>,
    /// Where the rule is defined.
    pub position: Position,
}

/// A named time interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimeInterval {
    /// The name.
    pub name: String,
    /// Where the interval is defined.
    pub position: Position,
}

impl Route {
    /// Walks the tree as Alertmanager does and returns the routes that an alert takes, none when the route itself does
    /// not match.
    ///
    /// Source: Alertmanager dispatch.Route.Match.
    pub fn matches(&self, labels: &Labels) -> Vec<&Route> {
        if !self.matchers.iter().all(|matcher| matcher.matches(labels.get(&matcher.name))) {
            return Vec::new();
        }
        let mut taken = Vec::new();
        for child in &self.routes {
            let below = child.matches(labels);
            let stops = !below.is_empty() && !child.continues;
            taken.extend(below);
            if stops {
                break;
            }
        }
        if taken.is_empty() {
            taken.push(self);
        }
        taken
    }
}

impl AlertmanagerFile {
    /// Returns the receiver of this name.
    pub fn receiver(&self, name: &str) -> Option<&Receiver> {
        self.receivers.iter().find(|receiver| receiver.name == name)
    }
}

#[cfg(test)]
mod tests;
