"""Pushes metrics to a Pushgateway. The names are part of ``promflow.exposition``."""

from __future__ import annotations

import base64
import gzip
import socket
import ssl
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any, Literal, Optional
from urllib.error import HTTPError
from urllib.parse import quote_plus, urlparse
from urllib.request import (
    BaseHandler,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    Request,
    build_opener,
)

from . import _core
from .openmetrics.exposition import UNDERSCORES
from .registry import REGISTRY, Collector, _page_parts_of

Headers = list[tuple[str, str]]
CompressionType = Optional[Literal["gzip", "snappy"]]
Handler = Callable[[str, str, Optional[float], Headers, bytes], Callable[[], None]]

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _PassthroughRedirects(HTTPRedirectHandler):
    """Follows redirects of ``PUT`` and ``POST`` too, with method and body: for those who trust their gateway."""

    _FOLLOWED = {
        "GET": (301, 302, 303, 307),
        "HEAD": (301, 302, 303, 307),
        "POST": (301, 302, 303),
        "PUT": (301, 302, 303),
    }

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request:
        method = req.get_method()
        if code not in self._FOLLOWED.get(method, ()):
            raise HTTPError(req.full_url, code, msg, headers, fp)
        return Request(
            newurl.replace(" ", "%20"),
            data=req.data,
            headers=req.headers,
            origin_req_host=req.origin_req_host,
            unverifiable=True,
            method=method,
        )


def _make_handler(
    url: str,
    method: str,
    timeout: float | None,
    headers: Headers,
    data: bytes,
    base_handler: BaseHandler | type[BaseHandler],
) -> Callable[[], None]:
    def handle() -> None:
        request = Request(url, data=data, method=method)
        for name, value in headers:
            request.add_header(name, value)
        response = build_opener(base_handler).open(request, timeout=timeout)
        if response.code >= 400:
            raise OSError(f"error talking to pushgateway: {response.code} {response.msg}")

    return handle


def default_handler(
    url: str, method: str, timeout: float | None, headers: Headers, data: bytes
) -> Callable[[], None]:
    """Makes the request over HTTP or HTTPS. Other handlers may call it."""
    return _make_handler(url, method, timeout, headers, data, HTTPHandler)


def passthrough_redirect_handler(
    url: str, method: str, timeout: float | None, headers: Headers, data: bytes
) -> Callable[[], None]:
    """Makes the request, and the same again wherever a redirect points to.

    Only for gateways whose redirects can be trusted with all that is pushed.
    """
    return _make_handler(url, method, timeout, headers, data, _PassthroughRedirects)


def basic_auth_handler(
    url: str,
    method: str,
    timeout: float | None,
    headers: Headers,
    data: bytes,
    username: str | None = None,
    password: str | None = None,
) -> Callable[[], None]:
    """Makes the request with a user's name and password, where both are given."""

    def handle() -> None:
        if username is not None and password is not None:
            token = base64.b64encode(f"{username}:{password}".encode()).decode("ascii")
            headers.append(("Authorization", f"Basic {token}"))
        default_handler(url, method, timeout, headers, data)()

    return handle


def tls_auth_handler(
    url: str,
    method: str,
    timeout: float | None,
    headers: Headers,
    data: bytes,
    certfile: str,
    keyfile: str,
    cafile: str | None = None,
    protocol: int = ssl.PROTOCOL_TLS_CLIENT,
    insecure_skip_verify: bool = False,
) -> Callable[[], None]:
    """Makes the request with a client certificate.

    The gateway's own certificate is verified, unless ``insecure_skip_verify`` is set.
    """
    context = ssl.SSLContext(protocol=protocol)
    if cafile is not None:
        context.load_verify_locations(cafile)
    else:
        context.load_default_certs()
    if insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(certfile=certfile, keyfile=keyfile)
    return _make_handler(url, method, timeout, headers, data, HTTPSHandler(context=context))


