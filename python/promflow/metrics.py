"""Counters, gauges, summaries, histograms, facts and enumerations.

What runs often is native: ``labels``, ``inc``, ``dec``, ``set``, ``observe`` and ``time``. The classes are those of
``_core``, which the code here completes rather than derives from: only for instances of the very class that has a native
method does the interpreter take its shortcut to it.
"""

from __future__ import annotations

import os
import types
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, TypeVar, get_args

from . import _core, values
from .context_managers import ExceptionCounter, InprogressTracker
from .metrics_core import Metric
from .registry import REGISTRY, CollectorRegistry
from .samples import Sample
from .utils import INF
from .validation import _validate_labelnames, _validate_metric_name

T = TypeVar("T", bound="MetricWrapperBase")

MultiprocessMode = Literal[
    "all",
    "liveall",
    "min",
    "livemin",
    "max",
    "livemax",
    "sum",
    "livesum",
    "mostrecent",
    "livemostrecent",
]


def _build_full_name(metric_type: str | None, name: str, namespace: str, subsystem: str, unit: str) -> str:
    if not name:
        raise ValueError("Metric name should not be empty")
    full_name = "".join(f"{part}_" for part in (namespace, subsystem) if part) + name
    if metric_type == "counter":
        full_name = full_name.removesuffix("_total")
    if unit and not full_name.endswith("_" + unit):
        full_name += "_" + unit
    if unit and metric_type in ("info", "stateset"):
        raise ValueError("Metric name is of a type that cannot have a unit: " + full_name)
    return full_name


def _get_use_created() -> bool:
    return os.environ.get("PROMETHEUS_DISABLE_CREATED_SERIES", "False").lower() not in ("true", "1", "t")


_use_created = _get_use_created()


def disable_created_metrics() -> None:
    """Leaves ``_created`` samples off pages."""
    global _use_created
    _use_created = False


def enable_created_metrics() -> None:
    """Puts ``_created`` samples on pages."""
    global _use_created
    _use_created = True


_SAMPLE_METHODS = ("collect", "_get_metric", "_samples", "_multi_samples", "_child_samples")


@lru_cache(maxsize=256)
def _is_native(cls: type) -> bool:
    """Says whether a class leaves its samples as they are here, so that they need not be asked of Python code."""
    own = next((base for base in cls.__mro__ if base in _CLASSES), None)
    return own is not None and all(getattr(cls, name) is getattr(own, name) for name in _SAMPLE_METHODS)


def _warn_of_shared_removal(what: str) -> None:
    if values._names_directory():
        warnings.warn(
            f"{what} has not been implemented in multi-process mode by prometheus_client; "
            "here it is done for all processes",
            UserWarning,
            stacklevel=3,
        )


C = TypeVar("C", bound=type)


def _completes(native: type) -> Callable[[C], C]:
    """Gives a native class what a class body says, and puts the native class in its place.

    So ``super()`` without arguments does not work in such a body.
    """

    def complete(body: C) -> C:
        for name, value in vars(body).items():
            if name not in ("__dict__", "__weakref__"):
                setattr(native, name, value)
        return native  # type: ignore[return-value]

    return complete


def _native_child_samples(self: _core.Metric) -> Iterable[Sample]:
    return tuple(
        Sample(suffix, labels, value, None, exemplar)
        for suffix, labels, value, exemplar in self._native_samples(_use_created)
    )


