"""Numbers as they stand on a page."""

from __future__ import annotations

from typing import Any

from ._core import float_to_go_string

__all__ = ("INF", "MINUS_INF", "NaN", "floatToGoString", "parse_version")

INF = float("inf")
MINUS_INF = float("-inf")
NaN = float("nan")


def floatToGoString(d: Any) -> str:
    """Writes a number as a page has it: ``1.0``, ``+Inf``, ``1e+06``."""
    return float_to_go_string(float(d))


def parse_version(version_str: str) -> tuple[int | str, ...]:
    """Splits a version at its points; a part that is no number stays text."""

    def part(text: str) -> int | str:
        try:
            return int(text)
        except ValueError:
            return text

    return tuple(part(text) for text in version_str.split("."))
