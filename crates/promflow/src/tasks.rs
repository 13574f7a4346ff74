//! Background tasks.

use std::time::Instant;

use promflow_registry::{Counter, Histogram, Registry};

use crate::metrics;

/// Measures the runs of one task; its states exist at zero from the start.
///
/// ```
/// let registry = promflow::Registry::new();
/// let send_mail = promflow::tasks::Task::new(&registry, "send_mail");
/// let run = send_mail.start();
/// run.success();
/// ```
#[derive(Clone, Debug)]
pub struct Task {
    success: Counter,
    failure: Counter,
    retry: Counter,
    duration: Histogram,
}

impl Task {
    /// Registers a task under its name.
    pub fn new(registry: &Registry, name: &str) -> Self {
        let tasks = metrics::Tasks::new(registry);
        let state = |state| tasks.total.with(&[name, state]).clone();
        Self {
            success: state("success"),
            failure: state("failure"),
            retry: state("retry"),
            duration: tasks.duration.with(&[name]).clone(),
        }
    }

    /// Starts a run. A run that is dropped before it says how it ended, by a panic or a cancellation, has failed.
    pub fn start(&self) -> TaskRun<'_> {
        TaskRun { task: self, state: &self.failure, start: Instant::now() }
    }
}

/// A run of a task, measured until it is dropped.
#[derive(Debug)]
#[must_use = "a run that is dropped at once has failed"]
pub struct TaskRun<'t> {
    task: &'t Task,
    state: &'t Counter,
    start: Instant,
}

impl TaskRun<'_> {
    /// Ends the run well.
    pub fn success(mut self) {
        self.state = &self.task.success;
    }

    /// Ends the run badly.
    pub fn failure(self) {}

    /// Ends the run; the task is to be tried again.
    pub fn retry(mut self) {
        self.state = &self.task.retry;
    }
}

impl Drop for TaskRun<'_> {
    fn drop(&mut self) {
        self.state.inc();
        self.task.duration.observe_duration(self.start.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_ends_in_one_state() {
        let registry = Registry::new();
        let task = Task::new(&registry, "export");
        task.start().success();
        task.start().retry();
        task.start().failure();
        drop(task.start());
        assert_eq!((task.success.value(), task.retry.value(), task.failure.value()), (1.0, 1.0, 2.0));
        assert_eq!(task.duration.count(), 4);
    }

    #[test]
    fn states_exist_before_the_first_run() {
        let registry = Registry::new();
        let _task = Task::new(&registry, "export");
        let page = String::from_utf8(registry.encode(crate::Format::Text)).unwrap();
        for state in ["success", "failure", "retry"] {
            assert!(page.contains(&format!("celery_tasks_total{{task=\"export\",state=\"{state}\"}} 0\n")));
        }
    }
}
