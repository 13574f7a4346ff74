"""A pure ASGI middleware that measures every route of a FastAPI or Starlette application, to the last byte of its
response, whatever ends it, and serves the page.

The route's template is read from the scope after the application ran, and the series of a method, route and status are
resolved once, so that a request costs two readings of the clock and a few additions. A middleware on Starlette's
`BaseHTTPMiddleware` was rejected: it costs fifty times as much, and delays background tasks. What it counts as:

| what happens | status |
|---|---|
| the body was sent to its end | that of the response; what runs in the background afterwards is not measured |
| the client went away, before the response or in the midst of its body | 499 |
| an exception that no handler caught, a response without an end | 500 |
| a websocket that was accepted | 101, with the time until then; refused: 403 |
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

from promflow import REGISTRY, CollectorRegistry, _core

from . import presets, system
from .config import Settings
from .credits import CreditsUsed, record
from .metrics import OVERFLOW
from .page import Page
from .presets import METHOD, ROUTE, SCHEME, UNMATCHED, Families, Measured, Values
from .routes import Templates, own_path

__all__ = ["UNMATCHED", "CreditsUsed", "PrometheusMiddleware", "trace_id", "traceparent"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Exemplar = Callable[[Scope], "Mapping[str, str] | None"]

# The status of a request that was given up before its response, as nginx logs it.
_CLIENT_CLOSED = 499
_INTERNAL_ERROR = 500
_FORBIDDEN = 403
_SWITCHING_PROTOCOLS = 101

# The router's own answers to a path that it does not know: nothing is found by asking again.
_UNROUTED = frozenset((307, 404))

_METHODS_AT_ZERO = ("GET", "POST", "PUT", "PATCH", "DELETE")
# So many templates are told apart; only a `route` function of the application could return more.
_TEMPLATES_MAX = 2000
_HEX = frozenset("0123456789abcdef")


class PrometheusMiddleware:
    """Measures the requests of an application and serves the page: `app.add_middleware(PrometheusMiddleware)`.

    With `PROMETHEUS_ENABLED=false` everything is let through, and there is no page.
    """

    def __init__(
        self,
        app: App,
        settings: Settings | None = None,
        registry: CollectorRegistry | None = None,
        *,
        preset: str = "guide",
        sizes: bool | None = None,
        exclude: Iterable[str] = (),
        until: str = "last-byte",
        route: Callable[[Scope], str | None] | None = None,
        app_name: str = "starlette",
        exemplar: Exemplar | None = None,
        serve: bool = True,
    ) -> None:
        """Chooses how an application is measured.

        - `settings`: those of the environment, unless given.
        - `registry`: where the metrics stand; that of the process, unless given.
        - `preset`: names and labels (`promflow.backend.presets`).
        - `sizes`: whether the sizes of bodies are measured.
        - `exclude`: routes that are not measured, by template, or by path; a `*` at the end stands for all that begin
          so. The page itself is always left out: a service without visitors must look like one.
        - `until`: `last-byte`, or `head` for streams that are meant to stay open.
        - `route`: names the route of a request, for applications of other frameworks; one of few templates.
        - `app_name`: the label of that name in the preset `starlette`.
        - `exemplar`: labels of the exemplar of a request, such as `traceparent`; shown in OpenMetrics.
        - `serve`: whether the page is served here; it may be mounted instead (`promflow.backend.page.Page`).

        Errors: `SettingsError` for a bad variable; `ValueError` for an unknown preset, and when a metric of the
        registry has one of the names, or a default label of the settings.
        """
        if until not in ("last-byte", "head"):
            raise ValueError(f'unknown end "{until}": expected last-byte or head')
        settings = Settings.from_env() if settings is None else settings
        registry = REGISTRY if registry is None else registry
        self._app = app
        self._recorder: _Recorder | None = None
        if not settings.enabled:
            return
        families = presets.register(preset, sizes, registry)
        _refuse_labels(families, settings.default_labels)
        system.register(registry)
        self._page = Page(registry, settings.default_labels)
        self._page_path = settings.metrics_path if serve else None
        self._skipped = frozenset((settings.metrics_path, *(path for path in exclude if path[-1:] != "*")))
        self._skipped_prefixes = tuple(path[:-1] for path in exclude if path[-1:] == "*")
        self._recorder = _Recorder(
            families, registry, self._is_skipped, route, app_name, exemplar, until == "head"
        )

    def _is_skipped(self, path: str) -> bool:
        return path in self._skipped or path.startswith(self._skipped_prefixes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the application (ASGI)."""
        recorder = self._recorder
        kind = scope["type"]
        if recorder is None or (kind != "http" and kind != "websocket"):
            return await self._app(scope, receive, send)
        path: str = scope["path"]
        root: str = scope.get("root_path", "")
        if root:
            path = own_path(path, root)
        prefixes = self._skipped_prefixes
        if path in self._skipped or (prefixes and path.startswith(prefixes)):
            if path == self._page_path and kind == "http":
                return await self._page(scope, receive, send)
            return await self._app(scope, receive, send)
        request = recorder.requests.begin(scope, root, receive, send)
        try:
            await self._app(scope, request.receive, request.send if kind == "http" else request.send_websocket)
        except BaseException as error:
            _give_up(request, error)
            raise
        if not request.done:
            _give_up(request, None)


