//! A worker without HTTP of its own: it measures its tasks and shows its page by the library's server.
//!
//! ```console
//! $ PROMETHEUS_PORT=8003 cargo run -p promflow --features server --example worker
//! ```
//!
//! `PROMETHEUS_SERVER_TLS_CERT_FILE` and `PROMETHEUS_SERVER_TLS_KEY_FILE` make it HTTPS.

use std::time::Duration;

use promflow::config::Settings;
use promflow::page::Page;
use promflow::tasks::{Preset, Worker};
use promflow::{process, server};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::from_env()?;
    let registry = promflow::registry();
    process::register(registry);
    let page = Page::with_default_labels(registry, &settings.default_labels)?;
    let server = server::start(&settings, &page)?;
    if let Some(server) = &server {
        println!("the page is at {}{}", server.local_addr(), settings.metrics_path);
    }

    let worker = Worker::new(registry, Preset::Guide, "worker1");
    let export = worker.task("export", "slow");
    // How many tasks it runs; for ever, unless told.
    let tasks = std::env::args().nth(1).map_or(Ok(usize::MAX), |argument| argument.parse())?;
    for number in 0..tasks {
        let run = export.start();
        std::thread::sleep(Duration::from_millis(20));
        match number % 10 {
            9 => run.failure(),
            4 => run.retry(),
            _ => run.success(),
        }
    }
    Ok(())
}
