"""Where numbers are kept: in this process, or in an arena that processes share.

Metrics keep theirs in the native half of the package, which asks ``ValueClass`` only whether processes share them. The
classes here are for code that makes values itself.
"""

from __future__ import annotations

import atexit
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from . import _core, _family

ARENA_FILE = _family.NAMED_FILE
"""The file in ``PROMETHEUS_MULTIPROC_DIR`` that processes share."""

os.register_at_fork(
    before=_core.before_fork,
    after_in_parent=_core.after_fork_in_parent,
    after_in_child=_core.after_fork_in_child,
)
atexit.register(_core.before_exit)


def close_all_multiprocess_files() -> None:
    """Forgets the files that processes share; metrics that count there go on."""
    _core.close_shared()


def _names_directory() -> bool:
    """Says whether the environment names a directory for the files that processes share."""
    return "prometheus_multiproc_dir" in os.environ or "PROMETHEUS_MULTIPROC_DIR" in os.environ


def _multiprocess_dir() -> str | None:
    """Reads the directory, which older versions named in lower case."""
    old = os.environ.get("prometheus_multiproc_dir")
    if old is not None and "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = old
        warnings.warn(
            "prometheus_multiproc_dir variable has been deprecated in favor of the upper case naming "
            "PROMETHEUS_MULTIPROC_DIR",
            DeprecationWarning,
            stacklevel=2,
        )
    return os.environ.get("PROMETHEUS_MULTIPROC_DIR")


class _Place(NamedTuple):
    """Where a metric's numbers are kept."""

    arena: str | None = None
    """The file that processes share."""
    named: bool = False
    """Whether the application named the file's directory."""
    process: Callable[[], int] | None = None
    """The application's own number of this process."""


_PRIVATE = _Place()

_family_arena: list[str | None] = []
"""The file that the processes of this application share, once it was asked for."""

_instances: dict[str, int] = {}
"""How often metrics of these names were unregistered."""


def _place(shared: bool) -> _Place:
    """Says where a new metric's numbers are kept; ``shared``: whether it is one of the default registry."""
    if getattr(ValueClass, "_multiprocess", False):
        path = _multiprocess_dir()
        if path is None:
            return _PRIVATE
        identify = getattr(ValueClass, "_process_identifier", None)
        return _Place(os.path.join(path, ARENA_FILE), True, identify)
    if not shared:
        return _PRIVATE
    if not _family_arena:
        _family_arena.append(_family.open_path())
    return _Place(_family_arena[0])


def _metric_of(
    typ: str, metric_name: str, name: str, labelnames: Sequence[str], help_text: str, mode: str, place: _Place
) -> _core.Metric:
    metric = _core.Metric.__new__(_core.Metric)
    metric._setup(
        metric_name,
        help_text,
        tuple(labelnames),
        "",
        (),
        (metric_name, "", ""),
        {
            "kind": "value",
            "bounds": [],
            "states": [typ, name],
            "mode": mode,
            "by_process": bool(mode) or place.process is not None,
            "always_pid": True,
            "arena": place.arena,
            "instance": 0,
            "plain": True,
            "native": False,
            "process": place.process,
        },
    )
    return metric


class MutexValue:
    """A number of this process."""

    _multiprocess = False

    def __init__(
        self,
        typ: str,
        metric_name: str,
        name: str,
        labelnames: Sequence[str],
        labelvalues: Sequence[str],
        help_text: str,
        multiprocess_mode: str = "",
        **kwargs: Any,
    ) -> None:
        self._begin(typ, metric_name, name, labelnames, labelvalues, help_text, "", _PRIVATE)

    def _begin(
        self,
        typ: str,
        metric_name: str,
        name: str,
        labelnames: Sequence[str],
        labelvalues: Sequence[str],
        help_text: str,
        mode: str,
        place: _Place,
    ) -> None:
        metric = _metric_of(typ, metric_name, name, labelnames, help_text, mode, place)
        child = metric.labels(*labelvalues) if labelnames else metric
        self._cell = child._cell(1)
        self._exemplar: Any = None

    def inc(self, amount: float) -> None:
        """Adds to the number."""
        self._cell.inc(amount)

    def set(self, value: float, timestamp: float | None = None) -> None:
        """Sets the number."""
        self._cell.set(value, timestamp)

    def get(self) -> float:
        """Returns the number."""
        return self._cell.get()

    def set_exemplar(self, exemplar: Any) -> None:
        """Keeps an example of what was counted."""
        self._exemplar = exemplar

    def get_exemplar(self) -> Any:
        """Returns the example that was kept last."""
        return self._exemplar


def MultiProcessValue(process_identifier: Callable[[], int] = os.getpid) -> type[MutexValue]:  # noqa: N802
    """Returns a class of numbers that processes share.

    ``process_identifier`` numbers processes; two that run at the same time must have two numbers.
    """
    identify = None if process_identifier is os.getpid else staticmethod(process_identifier)

    class MmapedValue(MutexValue):
        """A number that processes share by a file in ``PROMETHEUS_MULTIPROC_DIR``."""

        _multiprocess = True
        _process_identifier = identify

        def __init__(
            self,
            typ: str,
            metric_name: str,
            name: str,
            labelnames: Sequence[str],
            labelvalues: Sequence[str],
            help_text: str,
            multiprocess_mode: str = "",
            **kwargs: Any,
        ) -> None:
            path = _multiprocess_dir()
            arena = None if path is None else os.path.join(path, ARENA_FILE)
            place = _Place(arena, True, type(self)._process_identifier)
            self._begin(typ, metric_name, name, labelnames, labelvalues, help_text, multiprocess_mode, place)

        @classmethod
        def close_all_files(cls) -> None:
            """Forgets the files that processes share."""
            close_all_multiprocess_files()

    return MmapedValue


def get_value_class() -> type[MutexValue]:
    """Chooses by the environment whether numbers are shared by a directory that it names."""
    if _names_directory():
        return MultiProcessValue()
    return MutexValue


ValueClass = get_value_class()
