//! Time series database: chunks and head, in Prometheus's encodings.
