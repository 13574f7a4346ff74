//! One file per command.

pub(crate) mod cardinality;
pub(crate) mod check;
#[cfg(feature = "demo")]
pub(crate) mod fault;
pub(crate) mod flow;
mod flow_diff;
mod flow_files;
pub(crate) mod prune;
pub(crate) mod query;
pub(crate) mod serve;
