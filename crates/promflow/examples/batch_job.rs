//! A job that ends before anybody scrapes it: it pushes its page to a gateway.
//!
//! ```console
//! $ PROMETHEUS_PUSHGATEWAY_URL=http://127.0.0.1:9091 cargo run -p promflow --features push --example batch_job
//! ```

use std::time::Instant;

use promflow::config::Settings;
use promflow::page::Page;
use promflow::push::Push;
use promflow::{Format, Registry};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::from_env()?;
    // A registry of its own: what is pushed stays, and need not say how much memory the job took.
    let registry = Registry::new();
    let rows = registry.gauge("backup_rows", "Rows that the last backup wrote, by table.", &["table"]);
    let took = registry.gauge("backup_duration_seconds", "Time that the last backup took.", &[]);
    let last = registry.gauge("backup_last_success_timestamp_seconds", "When a backup last ended well.", &[]);

    let start = Instant::now();
    for (table, count) in [("accounts", 1200.0), ("orders", 88_000.0)] {
        rows.with(&[table]).set(count);
    }
    took.with(&[]).set(start.elapsed().as_secs_f64());
    last.with(&[]).set_to_current_time();

    let page = Page::with_default_labels(&registry, &settings.default_labels)?;
    match &settings.pushgateway_url {
        Some(url) => Push::new(url, "backup")?.grouping("instance", "db1")?.replace_blocking(&page)?,
        None => print!("{}", String::from_utf8_lossy(&page.encode(Format::Text))),
    }
    Ok(())
}
