//! The time series database: chunks and head, in Prometheus's encodings.
//!
//! The problem: hundreds of thousands of series take a sample every few seconds, queries read them meanwhile, and a
//! query must never see half a scrape.
//!
//! The model: a series is a small record in a stripe of 1,024 neighbours that share one lock, because the
//! series of a target are created together and appended to together. Its newest samples are an XOR chunk that is
//! written in place; full chunks are one immutable allocation each, which a reader keeps by counting a reference.
//! Ids rise and are never used again, so postings are sorted by being appended to. Commits and selects take turns
//! (`rooms`): several commits, or several selects, run at once, never both; a select copies the open chunks
//! and decodes everything afterwards, outside.
//!
//! Rejected: a lock, a hash map and an append-id ring per series, as Prometheus has them. They cost several hundred
//! bytes a series and a cache miss each, to let a commit and a select overlap that take a millisecond each.
//!
//! Everything is in memory for now: a restart loses the samples. Chunks never cross a multiple of the chunk range,
//! so that they can become blocks as they are.

mod append;
mod budget;
mod cardinality;
pub mod chunk;
mod head;
mod metadata;
mod postings;
mod rooms;
mod select;
mod series;
mod stripe;

#[cfg(test)]
mod tests;

pub use cardinality::Cardinality;
pub use head::{Head, HeadError, HeadOptions, HeadStats};
