"""Consumers of Pulsar topics."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from promflow import CollectorRegistry

from .metrics import Pulsar


class Topic:
    """Measures the consumption of one topic; its outcomes and dead letters exist at zero from the start.

        events = Topic("account-events")
        with events.batch():
            for message in batch:
                ...
                events.succeeded()
    """

    def __init__(self, name: str, registry: CollectorRegistry | None = None) -> None:
        """Registers a topic under its name, without its partition."""
        metrics = Pulsar.of(registry)
        self._success = metrics.processed.labels(name, "success")
        self._failure = metrics.processed.labels(name, "failure")
        self._dead_letters = metrics.dead_letters.labels(name)
        self._batch = metrics.batch.labels(name)
        self._queue_size = metrics.queue_size.labels(name)
        self._last_processed = metrics.last_processed.labels(name)

    def batch(self) -> AbstractContextManager[Any]:
        """Measures a batch, from its beginning to the end of the `with`."""
        timer: AbstractContextManager[Any] = self._batch.time()
        return timer

    def succeeded(self) -> None:
        """Counts a message that was processed."""
        self._success.inc()
        self._last_processed.set_to_current_time()

    def failed(self) -> None:
        """Counts a message that could not be processed, this time."""
        self._failure.inc()

    def dead_lettered(self) -> None:
        """Counts a message that was given up."""
        self._dead_letters.inc()

    def set_queue_size(self, messages: int) -> None:
        """Shows how many messages wait in the consumer."""
        self._queue_size.set(messages)
