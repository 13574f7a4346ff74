//! Round trips through those who read and write the same formats: promtool, stock Prometheus, prometheus_client.

mod odd;
mod pages;
mod promtool;
mod python;
mod stock;
