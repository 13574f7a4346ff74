"""Serves and writes what a registry collects.

The page is chosen by the ``Accept`` header, compressed with gzip where that is accepted, and restricted by the query
parameter ``name[]``.
"""

from __future__ import annotations

import gzip
import os
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlparse
from wsgiref.simple_server import WSGIServer

from . import _core
from ._gateway import (
    basic_auth_handler,
    default_handler,
    delete_from_gateway,
    instance_ip_grouping_key,
    passthrough_redirect_handler,
    push_to_gateway,
    pushadd_to_gateway,
    tls_auth_handler,
)
from ._server import ThreadingWSGIServer, make_metrics_server, make_ssl_context
from .openmetrics import exposition as openmetrics
from .registry import REGISTRY, Collector, _page_parts_of
from .utils import parse_version

__all__ = (
    "CONTENT_TYPE_LATEST",
    "CONTENT_TYPE_PLAIN_0_0_4",
    "CONTENT_TYPE_PLAIN_1_0_0",
    "MetricsHandler",
    "ThreadingWSGIServer",
    "basic_auth_handler",
    "choose_encoder",
    "default_handler",
    "delete_from_gateway",
    "generate_latest",
    "instance_ip_grouping_key",
    "make_asgi_app",
    "make_wsgi_app",
    "passthrough_redirect_handler",
    "push_to_gateway",
    "pushadd_to_gateway",
    "start_http_server",
    "start_wsgi_server",
    "tls_auth_handler",
    "write_to_textfile",
)

CONTENT_TYPE_PLAIN_0_0_4 = "text/plain; version=0.0.4; charset=utf-8"
"""Content type of the text format that every scraper reads."""

CONTENT_TYPE_PLAIN_1_0_0 = "text/plain; version=1.0.0; charset=utf-8"
"""Content type of the text format whose names may be quoted."""

CONTENT_TYPE_LATEST = CONTENT_TYPE_PLAIN_1_0_0

Encoder = Callable[[Collector], bytes]

_ESCAPINGS = (openmetrics.ALLOWUTF8, openmetrics.UNDERSCORES, openmetrics.DOTS, openmetrics.VALUES)


def generate_latest(registry: Collector = REGISTRY, escaping: str = openmetrics.UNDERSCORES) -> bytes:
    """Writes what a registry collects in the text format."""
    return _core.write_page(_page_parts_of(registry), "text", escaping)


def choose_encoder(accept_header: str | None) -> tuple[Encoder, str]:
    """Finds the writer and the content type for an ``Accept`` header.

    The first format of the list that is known wins, whatever its weight. The escaping it asks for counts only beside
    a version that has it; without any of both the page is the text format 0.0.4.
    """
    for accepted in (accept_header or "").split(","):
        media_type, *parameters = (part.strip() for part in accepted.split(";"))
        options = dict(part.split("=", 1) for part in reversed(parameters) if "=" in part)
        version = options.get("version", "")
        escaping = options.get("escaping", "")
        if escaping not in _ESCAPINGS:
            escaping = openmetrics.UNDERSCORES
        if media_type == "application/openmetrics-text":
            if not version:
                return partial(_openmetrics, escaping=openmetrics.UNDERSCORES), openmetrics.CONTENT_TYPE_LATEST
            if _is_at_least(version, 2):
                encoder = partial(_openmetrics, escaping=escaping, version="2.0.0")
                return encoder, f"{openmetrics.CONTENT_TYPE_LATEST_2_0}; escaping={escaping}"
            if _is_at_least(version, 1):
                encoder = partial(_openmetrics, escaping=escaping)
                return encoder, f"{openmetrics.CONTENT_TYPE_LATEST}; escaping={escaping}"
        elif media_type == "text/plain" and _is_at_least(version, 1):
            return partial(generate_latest, escaping=escaping), f"{CONTENT_TYPE_LATEST}; escaping={escaping}"
    return generate_latest, CONTENT_TYPE_PLAIN_0_0_4


_openmetrics = openmetrics.generate_latest


def _is_at_least(version: str, major: int) -> bool:
    first = parse_version(version)[0]
    return isinstance(first, int) and first >= major


def gzip_accepted(accept_encoding_header: str | None) -> bool:
    """Says whether an ``Accept-Encoding`` header names gzip."""
    codings = (coding.split(";")[0].strip() for coding in (accept_encoding_header or "").split(","))
    return any(coding.lower() == "gzip" for coding in codings)


