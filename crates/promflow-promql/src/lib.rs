//! The PromQL engine: evaluates series by series.
