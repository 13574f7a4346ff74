//! The pipeline graph: how a metric travels from the line of code that defines it to whoever is told.
//!
//! The problem: code, scrape configuration, rules and routing are four sets of files that only a running system ties
//! together, and a misspelt name in one of them is silence in the next. The model: all of them become one graph whose
//! edges are selectors with the names that flow over them, so that every way follows one metric; each edge is judged
//! by what is known on both of its ends (definition, labels, buckets, relabelling, a live page). The rejected model, a
//! graph of things that mention each other, answers "what feeds this alert" with everything the job exposes.
//!
//! [`build`] makes the graph out of parsed files, [`paths::build_from_paths`] out of the files themselves; the
//! renderers in [`render`] draw it. The same inputs give the same bytes.

mod build;
pub mod cardinality;
mod catalogue;
mod dashboards;
mod exporters;
pub mod graph;
pub mod layout;
pub mod live;
mod nearest;
pub mod paths;
pub mod questions;
mod reads;
pub mod render;
mod select;
mod shape;
#[cfg(test)]
mod testing;
pub mod view;

pub use build::{FlowInputs, build};
pub use dashboards::{Dashboard, DashboardQuery};
pub use graph::Graph;
pub use live::LiveState;
pub use questions::Lineage;
pub use select::{SelectError, select, select_ids};
