//! One file per command.

pub(crate) mod check;
#[cfg(feature = "demo")]
pub(crate) mod fault;
pub(crate) mod flow;
pub(crate) mod query;
pub(crate) mod serve;
