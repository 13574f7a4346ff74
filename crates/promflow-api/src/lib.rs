//! The HTTP API in Prometheus's shapes.
