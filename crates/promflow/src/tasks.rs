//! Background tasks, under the names of the guide or under those of celery-exporter.

use std::time::{Duration, Instant};

use promflow_registry::{Counter, CounterFamily, Gauge, GaugeFamily, Histogram, HistogramFamily, Registry};

use crate::metrics;

mod celery_exporter;

use celery_exporter::{CeleryTask, CeleryWorker};

/// Under which names tasks are measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Preset {
    /// `celery_tasks_total{task,state}` and `celery_task_duration_seconds{task}`, which promflow's rules read.
    #[default]
    Guide,
    /// `celery_task_{sent,received,started,succeeded,failed,rejected,revoked,retried}_total{name,hostname,queue_name}`
    /// and the others of celery-exporter, so that its dashboards work unchanged.
    CeleryExporter,
}

/// The tasks that one worker runs, or that one program sends.
///
/// ```
/// use promflow::tasks::{Preset, Worker};
///
/// let registry = promflow::Registry::new();
/// let worker = Worker::new(&registry, Preset::CeleryExporter, "worker1@host");
/// let send_mail = worker.task("send_mail", "mail");
/// send_mail.received();
/// send_mail.start().success();
/// worker.set_queue_length("mail", 3);
///
/// let page = String::from_utf8(registry.encode(promflow::Format::Text)).unwrap();
/// let labels = r#"{name="send_mail",hostname="worker1@host",queue_name="mail"}"#;
/// assert!(page.contains(&format!("celery_task_succeeded_total{labels} 1\n")));
/// assert!(page.contains("celery_worker_up{hostname=\"worker1@host\"} 1\n"));
/// ```
#[derive(Clone, Debug)]
pub struct Worker(WorkerNames);

#[derive(Clone, Debug)]
enum WorkerNames {
    Guide(metrics::Tasks),
    CeleryExporter(CeleryWorker),
}

impl Worker {
    /// Registers the metrics. The host's name is a label of celery-exporter's; it should not be new after each start,
    /// as every new one adds series that stay.
    pub fn new(registry: &Registry, preset: Preset, hostname: &str) -> Self {
        Self(match preset {
            Preset::Guide => WorkerNames::Guide(metrics::Tasks::new(registry)),
            Preset::CeleryExporter => WorkerNames::CeleryExporter(CeleryWorker::new(registry, hostname)),
        })
    }

    /// Finds a task by its name and the queue that it comes through; its states exist at zero from then on.
    pub fn task(&self, name: &str, queue: &str) -> Task {
        Task(match &self.0 {
            WorkerNames::Guide(tasks) => TaskNames::Guide(GuideTask::new(tasks, name)),
            WorkerNames::CeleryExporter(worker) => {
                TaskNames::CeleryExporter(Box::new(worker.task(name, queue)))
            }
        })
    }

    /// Shows how many tasks wait in a queue; the guide has no name for it.
    pub fn set_queue_length(&self, queue: &str, tasks: usize) {
        if let WorkerNames::CeleryExporter(worker) = &self.0 {
            worker.set_queue_length(queue, tasks);
        }
    }

    /// Shows who takes from a queue; the guide has no names for it.
    pub fn set_consumers(&self, queue: &str, active: Consumers) {
        if let WorkerNames::CeleryExporter(worker) = &self.0 {
            worker.set_consumers(queue, active);
        }
    }

    /// Says whether the worker takes tasks; it does from the start. The guide has no name for it: `up` of the scrape
    /// says the same.
    pub fn set_up(&self, up: bool) {
        if let WorkerNames::CeleryExporter(worker) = &self.0 {
            worker.set_up(up);
        }
    }
}

/// Who takes from a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consumers {
    /// Consumers of the queue: one for each worker that listens to it.
    pub consumers: usize,
    /// The workers.
    pub workers: usize,
    /// Their processes, or threads.
    pub processes: usize,
}

