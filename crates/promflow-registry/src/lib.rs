//! Metric cells, data model and registry.
