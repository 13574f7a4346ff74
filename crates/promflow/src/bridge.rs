//! Metrics that other crates count, on the same page.
//!
//! Each bridge is a [`crate::page::Bridge`] behind a feature of its own:
//!
//! | feature | what it shows |
//! |---|---|
//! | `metrics` | what is counted by the macros of the crate `metrics` |
//! | `opentelemetry` | the instruments of an OpenTelemetry meter provider |
//! | `prometheus` | a registry of the crate `prometheus` |
//!
//! A bridge is for code that is there already: its cells are slower to find than promflow's own.

#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(feature = "opentelemetry")]
pub mod opentelemetry;
#[cfg(feature = "prometheus")]
pub mod prometheus;
