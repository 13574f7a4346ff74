"""Functions that run inside something, and look like what they wrap."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class ArgSpec(NamedTuple):
    """The parameters of a function."""

    args: list[str]
    varargs: str | None
    varkw: str | None
    defaults: tuple[Any, ...] | None


def getargspec(f: Callable[..., Any]) -> ArgSpec:
    """Returns the parameters of a function, or of what it wraps."""
    spec = inspect.getfullargspec(inspect.unwrap(f))
    return ArgSpec(spec.args, spec.varargs, spec.varkw, spec.defaults)


def decorate(func: F, caller: Callable[..., Any]) -> F:
    """Returns a function that looks like ``func`` and calls ``caller(func, *args, **kwargs)``."""

    @functools.wraps(func)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        return caller(func, *args, **kwargs)

    return decorated  # type: ignore[return-value]


def run_inside(func: F, enter: Callable[[], Any]) -> F:
    """Returns a function that runs ``func`` inside the context manager that ``enter`` makes.

    A coroutine function stays one: its body runs inside, not only the making of the coroutine.
    """
    if inspect.iscoroutinefunction(func):

        @functools.wraps(func)
        async def decorated_coroutine(*args: Any, **kwargs: Any) -> Any:
            with enter():
                return await func(*args, **kwargs)

        return decorated_coroutine  # type: ignore[return-value]

    @functools.wraps(func)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        with enter():
            return func(*args, **kwargs)

    return decorated  # type: ignore[return-value]
