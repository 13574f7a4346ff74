"""The page that a scraper reads: in the format that it asks for, compressed when it allows that.

It shows one registry, with default labels on every series. Where an application, or a library that it uses, defines
metrics with prometheus_client itself, the page of the process shows that registry too, but for the families that it
has already.
"""

from __future__ import annotations

import gzip
import os
import re
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from promflow import REGISTRY, CollectorRegistry
from promflow.exposition import choose_encoder
from promflow.metrics_core import Metric

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# A page larger than this is written on a thread, so that no request waits for a scrape.
_INLINE_BYTES_MAX = 64 * 1024
# Compresses fast: a page goes over a near network, and at every scrape.
_GZIP_LEVEL = 1

_TYPE_LINE = re.compile(rb'^# TYPE "?([^\s"]+)"? ', re.MULTILINE)
# A series at the start of a line: a name, or a quoted name within the braces, and the brace or blank that follows.
_SERIES = re.compile(rb'^(?:([a-zA-Z_:][a-zA-Z0-9_:]*)(\{|(?= ))|\{("(?:[^"\\]|\\.)*"))', re.MULTILINE)
_LABEL = re.compile(rb',?"?([^\s"{},=]+)"?="(?:[^"\\]|\\.)*"')


class Page:
    """The page of a registry, as an ASGI application (`app.mount("/metrics", Page())`) and for WSGI (`page.wsgi`)."""

    def __init__(
        self,
        registry: CollectorRegistry | None = None,
        default_labels: Mapping[str, str] | None = None,
        *,
        prometheus_client: bool | None = None,
    ) -> None:
        """Shows the registry of the process, unless told.

        `prometheus_client` says whether what is defined with prometheus_client itself is shown too; only on the page
        of the process's registry, unless told.
        """
        self._registry = REGISTRY if registry is None else registry
        self._labels = dict(default_labels or {})
        self._foreign = self._registry is REGISTRY if prometheus_client is None else prometheus_client
        self._size_bytes = 0

    def answer(
        self, accept: str = "", accept_encoding: str = "", names: Sequence[str] = ()
    ) -> tuple[list[tuple[str, str]], bytes]:
        """Writes the page: its headers and its body. With `names`, only the series of these names."""
        encode, content_type = choose_encoder(accept)
        registry: Any = self._registry
        foreign = _foreign_registry(registry) if self._foreign else None
        if names:
            registry = registry.restricted_registry(names)
            foreign = foreign.restricted_registry(names) if foreign is not None else None
        body = encode(registry)
        if foreign is not None:
            body = _with_families(body, encode, _lacking(body, foreign.collect()))
        if self._labels:
            body = with_labels(body, self._labels)
        self._size_bytes = len(body)
        headers = [("Content-Type", content_type), ("Vary", "accept, accept-encoding")]
        if allows_gzip(accept_encoding):
            body = gzip.compress(body, _GZIP_LEVEL, mtime=0)
            headers.append(("Content-Encoding", "gzip"))
        return headers, body

    async def answer_async(
        self, accept: str = "", accept_encoding: str = "", names: Sequence[str] = ()
    ) -> tuple[list[tuple[str, str]], bytes]:
        """Writes the page as `answer` does, a large one on a thread."""
        if self._size_bytes <= _INLINE_BYTES_MAX:
            return self.answer(accept, accept_encoding, names)
        import anyio.to_thread  # Starlette and FastAPI have it; it is the way that suits asyncio and trio alike.

        return await anyio.to_thread.run_sync(self.answer, accept, accept_encoding, names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request (ASGI)."""
        if scope["type"] != "http":
            raise RuntimeError(f'the page answers requests of HTTP, not "{scope["type"]}"')
        status, headers, body = 405, [("Allow", "GET, HEAD")], b""
        if scope["method"] in ("GET", "HEAD"):
            names = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("name[]", [])
            accept, accept_encoding = _header(scope, b"accept"), _header(scope, b"accept-encoding")
            status = 200
            headers, body = await self.answer_async(accept, accept_encoding, names)
        headers = [*headers, ("Content-Length", str(len(body)))]
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": encoded})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def wsgi(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answers a request (WSGI)."""
        method = environ.get("REQUEST_METHOD", "GET")
        if method not in ("GET", "HEAD"):
            start_response("405 Method Not Allowed", [("Allow", "GET, HEAD"), ("Content-Length", "0")])
            return [b""]
        names = parse_qs(environ.get("QUERY_STRING", "")).get("name[]", [])
        headers, body = self.answer(environ.get("HTTP_ACCEPT", ""), environ.get("HTTP_ACCEPT_ENCODING", ""), names)
        start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
        return [b"" if method == "HEAD" else body]


def _header(scope: Scope, name: bytes) -> str:
    return ",".join(value.decode("latin-1") for own, value in scope["headers"] if own.lower() == name)


def allows_gzip(accept_encoding: str) -> bool:
    """Tells whether gzip is named, or all encodings are, with a weight above zero."""
    of_any = False
    for term in accept_encoding.split(","):
        name, *parameters = (part.strip() for part in term.split(";"))
        weights = [parameter[2:].strip() for parameter in parameters if parameter.startswith("q=")]
        try:
            wanted = not weights or float(weights[0]) > 0
        except ValueError:
            wanted = False
        if name.lower() in ("gzip", "x-gzip"):
            return wanted
        if name == "*":
            of_any = wanted
    return of_any


def _foreign_registry(own: Any) -> Any | None:
    """Finds what is defined with prometheus_client itself, if that is loaded and is another library than this."""
    module = sys.modules.get("prometheus_client")
    registry = getattr(module, "REGISTRY", None)
    if registry is None or registry is own or registry is REGISTRY:
        return None
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR") and hasattr(module, "CollectorRegistry"):
        # Its processes meet in files: the registry has the numbers of this process alone.
        from prometheus_client import multiprocess

        registry = module.CollectorRegistry()  # type: ignore[union-attr]
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def _lacking(page: bytes, families: Iterable[Any]) -> Iterator[Metric]:
    """Returns the families that a page lacks, as our own, whatever version of prometheus_client they come from."""
    names = {name.decode() for name in _TYPE_LINE.findall(page)}
    for family in families:
        if family.name in names or f"{family.name}_total" in names or f"{family.name}_info" in names:
            continue
        metric = Metric(family.name, family.documentation, family.type, family.unit)
        for sample in family.samples:
            exemplar = getattr(sample, "exemplar", None)
            metric.add_sample(sample.name, sample.labels, sample.value, sample.timestamp, exemplar)
        yield metric


class _Families:
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def _with_families(page: bytes, encode: Callable[[Any], bytes], families: Iterable[Metric]) -> bytes:
    return page.removesuffix(b"# EOF\n") + encode(_Families(families))


def with_labels(page: bytes, labels: Mapping[str, str]) -> bytes:
    """Adds labels to every series of a page; one that a series has already keeps its own value."""
    pairs = [(name.encode(), b'%b="%b"' % (name.encode(), _escape(value).encode())) for name, value in labels.items()]
    added = b",".join(pair for _, pair in pairs)
    if not any(name + b'="' in page for name, _ in pairs):
        return _SERIES.sub(lambda found: _insert(found, added, page), page)
    lines = page.split(b"\n")
    for index, line in enumerate(lines):
        found = _SERIES.match(line)
        if found:
            own = _label_names(line, found.end()) if found[2] or found[3] else ()
            missing = b",".join(pair for name, pair in pairs if name not in own)
            lines[index] = _insert(found, missing, line) + line[found.end() :] if missing else line
    return b"\n".join(lines)


def _label_names(line: bytes, start: int) -> list[bytes]:
    names = []
    while found := _LABEL.match(line, start):
        names.append(found[1])
        start = found.end()
    return names


def _insert(found: re.Match[bytes], labels: bytes, text: bytes) -> bytes:
    name, brace, quoted = found.groups()
    if quoted is not None:
        return b"{%b,%b" % (quoted, labels)
    if not brace:
        return b"%b{%b}" % (name, labels)
    comma = b"" if text[found.end() : found.end() + 1] == b"}" else b","
    return b"%b{%b%b" % (name, labels, comma)


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
