"""The metrics of a backend, each defined by one plain call, so that a reader of the source, or a tool, finds it.

Names and labels are fixed: rules, dashboards and promflow's Rust library rely on them. Each group stands in a registry
and is made once there, however often it is asked for (`Http.of(registry)`): Starlette builds its middleware stack again
and again, and two applications may share a process. The parts of this package that count make the groups they need.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from promflow import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from promflow.metrics_core import Metric

OVERFLOW = "__other__"
"""The value of a label for all that a limit keeps out."""

REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds for requests and calls over a network, in seconds."""
TASK_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Upper bounds for background tasks, in seconds."""
BATCH_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds for batches of messages, in seconds."""
COMMAND_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Upper bounds for commands to a cache, in seconds."""
SIZE_BUCKETS = (100.0, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8)
"""Upper bounds for the sizes of bodies, in bytes."""

GroupT = TypeVar("GroupT", bound="Group")

_lock = threading.RLock()
_groups: weakref.WeakKeyDictionary[CollectorRegistry, dict[tuple[Any, ...], Any]] = weakref.WeakKeyDictionary()


class Group:
    """Metrics that stand in a registry together."""

    def __init__(self, registry: CollectorRegistry) -> None:
        raise NotImplementedError

    @classmethod
    def of(cls: type[GroupT], registry: CollectorRegistry | None = None, *arguments: Any) -> GroupT:
        """Finds the group in a registry, or registers it; in that of the process, unless told.

        Errors: `ValueError` when another metric has one of the names.
        """
        registry = REGISTRY if registry is None else registry
        with _lock:
            groups = _groups.setdefault(registry, {})
            key = (cls, *arguments)
            if key not in groups:
                groups[key] = cls(registry, *arguments)
            found: GroupT = groups[key]
            return found


class BeforePage(Group):
    """What is read before every page of a registry: a collector that has no metric of its own.

    Collectors are read in the order of their registration, so a group asks for it before it makes what it refreshes.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._callbacks: list[Callable[[], None]] = []
        registry.register(self)

    def add(self, callback: Callable[[], None]) -> None:
        """Calls something before every page."""
        self._callbacks.append(callback)

    def remove(self, callback: Callable[[], None]) -> None:
        """Calls it no more."""
        self._callbacks.remove(callback)

    def collect(self) -> Iterable[Metric]:
        """Reads everything."""
        for callback in tuple(self._callbacks):
            callback()
        return ()

    def describe(self) -> Iterable[Metric]:
        """Names nothing."""
        return ()


class Http(Group):
    """Requests that the backend answers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "http_requests_total",
            "HTTP requests answered, by method, route template and status code.",
            ["method", "endpoint", "status"],
            registry=registry,
        )
        self.duration = Histogram(
            "http_request_duration_seconds",
            "Time from the request to the end of its response.",
            ["method", "endpoint"],
            buckets=REQUEST_BUCKETS,
            registry=registry,
        )
        self.in_progress = Gauge(
            "http_requests_in_progress",
            "HTTP requests being answered.",
            ["method"],
            multiprocess_mode="livesum",
            registry=registry,
        )


class HttpSizes(Group):
    """The sizes of requests and responses, which are measured when asked for."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.request = Histogram(
            "http_request_size_bytes",
            "Size of the bodies of HTTP requests.",
            ["method", "endpoint"],
            buckets=SIZE_BUCKETS,
            registry=registry,
        )
        self.response = Histogram(
            "http_response_size_bytes",
            "Size of the bodies of HTTP responses, as far as they were sent.",
            ["method", "endpoint"],
            buckets=SIZE_BUCKETS,
            registry=registry,
        )


class Tasks(Group):
    """Background tasks, under the names of the Celery world."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.total = Counter(
            "celery_tasks_total",
            "Runs of background tasks, by how they ended.",
            ["task", "state"],
            registry=registry,
        )
        self.duration = Histogram(
            "celery_task_duration_seconds",
            "Time that a run of a background task took.",
            ["task"],
            buckets=TASK_BUCKETS,
            registry=registry,
        )


class System(Group):
    """The machine."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.cpu_usage_percent = Gauge(
            "system_cpu_usage_percent",
            "Share of processor time in use since the page before, from 0 to 100.",
            multiprocess_mode="mostrecent",
            registry=registry,
        )


