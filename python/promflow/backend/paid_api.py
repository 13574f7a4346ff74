"""Calls to APIs that cost money: Stripe, VAPI, and any other by its name.

Each call is counted by operation and outcome, and timed to the head of its answer. HTTP clients are measured whole, by
`instrument`; a single call by `Operation.measure`.

    stripe = Api.stripe(operations={"POST /v1/charges": "create_charge", "GET /v1/charges/{id}": "get_charge"})
    client = stripe.instrument(httpx.AsyncClient(base_url="https://api.stripe.com"))   # or a requests.Session
    stripe.operation("create_charge").spent_usd(0.30)
"""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from types import TracebackType
from typing import Any, TypeVar

from promflow import CollectorRegistry

from .metrics import OVERFLOW, NamedApi, PaidApi, Stripe, Vapi

ClientT = TypeVar("ClientT")
Operations = Mapping[str, str]

SUCCESS, RATE_LIMITED, ERROR = "success", "rate_limited", "error"
"""The values of the label `outcome`: it did what was asked; there were too many (429); all else, timeouts too."""

OUTCOMES = (SUCCESS, RATE_LIMITED, ERROR)

_METHODS = frozenset(("get", "head", "post", "put", "patch", "delete", "options"))
_API_NAME = re.compile(r"[a-z_][a-z0-9_]*", re.ASCII)
_PARAMETER = re.compile(r"\\\{[^{}]*\\\}")


def outcome_of(status: int) -> str:
    """Reads the outcome from an HTTP status: 429 is a rate limit, below 400 a success."""
    if status == 429:
        return RATE_LIMITED
    return SUCCESS if status < 400 else ERROR


class Api:
    """An API, whose operations are measured."""

    def __init__(self, metrics: PaidApi, operations: Operations | None = None) -> None:
        """Measures calls with a group of metrics: rather use `stripe`, `vapi` and `named`.

        `operations` names what requests ask for, by method and path: `{"POST /v1/charges/{id}": "update_charge"}`.
        What no entry fits is named by its method: a path never becomes a label.
        """
        self._metrics = metrics
        self._operations: dict[str, Operation] = {}
        self._names = [(_pattern(request), name) for request, name in (operations or {}).items()]
        for name in (operations or {}).values():
            self.operation(name)

    @classmethod
    def stripe(cls, registry: CollectorRegistry | None = None, operations: Operations | None = None) -> Api:
        """Registers the metrics of Stripe."""
        return cls(Stripe.of(registry), operations)

    @classmethod
    def vapi(cls, registry: CollectorRegistry | None = None, operations: Operations | None = None) -> Api:
        """Registers the metrics of VAPI."""
        return cls(Vapi.of(registry), operations)

    @classmethod
    def named(
        cls, name: str, registry: CollectorRegistry | None = None, operations: Operations | None = None
    ) -> Api:
        """Registers the metrics of any API: `NAME_api_calls_total`, `NAME_api_call_duration_seconds` and
        `NAME_spend_usd_total`.

        Errors: `ValueError` when the name does not begin a metric's name.
        """
        if not _API_NAME.fullmatch(name):
            raise ValueError(f'"{name}" begins no metric: expected a name such as openai')
        return cls(NamedApi.of(registry, name), operations)

    def operation(self, name: str) -> Operation:
        """Finds an operation; its outcomes exist at zero from then on."""
        operation = self._operations.get(name)
        if operation is None:
            operation = self._operations[name] = Operation(self._metrics, name)
        return operation

    def instrument(self, client: ClientT) -> ClientT:
        """Measures every call of an `httpx.Client`, an `httpx.AsyncClient` or a `requests.Session`; returns it.

        It measures what is sent: each attempt of a client that tries again by itself. A request of httpx may name its
        operation itself: `client.post(url, extensions={"operation": "create_charge"})`.

        Errors: `TypeError` for any other client.
        """
        found: Any = client
        if hasattr(found, "adapters"):
            for adapter in found.adapters.values():
                _wrap(adapter, "send", self._requests_send)
            return client
        transport = getattr(found, "_transport", None)
        if transport is None:
            kind = type(client).__name__
            raise TypeError(f'cannot measure a client of type "{kind}": expected one of httpx or requests')
        for each in (transport, *filter(None, getattr(found, "_mounts", {}).values())):
            if hasattr(found, "aclose"):
                _wrap(each, "handle_async_request", self._httpx_send_async)
            else:
                _wrap(each, "handle_request", self._httpx_send)
        return client

    def event_hooks(self) -> dict[str, list[Callable[[Any], None]]]:
        """Hooks for `httpx.Client(event_hooks=...)`, where its transport is not to be touched.

        They see no call that was not answered, a timeout say: `instrument` does.
        """

        def requested(request: Any) -> None:
            request.extensions["promflow_start"] = perf_counter()

        def answered(response: Any) -> None:
            request = response.request
            start = request.extensions.get("promflow_start")
            if start is not None:
                self._of_httpx(request).ended(outcome_of(response.status_code), perf_counter() - start)

        return {"request": [requested], "response": [answered]}

    def async_event_hooks(self) -> dict[str, list[Callable[[Any], Awaitable[None]]]]:
        """Hooks as `event_hooks`, for `httpx.AsyncClient`."""
        hooks = self.event_hooks()

        async def requested(request: Any) -> None:
            hooks["request"][0](request)

        async def answered(response: Any) -> None:
            hooks["response"][0](response)

        return {"request": [requested], "response": [answered]}

    def response_hook(self) -> Callable[..., None]:
        """A hook for `requests`: `session.hooks["response"].append(...)`.

        It sees no call that was not answered, a timeout say: `instrument` does.
        """

        def answered(response: Any, *_args: Any, **_kwargs: Any) -> None:
            operation = self.operation(self._name(response.request.method, response.request.path_url))
            operation.ended(outcome_of(response.status_code), response.elapsed.total_seconds())

        return answered

    def _name(self, method: str, path: str) -> str:
        asked = f"{method.upper()} {path.partition('?')[0]}"
        for pattern, name in self._names:
            if pattern.fullmatch(asked):
                return name
        method = method.lower()
        return method if method in _METHODS else OVERFLOW

    def _of_httpx(self, request: Any) -> Operation:
        named = request.extensions.get("operation")
        return self.operation(named if isinstance(named, str) else self._name(request.method, request.url.path))

    def _httpx_send(self, send: Any) -> Any:
        def measured(request: Any) -> Any:
            with self._of_httpx(request).measure() as call:
                response = send(request)
                call.answered(response.status_code)
                return response

        return measured

    def _httpx_send_async(self, send: Any) -> Any:
        async def measured(request: Any) -> Any:
            with self._of_httpx(request).measure() as call:
                response = await send(request)
                call.answered(response.status_code)
                return response

        return measured

    def _requests_send(self, send: Any) -> Any:
        @functools.wraps(send)
        def measured(request: Any, *args: Any, **kwargs: Any) -> Any:
            with self.operation(self._name(request.method, request.path_url)).measure() as call:
                response = send(request, *args, **kwargs)
                call.answered(response.status_code)
                return response

        return measured


