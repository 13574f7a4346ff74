"""The names and labels that others use for the same measurements, so that their dashboards work unchanged.

| preset | requests | duration | in progress | sizes |
|---|---|---|---|---|
| `guide` | `http_requests_total{method,endpoint,status}` | `http_request_duration_seconds{method,endpoint}` | `http_requests_in_progress{method}` | `http_{request,response}_size_bytes{method,endpoint}`, if asked for |
| `otel` | (the duration counts them) | `http_server_request_duration_seconds{http_request_method,url_scheme,http_response_status_code,http_route}` | `http_server_active_requests{http_request_method,url_scheme}` | `http_server_{request,response}_body_size_bytes`, labels of the duration, if asked for |
| `fastapi-instrumentator` | `http_requests_total{method,status,handler}`, status as `2xx` | `http_request_duration_highr_seconds`, `http_request_duration_seconds{method,handler}` | `http_requests_inprogress` | summaries `http_{request,response}_size_bytes{handler}` |
| `starlette` | `starlette_requests_total{method,path,status_code,app_name}` | `starlette_request_duration_seconds`, same labels | `starlette_requests_in_progress{method,app_name}` | counters `starlette_{request,response}_body_bytes_total`, same labels, if asked for |
| `axum` | `axum_http_requests_total{method,status,endpoint}` | `axum_http_requests_duration_seconds`, same labels | `axum_http_requests_pending{method,endpoint}` | `axum_http_{request,response}_body_size`, same labels, if asked for |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from promflow import CollectorRegistry, Counter, Gauge, Histogram, Summary

from . import metrics
from .metrics import OVERFLOW, REQUEST_BUCKETS, SIZE_BUCKETS, Group

UNMATCHED = "__unmatched__"
"""The endpoint of requests that match no route: their paths are the visitors' choice and never become a label."""

# What a label of a request metric says.
METHOD, ROUTE, STATUS, SCHEME, APP = "method", "route", "status", "scheme", "app"


@dataclass(frozen=True)
class Values:
    """The values of the labels of one request."""

    method: str
    route: str = ""
    status: str = ""
    scheme: str = "http"
    app: str = ""


class Measured:
    """A family, and what its labels say."""

    def __init__(self, family: Any, labels: tuple[str, ...]) -> None:
        self.family = family
        self.labels = labels

    def resolve(self, values: Values) -> Any:
        """Finds the series of a request."""
        if not self.labels:
            return self.family
        return self.family.labels(*(getattr(values, label) for label in self.labels))


@dataclass(frozen=True)
class Style:
    """How a preset writes what has no value of its own."""

    other_method: str = OVERFLOW
    """The method of clients that invent one."""
    unmatched: str = UNMATCHED
    """The route of requests that match none."""
    group_status: bool = False
    """Whether `200` is written `2xx`."""

    def status(self, status: int) -> str:
        """Writes a status."""
        return f"{status // 100}xx" if self.group_status and 100 <= status < 600 else str(status)


@dataclass(frozen=True)
class Families:
    """The metrics of a preset."""

    requests: Measured | None
    durations: tuple[Measured, ...]
    in_progress: Measured
    request_size: Measured | None
    response_size: Measured | None
    style: Style


@dataclass(frozen=True)
class _Spec:
    kind: Callable[..., Any]
    name: str
    help: str
    labels: tuple[tuple[str, str], ...]
    buckets: tuple[float, ...] | None = None

    def register(self, registry: CollectorRegistry) -> Measured:
        options: dict[str, Any] = {"registry": registry}
        if self.buckets is not None:
            options["buckets"] = self.buckets
        if self.kind is Gauge:
            options["multiprocess_mode"] = "livesum"
        family = self.kind(self.name, self.help, [name for _, name in self.labels], **options)
        return Measured(family, tuple(says for says, _ in self.labels))


@dataclass(frozen=True)
class _Table:
    requests: _Spec | None
    durations: tuple[_Spec, ...]
    in_progress: _Spec
    request_size: _Spec
    response_size: _Spec
    style: Style


class _Requests(Group):
    """What a preset measures without sizes."""

    def __init__(self, registry: CollectorRegistry, preset: str) -> None:
        table = _TABLES[preset]
        self.requests = table.requests.register(registry) if table.requests else None
        self.durations = tuple(spec.register(registry) for spec in table.durations)
        self.in_progress = table.in_progress.register(registry)


class _Sizes(Group):
    """The sizes that a preset measures."""

    def __init__(self, registry: CollectorRegistry, preset: str) -> None:
        self.request = _TABLES[preset].request_size.register(registry)
        self.response = _TABLES[preset].response_size.register(registry)


def register(preset: str, sizes: bool | None, registry: CollectorRegistry) -> Families:
    """Registers the metrics of a preset, once for each registry.

    `sizes` says whether the sizes of bodies are measured; only `fastapi-instrumentator` does unless told.

    Errors: `ValueError` when there is no such preset, or another metric has one of its names.
    """
    if preset not in NAMES:
        raise ValueError(f'unknown preset "{preset}": expected one of {", ".join(NAMES)}')
    with_sizes = sizes if sizes is not None else preset == "fastapi-instrumentator"
    if preset == "guide":
        return _guide(with_sizes, registry)
    requests = _Requests.of(registry, preset)
    measured = _Sizes.of(registry, preset) if with_sizes else None
    return Families(
        requests.requests,
        requests.durations,
        requests.in_progress,
        measured.request if measured else None,
        measured.response if measured else None,
        _TABLES[preset].style,
    )


