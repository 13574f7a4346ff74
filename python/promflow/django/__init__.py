"""Serves the page from Django."""

from .exposition import PrometheusDjangoView

__all__ = ("PrometheusDjangoView",)