_Headers = list[tuple[str, str]]


def _bake_output(
    registry: Any,
    accept_header: str | None,
    accept_encoding_header: str | None,
    params: Mapping[str, Sequence[str]],
    disable_compression: bool,
) -> tuple[str, _Headers, bytes]:
    """Gives status, headers and page for a scrape."""
    encoder, content_type = choose_encoder(accept_header)
    if "name[]" in params:
        registry = registry.restricted_registry(params["name[]"])
    output = encoder(registry)
    headers = [("Content-Type", content_type)]
    if not disable_compression and gzip_accepted(accept_encoding_header):
        output = gzip.compress(output)
        headers.append(("Content-Encoding", "gzip"))
    return "200 OK", headers, output


WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def make_wsgi_app(registry: Collector = REGISTRY, disable_compression: bool = False) -> WSGIApp:
    """Makes a WSGI application that answers ``GET`` on any path with the page."""

    def prometheus_app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        method = environ["REQUEST_METHOD"]
        headers: _Headers = [("Allow", "OPTIONS,GET")]
        if method == "OPTIONS":
            status, output = "200 OK", b""
        elif method != "GET":
            status = "405 Method Not Allowed"
            output = f"# HTTP {status}: {method}; use OPTIONS or GET\n".encode()
        elif environ["PATH_INFO"] == "/favicon.ico":
            # Browsers ask for it, and need no page for it.
            status, headers, output = "200 OK", [], b""
        else:
            status, headers, output = _bake_output(
                registry,
                environ.get("HTTP_ACCEPT"),
                environ.get("HTTP_ACCEPT_ENCODING"),
                parse_qs(environ.get("QUERY_STRING", "")),
                disable_compression,
            )
        start_response(status, headers)
        return [output]

    return prometheus_app


def start_wsgi_server(
    port: int,
    addr: str = "0.0.0.0",
    registry: Collector = REGISTRY,
    certfile: str | None = None,
    keyfile: str | None = None,
    client_cafile: str | None = None,
    client_capath: str | None = None,
    protocol: int = ssl.PROTOCOL_TLS_SERVER,
    client_auth_required: bool = False,
    tls_min_version: ssl.TLSVersion | None = None,
    tls_max_version: ssl.TLSVersion | None = None,
) -> tuple[WSGIServer, threading.Thread]:
    """Serves the metrics from a daemon thread, over TLS where a certificate and a key are given.

    Gives the server, whose ``shutdown()`` ends it, and the thread.
    """
    context = None
    if certfile and keyfile:
        context = make_ssl_context(
            certfile,
            keyfile,
            protocol,
            client_cafile,
            client_capath,
            client_auth_required,
            tls_min_version,
            tls_max_version,
        )
    httpd = make_metrics_server(port, addr, make_wsgi_app(registry), context)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    return httpd, thread


start_http_server = start_wsgi_server


class MetricsHandler(BaseHTTPRequestHandler):
    """A handler for ``http.server`` that answers ``GET`` with the page of ``registry``."""

    registry: Collector = REGISTRY

    def do_GET(self) -> None:
        status, headers, output = _bake_output(
            self.registry,
            self.headers.get("Accept"),
            self.headers.get("Accept-Encoding"),
            parse_qs(urlparse(self.path).query),
            False,
        )
        self.send_response(int(status.split(" ")[0]))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(output)

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing."""

    @classmethod
    def factory(cls, registry: Collector) -> type:
        """Makes a handler class for another registry."""
        return type(cls.__name__, (cls,), {"registry": registry})


def write_to_textfile(
    path: str,
    registry: Collector,
    escaping: str = openmetrics.ALLOWUTF8,
    tmpdir: str | None = None,
) -> None:
    """Writes the page to a file for node_exporter's textfile collector, whose name has to end in ``.prom``.

    The file is whole at any time: it is written beside, or in ``tmpdir`` on the same file system, and moved there.
    """
    beside = path if tmpdir is None else os.path.join(tmpdir, os.path.basename(path))
    temporary = f"{beside}.{os.getpid()}.{threading.get_ident()}"
    try:
        with open(temporary, "wb") as file:
            file.write(generate_latest(registry, escaping))
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise


# Last, as that module reads this one.
from .asgi import make_asgi_app  # noqa: E402
