"""Metrics of the process, from ``/proc``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from .metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from .registry import REGISTRY, Collector, CollectorRegistry

__all__ = ("PROCESS_COLLECTOR", "ProcessCollector")

# Places in /proc/PID/stat, counted behind the command's name, which may hold spaces.
_UTIME, _STIME, _STARTTIME, _VSIZE, _RSS = 11, 12, 19, 20, 21


def _sysconf(name: str, default: int) -> int:
    try:
        return os.sysconf(name)
    except (AttributeError, OSError, ValueError):
        return default


class ProcessCollector(Collector):
    """Collects CPU time, memory, start time and file descriptors of a process.

    ``pid`` is called at each collection. Where ``proc`` cannot be read nothing is collected.
    """

    def __init__(
        self,
        namespace: str = "",
        pid: Callable[[], int | str] = lambda: "self",
        proc: str = "/proc",
        registry: CollectorRegistry | None = REGISTRY,
    ) -> None:
        self._pid = pid
        self._proc = proc
        self._prefix = f"{namespace}_process_" if namespace else "process_"
        self._ticks: float = _sysconf("SC_CLK_TCK", 100)
        self._pagesize = _sysconf("SC_PAGE_SIZE", 4096)
        try:
            self._btime = self._boot_time()
        except OSError:
            self._btime = 0.0
        if registry:
            registry.register(self)

    def _boot_time(self) -> float:
        with open(os.path.join(self._proc, "stat"), "rb") as stat:
            for line in stat:
                if line.startswith(b"btime "):
                    return float(line.split()[1])
        return 0.0

    def collect(self) -> Iterable[Metric]:
        """Reads ``/proc`` now."""
        if not self._btime:
            return []
        directory = os.path.join(self._proc, str(self._pid()).strip())
        families: list[Metric] = []
        for read in (self._from_stat, self._from_descriptors):
            try:
                families.extend(read(directory))
            except OSError:
                # Gone, or another user's.
                continue
        return families

    def _from_stat(self, directory: str) -> list[Metric]:
        with open(os.path.join(directory, "stat"), "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()
        cpu_ticks = float(fields[_UTIME]) + float(fields[_STIME])
        return [
            self._gauge("virtual_memory_bytes", "Virtual memory size in bytes.", float(fields[_VSIZE])),
            self._gauge(
                "resident_memory_bytes",
                "Resident memory size in bytes.",
                float(fields[_RSS]) * self._pagesize,
            ),
            self._gauge(
                "start_time_seconds",
                "Start time of the process since unix epoch in seconds.",
                float(fields[_STARTTIME]) / self._ticks + self._btime,
            ),
            CounterMetricFamily(
                self._prefix + "cpu_seconds_total",
                "Total user and system CPU time spent in seconds.",
                value=cpu_ticks / self._ticks,
            ),
        ]

    def _from_descriptors(self, directory: str) -> list[Metric]:
        open_fds = len(os.listdir(os.path.join(directory, "fd")))
        families: list[Metric] = [self._gauge("open_fds", "Number of open file descriptors.", open_fds)]
        with open(os.path.join(directory, "limits"), "rb") as limits:
            for line in limits:
                if line.startswith(b"Max open file"):
                    limit = float(line.split()[3])
                    families.append(self._gauge("max_fds", "Maximum number of open file descriptors.", limit))
                    break
        return families

    def _gauge(self, name: str, documentation: str, value: float) -> Metric:
        return GaugeMetricFamily(self._prefix + name, documentation, value=value)


PROCESS_COLLECTOR = ProcessCollector()
"""The collector in ``REGISTRY``."""
