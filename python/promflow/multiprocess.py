"""prometheus_client's interface to metrics of several processes, over the arena that they share."""

from __future__ import annotations

import os
from collections.abc import Iterable

from . import _core, values
from .metrics_core import Metric
from .registry import CollectorRegistry, _metrics_of


class MultiProcessCollector:
    """Collects the metrics of all processes that share a directory.

    Cost: as long as the number of series, not of processes.
    """

    def __init__(self, registry: CollectorRegistry | None, path: str | None = None) -> None:
        if path is None:
            path = values._multiprocess_dir()
        if not path or not os.path.isdir(path):
            raise ValueError("env PROMETHEUS_MULTIPROC_DIR is not set or not a directory")
        self._path = path
        if registry:
            registry.register(self)

    def _page_part(self) -> _core.SharedPart:
        return _core.SharedPart(os.path.join(self._path, values.ARENA_FILE))

    def collect(self) -> list[Metric]:
        """Returns the metrics of all processes."""
        return _metrics_of(self._page_part())

    @staticmethod
    def merge(files: Iterable[str], accumulate: bool = True) -> list[Metric]:
        """Merges files as prometheus_client writes them, of which there are none: processes share one arena.

        Raises ``NotImplementedError`` for a file that exists.
        """
        for file in files:
            if os.path.exists(file):
                raise NotImplementedError(f"not supported yet: merging prometheus_client's file {file!r}")
        return []


def mark_process_dead(pid: int, path: str | None = None) -> None:
    """Gives up what a process that ended set in gauges that only running processes count in.

    That a process of this machine ended is noticed without it.
    """
    if path is None:
        path = os.environ.get("PROMETHEUS_MULTIPROC_DIR", os.environ.get("prometheus_multiproc_dir"))
    if path is None:
        raise ValueError("env PROMETHEUS_MULTIPROC_DIR is not set")
    file = os.path.join(path, values.ARENA_FILE)
    if os.path.exists(file):
        _core.SharedPart(file).mark_process_dead(pid)
