//! How to measure a program, step by step. Everything here is compiled and run with the tests.
//!
//! # Add a metric
//!
//! **1. Define it** in the file that counts it, usually one `metrics.rs`, with its name written out: that is how
//! readers, and `promflow flow`, find it. Defined again, it is the same one.
//!
//! ```
//! use std::sync::LazyLock;
//! use promflow::CounterFamily;
//!
//! pub static NEW_FEATURE: LazyLock<CounterFamily> =
//!     LazyLock::new(|| promflow::counter("new_feature_total", "Uses of the new feature.", &["plan"]));
//!
//! // 2. Create the label values that you know, when the program starts, so that they begin at zero.
//! for plan in ["free", "pro"] {
//!     NEW_FEATURE.with(&[plan]);
//! }
//!
//! // 3. Count in your business logic, after the work.
//! NEW_FEATURE.with(&["pro"]).inc();
//!
//! let page = String::from_utf8(promflow::registry().encode(promflow::Format::Text))?;
//! assert!(page.contains("new_feature_total{plan=\"free\"} 0\nnew_feature_total{plan=\"pro\"} 1\n"));
//! # Ok::<(), std::string::FromUtf8Error>(())
//! ```
//!
//! Where nanoseconds count, keep the handle: then an increment is one atomic addition.
//!
//! ```
//! let registry = promflow::Registry::new();
//! let rows = registry.counter("rows_total", "Rows read, by table.", &["table"]);
//! let orders = rows.with(&["orders"]).clone();
//! for _ in 0..1000 {
//!     orders.inc();
//! }
//! assert_eq!(rows.with(&["orders"]).value(), 1000.0);
//! ```
//!
//! # Measure an axum service
//!
//! One call on the router measures every route, and adds the page:
//!
//! ```
//! # #[cfg(feature = "axum")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use axum::{Router, body::Body, routing::get};
//! use http::Request;
//! use promflow::{config::Settings, middleware::Prometheus};
//! use tower::ServiceExt;
//!
//! let registry = promflow::Registry::new();
//! let prometheus = Prometheus::new(&Settings::default(), &registry)?;
//! let app = prometheus.instrument(Router::new().route("/users/{id}", get(|| async { "hello" })));
//!
//! # let answer =
//! app.oneshot(Request::get("/users/7").body(Body::empty())?).await?;
//! # http_body_util::BodyExt::collect(answer.into_body()).await?;
//! let page = String::from_utf8(registry.encode(promflow::Format::Text))?;
//! assert!(page.contains(r#"http_requests_total{method="GET",endpoint="/users/{id}",status="200"} 1"#));
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "axum"))]
//! # fn main() {}
//! ```
//!
//! A request lasts until the last byte of its response; a client that leaves before is counted with the status 499, a
//! panic with 500. A service that streams for hours ends the time with the head: `middleware::Until::Head`.
//!
//! # Find a slow request's trace
//!
//! A request that belongs to a recorded trace (header `traceparent`) becomes the exemplar of its bucket and of the request
//! counter, on pages of OpenMetrics and protobuf. A program that knows its trace otherwise says so; Prometheus stores
//! exemplars with `--enable-feature=exemplar-storage`.
//!
//! ```
//! # #[cfg(feature = "tower")]
//! # fn main() -> Result<(), promflow::RegisterError> {
//! use promflow::{config::Settings, middleware::Prometheus};
//!
//! let registry = promflow::Registry::new();
//! let prometheus = Prometheus::builder(&Settings::default(), &registry)
//!     .trace_id(|parts| Some(parts.headers.get("x-request-id")?.to_str().ok()?.to_owned()))
//!     .build()?;
//! # let _ = prometheus;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "tower"))]
//! # fn main() {}
//! ```
//!
//! # Measure any tower service
//!
//! Without axum nothing knows the routes, so the service says them, as templates:
//!
//! ```
//! # #[cfg(feature = "tower")]
//! # fn main() -> Result<(), promflow::RegisterError> {
//! use promflow::{config::Settings, middleware::Prometheus};
//!
//! let registry = promflow::Registry::new();
//! let settings = Settings::default();
//! let prometheus = Prometheus::builder(&settings, &registry)
//!     .route(|parts| parts.uri.path().starts_with("/files/").then(|| "/files/{name}".to_owned()))
//!     .build()?;
//! let layer = prometheus.layer();
//! # let _ = layer;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "tower"))]
//! # fn main() {}
//! ```
//!
//! # Measure calls to other APIs
//!
//! ```
//! use promflow::paid_api::{Api, Outcome};
//!
//! # async fn example() {
//! # async fn ask() -> u16 { 200 }
//! let registry = promflow::Registry::new();
//! let complete = Api::named(&registry, "openai").operation("complete");
//! let status = complete.measure(ask(), |status| Outcome::from_status(*status)).await;
//! complete.spent_usd(0.02);
//! # let _ = status;
//! # }
//! ```
//!
//! A client that is a tower service takes `client::ApiLayer` (feature `tower`) instead.
//!
//! # Measure a worker
//!
//! A task is measured from its start to its end, whatever ends it; a program without HTTP shows its page by
//! `server::start` (feature `server`):
//!
//! ```
//! use promflow::tasks::Task;
//!
//! let registry = promflow::Registry::new();
//! let send_mail = Task::new(&registry, "send_mail");
//! let run = send_mail.start();
//! // ... the work ...
//! run.success();
//! drop(send_mail.start()); // A run that is dropped has failed.
//!
//! let page = String::from_utf8(registry.encode(promflow::Format::Text))?;
//! assert!(page.contains(r#"celery_tasks_total{task="send_mail",state="failure"} 1"#));
//! # Ok::<(), std::string::FromUtf8Error>(())
//! ```
//!
//! # Measure a batch job
//!
//! Nobody scrapes a job that ends within seconds: it pushes its page (feature `push`), and what it pushes is a time, not
//! an age.
//!
//! ```no_run
//! # #[cfg(feature = "push")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use promflow::{page::Page, push::Push};
//!
//! let registry = promflow::Registry::new();
//! let last = registry.gauge("backup_last_success_timestamp_seconds", "When a backup last ended well.", &[]);
//! last.with(&[]).set_to_current_time();
//! Push::new("http://127.0.0.1:9091", "backup")?.replace_blocking(&Page::new(&registry))?;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "push"))]
//! # fn main() {}
//! ```
//!
//! # Keep the number of series small
//!
//! Every combination of label values is a series, for as long as the program runs. A family has a limit; what is beyond
//! it is counted in one series, and `promflow_series_overflowed_total` says so:
//!
//! ```
//! let registry = promflow::Registry::new();
//! let seen = registry.counter("visits_total", "Visits, by page.", &["page"]);
//! seen.limit_series(100);
//! for page in 0..1000 {
//!     seen.with(&[&page.to_string()]).inc();
//! }
//! assert_eq!(seen.with_unlimited(&[promflow::OVERFLOW]).value(), 900.0);
//! let page = String::from_utf8(registry.encode(promflow::Format::Text))?;
//! assert!(page.contains("promflow_series_overflowed_total{metric=\"visits_total\"} 900\n"));
//! # Ok::<(), std::string::FromUtf8Error>(())
//! ```
//!
//! Credits by user stay bounded in another way, as what is beyond the limit must not be who matters: of the credits used
//! the users are shown who use most, of those left the accounts that have least, and `credits_accounts` counts all:
//!
//! ```
//! use promflow::credits::{Credits, Users};
//!
//! let registry = promflow::Registry::new();
//! let voice = Credits::with_users(&registry, &Users::Ranked(10))?.of_type("voice", 20.0);
//! for user in 0..1000 {
//!     voice.opened(&format!("user-{user}"), if user == 777 { 5.0 } else { 100.0 });
//! }
//! let page = String::from_utf8(registry.encode(promflow::Format::Text))?;
//! assert!(page.contains("credits_remaining{user=\"user-777\",type=\"voice\"} 5\n"));
//! assert!(page.contains("credits_accounts{type=\"voice\",bucket=\"ok\"} 999\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Keep the names that your dashboards read
//!
//! The layer and the tasks write promflow's names, which its rules read, or those of another library:
//!
//! ```
//! # #[cfg(feature = "tower")]
//! # fn main() -> Result<(), promflow::RegisterError> {
//! use promflow::{config::Settings, middleware, tasks};
//!
//! let registry = promflow::Registry::new();
//! let settings = Settings::default();
//! let prometheus = middleware::Prometheus::builder(&settings, &registry)
//!     .preset(middleware::Preset::FastapiInstrumentator)
//!     .build()?;
//! let worker = tasks::Worker::new(&registry, tasks::Preset::CeleryExporter, "worker1");
//! # let _ = (prometheus, worker);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "tower"))]
//! # fn main() {}
//! ```
