//! The PromQL engine: evaluates series by series.
//!
//! The problem: a query over many series and many steps must not need memory for series times steps, nor cost a
//! virtual call and a hash lookup per sample. The model chosen: an expression becomes a plan ([`Engine`] builds it for
//! each query, with all durations and times resolved), whose operators hand on one series after the other as a dense
//! column of values over all steps. A stored series is decoded once and all its steps are computed in one go;
//! aggregations fold each column into their groups. The rejected model, Prometheus's own, evaluates the same functions
//! step by step over all series, and holds every intermediate result as a matrix.
//!
//! Sharing a selector that occurs twice (`sum(x) / count(x)`) was rejected too: it would hold all its columns, where
//! reading it twice holds the groups alone.
//!
//! ```
//! use promflow_model::Labels;
//! use promflow_promql::{Engine, QueryOptions, Value};
//! use promflow_storage::fake::FakeStorage;
//!
//! let storage = FakeStorage::new();
//! let labels = Labels::from_pairs([("__name__", "requests_total"), ("job", "api")]);
//! storage.add(&labels, (0..=20).map(|i| (i * 15_000, i as f64 * 30.0)));
//!
//! let query = "sum by (job) (rate(requests_total[5m]))";
//! let expr = promflow_syntax::parse(query)?;
//! let opts = QueryOptions { query: query.to_owned(), ..QueryOptions::default() };
//! let result = Engine::default().instant(&storage, &expr, 300_000, &opts)?;
//! let Value::Vector(vector) = result.value else { panic!("a vector") };
//! assert_eq!(vector[0].labels.to_string(), r#"{job="api"}"#);
//! assert!((vector[0].value - 2.0).abs() < 1e-9);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Semantics, texts of errors and annotations are those of Prometheus 3.14. Native histograms are not supported yet.

mod annotations;
mod budget;
mod cancel;
mod column;
mod engine;
mod error;
mod exec;
mod functions;
mod plan;
mod result;
mod steps;

pub use cancel::CancelToken;
pub use engine::{Engine, EngineOptions, QueryOptions, RangeParams};
pub use error::{QueryError, QueryErrorKind};
pub use result::{MatrixSeries, QueryResult, QueryStats, Value, VectorSample};