class Credits(Group):
    """Credits of users."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.used = Counter(
            "credits_used_total", "Credits used, by user and type.", ["user", "type"], registry=registry
        )
        self.remaining = Gauge(
            "credits_remaining",
            "Credits left, by user and type.",
            ["user", "type"],
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self.accounts = Gauge(
            "credits_accounts",
            "Accounts by whether they have no credits of a type, few, or enough.",
            ["type", "bucket"],
            multiprocess_mode="livesum",
            registry=registry,
        )


class PaidApi(Group):
    """Calls to an API that costs money."""

    calls: Counter
    duration: Histogram
    spend: Counter


class Stripe(PaidApi):
    """Calls to Stripe."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.calls = Counter(
            "stripe_api_calls_total",
            "Calls to Stripe, by operation and outcome.",
            ["operation", "outcome"],
            registry=registry,
        )
        self.duration = Histogram(
            "stripe_api_call_duration_seconds",
            "Time that a call to Stripe took.",
            ["operation"],
            buckets=REQUEST_BUCKETS,
            registry=registry,
        )
        self.spend = Counter(
            "stripe_spend_usd_total", "Fees paid to Stripe, in US dollars.", ["operation"], registry=registry
        )


class Vapi(PaidApi):
    """Calls to VAPI."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.calls = Counter(
            "vapi_api_calls_total",
            "Calls to VAPI, by operation and outcome.",
            ["operation", "outcome"],
            registry=registry,
        )
        self.duration = Histogram(
            "vapi_api_call_duration_seconds",
            "Time that a call to VAPI took.",
            ["operation"],
            buckets=REQUEST_BUCKETS,
            registry=registry,
        )
        self.spend = Counter(
            "vapi_spend_usd_total", "Fees paid to VAPI, in US dollars.", ["operation"], registry=registry
        )


class NamedApi(PaidApi):
    """Calls to any API by its name."""

    def __init__(self, registry: CollectorRegistry, api: str) -> None:
        self.calls = Counter(
            f"{api}_api_calls_total",
            f"Calls to {api}, by operation and outcome.",
            ["operation", "outcome"],
            registry=registry,
        )
        self.duration = Histogram(
            f"{api}_api_call_duration_seconds",
            f"Time that a call to {api} took.",
            ["operation"],
            buckets=REQUEST_BUCKETS,
            registry=registry,
        )
        self.spend = Counter(
            f"{api}_spend_usd_total", f"Fees paid to {api}, in US dollars.", ["operation"], registry=registry
        )


class Pulsar(Group):
    """A consumer of Pulsar topics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.processed = Counter(
            "pulsar_messages_processed_total",
            "Messages consumed, by topic and outcome.",
            ["topic", "outcome"],
            registry=registry,
        )
        self.dead_letters = Counter(
            "pulsar_dlq_messages_total", "Messages sent to the dead letter topic.", ["topic"], registry=registry
        )
        self.batch = Histogram(
            "pulsar_batch_processing_seconds",
            "Time that a batch of messages took.",
            ["topic"],
            buckets=BATCH_BUCKETS,
            registry=registry,
        )
        self.queue_size = Gauge(
            "pulsar_consumer_queue_size",
            "Messages that wait in the consumer.",
            ["topic"],
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.last_processed = Gauge(
            "pulsar_last_processed_timestamp_seconds",
            "When a message was last processed, in seconds since 1970; 0 before the first.",
            ["topic"],
            multiprocess_mode="max",
            registry=registry,
        )


class Redis(Group):
    """A client of Redis."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.commands = Counter(
            "redis_client_commands_total",
            "Commands sent to Redis, by command and outcome.",
            ["command", "outcome"],
            registry=registry,
        )
        self.duration = Histogram(
            "redis_client_command_duration_seconds",
            "Time that a command to Redis took.",
            ["command"],
            buckets=COMMAND_BUCKETS,
            registry=registry,
        )
        self.pool_connections = Gauge(
            "redis_client_pool_connections",
            "Connections of the pool to Redis, by state.",
            ["state"],
            multiprocess_mode="livesum",
            registry=registry,
        )


class BuildInfo(Group):
    """Which build runs."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.info = Gauge(
            "app_build_info",
            "Version and revision of the application; always 1.",
            ["version", "revision"],
            multiprocess_mode="max",
            registry=registry,
        )


def build_info(version: str, revision: str, registry: CollectorRegistry | None = None) -> None:
    """Says on the page which build runs: `app_build_info`, always 1."""
    BuildInfo.of(registry).info.labels(version, revision).set(1)
