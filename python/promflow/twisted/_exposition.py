"""A resource for Twisted's site tree."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.web.wsgi import WSGIResource

from ..exposition import make_wsgi_app
from ..registry import REGISTRY, Collector


def MetricsResource(registry: Collector = REGISTRY) -> WSGIResource:
    """Makes a resource that answers with the page, from a thread of the reactor's pool."""
    return WSGIResource(reactor, reactor.getThreadPool(), make_wsgi_app(registry))  # type: ignore[no-untyped-call, unused-ignore]
