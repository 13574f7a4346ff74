//! Clients of Redis.

use std::time::Duration;

use promflow_registry::{Counter, Gauge, Histogram, Registry};

use crate::metrics;

/// Measures one command; its outcomes exist at zero from the start.
#[derive(Clone, Debug)]
pub struct Command {
    success: Counter,
    error: Counter,
    duration: Histogram,
}

impl Command {
    /// Registers a command under its name, which is written in lower case.
    pub fn new(registry: &Registry, name: &str) -> Self {
        let metrics = metrics::Redis::new(registry);
        let name = name.to_ascii_lowercase();
        Self {
            success: metrics.commands.with(&[&name, "success"]).clone(),
            error: metrics.commands.with(&[&name, "error"]).clone(),
            duration: metrics.duration.with(&[&name]).clone(),
        }
    }

    /// Counts a command that was answered, or failed.
    pub fn observe(&self, took: Duration, success: bool) {
        if success { &self.success } else { &self.error }.inc();
        self.duration.observe_duration(took);
    }
}

/// Shows the connections of a pool.
#[derive(Clone, Debug)]
pub struct Pool {
    in_use: Gauge,
    idle: Gauge,
}

impl Pool {
    /// Registers the pool of the process.
    pub fn new(registry: &Registry) -> Self {
        let metrics = metrics::Redis::new(registry);
        let state = |state| metrics.pool_connections.with(&[state]).clone();
        Self { in_use: state("in_use"), idle: state("idle") }
    }

    /// Shows how many connections are in use and idle.
    pub fn set(&self, in_use: usize, idle: usize) {
        self.in_use.set(in_use as f64);
        self.idle.set(idle as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_counted_in_lower_case() {
        let registry = Registry::new();
        let get = Command::new(&registry, "GET");
        get.observe(Duration::from_micros(200), true);
        get.observe(Duration::from_secs(2), false);
        Pool::new(&registry).set(1, 4);
        let page = String::from_utf8(registry.encode(crate::Format::Text)).unwrap();
        assert!(page.contains("redis_client_commands_total{command=\"get\",outcome=\"success\"} 1\n"));
        assert!(
            page.contains("redis_client_command_duration_seconds_bucket{command=\"get\",le=\"0.00025\"} 1\n")
        );
        assert!(page.contains("redis_client_pool_connections{state=\"idle\"} 4\n"));
    }
}
