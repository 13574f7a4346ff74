"""Background tasks, under the names of the guide or under those of celery-exporter.

`promflow.backend.celery` measures Celery's by its signals; this is for any other queue, and what that is made of.
"""

from __future__ import annotations

from time import perf_counter
from types import TracebackType
from typing import Protocol

from promflow import CollectorRegistry, Counter, Gauge, Histogram

from .metrics import BeforePage, Group, Tasks

SUCCESS, FAILURE, RETRY = "success", "failure", "retry"
"""The values of the label `state`: how a run ended."""

STATES = (SUCCESS, FAILURE, RETRY)

PRESETS = ("guide", "celery-exporter")
"""`guide`: `celery_tasks_total{task,state}` and `celery_task_duration_seconds{task}`, which promflow's rules read.
`celery-exporter`: `celery_task_{sent,received,...}_total{name,hostname,queue_name}` and the others of danihodovic's
celery-exporter, so that its dashboards work unchanged."""

_RUNTIME_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_QUEUE_WAIT_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
_LABELS = ("name", "hostname", "queue_name")


class CeleryExporter(Group):
    """The names of celery-exporter."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, help: str) -> Counter:
            return Counter(name, help, _LABELS, registry=registry)

        # Queues are read before the page that shows them.
        self.before_page = BeforePage.of(registry)
        self.sent = counter("celery_task_sent_total", "Tasks that were put into their queue.")
        self.received = counter("celery_task_received_total", "Tasks that the worker took from their queue.")
        self.started = counter("celery_task_started_total", "Runs that began.")
        self.succeeded = counter("celery_task_succeeded_total", "Runs that ended well.")
        self.rejected = counter("celery_task_rejected_total", "Tasks that the worker refused.")
        self.revoked = counter("celery_task_revoked_total", "Tasks that were called off.")
        self.retried = counter("celery_task_retried_total", "Runs that failed and will be tried again.")
        self.failed = Counter(
            "celery_task_failed_total",
            "Runs that failed, by the type of the error.",
            ("name", "hostname", "exception", "queue_name"),
            registry=registry,
        )
        self.runtime = Histogram(
            "celery_task_runtime",
            "Time that runs took which ended well, in seconds.",
            _LABELS,
            buckets=_RUNTIME_BUCKETS,
            registry=registry,
        )
        self.queue_wait = Histogram(
            "celery_task_queue_wait_time",
            "Time that tasks waited in their queue, in seconds.",
            _LABELS,
            buckets=_QUEUE_WAIT_BUCKETS,
            registry=registry,
        )
        self.up = Gauge(
            "celery_worker_up",
            "Whether the worker takes tasks.",
            ["hostname"],
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.active = Gauge(
            "celery_worker_tasks_active",
            "Runs under way.",
            ["hostname"],
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.queue_length = Gauge(
            "celery_queue_length",
            "Tasks that wait in the queue.",
            ["queue_name"],
            multiprocess_mode="mostrecent",
            registry=registry,
        )


class Names(Protocol):
    """What happens to a task, under the names of one preset. Each event says which task, and where it is."""

    def init(self, task: str, hostname: str, queue: str) -> None:
        """Creates the series of a task at zero."""

    def event(self, event: str, task: str, hostname: str, queue: str) -> None:
        """Counts what is no end of a run: `sent`, `received`, `started`, `rejected`, `revoked`."""

    def waited(self, task: str, hostname: str, queue: str, seconds: float) -> None:
        """Notes how long a task waited in its queue."""

    def ended(
        self, state: str, error: str, task: str, hostname: str, queue: str, seconds: float | None
    ) -> None:
        """Counts the end of a run; one that began in a process that is lost has no time."""


    def terminated(self, task: str, hostname: str, queue: str) -> None:
        """Counts a run that was called off under way."""


class GuideNames:
    """The guide's names."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._metrics = Tasks.of(registry)

    def init(self, task: str, hostname: str, queue: str) -> None:
        """Creates the states of a task at zero."""
        for state in STATES:
            self._metrics.total.labels(task, state)
        self._metrics.duration.labels(task)

    def event(self, event: str, task: str, hostname: str, queue: str) -> None:
        """Counts nothing: the guide has names for ends alone."""

    def waited(self, task: str, hostname: str, queue: str, seconds: float) -> None:
        """Notes nothing: the guide has no name for it."""

    def ended(
        self, state: str, error: str, task: str, hostname: str, queue: str, seconds: float | None
    ) -> None:
        """Counts the end of a run."""
        self._metrics.total.labels(task, state).inc()
        if seconds is not None:
            self._metrics.duration.labels(task).observe(seconds)

    def terminated(self, task: str, hostname: str, queue: str) -> None:
        """Counts a run that was called off under way: it failed."""
        self.ended(FAILURE, "", task, hostname, queue, None)


