"""prometheus_client's interface over promflow's core, shared between processes."""

from .metrics import (
    Counter,
    Enum,
    Gauge,
    Histogram,
    Info,
    Summary,
    disable_created_metrics,
    enable_created_metrics,
)
from .metrics_core import Metric
from .registry import REGISTRY, CollectorRegistry

__all__ = (
    "CollectorRegistry",
    "Counter",
    "Enum",
    "Gauge",
    "Histogram",
    "Info",
    "Metric",
    "REGISTRY",
    "Summary",
    "disable_created_metrics",
    "enable_created_metrics",
)