# A request under way is native; here is what of it awaits.


async def _receive(request: _core.Request, receive: Receive) -> Message:
    message = await receive()
    if message["type"] == "http.disconnect":
        request.disconnected = not request.done
    else:
        request.add_received(message)
    return message


async def _send_part(request: _core.Request, send: Send, message: Message) -> None:
    try:
        await send(message)
    except OSError:
        # Servers of ASGI 2.4 say so that nobody is there any more.
        request.disconnected = True
        raise


async def _send_last(request: _core.Request, send: Send, message: Message) -> None:
    try:
        await send(message)
    except OSError:
        request.disconnected = True
        raise
    request.end()


async def _send_websocket(request: _core.Request, send: Send, message: Message) -> None:
    kind = message["type"]
    if kind == "websocket.http.response.start":
        request.status = message["status"]
    await send(message)
    if kind == "websocket.accept":
        request.end(_SWITCHING_PROTOCOLS)
    elif kind == "websocket.close":
        request.end(_FORBIDDEN)
    elif kind == "websocket.http.response.body" and not message.get("more_body", False):
        request.end()


def _give_up(request: _core.Request, error: BaseException | None) -> None:
    """The application ended without the end of a response: it failed, nobody wanted it, or it forgot."""
    given_up = request.disconnected or isinstance(error, asyncio.CancelledError)
    request.end(_CLIENT_CLOSED if given_up else _INTERNAL_ERROR)


class _Series:
    """The series that count a request of one method, route and status."""

    def __init__(self, families: Families, values: Values) -> None:
        self.duration, *self._others = [duration.resolve(values) for duration in families.durations]
        self.total = families.requests.resolve(values) if families.requests else None
        self._request_size = _adder(families.request_size, values)
        self._response_size = _adder(families.response_size, values)

    def count(self, request: _core.Request, took: float, exemplar: Mapping[str, str] | None) -> None:
        if self.total is not None:
            self.total.inc(1, exemplar)
        self.duration.observe(took, exemplar)
        for duration in self._others:
            duration.observe(took)
        if self._request_size and self._response_size:
            self._request_size(request.request_bytes)
            self._response_size(request.response_bytes)


class _Excluded(_Series):
    def __init__(self) -> None:
        """Counts nothing."""


_EXCLUDED = _Excluded()


def _adder(size: Measured | None, values: Values) -> Callable[[int], None] | None:
    if size is None:
        return None
    series = size.resolve(values)
    adder: Callable[[int], None] = series.observe if hasattr(series, "observe") else series.inc
    return adder


