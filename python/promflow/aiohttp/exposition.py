"""A handler for aiohttp's router."""

from __future__ import annotations

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from ..exposition import _bake_output
from ..registry import REGISTRY, Collector

__all__ = ("make_aiohttp_handler",)


def make_aiohttp_handler(registry: Collector = REGISTRY, disable_compression: bool = False) -> Handler:
    """Makes a handler that answers with the page. aiohttp itself compresses it."""

    async def prometheus_handler(request: web.Request) -> web.Response:
        status, headers, output = _bake_output(
            registry,
            ",".join(request.headers.getall(hdrs.ACCEPT, [])),
            None,
            {name: request.query.getall(name) for name in request.query},
            disable_compression=True,
        )
        response = web.Response(status=int(status.split(" ")[0]), headers=headers, body=output)
        if not disable_compression:
            response.enable_compression()
        return response

    return prometheus_handler
