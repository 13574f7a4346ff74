//! The machine: how busy its processors are, from `/proc/stat`.

use std::fs;
use std::sync::{Mutex, PoisonError};

use promflow_registry::Registry;

use crate::metrics;

/// Fewer ticks than this between two pages say too little: the share read before is shown again.
const TICKS_MIN: u64 = 10;

/// Registers the metrics of the machine and reads them before every page.
///
/// Where there is no `/proc`, nothing is registered.
pub fn register(registry: &Registry) {
    let Some(since_boot) = read_ticks() else {
        return;
    };
    let metrics = metrics::System::new(registry);
    metrics.cpu_usage_percent.with(&[]).set(since_boot.percent_since(Ticks::default()).unwrap_or(0.0));
    let last = Mutex::new(since_boot);
    registry.before_scrape(move || {
        let Some(now) = read_ticks() else { return };
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(percent) = now.percent_since(*last) {
            metrics.cpu_usage_percent.with(&[]).set(percent);
            *last = now;
        }
    });
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Ticks {
    busy: u64,
    total: u64,
}

impl Ticks {
    /// Reads the first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal. Guest times that
    /// follow are in user and nice already.
    fn parse(stat: &str) -> Option<Self> {
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        let ticks: Vec<u64> =
            line.split_ascii_whitespace().take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
        let total = ticks.iter().sum();
        let idle = ticks.get(3)? + ticks.get(4).copied().unwrap_or(0);
        Some(Self { busy: total - idle, total })
    }

    fn percent_since(self, before: Self) -> Option<f64> {
        let total = self.total.saturating_sub(before.total);
        // The kernel's idle times may go back a little, so the busy ones too.
        let busy = self.busy.saturating_sub(before.busy).min(total);
        (total >= TICKS_MIN).then(|| 100.0 * busy as f64 / total as f64)
    }
}

fn read_ticks() -> Option<Ticks> {
    Ticks::parse(&fs::read_to_string("/proc/stat").ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_is_the_busy_share_between_two_readings() {
        let first = Ticks::parse("cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 2\n").unwrap();
        assert_eq!(first, Ticks { busy: 200, total: 1000 });
        let second = Ticks::parse("cpu  150 0 100 750 100 0 0 0\n").unwrap();
        assert_eq!(second.percent_since(first), Some(50.0));
        assert_eq!(second.percent_since(second), None);
        assert_eq!(Ticks::parse("intr 1\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn machine_is_on_the_page() {
        let registry = Registry::new();
        register(&registry);
        registry.encode(crate::Format::Text);
        let percent = metrics::System::new(&registry).cpu_usage_percent.with(&[]).value();
        assert!((0.0..=100.0).contains(&percent), "{percent}");
    }
}
