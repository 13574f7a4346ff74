//! Service discovery: what is to be scraped, from the configuration and from target files, and what relabelling
//! makes of it.
//!
//! The problem: targets come and go in files while jobs run, a file may be half written or wrong at any moment, and a
//! reader of `/targets` wants to see why a target is missing.
//!
//! The model: [`Discovery`] gives a job's groups as the latest value of a channel. File discovery watches the folders
//! of its files (a swapped symbolic link changes the folder alone), and reads all files anew at its refresh interval,
//! so that a missed event costs minutes and never a target. A file that cannot be read keeps the groups it had.
//! [`targets_of`] turns groups into targets by relabelling, and keeps what was dropped.
//!
//! Rejected: events that add and remove single targets. Whoever misses one is wrong for ever.

mod discovery;
mod file;
mod metrics;
mod target;

pub use discovery::Discovery;
pub use metrics::DiscoveryMetrics;
pub use target::{JobTargets, Target, targets_of};
