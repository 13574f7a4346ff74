"""Which names metrics and labels may have.

Any UTF-8 name is valid, unless the classic character set is asked for by ``PROMETHEUS_LEGACY_NAME_VALIDATION`` or
``enable_legacy_validation()``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

METRIC_NAME_RE = re.compile(r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")
METRIC_LABEL_NAME_RE = re.compile(r"^[a-zA-Z_][a-zA-Z0-9_]*$")
RESERVED_METRIC_LABEL_NAME_RE = re.compile(r"^__.*$")

_EXEMPLAR_CHARACTERS_MAX = 128


def _asked_for_by_environment() -> bool:
    return os.environ.get("PROMETHEUS_LEGACY_NAME_VALIDATION", "").lower() in ("true", "1", "t")


_legacy_validation = _asked_for_by_environment()


def get_legacy_validation() -> bool:
    """Says whether only classic names are valid."""
    return _legacy_validation


def disable_legacy_validation() -> None:
    """Lets names hold any UTF-8 character."""
    global _legacy_validation
    _legacy_validation = False


def enable_legacy_validation() -> None:
    """Holds names to the classic character set."""
    global _legacy_validation
    _legacy_validation = True


def _is_utf8(text: str) -> bool:
    """A lone surrogate has no UTF-8 form."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _is_valid_legacy_metric_name(name: str) -> bool:
    return METRIC_NAME_RE.match(name) is not None


def _is_valid_legacy_labelname(l: str) -> bool:  # noqa: E741
    return METRIC_LABEL_NAME_RE.match(l) is not None and not l.startswith("__")


def _validate_metric_name(name: str) -> None:
    if not name:
        raise ValueError("metric name cannot be empty")
    if not _is_utf8(name) or (_legacy_validation and not _is_valid_legacy_metric_name(name)):
        raise ValueError("invalid metric name " + name)


def _validate_metric_label_name_token(tok: str) -> None:
    """Checks a label name as it stands on a page: names that are not classic are in quotes."""
    quoted = len(tok) > 1 and tok[0] == '"' and tok[-1] == '"'
    if quoted and not _legacy_validation:
        valid = _is_utf8(tok)
    else:
        valid = METRIC_LABEL_NAME_RE.match(tok) is not None
    if not valid:
        raise ValueError("invalid label name token " + tok)


def _validate_labelname(l: str) -> None:  # noqa: E741
    if not _is_utf8(l) or (_legacy_validation and METRIC_LABEL_NAME_RE.match(l) is None):
        raise ValueError("Invalid label metric name: " + l)
    if RESERVED_METRIC_LABEL_NAME_RE.match(l):
        raise ValueError("Reserved label metric name: " + l)


def _validate_labelnames(cls: Any, labelnames: Iterable[str]) -> tuple[str, ...]:
    """Checks the label names of a metric of class ``cls``, which may reserve some for itself."""
    names = tuple(labelnames)
    for name in names:
        _validate_labelname(name)
        if name in cls._reserved_labelnames:
            raise ValueError("Reserved label metric name: " + name)
    return names


def _validate_exemplar(exemplar: Mapping[str, str]) -> None:
    characters = 0
    for name, value in exemplar.items():
        _validate_labelname(name)
        characters += len(name) + len(value)
    if characters > _EXEMPLAR_CHARACTERS_MAX:
        raise ValueError(
            f"Exemplar labels have {characters} UTF-8 characters, "
            f"exceeding the limit of {_EXEMPLAR_CHARACTERS_MAX}"
        )
