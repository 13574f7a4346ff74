"""Reads OpenMetrics 1.0, and the native histograms of 2.0."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .._core import OpenMetricsFamilies
from ..metrics_core import Metric

__all__ = ("text_fd_to_metric_families", "text_string_to_metric_families")


def text_string_to_metric_families(text: str) -> Iterator[Metric]:
    """Yields the families of a page, each as soon as it is complete.

    Raises ``ValueError`` at the first line that breaks the format, and at the end where ``# EOF`` is missing.
    """
    yield from OpenMetricsFamilies(text)


def text_fd_to_metric_families(fd: Iterable[str]) -> Iterator[Metric]:
    """Yields the families of a page that is an open text file, or anything else that gives lines."""
    yield from OpenMetricsFamilies(iter(fd))
