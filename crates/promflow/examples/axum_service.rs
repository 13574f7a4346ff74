//! An axum service that is measured: its routes, its credits, a stream, and a metric of its own.
//!
//! ```console
//! $ PROMETHEUS_PORT=8000 cargo run -p promflow --example axum_service
//! $ curl -s http://127.0.0.1:8000/exports/csv; curl -s http://127.0.0.1:8000/metrics
//! ```

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Extension, Router};
use promflow::CounterFamily;
use promflow::config::Settings;
use promflow::middleware::{CreditsUsed, OnPanic, Prometheus};

static EXPORTS: LazyLock<CounterFamily> =
    LazyLock::new(|| promflow::counter("exports_total", "Exports written, by format.", &["format"]));

async fn export(Path(format): Path<String>) -> String {
    // What a visitor types is not a label: only what is known is.
    let known = ["csv", "json"].into_iter().find(|known| *known == format);
    EXPORTS.with(&[known.unwrap_or("unknown")]).inc();
    format!("an export as {format}\n")
}

async fn call(Path(user): Path<String>) -> impl IntoResponse {
    (Extension(CreditsUsed::new(user, "voice", 2.5)), "ringing\n")
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::from_env()?;
    for format in ["csv", "json", "unknown"] {
        EXPORTS.with(&[format]);
    }
    promflow::metrics::build_info(promflow::registry(), env!("CARGO_PKG_VERSION"), "unknown");
    let prometheus = Prometheus::builder(&settings, promflow::registry())
        .sizes(true)
        .exclude(["/health"])
        .on_panic(OnPanic::Respond)
        .build()?;
    let router = Router::new()
        .route("/exports/{format}", get(export))
        .route("/users/{user}/calls", post(call))
        .route("/health", get(|| async { "ok\n" }));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", settings.port)).await?;
    println!("http://{}{}", listener.local_addr()?, settings.metrics_path);
    axum::serve(listener, prometheus.instrument(router)).await?;
    Ok(())
}
