mod faults;
mod manager;
mod pages;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use promflow_config::{Config, ScrapeConfig};
use promflow_discovery::targets_of;
use promflow_model::{Clock, is_stale_nan};
use promflow_registry::Registry;
use promflow_storage::Appendable;
use promflow_storage::fake::FakeStorage;
use promflow_testkit::ScriptedServer;

use crate::buffers::Buffers;
use crate::job::{Job, Shared};
use crate::manager::ScrapeOptions;
use crate::metrics::ScrapeMetrics;
use crate::scrape::{LoopState, Scraper};
use crate::target::{LastScrape, TargetState};

/// A clock that tells what it is told.
#[derive(Debug, Default)]
struct ManualClock(AtomicI64);

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Reads the jobs of a configuration.
fn jobs(yaml: &str) -> Vec<ScrapeConfig> {
    let config = Config::parse("prometheus.yml", &format!("scrape_configs:\n{yaml}"), &|_| None);
    config.unwrap_or_else(|errors| panic!("{}", errors[0])).scrape_configs
}

/// One target, scraped when the test says so.
struct Bench {
    runtime: tokio::runtime::Runtime,
    clock: Arc<ManualClock>,
    registry: Registry,
    scraper: Arc<Scraper>,
    state: Option<LoopState>,
}

impl Bench {
    /// Sets up the scrape of a server under a job, whose settings are given as YAML.
    fn new(
        storage: Arc<dyn Appendable>,
        server: &ScriptedServer,
        settings: &str,
        options: ScrapeOptions,
    ) -> Self {
        let address = server.address();
        let yaml = format!("- job_name: j\n  static_configs: [{{targets: ['{address}']}}]\n{settings}");
        let config = jobs(&yaml).remove(0);
        let target = targets_of(&config, &config.static_configs).active.remove(0);
        let registry = Registry::new();
        let clock = Arc::new(ManualClock::default());
        let shared = Shared {
            storage,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            metrics: ScrapeMetrics::new(&registry),
            buffers: Buffers::default(),
            options,
        };
        let job = Arc::new(Job::new(Arc::new(shared), Arc::new(config)));
        let scraper = Arc::new(Scraper { job, target: Arc::new(TargetState::new(target)) });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let state = Some(LoopState::new(&scraper));
        Self { runtime, clock, registry, scraper, state }
    }

    fn scrape(&mut self, t_ms: i64) -> LastScrape {
        self.clock.0.store(t_ms, Ordering::Relaxed);
        let state = self.state.take().expect("a loop between scrapes");
        self.state = Some(self.runtime.block_on(self.scraper.scrape(state, t_ms)));
        self.scraper.target.last()
    }

    /// Returns the value of one of the server's own metrics.
    fn metric(&self, name: &str) -> String {
        let page = self.registry.encode(promflow_exposition::Format::Text);
        let page = String::from_utf8(page).expect("text");
        let line = page.lines().find(|l| l.split(' ').next() == Some(name));
        line.unwrap_or_else(|| panic!("no {name} on {page}"))
            .rsplit(' ')
            .next()
            .unwrap_or_default()
            .to_owned()
    }
}

/// Writes what a store has, one series a line, `stale` for the marker; the instance label is left out, and so are
/// the series about the scrape, unless their name is asked for.
fn dump(storage: &FakeStorage, report: &str) -> String {
    let mut lines = String::new();
    for (labels, samples) in storage.dump() {
        let name = labels.metric_name();
        if (name == "up" || name.starts_with("scrape_")) && (report.is_empty() || !name.starts_with(report)) {
            continue;
        }
        let labels = labels.with("instance", "");
        lines.push_str(&labels.to_string());
        for (t_ms, value) in samples {
            let value = if is_stale_nan(value) { "stale".to_owned() } else { value.to_string() };
            lines.push_str(&format!(" {value}@{t_ms}"));
        }
        lines.push('\n');
    }
    lines
}
