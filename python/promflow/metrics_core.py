"""Metric families as custom collectors return them and parsers read them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Union

from .samples import Exemplar, NativeHistogram, Sample, Timestamp
from .validation import _validate_metric_name

METRIC_TYPES = (
    "counter",
    "gauge",
    "summary",
    "histogram",
    "gaugehistogram",
    "unknown",
    "info",
    "stateset",
)

_Time = Union[Timestamp, float, None]
_Bucket = Union[tuple[str, float], tuple[str, float, Exemplar]]


class Metric:
    """A metric family and its samples.

    Custom collectors had better use the subclasses, which know what samples their type has.
    """

    def __init__(self, name: str, documentation: str, typ: str, unit: str = "") -> None:
        if unit and not name.endswith("_" + unit):
            name = f"{name}_{unit}"
        _validate_metric_name(name)
        if typ == "untyped":
            typ = "unknown"
        if typ not in METRIC_TYPES:
            raise ValueError("Invalid metric type: " + typ)
        self.name: str = name
        self.documentation: str = documentation
        self.unit: str = unit
        self.type: str = typ
        self.samples: list[Sample] = []

    def add_sample(
        self,
        name: str,
        labels: dict[str, str],
        value: float,
        timestamp: _Time = None,
        exemplar: Exemplar | None = None,
        native_histogram: NativeHistogram | None = None,
    ) -> None:
        """Adds a sample as it is."""
        self.samples.append(Sample(name, labels, value, timestamp, exemplar, native_histogram))

    def _parts(self) -> tuple[Any, ...]:
        return (self.name, self.documentation, self.type, self.unit, self.samples)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Metric) and self._parts() == other._parts()

    # Mutable, as prometheus_client's is, and so not a key.
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "Metric({}, {}, {}, {}, {})".format(*self._parts())

    def _restricted_metric(self, names: Collection[str]) -> Metric | None:
        """Copies the family with the samples of these names alone; None without any."""
        kept = [sample for sample in self.samples if sample[0] in names]
        if not kept:
            return None
        metric = Metric(self.name, self.documentation, self.type)
        metric.samples = kept
        return metric


class _Family(Metric):
    """What the families for custom collectors share: label names, or a value at once."""

    _labelnames: tuple[str, ...]

    def _begin(
        self,
        name: str,
        documentation: str,
        typ: str,
        unit: str,
        labels: Iterable[str] | None,
        has_value: bool,
        value_name: str = "value",
    ) -> None:
        Metric.__init__(self, name, documentation, typ, unit)
        if labels is not None and has_value:
            raise ValueError(f"Can only specify at most one of {value_name} and labels.")
        self._labelnames = () if labels is None else tuple(labels)

    def _pairs(self, labels: Iterable[str]) -> dict[str, str]:
        return dict(zip(self._labelnames, labels))

    def _add(
        self,
        suffix: str,
        labels: Iterable[str],
        value: float,
        timestamp: _Time,
        exemplar: Exemplar | None = None,
        **own: str,
    ) -> None:
        pairs = self._pairs(labels)
        pairs.update(own)
        self.samples.append(Sample(self.name + suffix, pairs, value, timestamp, exemplar))


class UnknownMetricFamily(_Family):
    """Values of which no one knows what they are."""

    def __init__(
        self,
        name: str,
        documentation: str,
        value: float | None = None,
        labels: Sequence[str] | None = None,
        unit: str = "",
    ) -> None:
        self._begin(name, documentation, "unknown", unit, labels, value is not None)
        if value is not None:
            self.add_metric([], value)

    def add_metric(self, labels: Sequence[str], value: float, timestamp: _Time = None) -> None:
        """Adds the value of the child with these label values."""
        self._add("", labels, value, timestamp)


# The name it had before OpenMetrics.
UntypedMetricFamily = UnknownMetricFamily


class CounterMetricFamily(_Family):
    """Totals that only rise."""

    def __init__(
        self,
        name: str,
        documentation: str,
        value: float | None = None,
        labels: Sequence[str] | None = None,
        created: float | None = None,
        unit: str = "",
        exemplar: Exemplar | None = None,
    ) -> None:
        # The family's name has no `_total` in OpenMetrics; its sample has.
        self._begin(name.removesuffix("_total"), documentation, "counter", unit, labels, value is not None)
        if value is not None:
            self.add_metric([], value, created, exemplar=exemplar)

    def add_metric(
        self,
        labels: Sequence[str],
        value: float,
        created: float | None = None,
        timestamp: _Time = None,
        exemplar: Exemplar | None = None,
    ) -> None:
        """Adds the total of a child, and the time it began at, in seconds since the epoch."""
        self._add("_total", labels, value, timestamp, exemplar)
        if created is not None:
            self._add("_created", labels, created, timestamp)


class GaugeMetricFamily(_Family):
    """Values that rise and fall."""

    def __init__(
        self,
        name: str,
        documentation: str,
        value: float | None = None,
        labels: Sequence[str] | None = None,
        unit: str = "",
    ) -> None:
        self._begin(name, documentation, "gauge", unit, labels, value is not None)
        if value is not None:
            self.add_metric([], value)

    def add_metric(self, labels: Sequence[str], value: float, timestamp: _Time = None) -> None:
        """Adds the value of the child with these label values."""
        self._add("", labels, value, timestamp)


class SummaryMetricFamily(_Family):
    """Counts and sums of observations."""

    def __init__(
        self,
        name: str,
        documentation: str,
        count_value: int | None = None,
        sum_value: float | None = None,
        labels: Sequence[str] | None = None,
        unit: str = "",
    ) -> None:
        if (sum_value is None) != (count_value is None):
            raise ValueError("count_value and sum_value must be provided together.")
        self._begin(name, documentation, "summary", unit, labels, count_value is not None)
        if count_value is not None and sum_value is not None:
            self.add_metric([], count_value, sum_value)

    def add_metric(
        self, labels: Sequence[str], count_value: int, sum_value: float, timestamp: _Time = None
    ) -> None:
        """Adds the count and the sum of a child."""
        self._add("_count", labels, count_value, timestamp)
        self._add("_sum", labels, sum_value, timestamp)


class HistogramMetricFamily(_Family):
    """Observations counted in buckets."""

    def __init__(
        self,
        name: str,
        documentation: str,
        buckets: Sequence[_Bucket] | None = None,
        sum_value: float | None = None,
        labels: Sequence[str] | None = None,
        unit: str = "",
    ) -> None:
        if sum_value is not None and buckets is None:
            raise ValueError("sum value cannot be provided without buckets.")
        self._begin(name, documentation, "histogram", unit, labels, buckets is not None, "buckets")
        if buckets is not None:
            self.add_metric([], buckets, sum_value)

    def add_metric(
        self,
        labels: Sequence[str],
        buckets: Sequence[_Bucket],
        sum_value: float | None,
        timestamp: _Time = None,
    ) -> None:
        """Adds the buckets of a child.

        Each is its upper bound as text, its cumulative count and perhaps an exemplar; they are in order, and the last
        is ``+Inf``, which is also the count of all.
        """
        for bound, count, *exemplar in buckets:
            self._add("_bucket", labels, count, timestamp, exemplar[0] if exemplar else None, le=bound)
        # A sum with negative observations could fall, so it is no counter, and a count needs a sum beside it.
        if float(buckets[0][0]) >= 0 and sum_value is not None:
            self._add("_count", labels, buckets[-1][1], timestamp)
            self._add("_sum", labels, sum_value, timestamp)


class GaugeHistogramMetricFamily(_Family):
    """Things that are in buckets now, and may leave them."""

    def __init__(
        self,
        name: str,
        documentation: str,
        buckets: Sequence[tuple[str, float]] | None = None,
        gsum_value: float | None = None,
        labels: Sequence[str] | None = None,
        unit: str = "",
    ) -> None:
        self._begin(name, documentation, "gaugehistogram", unit, labels, buckets is not None, "buckets")
        if buckets is not None:
            self.add_metric([], buckets, gsum_value)

    def add_metric(
        self,
        labels: Sequence[str],
        buckets: Sequence[tuple[str, float]],
        gsum_value: float | None,
        timestamp: _Time = None,
    ) -> None:
        """Adds the buckets of a child: upper bounds as text and cumulative counts, the last being ``+Inf``."""
        for bound, count in buckets:
            self._add("_bucket", labels, count, timestamp, le=bound)
        self._add("_gcount", labels, buckets[-1][1], timestamp)
        # Without a sum the page fails, as it must not say 0.
        self._add("_gsum", labels, gsum_value, timestamp)  # type: ignore[arg-type]


class InfoMetricFamily(_Family):
    """Facts as labels of a constant 1."""

    def __init__(
        self,
        name: str,
        documentation: str,
        value: Mapping[str, str] | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        self._begin(name, documentation, "info", "", labels, value is not None)
        if value is not None:
            self.add_metric([], value)

    def add_metric(self, labels: Sequence[str], value: Mapping[str, str], timestamp: _Time = None) -> None:
        """Adds the facts of a child."""
        pairs = self._pairs(labels)
        pairs.update(value)
        self.samples.append(Sample(self.name + "_info", pairs, 1, timestamp))


class StateSetMetricFamily(_Family):
    """States, each on or off."""

    def __init__(
        self,
        name: str,
        documentation: str,
        value: Mapping[str, bool] | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        self._begin(name, documentation, "stateset", "", labels, value is not None)
        if value is not None:
            self.add_metric([], value)

    def add_metric(self, labels: Sequence[str], value: Mapping[str, bool], timestamp: _Time = None) -> None:
        """Adds the states of a child, in the order of their names."""
        for state in sorted(value):
            pairs = self._pairs(labels)
            pairs[self.name] = state
            self.samples.append(Sample(self.name, pairs, 1 if value[state] else 0, timestamp))
