"""The application's metrics: define one here, count where it happens, and it is on the page.

The usual ones (`http_requests_total`, `http_request_duration_seconds`, `celery_tasks_total`,
`celery_task_duration_seconds`, `system_cpu_usage_percent`, credits, Stripe, VAPI, Pulsar, Redis) are defined in
`promflow.backend.metrics`, the same for every backend, and written by the middleware and the other parts.
"""

import os
from collections.abc import Iterable

from promflow import Counter
from promflow.backend import build_info

EXPORTS = Counter("exports_total", "Exports written, by format.", ["format"])
"""Exports that were written."""

TOPUPS = Counter("account_topups_total", "Times that credits were bought, by type.", ["type"])
"""Credits that were bought."""

EVENTS_DROPPED = Counter("events_dropped_total", "Events that found the queue of their topic full.", ["topic"])
"""Events that the full queue of their topic refused."""


def init(kinds: Iterable[str]) -> None:
    """Puts the metrics on the page, at zero, before the first of these things happens: in whichever process."""
    build_info("0.1.0", os.environ.get("GIT_REVISION", "unknown"))
    for export_format in ("csv", "json"):
        EXPORTS.labels(export_format)
    for kind in kinds:
        TOPUPS.labels(kind)