class _Recorder:
    """Finds the series of requests, each once."""

    def __init__(
        self,
        families: Families,
        registry: CollectorRegistry,
        is_skipped: Callable[[str], bool],
        route_of: Callable[[Scope], str | None] | None,
        app_name: str,
        exemplar: Exemplar | None,
        until_head: bool,
    ) -> None:
        self._families = families
        self._registry = registry
        self._exemplar = exemplar
        self._is_skipped = is_skipped
        self._route_of = route_of
        self._app_name = app_name
        self._templates = Templates()
        self._root_app: Any = None
        self._series: dict[tuple[str | None, str, int, str], _Series] = {}
        self._routes: set[str] = set()
        labels = families.in_progress.labels
        self._is_running_by_route = ROUTE in labels
        self._has_scheme = any(SCHEME in duration.labels for duration in families.durations)
        # Route, method and status say all, and one counter and one histogram count it.
        self._is_plain = not (
            self._has_scheme or route_of or exemplar or families.response_size or len(families.durations) > 1
        )
        self.requests = _core.Requests(
            families.style.other_method,
            self._in_progress,
            self._ended,
            running_by_method=ROUTE not in labels and SCHEME not in labels,
            until_head=until_head,
            with_sizes=bool(families.response_size),
            receive=_receive,
            send_part=_send_part,
            send_last=_send_last,
            send_websocket=_send_websocket,
        )
        if METHOD in labels and not self._is_running_by_route:
            for method in _METHODS_AT_ZERO:
                families.in_progress.resolve(Values(method, app=app_name))

    def _in_progress(self, method: str, scope: Scope, root: str) -> Any:
        """Finds the gauge of requests under way."""
        if self._root_app is None:
            self._root_app = scope.get("app")
        template = None
        if self._is_running_by_route:
            # The one case where the route is needed before it is known.
            named = self._route_of(scope) if self._route_of else None
            template = named or self._templates.rematch(self._root_app, scope, root)
        route = self._label(template)
        return self._families.in_progress.resolve(Values(method, route, "", _scheme(scope), self._app_name))

    def _ended(
        self, request: _core.Request, scope: Scope, root: str, method: str, status: int, took: float
    ) -> None:
        """Counts an ended request, whatever it takes; the next one like it may take less."""
        series = self._find(scope, root, method, status)
        if series is _EXCLUDED:
            return
        series.count(request, took, self._exemplar(scope) if self._exemplar else None)
        used = (scope.get("state") or {}).get("credits_used")
        if used is not None and request.answered:
            record(used, self._registry)
        if self._is_plain:
            self.requests.learn(request, status, series.total, series.duration)

    def _find(self, scope: Scope, root: str, method: str, status: int) -> _Series:
        template = self._template(scope, root)
        if template is None and status not in _UNROUTED and "endpoint" not in scope:
            # A middleware answered before the router was asked, or failed.
            template = self._known(self._templates.rematch(self._root_app, scope, root))
        scheme = _scheme(scope) if self._has_scheme else ""
        key = (template, method, status, scheme)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = self._resolve(template, method, status, scheme)
        return series

    def _template(self, scope: Scope, root: str) -> str | None:
        named = self._route_of(scope) if self._route_of is not None else None
        return self._known(named or self._templates.find(self._root_app, scope, root))

    def _known(self, template: str | None) -> str | None:
        return template if template is None or template in self._routes else self._label(template)

    def _label(self, template: str | None) -> str:
        if template is None:
            return self._families.style.unmatched
        if template not in self._routes:
            if len(self._routes) >= _TEMPLATES_MAX:
                return OVERFLOW
            self._routes.add(template)
        return template

    def _resolve(
        self, template: str | None, method: str, status: int, scheme: str
    ) -> _Series:
        if template is not None and self._is_skipped(template):
            return _EXCLUDED
        families = self._families
        values = Values(method, self._label(template), families.style.status(status), scheme, self._app_name)
        if families.requests is not None:
            # The share of errors of a new route is zero, rather than absent until its first error.
            error = families.style.status(_INTERNAL_ERROR)
            families.requests.resolve(Values(method, values.route, error, scheme, self._app_name))
        return _Series(families, values)


def _scheme(scope: Scope) -> str:
    return "https" if scope.get("scheme") in ("https", "wss") else "http"


def _refuse_labels(families: Families, default_labels: Mapping[str, str]) -> None:
    measured = (families.requests, *families.durations, families.in_progress)
    for family in filter(None, measured):
        for name in getattr(family.family, "_labelnames", ()):
            if name in default_labels:
                raise ValueError(f'label name "{name}" is a default label and one of "{family.family._name}"')


def trace_id(scope: Scope) -> str | None:
    """Reads the trace id from the header `traceparent`; none when there is none or it is malformed.

    Source: W3C Trace Context, section 3.2.
    """
    value = next((value for name, value in scope["headers"] if name == b"traceparent"), b"").decode("latin-1")
    version, *parts = value.split("-")
    if len(parts) < 3 or (version == "00" and len(parts) > 3) or version == "ff":
        return None
    trace, parent, flags = parts[:3]
    for text, length in ((version, 2), (trace, 32), (parent, 16), (flags, 2)):
        if len(text) != length or not _HEX.issuperset(text):
            return None
    return trace if trace.strip("0") and parent.strip("0") else None


def traceparent(scope: Scope) -> Mapping[str, str] | None:
    """The exemplar of a request that belongs to a trace: `PrometheusMiddleware(app, exemplar=traceparent)`."""
    trace = trace_id(scope)
    return None if trace is None else {"trace_id": trace}
