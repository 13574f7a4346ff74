"""Serves the page to ASGI servers and frameworks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from .exposition import _bake_output
from .registry import REGISTRY, Collector

__all__ = ("make_asgi_app",)

Message = MutableMapping[str, Any]
ASGIApp = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


def make_asgi_app(registry: Collector = REGISTRY, disable_compression: bool = False) -> ASGIApp:
    """Makes an ASGI application that answers any HTTP request with the page."""

    async def prometheus_app(
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        assert scope.get("type") == "http"

        def header(wanted: bytes) -> str:
            values = (value for name, value in scope.get("headers", ()) if name.lower() == wanted)
            return b",".join(values).decode("latin-1")

        status, headers, output = _bake_output(
            registry,
            header(b"accept"),
            header(b"accept-encoding"),
            parse_qs(scope.get("query_string", b"").decode("utf-8", "replace")),
            disable_compression,
        )
        request = await receive()
        if request.get("type") != "http.request":
            # The client is gone.
            return
        await send(
            {
                "type": "http.response.start",
                "status": int(status.split(" ")[0]),
                "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
            }
        )
        await send({"type": "http.response.body", "body": output})

    return prometheus_app
