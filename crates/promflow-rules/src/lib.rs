//! The rule loop: groups of recording and alerting rules, evaluated in their order at their interval.
//!
//! A [`Group`] is evaluated by [`Group::eval`] at a time that the caller names: it queries, appends what it computes,
//! marks series that ended as stale, and moves alerts through inactive, pending and firing. Nothing in it reads a
//! clock, so that tests and backtests drive it as the [`Manager`] does. The manager runs groups on a few threads,
//! each group at its own offset within the interval, and keeps alert state across a reload.
//!
//! Rejected: a task per group on an asynchronous runtime. An evaluation is pure computation; a pool of threads bounds
//! how many run at once, and a slow group delays itself alone.

mod alerting;
mod context;
mod group;
mod manager;
mod metrics;
mod recording;
mod rule;
mod series;
mod snapshot;
mod templates;

pub use alerting::{ActiveAlert, AlertState};
pub use context::RuleContext;
pub use group::Group;
pub use manager::{GroupDefaults, Manager, ManagerOptions};
pub use metrics::RuleMetrics;
pub use rule::Health;
pub use snapshot::{GroupSnapshot, RuleSnapshot};
pub use templates::template_errors;
