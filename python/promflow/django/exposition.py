"""A view for Django's URL patterns."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse  # type: ignore[import-untyped, unused-ignore]
from django.views import View  # type: ignore[import-untyped, unused-ignore]

from .. import multiprocess, values
from ..exposition import _bake_output
from ..registry import REGISTRY, CollectorRegistry

__all__ = ("PrometheusDjangoView",)


class PrometheusDjangoView(View):  # type: ignore[misc, unused-ignore]
    """Answers ``GET`` with the page.

    ``registry`` is ``REGISTRY`` unless set; in multiprocess mode, one with the metrics of all processes.
    """

    multiprocess_mode: bool = values._names_directory()
    registry: CollectorRegistry | None = None

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.registry is None:
            if self.multiprocess_mode:
                self.registry = CollectorRegistry()
                multiprocess.MultiProcessCollector(self.registry)
            else:
                self.registry = REGISTRY
        status, headers, output = _bake_output(
            self.registry,
            request.headers.get("Accept"),
            request.headers.get("Accept-Encoding"),
            dict(request.GET.lists()),
            disable_compression=False,
        )
        return HttpResponse(output, status=int(status.split(" ")[0]), headers=dict(headers))

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return HttpResponse(status=200, headers={"Allow": "OPTIONS,GET"})
