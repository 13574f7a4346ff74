//! Exposition formats of Prometheus: parse and write.