def _guide(with_sizes: bool, registry: CollectorRegistry) -> Families:
    http = metrics.Http.of(registry)
    sizes = metrics.HttpSizes.of(registry) if with_sizes else None
    return Families(
        Measured(http.requests, (METHOD, ROUTE, STATUS)),
        (Measured(http.duration, (METHOD, ROUTE)),),
        Measured(http.in_progress, (METHOD,)),
        Measured(sizes.request, (METHOD, ROUTE)) if sizes else None,
        Measured(sizes.response, (METHOD, ROUTE)) if sizes else None,
        Style(),
    )


_CLIENT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
# fmt: off
_HIGHR_BUCKETS = (
    0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 7.5, 10.0, 30.0, 60.0,
)
# fmt: on

_OTEL = (
    (METHOD, "http_request_method"),
    (SCHEME, "url_scheme"),
    (STATUS, "http_response_status_code"),
    (ROUTE, "http_route"),
)
_STARLETTE = ((METHOD, "method"), (ROUTE, "path"), (STATUS, "status_code"), (APP, "app_name"))
_AXUM = ((METHOD, "method"), (STATUS, "status"), (ROUTE, "endpoint"))
_HANDLER = ((ROUTE, "handler"),)

_TABLES = {
    "otel": _Table(
        requests=None,
        durations=(
            _Spec(
                Histogram,
                "http_server_request_duration_seconds",
                "Duration of HTTP server requests.",
                _OTEL,
                _CLIENT_BUCKETS,
            ),
        ),
        in_progress=_Spec(
            Gauge, "http_server_active_requests", "Number of active HTTP server requests.", _OTEL[:2]
        ),
        request_size=_Spec(
            Histogram,
            "http_server_request_body_size_bytes",
            "Size of HTTP server request bodies.",
            _OTEL,
            SIZE_BUCKETS,
        ),
        response_size=_Spec(
            Histogram,
            "http_server_response_body_size_bytes",
            "Size of HTTP server response bodies.",
            _OTEL,
            SIZE_BUCKETS,
        ),
        # An empty label is an absent one, as the convention asks for where no route is known.
        style=Style(other_method="_OTHER", unmatched=""),
    ),
    "fastapi-instrumentator": _Table(
        requests=_Spec(
            Counter,
            "http_requests_total",
            "Total number of requests by method, status and handler.",
            ((METHOD, "method"), (STATUS, "status"), (ROUTE, "handler")),
        ),
        durations=(
            _Spec(
                Histogram,
                "http_request_duration_highr_seconds",
                "Latency with many buckets but no API specific labels. "
                "Made for more accurate percentile calculations.",
                (),
                _HIGHR_BUCKETS,
            ),
            _Spec(
                Histogram,
                "http_request_duration_seconds",
                "Latency with only few buckets by handler. "
                "Made to be only used if aggregation by handler is important.",
                ((METHOD, "method"), (ROUTE, "handler")),
                (0.1, 0.5, 1.0),
            ),
        ),
        in_progress=_Spec(Gauge, "http_requests_inprogress", "Number of HTTP requests in progress.", ()),
        request_size=_Spec(
            Summary, "http_request_size_bytes", "Content length of incoming requests by handler.", _HANDLER
        ),
        response_size=_Spec(
            Summary, "http_response_size_bytes", "Content length of outgoing responses by handler.", _HANDLER
        ),
        style=Style(unmatched="none", group_status=True),
    ),
    "starlette": _Table(
        requests=_Spec(Counter, "starlette_requests_total", "Total HTTP requests", _STARLETTE),
        durations=(
            _Spec(
                Histogram,
                "starlette_request_duration_seconds",
                "HTTP request duration, in seconds",
                _STARLETTE,
                _CLIENT_BUCKETS,
            ),
        ),
        in_progress=_Spec(
            Gauge,
            "starlette_requests_in_progress",
            "Total HTTP requests currently in progress",
            (_STARLETTE[0], _STARLETTE[3]),
        ),
        request_size=_Spec(
            Counter, "starlette_request_body_bytes_total", "Total HTTP request body bytes", _STARLETTE
        ),
        response_size=_Spec(
            Counter, "starlette_response_body_bytes_total", "Total HTTP response body bytes", _STARLETTE
        ),
        style=Style(unmatched="__unknown__"),
    ),
    "axum": _Table(
        requests=_Spec(Counter, "axum_http_requests_total", "Total HTTP requests.", _AXUM),
        durations=(
            _Spec(
                Histogram,
                "axum_http_requests_duration_seconds",
                "Duration of HTTP requests.",
                _AXUM,
                REQUEST_BUCKETS,
            ),
        ),
        in_progress=_Spec(Gauge, "axum_http_requests_pending", "HTTP requests in flight.", (_AXUM[0], _AXUM[2])),
        request_size=_Spec(
            Histogram, "axum_http_request_body_size", "Size of HTTP request bodies.", _AXUM, SIZE_BUCKETS
        ),
        response_size=_Spec(
            Histogram, "axum_http_response_body_size", "Size of HTTP response bodies.", _AXUM, SIZE_BUCKETS
        ),
        style=Style(),
    ),
}

NAMES = ("guide", *_TABLES)
"""The names of the presets."""
