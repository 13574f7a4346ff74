"""The middleware that measures every route, counts credits by user and type, and shows the page at `/metrics`."""

from fastapi import FastAPI

from promflow.backend import PrometheusMiddleware
from promflow.backend.middleware import traceparent

from .config import settings


def add_prometheus(app: FastAPI) -> None:
    """Measures an application. It belongs outside of all other middlewares, so it is added last."""
    app.add_middleware(PrometheusMiddleware, settings=settings, exemplar=traceparent)
