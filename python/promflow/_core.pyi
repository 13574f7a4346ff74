"""The native half of the package."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from os import PathLike
from types import TracebackType
from typing import Any, Literal, TypeVar

from .metrics_core import Metric as _Family

_F = TypeVar("_F", bound=Callable[..., Any])
_M = TypeVar("_M", bound="Metric")

__version__: str

class Value:
    """One number of a metric."""

    @property
    def _multiprocess(self) -> bool: ...
    def inc(self, amount: float) -> None: ...
    def set(self, value: float, timestamp: float | None = None) -> None: ...
    def get(self) -> float: ...
    def set_exemplar(self, exemplar: Any) -> None: ...
    def get_exemplar(self) -> Any: ...

class Metric:
    """A metric or one of its children."""

    def _setup(
        self,
        name: str,
        documentation: str,
        labelnames: tuple[str, ...],
        unit: str,
        labelvalues: tuple[str, ...],
        original: tuple[str, str, str],
        build: dict[str, Any],
    ) -> None: ...
    def labels(self: _M, *labelvalues: Any, **labelkwargs: Any) -> _M: ...
    def _remove(self, labelvalues: tuple[str, ...]) -> None: ...
    def _sync(self) -> dict[tuple[str, ...], Any]: ...
    def _hand_out(self) -> dict[tuple[str, ...], Any]: ...
    def _from_python(self) -> None: ...
    def _cell(self, word: int) -> Value: ...
    def _native_samples(self, created: bool) -> list[tuple[str, dict[str, str], float, Any]]: ...
    def _is_observable(self) -> bool: ...
    def _raise_if_not_observable(self) -> None: ...
    def _is_parent(self) -> bool: ...
    @property
    def _is_shared(self) -> bool: ...
    @property
    def _is_native(self) -> bool: ...
    @property
    def _name(self) -> str: ...
    @property
    def _documentation(self) -> str: ...
    @property
    def _unit(self) -> str: ...
    @property
    def _labelnames(self) -> tuple[str, ...]: ...
    @property
    def _labelvalues(self) -> tuple[str, ...]: ...
    @property
    def _original_name(self) -> str: ...
    @property
    def _namespace(self) -> str: ...
    @property
    def _subsystem(self) -> str: ...
    @property
    def _kwargs(self) -> dict[str, Any]: ...
    @property
    def _upper_bounds(self) -> list[float]: ...
    @property
    def _mode(self) -> str: ...
    @property
    def _created(self) -> float: ...

class Counter(Metric):
    def inc(self, amount: float = 1, exemplar: dict[str, str] | None = None) -> None:
        """Increment counter by the given amount."""

    def reset(self) -> None:
        """Reset the counter to zero."""

class Gauge(Metric):
    def inc(self, amount: float = 1) -> None:
        """Increment gauge by the given amount."""

    def dec(self, amount: float = 1) -> None:
        """Decrement gauge by the given amount."""

    def set(self, value: float) -> None:
        """Set gauge to the given value."""

    def set_to_current_time(self) -> None:
        """Set gauge to the current unixtime."""

    def time(self) -> Timer:
        """Time a block of code or function, and set the duration in seconds."""

class Summary(Metric):
    def observe(self, amount: float) -> None:
        """Observe the given amount."""

    def time(self) -> Timer:
        """Time a block of code or function, and observe the duration in seconds."""

class Histogram(Metric):
    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        """Observe the given amount."""

    def time(self) -> Timer:
        """Time a block of code or function, and observe the duration in seconds."""

class Info(Metric):
    def _set_facts(self, facts: Any) -> None: ...
    def _facts(self) -> dict[str, str]: ...

class Enum(Metric):
    def _set_state(self, place: int) -> None: ...
    def _state(self) -> int: ...

class Timer:
    """Times a block of code or a function, and gives the duration to a method of a metric."""

    def __init__(self, metric: Any, callback_name: str) -> None: ...
    def _new_timer(self) -> Timer: ...
    def __enter__(self) -> Timer: ...
    def __exit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    def __call__(self, f: _F) -> _F: ...
    def labels(self, *args: Any, **kw: Any) -> None: ...
    @property
    def duration(self) -> float | None: ...
    @property
    def _metric(self) -> Any: ...
    @property
    def _callback_name(self) -> str: ...

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]

class Requests:
    """What the requests of an ASGI middleware share."""

    def __init__(
        self,
        other_method: str,
        find_running: Callable[[str, MutableMapping[str, Any], str], Gauge],
        ended: Callable[[Request, MutableMapping[str, Any], str, str, int, float], None],
        *,
        running_by_method: bool,
        until_head: bool,
        with_sizes: bool,
        receive: Callable[[Request, _Receive], Awaitable[_Message]],
        send_part: Callable[[Request, _Send, _Message], Awaitable[None]],
        send_last: Callable[[Request, _Send, _Message], Awaitable[None]],
        send_websocket: Callable[[Request, _Send, _Message], Awaitable[None]],
    ) -> None: ...
    def begin(
        self,
        scope: MutableMapping[str, Any],
        root: str,
        receive: _Receive,
        send: _Send,
    ) -> Request:
        """Begins a request, and counts it as one under way."""

    def learn(self, request: Request, status: int, total: Counter | None, duration: Histogram) -> None:
        """Learns which series count requests that end as this one did; nothing where its scope says too little."""

class Request:
    """A request under way, of an ASGI middleware. It ends once: with its last byte, or with what comes before that."""

    status: int
    disconnected: bool

    def receive(self) -> Awaitable[_Message]:
        """Receives a message of the server; returns what is to be awaited."""

    def send(self, message: _Message) -> Awaitable[None]:
        """Sends a message of the application; returns what is to be awaited."""

    def send_websocket(self, message: _Message) -> Awaitable[None]:
        """Sends a message of the application to a websocket; returns what is to be awaited."""

    def add_received(self, message: _Message) -> None:
        """Adds the bytes of a message of the server."""

    def end(self, status: int | None = None) -> None:
        """Ends the request with a status, or with that of its response; only the first end counts."""

    @property
    def answered(self) -> bool: ...
    @property
    def done(self) -> bool: ...
    @property
    def request_bytes(self) -> int: ...
    @property
    def response_bytes(self) -> int: ...

class SharedPart:
    """All metrics of a shared arena, but for those of some names."""

    def __init__(self, path: str | PathLike[str], without: set[str] = ...) -> None: ...
    def metrics(self) -> list[tuple[str, str, str, str, list[tuple[str, dict[str, str], float, Any]]]]: ...
    def mark_process_dead(self, pid: int) -> None: ...

def write_page(
    parts: list[Any],
    format: Literal["text", "openmetrics"],
    escaping: str,
    native_histograms: bool = False,
) -> bytes:
    """Writes a page of ``registry._page_parts_of(registry)``, with ``# EOF`` in OpenMetrics.

    Python's lock is given up while values of this package's metrics are written.
    """

def before_fork() -> None: ...
def before_exit() -> None: ...
def after_fork_in_parent() -> None: ...
def after_fork_in_child() -> None: ...
def close_shared() -> None: ...
def is_shared_open(path: str | PathLike[str]) -> bool: ...
def float_to_go_string(value: float) -> str: ...
def escape_metric_name(name: str, escaping: str) -> str: ...
def escape_label_name(name: str, escaping: str) -> str: ...

class PrometheusFamilies(Iterator[_Family]):
    def __new__(cls, source: str | Iterable[str]) -> PrometheusFamilies: ...
    def __iter__(self) -> PrometheusFamilies: ...
    def __next__(self) -> _Family: ...

class OpenMetricsFamilies(Iterator[_Family]):
    def __new__(cls, source: str | Iterable[str]) -> OpenMetricsFamilies: ...
    def __iter__(self) -> OpenMetricsFamilies: ...
    def __next__(self) -> _Family: ...
