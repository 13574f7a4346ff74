"""Reads the text format, as laxly as prometheus_client does.

That a page is read does not say that it follows the specification.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ._core import PrometheusFamilies
from .metrics_core import Metric

__all__ = ("text_fd_to_metric_families", "text_string_to_metric_families")


def text_string_to_metric_families(text: str) -> Iterator[Metric]:
    """Yields the families of a page, each as soon as it is complete.

    Raises ``ValueError`` at the first line that cannot be read.
    """
    yield from PrometheusFamilies(text)


def text_fd_to_metric_families(fd: Iterable[str]) -> Iterator[Metric]:
    """Yields the families of a page that is an open text file, or anything else that gives lines."""
    yield from PrometheusFamilies(iter(fd))
