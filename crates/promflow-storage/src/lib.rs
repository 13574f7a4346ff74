//! The storage traits: what the engine asks of a store, and what feeds it.
//!
//! Scraping and rules append through [`Appender`]; PromQL and the API select through [`Querier`]. Neither side knows
//! which store stands behind: the head, a block, several merged, or the in-memory [`fake`] of the tests.
//!
//! A series hands out its samples in bulk into a [`SampleBuffer`] that the reader owns and reuses. The rejected
//! model, an iterator that yields one sample per virtual call, costs a call and a branch per sample; the engine
//! evaluates series by series over all steps and wants the samples of one series as two contiguous arrays.

mod append;
pub mod fake;
mod select;

pub use append::{AppendError, Appendable, Appender, CommitStats, SeriesRef};
pub use select::{
    Querier, Queryable, SampleBuffer, SelectError, SelectErrorKind, SelectHints, Series, SeriesSet, Warnings,
};
