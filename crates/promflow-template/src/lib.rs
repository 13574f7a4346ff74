//! Go text/template subset with Prometheus's alert functions.
