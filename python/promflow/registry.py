"""The registry: which metrics and collectors are on a page.

There is no lock: what is registered is kept in dictionaries whose single operations are atomic, so that a signal
handler, a callback of the garbage collector and a forked process find nothing held.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from threading import Lock
from typing import Any, Protocol

from . import _core, values
from .metrics_core import Metric
from .samples import Sample

_SUFFIXES = {
    "counter": ("_total", "_created"),
    "summary": ("_sum", "_count", "_created"),
    "histogram": ("_bucket", "_sum", "_count", "_created"),
    "gaugehistogram": ("_bucket", "_gsum", "_gcount"),
    "info": ("_info",),
}


class Collector(Protocol):
    """Something that makes metrics when a page is written."""

    def collect(self) -> Iterable[Metric]:
        """Returns the metrics."""


class _EmptyCollector:
    def collect(self) -> Iterable[Metric]:
        return []


class DuplicateTimeseries(ValueError):
    """A name is taken by another collector."""

    def __init__(self, duplicates: set[str]) -> None:
        super().__init__(f"Duplicated timeseries in CollectorRegistry: {duplicates}")
        self.duplicates: set[str] = duplicates


class CollectorRegistry:
    """Metrics and collectors that are exposed together.

    A collector has a method ``collect`` without arguments that returns ``Metric`` objects.
    """

    _shares = False
    """Whether metrics of the registry are shared with the other processes of the application."""

    def __init__(
        self,
        auto_describe: bool = False,
        target_info: dict[str, str] | None = None,
        support_collectors_without_names: bool = False,
    ) -> None:
        self._collector_to_names: dict[Any, list[str]] = {}
        self._names_to_collectors: dict[str, Any] = {}
        self._auto_describe = auto_describe
        # For code that takes it; nothing here does.
        self._lock = Lock()
        self._target_info: dict[str, str] | None = {}
        self._support_collectors_without_names = support_collectors_without_names
        self._collectors_without_names: list[Any] = []
        self.set_target_info(target_info)

    def register(self, collector: Collector) -> None:
        """Adds a collector.

        Raises ``DuplicateTimeseries`` where one of its names is taken.
        """
        names = self._get_names(collector)
        taken = self._names_to_collectors
        duplicates = {name for name in names if name in taken}
        claimed: list[str] = []
        if not duplicates:
            for name in dict.fromkeys(names):
                # Another thread may have taken the name since.
                if taken.setdefault(name, collector) is collector:
                    claimed.append(name)
                else:
                    duplicates.add(name)
        if duplicates:
            for name in claimed:
                taken.pop(name, None)
            raise DuplicateTimeseries(duplicates)
        self._collector_to_names[collector] = names
        if self._support_collectors_without_names and not names:
            self._collectors_without_names.append(collector)

    def unregister(self, collector: Collector) -> None:
        """Takes a collector off the page."""
        for name in self._collector_to_names.pop(collector):
            self._names_to_collectors.pop(name, None)
        if collector in self._collectors_without_names:
            self._collectors_without_names.remove(collector)
        if self._shares and isinstance(collector, _core.Metric) and collector._is_shared:
            # Registered again, it begins at zero.
            name = str(collector._name)
            values._instances[name] = values._instances.get(name, 0) + 1

    def _get_names(self, collector: Any) -> list[str]:
        """Lists the names of the samples that a collector makes."""
        describe = getattr(collector, "describe", None)
        if not describe and self._auto_describe:
            describe = collector.collect
        if not describe:
            return []
        names = []
        for metric in describe():
            names.append(metric.name)
            names.extend(metric.name + suffix for suffix in _SUFFIXES.get(metric.type, ()))
        return names

    def _foreign_part(self) -> _core.SharedPart | None:
        """What other processes of the application registered and this one did not."""
        if not self._shares or getattr(values.ValueClass, "_multiprocess", False):
            return None
        path = values._family_arena[0] if values._family_arena else None
        if path is None or not _core.is_shared_open(path):
            return None
        return _core.SharedPart(path, {*self._names_to_collectors, *values._instances})

    def _page_parts(self) -> list[Any]:
        """Lists what ``_core.write_page`` writes, in the order of the page."""
        parts: list[Any] = []
        if self._target_info:
            parts.append(self._target_info_metric())
        for collector in copy.copy(self._collector_to_names):
            part = getattr(collector, "_page_part", None)
            parts.append(collector if part is None else part())
        foreign = self._foreign_part()
        if foreign is not None:
            parts.append(foreign)
        return parts

    def _foreign_metrics(self) -> list[Metric]:
        foreign = self._foreign_part()
        return [] if foreign is None else _metrics_of(foreign)

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics of all collectors."""
        collectors = copy.copy(self._collector_to_names)
        if self._target_info:
            yield self._target_info_metric()
        for collector in collectors:
            yield from collector.collect()
        yield from self._foreign_metrics()

    def restricted_registry(self, names: Iterable[str]) -> RestrictedRegistry:
        """Returns a registry that has only the samples of some names: ``generate_latest`` takes it."""
        return RestrictedRegistry(names, self)

    def set_target_info(self, labels: dict[str, str] | None) -> None:
        """Says what the target is, in the labels of ``target_info``."""
        if labels:
            if not self._target_info and "target_info" in self._names_to_collectors:
                raise ValueError("CollectorRegistry already contains a target_info metric")
            self._names_to_collectors["target_info"] = _EmptyCollector()
        elif self._target_info:
            self._names_to_collectors.pop("target_info", None)
        self._target_info = labels

    def get_target_info(self) -> dict[str, str] | None:
        """Returns the labels of ``target_info``."""
        return self._target_info

    def _target_info_metric(self) -> Metric:
        metric = Metric("target", "Target metadata", "info")
        metric.add_sample("target_info", self._target_info or {}, 1)
        return metric

    def get_sample_value(self, name: str, labels: dict[str, str] | None = None) -> float | None:
        """Returns the value of a sample, or ``None`` where there is none: for tests, as it collects everything."""
        wanted = labels or {}
        for metric in self.collect():
            for sample in metric.samples:
                if sample.name == name and sample.labels == wanted:
                    return sample.value
        return None


