"""What a page is made of: samples, exemplars, timestamps and native histograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

__all__ = ("BucketSpan", "Exemplar", "NativeHistogram", "Sample", "Timestamp")

_NANOSECONDS = 1_000_000_000


class Timestamp:
    """A point in time as whole seconds and nanoseconds, which a float cannot hold exactly."""

    def __init__(self, sec: float, nsec: float) -> None:
        if not 0 <= nsec < _NANOSECONDS:
            raise ValueError(f"Invalid value for nanoseconds in Timestamp: {nsec}")
        self.sec: int = int(sec)
        self.nsec: int = int(-nsec if sec < 0 else nsec)

    def __str__(self) -> str:
        return f"{self.sec}.{self.nsec:09d}"

    def __repr__(self) -> str:
        return f"Timestamp({self.sec}, {self.nsec})"

    def __float__(self) -> float:
        return float(self.sec) + float(self.nsec) / 1e9

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timestamp) and (self.sec, self.nsec) == (other.sec, other.nsec)

    # Mutable, as prometheus_client's is, and so not a key.
    __hash__ = None  # type: ignore[assignment]

    def __gt__(self, other: Timestamp) -> bool:
        return (self.sec, self.nsec) > (other.sec, other.nsec)

    def __lt__(self, other: Timestamp) -> bool:
        return (self.sec, self.nsec) < (other.sec, other.nsec)


class BucketSpan(NamedTuple):
    """A run of adjacent buckets of a native histogram: where it begins after the last run, and its length."""

    offset: int
    length: int


class Exemplar(NamedTuple):
    """An example of what a counter or a bucket counted, such as a trace."""

    labels: Mapping[str, str]
    value: float
    timestamp: float | Timestamp | None = None


class NativeHistogram(NamedTuple):
    """A histogram whose buckets follow from its schema."""

    count_value: float
    sum_value: float
    schema: int
    zero_threshold: float
    zero_count: float
    pos_spans: Sequence[BucketSpan] | None = None
    neg_spans: Sequence[BucketSpan] | None = None
    pos_deltas: Sequence[int] | None = None
    neg_deltas: Sequence[int] | None = None
    nh_exemplars: Sequence[Exemplar] | None = None


class Sample(NamedTuple):
    """One line of a page. A float timestamp is in seconds since the epoch."""

    name: str
    labels: dict[str, str]
    value: float
    timestamp: float | Timestamp | None = None
    exemplar: Exemplar | None = None
    native_histogram: NativeHistogram | None = None
