"""The page of a program without HTTP of its own, such as a Celery worker."""

from __future__ import annotations

import base64
import hmac
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from promflow import CollectorRegistry

from .config import ServerSettings, Settings
from .page import Page

# A scraper that does not finish its request is let go after this.
_REQUEST_TIMEOUT_S = 30


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = _REQUEST_TIMEOUT_S

    def log_message(self, format: str, *args: Any) -> None:
        """Writes no log: a scrape every few seconds is none of it."""


class Server:
    """A server that shows the page, on a thread of its own."""

    def __init__(self, server: WSGIServer, url: str) -> None:
        self._server = server
        self.url = url
        """Where the page is."""
        self._thread = threading.Thread(target=server.serve_forever, name="promflow-metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.server_port

    def stop(self) -> None:
        """Ends the server and waits for it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def start(
    settings: Settings | None = None, registry: CollectorRegistry | None = None, *, port: int | None = None
) -> Server | None:
    """Shows the page where the settings say: `PROMETHEUS_PORT`, `PROMETHEUS_SERVER_*`; those of the environment.

    Without `PROMETHEUS_ENABLED` it does nothing. With `port=0` the system chooses one.

    Errors: `OSError` when the port is taken or a file of the certificate cannot be read; `ValueError` when the password
    is a bcrypt hash and there is no package bcrypt.
    """
    settings = Settings.from_env() if settings is None else settings
    if not settings.enabled:
        return None
    page, own = Page(registry, settings.default_labels), settings.server
    app = _app(page, settings.metrics_path, _authorizer(own))
    context = None
    if own.tls_cert_file and own.tls_key_file:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(own.tls_cert_file, own.tls_key_file)
    kind = _Server6 if ":" in own.host else _Server
    server = make_server(own.host, settings.port if port is None else port, app, kind, _Handler)
    if context is not None:
        # The handshake is made on the thread of the connection: one that hangs holds up nobody.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    host = f"[{own.host}]" if ":" in own.host else own.host
    scheme = "https" if context else "http"
    return Server(server, f"{scheme}://{host}:{server.server_port}{settings.metrics_path}")


Environ = Mapping[str, Any]
Authorizer = Callable[[Environ], bool]


def _app(page: Page, path: str, is_allowed: Authorizer) -> Callable[..., Iterable[bytes]]:
    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not is_allowed(environ):
            challenge = ("WWW-Authenticate", 'Basic realm="metrics"')
            start_response("401 Unauthorized", [challenge, ("Content-Length", "0")])
            return [b""]
        if environ.get("PATH_INFO") != path:
            body = f"the metrics are at {path}\n".encode()
            headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
            start_response("404 Not Found", headers)
            return [body]
        return page.wsgi(environ, start_response)

    return app


def _authorizer(settings: ServerSettings) -> Authorizer:
    if settings.username is None or settings.password is None:
        return lambda _environ: True
    username, password = settings.username.encode(), settings.password.encode()
    if password.startswith((b"$2a$", b"$2b$", b"$2y$")):
        try:
            import bcrypt  # type: ignore[import-not-found]
        except ImportError:
            raise ValueError(
                "PROMETHEUS_SERVER_PASSWORD is a bcrypt hash, and the package bcrypt is not installed"
            ) from None
        matches: Callable[[bytes], bool] = lambda given: bcrypt.checkpw(given, password)  # noqa: E731
    else:
        matches = lambda given: hmac.compare_digest(given, password)  # noqa: E731

    def is_allowed(environ: Environ) -> bool:
        scheme, _, encoded = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            name, _, given = base64.b64decode(encoded, validate=True).partition(b":")
        except ValueError:
            return False
        # Both are compared whatever the first says, so that the time taken tells nothing.
        return hmac.compare_digest(name, username) & matches(given)

    return is_allowed