class RestrictedRegistry:
    """A registry that has only the samples of some names."""

    def __init__(self, names: Iterable[str], registry: CollectorRegistry) -> None:
        self._name_set = set(names)
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics that have such samples."""
        registry, names = self._registry, self._name_set
        collectors = set(registry._collectors_without_names)
        if "target_info" in names and registry._target_info:
            yield registry._target_info_metric()
        for name in names - {"target_info"}:
            collector = registry._names_to_collectors.get(name)
            if collector is not None:
                collectors.add(collector)
        for collector in collectors:
            yield from self._restricted(collector.collect())
        yield from self._restricted(registry._foreign_metrics())

    def _restricted(self, metrics: Iterable[Metric]) -> Iterator[Metric]:
        for metric in metrics:
            restricted = metric._restricted_metric(self._name_set)
            if restricted:
                yield restricted


def _page_parts_of(registry: Any) -> list[Any]:
    """Lists what ``_core.write_page`` writes of a registry, or of anything else with ``collect()``."""
    is_plain = isinstance(registry, CollectorRegistry) and type(registry).collect is CollectorRegistry.collect
    return registry._page_parts() if is_plain else [registry]


def _metrics_of(part: _core.SharedPart) -> list[Metric]:
    """Makes ``Metric`` objects of what processes share."""
    metrics = []
    for name, help_text, typ, unit, samples in part.metrics():
        metric = Metric(name, help_text, typ, unit)
        metric.samples = [
            Sample(sample_name, labels, value, None, exemplar)
            for sample_name, labels, value, exemplar in samples
        ]
        metrics.append(metric)
    return metrics


class _DefaultRegistry(CollectorRegistry):
    _shares = True


_DefaultRegistry.__name__ = _DefaultRegistry.__qualname__ = "CollectorRegistry"

REGISTRY = _DefaultRegistry(auto_describe=True)
