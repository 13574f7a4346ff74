//! Prometheus metrics for Rust backends.
