//! One file per command.

#[cfg(feature = "demo")]
pub(crate) mod fault;
pub(crate) mod flow;
pub(crate) mod query;
pub(crate) mod serve;