@_completes(_core.Metric)
class MetricWrapperBase(_core.Metric):
    """A metric, or a child of one that has labels."""

    _type: str | None = None
    _reserved_labelnames: Sequence[str] = ()

    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Iterable[str] = (),
        namespace: str = "",
        subsystem: str = "",
        unit: str = "",
        registry: CollectorRegistry | None = REGISTRY,
        _labelvalues: Sequence[str] | None = None,
    ) -> None:
        full_name = _build_full_name(self._type, name, namespace, subsystem, unit)
        names = _validate_labelnames(self, labelnames)
        _validate_metric_name(full_name)
        labelvalues = tuple(_labelvalues or ())
        cls = type(self)
        shares = registry is not None and registry._shares if hasattr(registry, "_shares") else False
        self._setup(
            full_name,
            documentation,
            names,
            unit,
            labelvalues,
            (name, namespace, subsystem),
            {
                "kind": self._type or "python",
                "plain": cls in _CLASSES,
                "native": _is_native(cls),  # type: ignore[arg-type]
                **self._shape(values._place(shares and not labelvalues), full_name),
            },
        )
        if labelvalues or not names:
            self._metric_init()
        if not labelvalues and registry:
            registry.register(self)

    def _shape(self, place: values._Place, name: str) -> dict[str, Any]:
        """Says what the native half has to know of the metric besides its names."""
        return {
            "bounds": (),
            "states": (),
            "mode": "",
            "by_process": place.arena is not None and place.process is not None,
            "always_pid": place.named,
            "arena": place.arena,
            "instance": 0 if place.named else values._instances.get(name, 0),
            "process": place.process,
        }

    @property
    def _metrics(self) -> dict[tuple[str, ...], Any]:
        return self._hand_out()

    def _get_metric(self) -> Metric:
        return Metric(self._name, self._documentation, self._type, self._unit)  # type: ignore[arg-type]

    def describe(self) -> Iterable[Metric]:
        """Returns the metric without samples."""
        return [self._get_metric()]

    def collect(self) -> Iterable[Metric]:
        """Returns the metric with its samples."""
        metric = self._get_metric()
        for sample in self._samples():
            suffix, labels, value, timestamp, exemplar, native_histogram = sample
            metric.add_sample(self._name + suffix, labels, value, timestamp, exemplar, native_histogram)
        return [metric]

    def __str__(self) -> str:
        return f"{self._type}:{self._name}"

    def __repr__(self) -> str:
        cls = type(self)
        return f"{cls.__module__}.{cls.__name__}({self._name})"

    def remove(self, *labelvalues: Any) -> None:
        """Removes the child of these label values, in all processes."""
        _warn_of_shared_removal("Removal of labels")
        if not self._labelnames:
            raise ValueError(f"No label names were set when constructing {self}")
        if len(labelvalues) != len(self._labelnames):
            count = len(self._labelnames)
            raise ValueError(f"Incorrect label count (expected {count}, got {labelvalues})")
        self._remove(tuple(str(value) for value in labelvalues))

    def remove_by_labels(self, labels: dict[str, str]) -> None:
        """Removes all children that have these labels among others, in all processes."""
        _warn_of_shared_removal("Removal of labels")
        if not self._labelnames:
            raise ValueError(f"No label names were set when constructing {self}")
        if not isinstance(labels, dict):
            raise TypeError("labels must be a dict of {label_name: label_value}")
        if not labels:
            return
        names = self._labelnames
        unknown = [name for name in labels if name not in names]
        if unknown:
            raise ValueError(f"Unknown label names: {unknown}; expected {names}")
        wanted = [(names.index(name), str(value)) for name, value in labels.items()]
        for labelvalues in list(self._sync()):
            if all(labelvalues[place] == value for place, value in wanted):
                self._remove(labelvalues)

    def clear(self) -> None:
        """Removes all children, in all processes."""
        if not self._labelnames:
            return
        _warn_of_shared_removal("Clearing labels")
        for labelvalues in list(self._sync()):
            self._remove(labelvalues)

    def _samples(self) -> Iterable[Sample]:
        if self._is_parent():
            return self._multi_samples()
        return self._child_samples()

    def _multi_samples(self) -> Iterable[Sample]:
        names = self._labelnames
        for labelvalues, child in self._sync().copy().items():
            series_labels = dict(zip(names, labelvalues))
            for suffix, labels, value, timestamp, exemplar, native_histogram in child._samples():
                yield Sample(
                    suffix, {**series_labels, **labels}, value, timestamp, exemplar, native_histogram
                )

    def _child_samples(self) -> Iterable[Sample]:
        raise NotImplementedError(f"_child_samples() must be implemented by {self!r}")

    def _metric_init(self) -> None:
        """Prepares what can be counted in: for types that keep numbers of their own."""
        raise NotImplementedError(f"_metric_init() must be implemented by {self!r}")