def push_to_gateway(
    gateway: str,
    job: str,
    registry: Collector,
    grouping_key: Mapping[str, Any] | None = None,
    timeout: float | None = 30,
    handler: Handler = default_handler,
    compression: CompressionType = None,
) -> None:
    """Replaces all metrics of a job and grouping key by those of a registry (``PUT``).

    ``gateway`` is a URL; without a scheme it is ``http``. ``timeout`` is in seconds; None waits for ever.
    ``handler`` makes the request: it is given URL, method, timeout, headers and body, and gives a function that
    raises where the push fails. ``compression`` is ``gzip``, or ``snappy`` with python-snappy installed.
    """
    _use_gateway("PUT", gateway, job, registry, grouping_key, timeout, handler, compression)


def pushadd_to_gateway(
    gateway: str,
    job: str,
    registry: Collector | None,
    grouping_key: Mapping[str, Any] | None = None,
    timeout: float | None = 30,
    handler: Handler = default_handler,
    compression: CompressionType = None,
) -> None:
    """Replaces the metrics that a registry has too, and leaves others of the job and grouping key (``POST``)."""
    _use_gateway("POST", gateway, job, registry, grouping_key, timeout, handler, compression)


def delete_from_gateway(
    gateway: str,
    job: str,
    grouping_key: Mapping[str, Any] | None = None,
    timeout: float | None = 30,
    handler: Handler = default_handler,
) -> None:
    """Deletes all metrics of a job and grouping key (``DELETE``)."""
    _use_gateway("DELETE", gateway, job, None, grouping_key, timeout, handler)


def _use_gateway(
    method: str,
    gateway: str,
    job: str,
    registry: Collector | None,
    grouping_key: Mapping[str, Any] | None,
    timeout: float | None,
    handler: Handler,
    compression: CompressionType = None,
) -> None:
    if urlparse(gateway).scheme not in ("http", "https"):
        gateway = f"http://{gateway}"
    pairs = [("job", job), *sorted((str(name), str(value)) for name, value in (grouping_key or {}).items())]
    path = "".join("/{}/{}".format(*_escape_grouping_key(name, value)) for name, value in pairs)
    data = b""
    headers: Headers = [("Content-Type", _CONTENT_TYPE)]
    if method != "DELETE":
        page = _core.write_page(_page_parts_of(REGISTRY if registry is None else registry), "text", UNDERSCORES)
        data, coding = _compress(page, compression)
        headers.extend(coding)
    handler(
        url=f"{gateway.rstrip('/')}/metrics{path}",  # type: ignore[call-arg]
        method=method,
        timeout=timeout,
        headers=headers,
        data=data,
    )()


def _compress(data: bytes, compression: str | None) -> tuple[bytes, Headers]:
    """Gives the body, and the header that names its coding."""
    if compression is None:
        return data, []
    coding = compression.lower()
    if coding == "gzip":
        data = gzip.compress(data)
    elif coding == "snappy":
        data = _snappy_stream(data)
    else:
        raise ValueError(f"Unsupported compression type: {compression}")
    return data, [("Content-Encoding", coding)]


def _snappy_stream(data: bytes) -> bytes:
    try:
        import snappy  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        raise RuntimeError(
            "Snappy compression requires the python-snappy package to be installed."
        ) from None
    stream = snappy.StreamCompressor()
    compressed: bytes = stream.compress(data)
    flush = getattr(stream, "flush", None)
    return compressed + flush() if callable(flush) else compressed


def _escape_grouping_key(name: str, value: str) -> tuple[str, str]:
    """Writes a label for the path of the URL; what cannot stand there is Base64."""
    if value == "":
        # No value cannot be told from a doubled slash, so it is one padding character.
        return f"{name}@base64", "="
    if "/" in value or " " in value:
        return f"{name}@base64", base64.urlsafe_b64encode(value.encode("utf-8")).decode("ascii")
    return name, quote_plus(value)


def instance_ip_grouping_key() -> dict[str, Any]:
    """Gives a grouping key with this host's address as ``instance``."""
    # Nothing is sent: connecting a datagram socket only chooses the address to send from. macOS has none for
    # localhost's port 0.
    target = ("10.255.255.255", 1) if sys.platform == "darwin" else ("localhost", 0)
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as s:
        s.connect(target)
        return {"instance": s.getsockname()[0]}
