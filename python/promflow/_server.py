"""The HTTP server behind ``promflow.exposition.start_http_server``."""

from __future__ import annotations

import socket
import ssl
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

# A client has this long for its part of the handshake; it cannot hold more than its own thread.
_HANDSHAKE_S = 10.0

# A refused client is listened to for this long, so that it learns why.
_LINGER_S = 1.0
_LINGER_BYTES_MAX = 64 * 1024


class _SilentHandler(WSGIRequestHandler):
    """Serves without a line in the log per scrape."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


class ThreadingWSGIServer(ThreadingMixIn, WSGIServer):
    """Serves each request in a thread of its own, which ends with the process."""

    daemon_threads = True


def _get_best_family(address: str, port: int) -> tuple[socket.AddressFamily, str]:
    """Finds the address family that an address belongs to: servers take IPv4 unless told otherwise."""
    infos = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, bound_to = infos[0]
    return family, str(bound_to[0])


def make_ssl_context(
    certfile: str,
    keyfile: str,
    protocol: int,
    cafile: str | None = None,
    capath: str | None = None,
    client_auth_required: bool = False,
    tls_min_version: ssl.TLSVersion | None = None,
    tls_max_version: ssl.TLSVersion | None = None,
) -> ssl.SSLContext:
    """Makes the server's side of TLS. What cannot be loaded is named in the error."""
    context = ssl.SSLContext(protocol=protocol)
    try:
        if cafile is not None or capath is not None:
            what = f"CA certificate chain from file {cafile!r} or directory {capath!r}"
            context.load_verify_locations(cafile, capath)
        else:
            what = "default CA certificate chain"
            context.load_default_certs(purpose=ssl.Purpose.CLIENT_AUTH)
        what = f"server certificate file {certfile!r} or its private key file {keyfile!r}"
        context.load_cert_chain(certfile=certfile, keyfile=keyfile)
    except OSError as error:
        raise type(error)(f"Cannot load {what}: {error}") from error
    if client_auth_required:
        context.verify_mode = ssl.CERT_REQUIRED
    if tls_min_version is not None:
        context.minimum_version = tls_min_version
    if tls_max_version is not None:
        context.maximum_version = tls_max_version
    return context


class _TLSServer(ThreadingWSGIServer):
    """Speaks TLS, each handshake in the thread of its request: one in the accepting thread would stop all scrapes."""

    context: ssl.SSLContext

    def finish_request(self, request: Any, client_address: Any) -> None:
        request.settimeout(_HANDSHAKE_S)
        connection = self.context.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        try:
            connection.do_handshake()
        except OSError:
            _close_slowly(connection)
            return
        connection.settimeout(None)
        try:
            super().finish_request(connection, client_address)
        finally:
            self.shutdown_request(connection)


def _close_slowly(connection: ssl.SSLSocket) -> None:
    """Closes a connection whose handshake failed.

    With TLS 1.3 the client has sent its request by then. Closing before it was read resets the connection, and the
    client sees that instead of the alert which says what is wrong with its certificate.
    """
    with socket.socket(fileno=connection.detach()) as plain:
        try:
            plain.settimeout(_LINGER_S)
            plain.shutdown(socket.SHUT_WR)
            left = _LINGER_BYTES_MAX
            while left > 0 and (data := plain.recv(4096)):
                left -= len(data)
        except OSError:
            # The client is gone, or has nothing to say.
            return


def make_metrics_server(port: int, addr: str, app: Any, context: ssl.SSLContext | None) -> WSGIServer:
    """Binds a server for a WSGI application; with a context it speaks TLS."""
    family, addr = _get_best_family(addr, port)
    base: type[ThreadingWSGIServer] = ThreadingWSGIServer if context is None else _TLSServer
    server_class = type("MetricsServer", (base,), {"address_family": family, "context": context})
    server: WSGIServer = make_server(addr, port, app, server_class, handler_class=_SilentHandler)
    return server