@_completes(_core.Counter)
class Counter(_core.Counter, MetricWrapperBase):
    """A value that only goes up: requests, errors, bytes sent.

    ::

        failures = Counter("my_failures_total", "Failures.", ["reason"])
        failures.labels("timeout").inc()
        failures.labels(reason="refused").inc(2)

        with failures.labels("bug").count_exceptions():
            ...
    """

    _type = "counter"

    def _metric_init(self) -> None:
        pass

    @property
    def _value(self) -> _core.Value:
        return self._cell(1)

    def count_exceptions(
        self, exception: type[BaseException] | tuple[type[BaseException], ...] = Exception
    ) -> ExceptionCounter:
        """Counts the exceptions that leave a block of code, or a function that is decorated with it."""
        self._raise_if_not_observable()
        return ExceptionCounter(self, exception)

    _child_samples = _native_child_samples


@_completes(_core.Gauge)
class Gauge(_core.Gauge, MetricWrapperBase):
    """A value that goes up and down: what is in progress, a queue's length, a temperature.

    Processes of one application share the value, unless ``multiprocess_mode`` says how the values of each are put
    together: in the modes that begin with ``live`` only running processes count. Where ``PROMETHEUS_MULTIPROC_DIR`` is
    set, the default ``all`` gives each process a series with the label ``pid``.
    """

    _type = "gauge"
    _MULTIPROC_MODES = frozenset(get_args(MultiprocessMode))
    _MOST_RECENT_MODES = frozenset(("mostrecent", "livemostrecent"))

    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Iterable[str] = (),
        namespace: str = "",
        subsystem: str = "",
        unit: str = "",
        registry: CollectorRegistry | None = REGISTRY,
        _labelvalues: Sequence[str] | None = None,
        multiprocess_mode: MultiprocessMode = "all",
    ) -> None:
        if multiprocess_mode not in self._MULTIPROC_MODES:
            raise ValueError("Invalid multiprocess mode: " + multiprocess_mode)
        self._multiprocess_mode = multiprocess_mode
        MetricWrapperBase.__init__(
            self,
            name=name,
            documentation=documentation,
            labelnames=labelnames,
            namespace=namespace,
            subsystem=subsystem,
            unit=unit,
            registry=registry,
            _labelvalues=_labelvalues,
        )
        self._kwargs["multiprocess_mode"] = multiprocess_mode

    def _shape(self, place: values._Place, name: str) -> dict[str, Any]:
        mode: str = self._multiprocess_mode
        shape = MetricWrapperBase._shape(self, place, name)
        # All processes set and add to one value, where nobody asked for the label `pid`.
        is_one_value = place.arena is None or (mode == "all" and not place.named)
        return {**shape, "mode": mode, "by_process": not is_one_value}

    def _metric_init(self) -> None:
        pass

    @property
    def _value(self) -> _core.Value:
        return self._cell(1)

    @property
    def _is_most_recent(self) -> bool:
        return self._mode in self._MOST_RECENT_MODES

    def track_inprogress(self) -> InprogressTracker:
        """Counts what is inside a block of code, or in calls of a function that is decorated with it."""
        self._raise_if_not_observable()
        return InprogressTracker(self)

    def set_function(self, f: Callable[[], float]) -> None:
        """Asks a function for the value whenever it is wanted, instead of what was set."""
        self._raise_if_not_observable()

        def samples(_: Gauge) -> Iterable[Sample]:
            return (Sample("", {}, float(f()), None, None),)

        self._child_samples = types.MethodType(samples, self)  # type: ignore[method-assign]
        self._from_python()

    _child_samples = _native_child_samples


@_completes(_core.Summary)
class Summary(_core.Summary, MetricWrapperBase):
    """The number and the sum of observations: latencies, sizes.

    ::

        REQUEST_TIME = Summary("request_latency_seconds", "Latency of requests.")

        @REQUEST_TIME.time()
        def handle(request):
            ...
    """

    _type = "summary"
    _reserved_labelnames = ["quantile"]

    def _metric_init(self) -> None:
        pass

    @property
    def _count(self) -> _core.Value:
        return self._cell(1)

    @property
    def _sum(self) -> _core.Value:
        return self._cell(2)

    _child_samples = _native_child_samples


