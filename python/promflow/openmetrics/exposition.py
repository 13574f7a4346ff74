"""Writes OpenMetrics, and names for scrapers that cannot read all of UTF-8."""

from __future__ import annotations

from .. import _core
from ..registry import Collector, _page_parts_of
from ..utils import parse_version

__all__ = (
    "ALLOWUTF8",
    "CONTENT_TYPE_LATEST",
    "CONTENT_TYPE_LATEST_2_0",
    "DOTS",
    "ESCAPING_HEADER_TAG",
    "UNDERSCORES",
    "VALUES",
    "escape_label_name",
    "escape_metric_name",
    "generate_latest",
)

CONTENT_TYPE_LATEST = "application/openmetrics-text; version=1.0.0; charset=utf-8"
"""Content type of OpenMetrics 1.0."""

CONTENT_TYPE_LATEST_2_0 = "application/openmetrics-text; version=2.0.0; charset=utf-8"
"""Content type of OpenMetrics 2.0, which adds native histograms here."""

ESCAPING_HEADER_TAG = "escaping"

ALLOWUTF8 = "allow-utf-8"
UNDERSCORES = "underscores"
DOTS = "dots"
VALUES = "values"


def generate_latest(registry: Collector, escaping: str = UNDERSCORES, version: str = "1.0.0") -> bytes:
    """Writes what a registry collects in OpenMetrics.

    Native histograms are left out below version 2.0.0, which is the first to have them.
    """
    return _core.write_page(_page_parts_of(registry), "openmetrics", escaping, parse_version(version) >= (2, 0, 0))


def escape_metric_name(s: str, escaping: str = UNDERSCORES) -> str:
    """Writes a metric name as a scheme wants it; in quotes where it is not classic and UTF-8 is allowed."""
    return _core.escape_metric_name(s, escaping)


def escape_label_name(s: str, escaping: str = UNDERSCORES) -> str:
    """Writes a label name as a scheme wants it; in quotes where it is not classic and UTF-8 is allowed."""
    return _core.escape_label_name(s, escaping)
