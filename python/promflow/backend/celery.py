"""Celery, by its signals: runs of tasks by how they ended, how long they took and how long they waited.

    app = Celery(...)
    promflow.backend.celery.instrument(app)

It measures in whatever process the module is imported in. A worker shows its page on `PROMETHEUS_PORT`, from its main
process: the values of prefork children stand in shared memory, so a child may be replaced or killed and its counts
stay. What a child cannot count any more (a hard time limit, a lost process) the main process counts, without a time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from time import perf_counter
from typing import Any

from celery import Celery, signals  # type: ignore[import-untyped]
from celery.exceptions import Reject  # type: ignore[import-untyped]

from promflow import CollectorRegistry

from . import server, system, tasks
from .config import Settings
from .metrics import OVERFLOW
from .tasks import FAILURE, RETRY, SUCCESS, CeleryExporterNames, Names

_log = logging.getLogger(__name__)

# When a task was put into its queue, in seconds since 1970: a header of its message.
_SENT_HEADER = "promflow_sent"
# The label `hostname` of what is counted where tasks are sent: not the sender's, of which there may be any number.
_SENDER = "generic"
# More runs under way in one process than this are not timed.
_RUNNING_MAX = 100_000
_BROKER_TIMEOUT_S = 1.0
# A task is not lost a second time within so long: its child would have to be replaced, and the task to be sent again.
_TWICE_WITHIN_S = 5.0
# A scrape asks the broker again only after this.
_QUEUES_EVERY_S = 5.0


def instrument(
    app: Celery,
    settings: Settings | None = None,
    registry: CollectorRegistry | None = None,
    *,
    presets: str | Iterable[str] = "guide",
    serve: bool = True,
) -> CeleryMetrics | None:
    """Measures the tasks of an application, in the processes that run them and those that send them.

    - `settings`: those of the environment, unless given; with `PROMETHEUS_ENABLED=false` nothing is measured.
    - `registry`: where the metrics stand; that of the process, unless given.
    - `presets`: names and labels: `guide`, `celery-exporter`, or both.
    - `serve`: whether a worker shows its page on a port of its own.

    Errors: `SettingsError` for a bad variable; `ValueError` for an unknown preset.
    """
    settings = Settings.from_env() if settings is None else settings
    if not settings.enabled:
        return None
    chosen = (presets,) if isinstance(presets, str) else tuple(presets)
    return CeleryMetrics(app, settings, registry, [tasks.names(preset, registry) for preset in chosen], serve)


class CeleryMetrics:
    """What Celery's signals are connected to."""

    def __init__(
        self,
        app: Celery,
        settings: Settings,
        registry: CollectorRegistry | None,
        names: list[Names],
        serve: bool,
    ) -> None:
        self._app = app
        self._settings = settings
        self._registry = registry
        self._names = names
        self._serve = serve
        # Of the worker; its children have it from their main process.
        self._hostname = ""
        self._running: dict[str, float] = {}
        self._lost: dict[str, float] = {}
        self._server: server.Server | None = None
        self._queues_read = 0.0
        self._exporter = next((each for each in names if isinstance(each, CeleryExporterNames)), None)
        self._handlers: list[tuple[Any, Callable[..., None]]] = [
            (signals.before_task_publish, self._publishing),
            (signals.after_task_publish, self._published),
            (signals.task_received, self._received),
            (signals.task_prerun, self._started),
            (signals.task_postrun, self._ended),
            (signals.task_failure, self._failed),
            (signals.task_retry, self._retried),
            (signals.task_revoked, self._revoked),
            (signals.task_rejected, self._rejected),
            (signals.task_unknown, self._rejected),
            (signals.celeryd_after_setup, self._worker_set_up),
            (signals.worker_ready, self._worker_ready),
            (signals.worker_shutdown, self._worker_shutdown),
        ]
        for signal, handler in self._handlers:
            # One set of handlers for an application, however often its module is imported.
            signal.connect(handler, weak=False, dispatch_uid=("promflow", handler.__name__, id(app)))

    def stop(self) -> None:
        """Measures no more."""
        for signal, handler in self._handlers:
            signal.disconnect(dispatch_uid=("promflow", handler.__name__, id(self._app)))
        self._worker_shutdown()

    def _is_own(self, task: Any) -> bool:
        return getattr(task, "app", None) is self._app

    def _publishing(self, headers: dict[str, Any] | None = None, **_: Any) -> None:
        if headers is not None:
            headers[_SENT_HEADER] = time.time()

    def _published(self, sender: str = "", routing_key: str | None = None, **_: Any) -> None:
        name = sender if sender in self._app.tasks else OVERFLOW
        for names in self._names:
            names.event("sent", name, _SENDER, routing_key or self._default_queue())

    def _received(self, request: Any = None, **_: Any) -> None:
        if self._is_own(request.task):
            for names in self._names:
                names.event("received", *self._labels(request))

    def _started(self, task_id: str = "", task: Any = None, **_: Any) -> None:
        if not self._is_own(task):
            return
        labels = self._labels(task.request, task.name)
        seconds = waited(task.request)
        for names in self._names:
            names.event("started", *labels)
            if seconds is not None:
                names.waited(*labels, seconds)
        if len(self._running) < _RUNNING_MAX:
            self._running[task_id] = perf_counter()

    def _ended(
        self, task_id: str = "", task: Any = None, state: str | None = None, retval: Any = None, **_: Any
    ) -> None:
        start = self._running.pop(task_id, None)
        if not self._is_own(task) or start is None:
            return
        ended, error = _state(state, retval)
        if ended is not None:
            self._count(ended, error, self._labels(task.request, task.name), perf_counter() - start)

    def _failed(self, sender: Any = None, task_id: str = "", exception: Any = None, **_: Any) -> None:
        # Of a run of this process its end tells, and a refused one has told already.
        if not self._is_own(sender) or task_id in self._running or isinstance(exception, Reject):
            return
        # Of a hard time limit Celery tells twice: when it is over, and when the child is gone.
        now = perf_counter()
        self._lost = {lost: at for lost, at in self._lost.items() if now - at < _TWICE_WITHIN_S}
        if task_id in self._lost:
            return
        self._lost[task_id] = now
        self._count(FAILURE, type(exception).__name__, self._labels(sender.request, sender.name), None)

    def _retried(self, sender: Any = None, request: Any = None, **_: Any) -> None:
        if self._is_own(sender) and request.id not in self._running:
            self._count(RETRY, "", self._labels(request, sender.name), None)

    def _revoked(self, sender: Any = None, request: Any = None, terminated: bool = False, **_: Any) -> None:
        if not self._is_own(sender):
            return
        labels = self._labels(request, sender.name)
        for names in self._names:
            names.event("revoked", *labels)
            if terminated:
                names.terminated(*labels)

    def _rejected(self, message: Any = None, **_: Any) -> None:
        name = (getattr(message, "headers", None) or {}).get("task", "")
        queue = (getattr(message, "delivery_info", None) or {}).get("routing_key") or self._default_queue()
        for names in self._names:
            known = name if name in self._app.tasks else OVERFLOW
            names.event("rejected", known, self._hostname, queue)

    def _count(self, state: str, error: str, labels: tuple[str, str, str], seconds: float | None) -> None:
        for names in self._names:
            names.ended(state, error, *labels, seconds)

    def _labels(self, request: Any, name: str | None = None) -> tuple[str, str, str]:
        delivery = request.delivery_info or {}
        queue = delivery.get("routing_key") or self._default_queue()
        return name or request.name, self._hostname or request.hostname or "", queue

    def _default_queue(self) -> str:
        queue: str = self._app.conf.task_default_queue
        return queue

    def _worker_set_up(self, sender: str = "", instance: Any = None, **_: Any) -> None:
        """Runs in the main process, before it forks: from here on its page is there."""
        if instance.app is not self._app:
            return
        self._hostname = sender
        system.register(self._registry)
        self._init_tasks(sender)
        if not self._serve:
            return
        try:
            self._server = server.start(self._settings, self._registry)
        except (OSError, ValueError) as error:
            # A worker that works and is not seen is better than none; `up` says the rest.
            _log.critical("cannot show the metrics on port %d: %s", self._settings.port, error)
            return
        if self._server is not None:
            _log.info("metrics on %s", self._server.url)

    def _init_tasks(self, hostname: str) -> None:
        for name in self._app.tasks:
            if name.startswith("celery."):
                continue
            queue = self._app.amqp.router.route({}, name).get("queue")
            for names in self._names:
                names.init(name, hostname, getattr(queue, "name", queue) or self._default_queue())

    def _worker_ready(self, sender: Any = None, **_: Any) -> None:
        if getattr(sender, "app", self._app) is not self._app:
            return
        # What was imported since then has states as well.
        self._init_tasks(sender.hostname)
        if self._exporter is not None:
            self._exporter.metrics.up.labels(sender.hostname).set(1)
            self._exporter.metrics.before_page.add(self._read_queues)

    def _worker_shutdown(self, sender: Any = None, **_: Any) -> None:
        if self._exporter is not None and sender is not None:
            self._exporter.metrics.up.labels(sender.hostname).set(0)
        if self._server is not None:
            self._server.stop()
            self._server = None

    def _read_queues(self) -> None:
        """Asks the broker how many tasks wait; one that does not answer leaves the last number."""
        now = perf_counter()
        if now - self._queues_read < _QUEUES_EVERY_S or self._exporter is None:
            return
        self._queues_read = now
        try:
            with self._app.connection_for_read(connect_timeout=_BROKER_TIMEOUT_S) as connection:
                for queue in self._app.amqp.queues.consume_from:
                    try:
                        declared = connection.default_channel.queue_declare(queue=queue, passive=True)
                        length = declared.message_count
                    except connection.channel_errors:
                        length = 0  # In Redis a queue without tasks is none.
                    self._exporter.metrics.queue_length.labels(queue).set(length)
        except Exception as error:
            _log.warning("cannot ask the broker how many tasks wait: %s", error)


def _state(state: str | None, retval: Any) -> tuple[str | None, str]:
    """Returns how a run ended, and the name of the error's type; a process that is being left has no end yet."""
    if state == "REJECTED":
        # It was put back, or it will never run again.
        return (RETRY if getattr(retval, "requeue", False) else FAILURE), type(retval).__name__
    if state == "FAILURE":
        return FAILURE, type(retval).__name__
    if state == "RETRY":
        return RETRY, ""
    # A task that ignores its result has done what it wanted.
    return (SUCCESS if state in ("SUCCESS", "IGNORED") else None), ""


def waited(request: Any) -> float | None:
    """Reads how long a task waited in its queue, or since it was due, in seconds.

    It is `None` where the sender did not say when that was.
    """
    sent = request.get(_SENT_HEADER)
    if not isinstance(sent, (int, float)):
        return None
    due = sent
    if request.eta:
        try:
            due = max(sent, datetime.fromisoformat(request.eta.replace("Z", "+00:00")).timestamp())
        except (AttributeError, ValueError):
            pass
    return max(time.time() - due, 0.0)
