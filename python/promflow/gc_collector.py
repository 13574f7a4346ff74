"""What the garbage collector does."""

from __future__ import annotations

import gc
import platform
from collections.abc import Iterable

from .metrics_core import CounterMetricFamily, Metric
from .registry import REGISTRY, Collector, CollectorRegistry

__all__ = ("GCCollector", "GC_COLLECTOR")

_FAMILIES = (
    ("python_gc_objects_collected", "Objects collected during gc", "collected"),
    ("python_gc_objects_uncollectable", "Uncollectable objects found during GC", "uncollectable"),
    ("python_gc_collections", "Number of times this generation was collected", "collections"),
)


class GCCollector(Collector):
    """Collects the garbage collector's counts by generation. Interpreters that have none register nothing."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        if hasattr(gc, "get_stats") and platform.python_implementation() == "CPython":
            registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """Reads the counts now."""
        stats = gc.get_stats()
        families = []
        for name, documentation, key in _FAMILIES:
            family = CounterMetricFamily(name, documentation, labels=["generation"])
            for generation, counts in enumerate(stats):
                family.add_metric([str(generation)], counts[key])
            families.append(family)
        return families


GC_COLLECTOR = GCCollector()
"""The collector in ``REGISTRY``."""
