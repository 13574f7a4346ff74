"""prometheus_client's files of numbers, one for each process: to read and write them, as metrics here share an arena."""

from __future__ import annotations

import json
import mmap
import os
import struct
from collections.abc import Iterator, Sequence

_INITIAL_MMAP_SIZE = 1 << 16

_INT = struct.Struct("i")
_NUMBERS = struct.Struct("dd")
_HEADER_BYTES = 8


def _padded(key: bytes) -> bytes:
    """Fills a key with blanks, so that the numbers behind it and its length stand on a multiple of eight."""
    return key + b" " * (8 - (len(key) + _INT.size) % 8)


def _entries(data: mmap.mmap | bytes, used: int) -> Iterator[tuple[str, float, float, int]]:
    """Yields key, value, timestamp and the place of the numbers."""
    at = _HEADER_BYTES
    while at < used:
        (length,) = _INT.unpack_from(data, at)
        if length < 0 or at + length > used:
            raise RuntimeError("Read beyond file size detected, file is corrupted.")
        begin = at + _INT.size
        key = bytes(data[begin : begin + length])
        at = begin + len(_padded(key))
        value, timestamp = _NUMBERS.unpack_from(data, at)
        yield key.decode("utf-8"), value, timestamp, at
        at += _NUMBERS.size


class MmapedDict:
    """Numbers with their times by keys, in a file."""

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        self._f = open(filename, "rb" if read_mode else "a+b")  # noqa: SIM115
        self._fname = filename
        size = os.fstat(self._f.fileno()).st_size
        if size == 0:
            size = _INITIAL_MMAP_SIZE
            self._f.truncate(size)
        access = mmap.ACCESS_READ if read_mode else mmap.ACCESS_WRITE
        self._m: mmap.mmap | None = mmap.mmap(self._f.fileno(), size, access=access)
        (self._used,) = _INT.unpack_from(self._m, 0)
        if self._used == 0 and not read_mode:
            self._set_used(_HEADER_BYTES)
        self._places = {key: at for key, _, _, at in _entries(self._m, self._used)}

    @staticmethod
    def read_all_values_from_file(filename: str) -> Iterator[tuple[str, float, float, int]]:
        """Yields what is in a file."""
        with open(filename, "rb") as file:
            data = file.read()
        (used,) = _INT.unpack_from(data, 0)
        return _entries(data, used)

    def _map(self) -> mmap.mmap:
        if self._m is None:
            raise ValueError("the file is closed")
        return self._m

    def _set_used(self, used: int) -> None:
        self._used = used
        self._map()[0 : _INT.size] = _INT.pack(used)

    def _add(self, key: str) -> int:
        encoded = key.encode("utf-8")
        entry = _INT.pack(len(encoded)) + _padded(encoded)
        end = self._used + len(entry) + _NUMBERS.size
        data = self._map()
        while end > len(data):
            self._f.truncate(2 * len(data))
            data.resize(2 * len(data))
        data[self._used : end] = entry + _NUMBERS.pack(0.0, 0.0)
        place = self._places[key] = self._used + len(entry)
        self._set_used(end)
        return place

    def read_all_values(self) -> Iterator[tuple[str, float, float]]:
        """Yields key, value and timestamp of all entries."""
        for key, value, timestamp, _ in _entries(self._map(), self._used):
            yield key, value, timestamp

    def read_value(self, key: str) -> tuple[float, float]:
        """Returns value and timestamp of a key, which is added when it is missing."""
        place = self._places[key] if key in self._places else self._add(key)
        value, timestamp = _NUMBERS.unpack_from(self._map(), place)
        return value, timestamp

    def write_value(self, key: str, value: float, timestamp: float) -> None:
        """Sets value and timestamp of a key."""
        place = self._places[key] if key in self._places else self._add(key)
        self._map()[place : place + _NUMBERS.size] = _NUMBERS.pack(value, timestamp)

    def close(self) -> None:
        """Closes the file."""
        if self._m is not None:
            self._m.close()
            self._m = None
            self._f.close()


def mmap_key(
    metric_name: str, name: str, labelnames: Sequence[str], labelvalues: Sequence[str], help_text: str
) -> str:
    """Makes the key of a sample."""
    return json.dumps([metric_name, name, dict(zip(labelnames, labelvalues)), help_text], sort_keys=True)