class Operation:
    """Measures one operation of a paid API; its outcomes exist at zero from the start."""

    def __init__(self, metrics: PaidApi, name: str) -> None:
        """Registers an operation: rather use `Api.operation`."""
        self._outcomes = {outcome: metrics.calls.labels(name, outcome) for outcome in OUTCOMES}
        self._duration = metrics.duration.labels(name)
        self._spend = metrics.spend.labels(name)

    def measure(self) -> Call:
        """Measures a call, in synchronous and asynchronous code alike: `with operation.measure() as call: ...`.

        An exception, also that of a call that is given up, counts as an error; without one, and unless
        `call.answered(status)` or `call.outcome` says otherwise, the call is a success.
        """
        return Call(self)

    def ended(self, outcome: str, seconds: float) -> None:
        """Counts a call that was measured elsewhere."""
        self._outcomes[outcome].inc()
        self._duration.observe(seconds)

    def spent_usd(self, amount: float) -> None:
        """Adds what the operation cost, in US dollars; a negative amount is left out."""
        if amount > 0:
            self._spend.inc(amount)


class Call:
    """A call under way."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._start = 0.0
        self.outcome = SUCCESS
        """How the call ended."""

    def answered(self, status: int) -> None:
        """Reads the outcome from an HTTP status."""
        self.outcome = outcome_of(status)

    def __enter__(self) -> Call:
        self._start = perf_counter()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        outcome = self.outcome if error_type is None else ERROR
        self._operation.ended(outcome, perf_counter() - self._start)


def _pattern(request: str) -> re.Pattern[str]:
    return re.compile(_PARAMETER.sub("[^/]+", re.escape(request)))


def _wrap(owner: Any, name: str, measured: Callable[[Any], Any]) -> None:
    """Replaces a method of one object, once."""
    if name not in vars(owner) or not hasattr(vars(owner)[name], "_promflow"):
        wrapper = measured(getattr(owner, name))
        wrapper._promflow = True
        setattr(owner, name, wrapper)
