"""Pushes metrics to Graphite, in its plain text protocol."""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from timeit import default_timer

from ..registry import REGISTRY, Collector

__all__ = ("GraphiteBridge",)

# What works in the name of a file, as that is where Graphite keeps a metric. Points divide names, so they go too.
_INVALID_GRAPHITE_CHARS = re.compile(r"[^a-zA-Z0-9_-]")


def _sanitize(text: str) -> str:
    return _INVALID_GRAPHITE_CHARS.sub("_", text)


class _RegularPush(threading.Thread):
    """Pushes at every multiple of an interval; a push that is late is left out."""

    def __init__(self, bridge: GraphiteBridge, interval: float, prefix: str) -> None:
        super().__init__(daemon=True)
        self._bridge = bridge
        self._interval = interval
        self._prefix = prefix

    def run(self) -> None:
        due = default_timer()
        while True:
            wait = due - default_timer()
            if wait > 0:
                time.sleep(wait)
                continue
            while due <= default_timer():
                due += self._interval
            try:
                self._bridge.push(prefix=self._prefix)
            except OSError:
                logging.exception("Push failed")


class GraphiteBridge:
    """Sends what a registry collects to Graphite at ``address``, a host and a port.

    Labels become parts of the name, or with ``tags`` Graphite's tags.
    """

    def __init__(
        self,
        address: tuple[str, int],
        registry: Collector = REGISTRY,
        timeout_seconds: float = 30,
        _timer: Callable[[], float] = time.time,
        tags: bool = False,
    ) -> None:
        self._address = address
        self._registry = registry
        self._timeout = timeout_seconds
        self._timer = _timer
        self._tags = tags

    def _labels(self, labels: Mapping[str, str] | None) -> str:
        between, equals = (";", "=") if self._tags else (".", ".")
        pairs = sorted((labels or {}).items())
        return "".join(f"{between}{_sanitize(name)}{equals}{_sanitize(value)}" for name, value in pairs)

    def push(self, prefix: str = "") -> None:
        """Sends all samples once, their names behind ``prefix`` and a point."""
        now = int(self._timer())
        before = f"{prefix}." if prefix else ""
        lines = [
            f"{before}{_sanitize(sample.name)}{self._labels(sample.labels)} {float(sample.value)} {now}\n"
            for metric in self._registry.collect()
            for sample in metric.samples
        ]
        with socket.create_connection(self._address, self._timeout) as connection:
            connection.sendall("".join(lines).encode("ascii"))

    def start(self, interval: float = 60.0, prefix: str = "") -> None:
        """Pushes from a daemon thread every ``interval`` seconds."""
        _RegularPush(self, interval, prefix).start()