@_completes(_core.Histogram)
class Histogram(_core.Histogram, MetricWrapperBase):
    """The number of observations by buckets, and their sum: latencies, sizes, of which quantiles are asked.

    ::

        REQUEST_TIME = Histogram("request_latency_seconds", "Latency of requests.", buckets=(0.1, 0.5, 1))

        with REQUEST_TIME.time():
            ...
    """

    _type = "histogram"
    _reserved_labelnames = ["le"]
    DEFAULT_BUCKETS = (
        0.005,
        0.01,
        0.025,
        0.05,
        0.075,
        0.1,
        0.25,
        0.5,
        0.75,
        1.0,
        2.5,
        5.0,
        7.5,
        10.0,
        INF,
    )

    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Iterable[str] = (),
        namespace: str = "",
        subsystem: str = "",
        unit: str = "",
        registry: CollectorRegistry | None = REGISTRY,
        _labelvalues: Sequence[str] | None = None,
        buckets: Sequence[float | str] = DEFAULT_BUCKETS,
    ) -> None:
        self._bounds = self._prepare_buckets(buckets)
        MetricWrapperBase.__init__(
            self,
            name=name,
            documentation=documentation,
            labelnames=labelnames,
            namespace=namespace,
            subsystem=subsystem,
            unit=unit,
            registry=registry,
            _labelvalues=_labelvalues,
        )
        self._kwargs["buckets"] = buckets

    @staticmethod
    def _prepare_buckets(source_buckets: Sequence[float | str]) -> list[float]:
        bounds = [float(bound) for bound in source_buckets]
        if bounds != sorted(bounds):
            raise ValueError("Buckets not in sorted order")
        if bounds and bounds[-1] != INF:
            bounds.append(INF)
        if len(bounds) < 2:
            raise ValueError("Must have at least two buckets")
        return bounds

    def _shape(self, place: values._Place, name: str) -> dict[str, Any]:
        return {**MetricWrapperBase._shape(self, place, name), "bounds": self._bounds}

    def _metric_init(self) -> None:
        pass

    @property
    def _sum(self) -> _core.Value:
        return self._cell(1)

    @property
    def _buckets(self) -> list[_core.Value]:
        return [self._cell(2 + i) for i in range(len(self._upper_bounds))]

    _child_samples = _native_child_samples


@_completes(_core.Info)
class Info(_core.Info, MetricWrapperBase):
    """Facts: a version, a build.

    ::

        Info("my_build", "The build.").info({"version": "1.2.3"})
    """

    _type = "info"

    def _metric_init(self) -> None:
        pass

    @property
    def _value(self) -> dict[str, str]:
        return self._facts()

    def info(self, val: Mapping[str, str]) -> None:
        """Sets the facts, in place of those set before."""
        if not set(self._labelnames).isdisjoint(val):
            raise ValueError(
                f"Overlapping labels for Info metric, metric: {self._labelnames} child: {val}"
            )
        if any(value is None for value in val.values()):
            raise ValueError("Label value cannot be None")
        self._set_facts(val)

    _child_samples = _native_child_samples


@_completes(_core.Enum)
class Enum(_core.Enum, MetricWrapperBase):
    """Which one of some states is on; the first is to begin with.

    ::

        state = Enum("task_state", "State of the task.", states=["starting", "running", "stopped"])
        state.state("running")
    """

    _type = "stateset"

    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Sequence[str] = (),
        namespace: str = "",
        subsystem: str = "",
        unit: str = "",
        registry: CollectorRegistry | None = REGISTRY,
        _labelvalues: Sequence[str] | None = None,
        states: Sequence[str] | None = None,
    ) -> None:
        if name in labelnames:
            raise ValueError(f"Overlapping labels for Enum metric: {name}")
        if not states:
            raise ValueError(f"No states provided for Enum metric: {name}")
        self._given_states = states
        MetricWrapperBase.__init__(
            self,
            name=name,
            documentation=documentation,
            labelnames=labelnames,
            namespace=namespace,
            subsystem=subsystem,
            unit=unit,
            registry=registry,
            _labelvalues=_labelvalues,
        )
        self._kwargs["states"] = states

    def _shape(self, place: values._Place, name: str) -> dict[str, Any]:
        return {**MetricWrapperBase._shape(self, place, name), "states": [str(state) for state in self._given_states]}

    def _metric_init(self) -> None:
        pass

    @property
    def _states(self) -> Sequence[str]:
        states: Sequence[str] = self._kwargs["states"]
        return states

    @property
    def _value(self) -> int:
        return self._state()

    def state(self, state: str) -> None:
        """Sets which state is on."""
        self._raise_if_not_observable()
        self._set_state(self._states.index(state))

    _child_samples = _native_child_samples


_CLASSES = frozenset((Counter, Gauge, Summary, Histogram, Info, Enum))
