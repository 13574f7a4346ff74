"""Which Python runs."""

from __future__ import annotations

import platform as standard_platform
from collections.abc import Iterable
from typing import Any

from .metrics_core import GaugeMetricFamily, Metric
from .registry import REGISTRY, Collector, CollectorRegistry

__all__ = ("PLATFORM_COLLECTOR", "PlatformCollector")


class PlatformCollector(Collector):
    """Collects ``python_info``, whose labels are the interpreter's version, and the JVM's where it runs on one."""

    def __init__(self, registry: CollectorRegistry | None = REGISTRY, platform: Any | None = None) -> None:
        source = standard_platform if platform is None else platform
        facts = _python(source)
        if source.system() == "Java":
            facts.update(_java(source))
        family = GaugeMetricFamily("python_info", "Python platform information", labels=tuple(facts))
        family.add_metric(tuple(facts.values()), 1)
        self._metrics = [family]
        if registry:
            registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """Gives what was found at the start, as it cannot change."""
        return self._metrics


def _python(source: Any) -> dict[str, str]:
    major, minor, patchlevel = source.python_version_tuple()
    return {
        "version": source.python_version(),
        "implementation": source.python_implementation(),
        "major": major,
        "minor": minor,
        "patchlevel": patchlevel,
    }


def _java(source: Any) -> dict[str, str]:
    version, _, vm, _ = source.java_ver()
    vm_name, vm_release, vm_vendor = vm
    return {
        "jvm_version": version,
        "jvm_release": vm_release,
        "jvm_vendor": vm_vendor,
        "jvm_name": vm_name,
    }


PLATFORM_COLLECTOR = PlatformCollector()
"""The collector in ``REGISTRY``."""