class CeleryExporterNames:
    """The names of celery-exporter."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.metrics = CeleryExporter.of(registry)
        metrics = self.metrics
        self._events = {
            "sent": metrics.sent,
            "received": metrics.received,
            "started": metrics.started,
            "rejected": metrics.rejected,
            "revoked": metrics.revoked,
        }

    def init(self, task: str, hostname: str, queue: str) -> None:
        """Creates the events of a task at zero."""
        for family in (*self._events.values(), self.metrics.succeeded, self.metrics.retried):
            family.labels(task, hostname, queue)
        self.metrics.failed.labels(task, hostname, "", queue)
        self.metrics.runtime.labels(task, hostname, queue)
        self.metrics.queue_wait.labels(task, hostname, queue)

    def event(self, event: str, task: str, hostname: str, queue: str) -> None:
        """Counts an event."""
        self._events[event].labels(task, hostname, queue).inc()
        if event == "started":
            self.metrics.active.labels(hostname).inc()

    def waited(self, task: str, hostname: str, queue: str, seconds: float) -> None:
        """Notes how long a task waited in its queue."""
        self.metrics.queue_wait.labels(task, hostname, queue).observe(seconds)

    def ended(
        self, state: str, error: str, task: str, hostname: str, queue: str, seconds: float | None
    ) -> None:
        """Counts the end of a run. As in celery-exporter, only runs that ended well have a runtime."""
        metrics = self.metrics
        if seconds is not None:
            # A run without a time was active in a process whose gauges are gone with it.
            metrics.active.labels(hostname).dec()
        if state == SUCCESS:
            metrics.succeeded.labels(task, hostname, queue).inc()
            if seconds is not None:
                metrics.runtime.labels(task, hostname, queue).observe(seconds)
        elif state == RETRY:
            metrics.retried.labels(task, hostname, queue).inc()
        else:
            metrics.failed.labels(task, hostname, error, queue).inc()

    def terminated(self, task: str, hostname: str, queue: str) -> None:
        """Counts nothing: the event `revoked` says it."""


def names(preset: str, registry: CollectorRegistry | None = None) -> Names:
    """Registers the metrics of a preset.

    Errors: `ValueError` when there is no such preset.
    """
    if preset == "guide":
        return GuideNames(registry)
    if preset == "celery-exporter":
        return CeleryExporterNames(registry)
    raise ValueError(f'unknown preset "{preset}": expected one of {", ".join(PRESETS)}')


class Task:
    """Measures the runs of one task of any queue; its states exist at zero from the start.

        send_mail = Task("send_mail")
        with send_mail.run():
            ...
    """

    def __init__(
        self,
        name: str,
        registry: CollectorRegistry | None = None,
        *,
        preset: str = "guide",
        hostname: str = "",
        queue: str = "",
    ) -> None:
        """Registers a task under the names of a preset; host and queue are labels of `celery-exporter`'s."""
        self._names = names(preset, registry)
        self._labels = (name, hostname, queue)
        self._names.init(*self._labels)

    def run(self) -> TaskRun:
        """Measures a run, in synchronous and asynchronous code alike; an exception makes it a failure."""
        return TaskRun(self._names, self._labels)


class TaskRun:
    """A run of a task."""

    def __init__(self, names: Names, labels: tuple[str, str, str]) -> None:
        self._names = names
        self._labels = labels
        self._start = 0.0
        self._state = SUCCESS

    def retry(self) -> None:
        """Says that the run failed and the task is to be tried again, whatever exception ends it."""
        self._state = RETRY

    def __enter__(self) -> TaskRun:
        self._names.event("started", *self._labels)
        self._start = perf_counter()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        took = perf_counter() - self._start
        if error_type is not None and self._state == SUCCESS:
            self._state = FAILURE
        self._names.ended(self._state, error_type.__name__ if error_type else "", *self._labels, took)
