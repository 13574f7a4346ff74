"""Servers, gateways and files."""

from __future__ import annotations

import pathlib
import socket
import ssl
import subprocess
import urllib.request
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from promflow import exposition
from promflow.core import GaugeMetricFamily, Metric
from promflow.registry import CollectorRegistry


class Collector:
    def collect(self) -> Iterable[Metric]:
        return [GaugeMetricFamily("up", "help", value=1)]


class Broken:
    def collect(self) -> Iterable[Metric]:
        raise RuntimeError("cannot collect")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    directory = tmp_path_factory.mktemp("certificate")
    key, cert = str(directory / "key.pem"), str(directory / "cert.pem")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    subprocess.run([*command, "-keyout", key, "-out", cert, *subject], check=True, capture_output=True)
    return key, cert


@pytest.fixture
def servers() -> Iterator[list[Any]]:
    started: list[Any] = []
    yield started
    for server, thread in started:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_client_that_does_not_shake_hands_stops_no_scrape(
    certificate: tuple[str, str], servers: list[Any]
) -> None:
    key, cert = certificate
    server, thread = exposition.start_http_server(
        0, "localhost", Collector(), certfile=cert, keyfile=key  # type: ignore[arg-type]
    )
    servers.append((server, thread))
    port = server.server_address[1]
    context = ssl.create_default_context(cafile=cert)
    with socket.create_connection(server.server_address[:2]):
        page = urllib.request.urlopen(f"https://localhost:{port}/metrics", context=context, timeout=5).read()
    assert page == b"# HELP up help\n# TYPE up gauge\nup 1.0\n"


def test_what_cannot_be_loaded_is_named(certificate: tuple[str, str]) -> None:
    key, cert = certificate
    with pytest.raises(OSError, match="Cannot load CA certificate chain from file '/nowhere'"):
        exposition.start_http_server(0, "localhost", certfile=cert, keyfile=key, client_cafile="/nowhere")
    with pytest.raises(OSError, match="Cannot load server certificate file '/nowhere'"):
        exposition.start_http_server(0, "localhost", certfile="/nowhere", keyfile=key)


def test_names_restrict_the_page(servers: list[Any]) -> None:
    registry = CollectorRegistry(auto_describe=True)

    class Two:
        def collect(self) -> Iterable[Metric]:
            return [GaugeMetricFamily("a", "help", value=1), GaugeMetricFamily("b", "help", value=2)]

    registry.register(Two())
    server, thread = exposition.start_http_server(0, "127.0.0.1", registry)
    servers.append((server, thread))
    url = f"http://127.0.0.1:{server.server_address[1]}/?name[]=b"
    assert urllib.request.urlopen(url, timeout=5).read() == b"# HELP b help\n# TYPE b gauge\nb 2.0\n"


def test_a_textfile_is_replaced_whole_or_not_at_all(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "metrics.prom"
    exposition.write_to_textfile(str(path), Collector())  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="cannot collect"):
        exposition.write_to_textfile(str(path), Broken())  # type: ignore[arg-type]
    assert path.read_bytes() == b"# HELP up help\n# TYPE up gauge\nup 1.0\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_grouping_key_is_escaped_in_the_url() -> None:
    requests = []

    def handler(url: str, method: str, timeout: Any, headers: Any, data: bytes) -> Any:
        requests.append((method, url, dict(headers)))
        return lambda: None

    key = {"z": "", "path": "/a b", "plain": "a+b"}
    exposition.push_to_gateway("gateway:9091/", "job", Collector(), key, handler=handler)  # type: ignore[arg-type]
    exposition.delete_from_gateway("https://gateway/base", "job", handler=handler)
    content_type = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
    assert requests == [
        (
            "PUT",
            "http://gateway:9091/metrics/job/job/path@base64/L2EgYg==/plain/a%2Bb/z@base64/=",
            content_type,
        ),
        ("DELETE", "https://gateway/base/metrics/job/job", content_type),
    ]