/// Measures the runs of one task; its states exist at zero from the start.
///
/// ```
/// let registry = promflow::Registry::new();
/// let send_mail = promflow::tasks::Task::new(&registry, "send_mail");
/// let run = send_mail.start();
/// run.success();
/// ```
#[derive(Clone, Debug)]
pub struct Task(TaskNames);

#[derive(Clone, Debug)]
enum TaskNames {
    Guide(GuideTask),
    CeleryExporter(Box<CeleryTask>),
}

#[derive(Clone, Debug)]
struct GuideTask {
    success: Counter,
    failure: Counter,
    retry: Counter,
    duration: Histogram,
}

impl GuideTask {
    fn new(tasks: &metrics::Tasks, name: &str) -> Self {
        let state = |state| tasks.total.with(&[name, state]).clone();
        Self {
            success: state("success"),
            failure: state("failure"),
            retry: state("retry"),
            duration: tasks.duration.with(&[name]).clone(),
        }
    }

    fn ended(&self, end: End<'_>, took: Duration) {
        match end {
            End::Success => &self.success,
            End::Failure(_) => &self.failure,
            End::Retry => &self.retry,
        }
        .inc();
        self.duration.observe_duration(took);
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug)]
enum End<'e> {
    Success,
    /// With the name of the error's type, or nothing.
    Failure(&'e str),
    Retry,
}

impl Task {
    /// Registers a task under the names of the guide.
    pub fn new(registry: &Registry, name: &str) -> Self {
        Worker::new(registry, Preset::Guide, "").task(name, "")
    }

    /// Counts that the task was put into its queue. The guide counts runs alone: this and the other events that are
    /// no end of a run have names of celery-exporter only.
    pub fn sent(&self) {
        self.event(|task| &task.sent);
    }

    /// Counts that the worker took the task from its queue.
    pub fn received(&self) {
        self.event(|task| &task.received);
    }

    /// Counts that the worker refused the task.
    pub fn rejected(&self) {
        self.event(|task| &task.rejected);
    }

    /// Counts that the task was called off.
    pub fn revoked(&self) {
        self.event(|task| &task.revoked);
    }

    /// Counts how long a task waited in its queue before its run.
    pub fn waited(&self, time: Duration) {
        if let TaskNames::CeleryExporter(task) = &self.0 {
            task.queue_wait.observe_duration(time);
        }
    }

    fn event(&self, counter: impl FnOnce(&CeleryTask) -> &Counter) {
        if let TaskNames::CeleryExporter(task) = &self.0 {
            counter(task).inc();
        }
    }

    /// Starts a run. A run that is dropped before it says how it ended, by a panic or a cancellation, has failed.
    pub fn start(&self) -> TaskRun<'_> {
        if let TaskNames::CeleryExporter(task) = &self.0 {
            task.started();
        }
        TaskRun { task: self, start: Instant::now(), ended: false }
    }
}

/// A run of a task, measured until it is dropped.
#[derive(Debug)]
#[must_use = "a run that is dropped at once has failed"]
pub struct TaskRun<'t> {
    task: &'t Task,
    start: Instant,
    ended: bool,
}

impl TaskRun<'_> {
    /// Ends the run well.
    pub fn success(mut self) {
        self.end(End::Success);
    }

    /// Ends the run badly.
    pub fn failure(mut self) {
        self.end(End::Failure(""));
    }

    /// Ends the run badly, with the name of the error's type: one of few, never its text.
    pub fn failure_of(mut self, error_type: &str) {
        self.end(End::Failure(error_type));
    }

    /// Ends the run; the task is to be tried again.
    pub fn retry(mut self) {
        self.end(End::Retry);
    }

    fn end(&mut self, end: End<'_>) {
        self.ended = true;
        let took = self.start.elapsed();
        match &self.task.0 {
            TaskNames::Guide(task) => task.ended(end, took),
            TaskNames::CeleryExporter(task) => task.ended(end, took),
        }
    }
}

impl Drop for TaskRun<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.end(End::Failure(""));
        }
    }
}

#[cfg(test)]
mod tests;
