//! The process: processor time, memory, files, threads, from `/proc`.

use std::fs;

use promflow_registry::Registry;

use crate::metrics;

/// The kernel's clock ticks per second, as `/proc` counts them on every platform that Linux has today.
const TICKS_PER_SECOND: f64 = 100.0;

/// Registers the metrics of the process and reads them before every page.
///
/// Where there is no `/proc`, nothing is registered.
pub fn register(registry: &Registry) {
    let Some(start_time) = start_time_seconds() else {
        return;
    };
    let metrics = metrics::Process::new(registry);
    metrics.start_time.with(&[]).set(start_time);
    let read = move || update(&metrics);
    read();
    registry.before_scrape(read);
}

fn update(metrics: &metrics::Process) {
    if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(Stat::parse) {
        metrics.cpu_seconds.with(&[]).advance_to(stat.cpu_ticks / TICKS_PER_SECOND);
    }
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        let set = |family: &promflow_registry::GaugeFamily, name, factor: f64| {
            if let Some(value) = status_field(&status, name) {
                family.with(&[]).set(value * factor);
            }
        };
        set(&metrics.resident_memory, "VmRSS", 1024.0);
        set(&metrics.virtual_memory, "VmSize", 1024.0);
        set(&metrics.heap, "VmData", 1024.0);
        set(&metrics.threads, "Threads", 1.0);
    }
    if let Ok(fds) = fs::read_dir("/proc/self/fd") {
        // One of them is that of the directory that is being read.
        metrics.open_fds.with(&[]).set(fds.count().saturating_sub(1) as f64);
    }
    if let Ok(limits) = fs::read_to_string("/proc/self/limits") {
        if let Some(max) = limit(&limits, "Max open files", f64::INFINITY) {
            metrics.max_fds.with(&[]).set(max);
        }
        // Without a limit, what client_golang shows, so that differences to what is used stay numbers.
        if let Some(max) = limit(&limits, "Max address space", u64::MAX as f64) {
            metrics.virtual_memory_max.with(&[]).set(max);
        }
    }
}

struct Stat {
    cpu_ticks: f64,
    start_ticks: f64,
}

impl Stat {
    /// Reads `/proc/PID/stat`, whose second field is a name that may hold blanks and parentheses.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // The first field here is the third of the file.
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some(Self { cpu_ticks: field(14)? + field(15)?, start_ticks: field(22)? })
    }
}

fn start_time_seconds() -> Option<f64> {
    let stat = Stat::parse(&fs::read_to_string("/proc/self/stat").ok()?)?;
    let boot: f64 = fs::read_to_string("/proc/stat")
        .ok()?
        .lines()
        .find_map(|line| line.strip_prefix("btime "))
        .and_then(|seconds| seconds.trim().parse().ok())?;
    Some(boot + stat.start_ticks / TICKS_PER_SECOND)
}

fn status_field(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// Reads a soft limit.
fn limit(limits: &str, name: &str, unlimited: f64) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    match line.split_ascii_whitespace().next()? {
        "unlimited" => Some(unlimited),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_behind_a_name_with_parentheses() {
        let text = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 3 0 12345 1 2";
        let stat = Stat::parse(text).unwrap();
        assert_eq!((stat.cpu_ticks, stat.start_ticks), (200.0, 12345.0));
        assert!(Stat::parse("7 (a").is_none() && Stat::parse("7 (a) S 1").is_none());
    }

    #[test]
    fn status_and_limits_are_read() {
        assert_eq!(status_field("VmRSS:\t  2048 kB\nThreads:\t3\n", "VmRSS"), Some(2048.0));
        assert_eq!(status_field("VmRSS:\t  2048 kB\n", "VmSize"), None);
        let limits =
            "Max cpu time  unlimited unlimited seconds\nMax open files            1024   4096   files\n";
        assert_eq!(limit(limits, "Max open files", f64::INFINITY), Some(1024.0));
        assert_eq!(limit(limits, "Max cpu time", f64::INFINITY), Some(f64::INFINITY));
        assert_eq!(limit(limits, "Max address space", 0.0), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn own_process_is_on_the_page() {
        let registry = Registry::new();
        register(&registry);
        let page = String::from_utf8(registry.encode(crate::Format::Text)).unwrap();
        let value = |name: &str| -> f64 {
            let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("{name} is not in\n{page}")).parse().unwrap()
        };
        for (name, least) in [
            ("process_cpu_seconds_total", 0.0),
            ("process_resident_memory_bytes", 1e5),
            ("process_virtual_memory_bytes", value("process_resident_memory_bytes")),
            ("process_virtual_memory_max_bytes", value("process_virtual_memory_bytes")),
            ("process_heap_bytes", 1e5),
            ("process_open_fds", 3.0),
            ("process_max_fds", value("process_open_fds")),
            ("process_start_time_seconds", 1.6e9),
            ("process_threads", 1.0),
        ] {
            assert!(value(name) >= least, "{name}: {}", value(name));
        }
    }
}
