"""What the tests of the backend share."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from promflow import CollectorRegistry
from promflow.exposition import generate_latest


class Registry(CollectorRegistry):
    """A registry of a test, which is asked for values."""

    def value(self, name: str, /, **labels: str) -> float | None:
        """Returns the value of a series; `None` when there is none."""
        return self.get_sample_value(name, labels)

    def page(self) -> str:
        """Returns the page as text."""
        return generate_latest(self).decode()


@pytest.fixture
def registry() -> Registry:
    """A registry of its own for each test."""
    return Registry()


def call(app: Any, method: str = "GET", path: str = "/", **scope: Any) -> list[dict[str, Any]]:
    """Sends one request to an ASGI application, and returns what it sent."""
    sent: list[dict[str, Any]] = []
    body = scope.pop("body", b"")
    disconnects = scope.pop("disconnects", False)
    pending = [] if disconnects else [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not pending and not disconnects:
            await asyncio.Event().wait()
        return pending.pop(0) if pending else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = [(b"host", b"test"), *scope.pop("headers", [])]
    whole = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
        "state": {},
        **scope,
    }
    asyncio.run(app(whole, receive, send))
    return sent


@pytest.fixture
def send() -> Callable[..., list[dict[str, Any]]]:
    """Sends one request to an ASGI application."""
    return call


def free_port():
    """Returns a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def redis_server():
    """The port of a real Redis."""
    program = shutil.which("redis-server")
    assert program, "redis-server is not installed (Debian: apt install redis-server)"
    port = free_port()
    process = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(redis.ConnectionError):
                redis.Redis(port=port).ping()
                break
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()
