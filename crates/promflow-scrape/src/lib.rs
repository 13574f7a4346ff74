//! The scrape loop: fetch, parse, relabel, append.
//!
//! The problem: thousands of targets each send the same page of text every few seconds, with other numbers. A target
//! may also send half a page, garbage, or a page without end, and the rest must go on.
//!
//! The model: one [`ScrapeManager`] has a pool per job, a pool has a task per target, and a task owns a cache from the
//! bytes of a series on the page to its label set and its number in the store. A steady page is parsed and appended
//! without allocating for a sample. Time comes in through [`Clock`](promflow_model::Clock).
//!
//! Rejected: a fixed number of workers that take targets from a queue. A slow target would then delay those behind
//! it, and the cache would move between threads.

mod append;
mod buffers;
mod cache;
mod job;
mod labels;
mod manager;
mod metrics;
mod pool;
mod report;
mod run;
mod scrape;
mod target;

#[cfg(test)]
mod tests;

pub use job::DEFAULT_BODY_SIZE_LIMIT_BYTES;
pub use manager::{ActiveTarget, DroppedTarget, ScrapeManager, ScrapeOptions, TargetsSnapshot};
pub use target::TargetHealth;
