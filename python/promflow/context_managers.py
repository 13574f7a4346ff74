"""What counts or times a block of code or a function."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ._core import Timer
from .decorator import run_inside

if TYPE_CHECKING:
    from .metrics import Counter, Gauge

__all__ = ("ExceptionCounter", "InprogressTracker", "Timer")

F = TypeVar("F", bound=Callable[..., Any])


class ExceptionCounter:
    """Counts the exceptions of some types that leave a block of code or a function."""

    def __init__(
        self, counter: Counter, exception: type[BaseException] | tuple[type[BaseException], ...]
    ) -> None:
        self._counter = counter
        self._exception = exception

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]:
        if isinstance(value, self._exception):
            self._counter.inc()
        return False

    def __call__(self, f: F) -> F:
        return run_inside(f, lambda: self)


class InprogressTracker:
    """Counts what is inside a block of code or a function."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge

    def __enter__(self) -> None:
        self._gauge.inc()

    def __exit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._gauge.dec()

    def __call__(self, f: F) -> F:
        return run_inside(f, lambda: self)


def _decorate_timed(timer: Timer, f: F) -> F:
    """Times each call of a function by a timer of its own, so that calls may overlap."""
    return run_inside(f, timer._new_timer)
