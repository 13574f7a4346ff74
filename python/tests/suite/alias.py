"""Imports ``prometheus_client`` and all below it as ``promflow``."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType

_THEIRS = "prometheus_client"
_OURS = "promflow"


class _Loader(importlib.abc.Loader):
    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = importlib.import_module(_OURS + spec.name.removeprefix(_THEIRS))
        self._own_spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The import system has put the alias's there.
        module.__spec__ = self._own_spec


class AliasFinder(importlib.abc.MetaPathFinder):
    """Stands before all others, so that an installed prometheus_client is never found."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != _THEIRS and not fullname.startswith(_THEIRS + "."):
            return None
        return importlib.machinery.ModuleSpec(fullname, _Loader(), is_package=True)


def install() -> None:
    """Makes the alias work from now on."""
    if _THEIRS in sys.modules:
        raise RuntimeError(f"{_THEIRS} is imported already")
    sys.meta_path.insert(0, AliasFinder())
