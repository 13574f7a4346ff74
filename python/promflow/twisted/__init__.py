"""Serves the page from Twisted's web server."""

from ._exposition import MetricsResource

__all__ = ("MetricsResource",)
