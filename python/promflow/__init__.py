"""Prometheus metrics on a Rust core."""
