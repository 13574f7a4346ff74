"""The machine: how busy its processors are, from `/proc/stat`, read for every page."""

from __future__ import annotations

import threading
from typing import NamedTuple

from promflow import CollectorRegistry

from .metrics import BeforePage, Group, System

# Fewer ticks than this between two pages say too little: the share read before is shown again.
_TICKS_MIN = 10


class Ticks(NamedTuple):
    """Processor time since the start of the machine."""

    busy: int
    total: int

    @classmethod
    def parse(cls, stat: str) -> Ticks | None:
        """Reads the first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal.

        Guest times that follow are in user and nice already.
        """
        words = stat.split("\n", 1)[0].split()
        if len(words) < 5 or words[0] != "cpu":
            return None
        try:
            ticks = [int(word) for word in words[1:9]]
        except ValueError:
            return None
        return cls(sum(ticks) - sum(ticks[3:5]), sum(ticks))

    def percent_since(self, before: Ticks) -> float | None:
        """Returns the busy share of the time between; `None` when that is too short."""
        total = max(self.total - before.total, 0)
        # The kernel's idle times may go back a little, so the busy ones too.
        busy = min(max(self.busy - before.busy, 0), total)
        return 100.0 * busy / total if total >= _TICKS_MIN else None


def read_ticks() -> Ticks | None:
    """Reads the machine's; `None` where there is no `/proc`."""
    try:
        with open("/proc/stat", encoding="ascii") as stat:
            return Ticks.parse(stat.readline())
    except OSError:
        return None


class _Reader(Group):
    def __init__(self, registry: CollectorRegistry) -> None:
        if read_ticks() is None:
            return
        self._lock = threading.RLock()
        self._last = Ticks(0, 0)
        before_page = BeforePage.of(registry)
        self._gauge = System.of(registry).cpu_usage_percent
        before_page.add(self._read)

    def _read(self) -> None:
        now = read_ticks()
        with self._lock:
            percent = now.percent_since(self._last) if now else None
            if now and percent is not None:
                self._gauge.set(percent)
                self._last = now


def register(registry: CollectorRegistry | None = None) -> None:
    """Registers the metrics of the machine, once, and reads them before every page.

    Where there is no `/proc`, nothing is registered.
    """
    _Reader.of(registry)
