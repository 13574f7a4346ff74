"""Background tasks: `celery -A app.tasks worker`."""

from __future__ import annotations

import csv
import functools
import io
import json
import random
import time

import httpx
from celery import Celery, Task
from promflow.backend.celery import instrument

from .core.prometheus import metrics
from .core.prometheus.config import worker_settings
from .paid_apis import Refused, WorkerStripe
from .store import CREDIT_KINDS, REDIS_URL, WorkerStore, user

PACK_USD = 20.0

RETRIES_MAX = 2
"""A task that failed is tried again so often before it has failed."""

_RETRY_WAIT_S = 0.2
_STORE_ERROR_SHARE = 0.03
"""So often the store of exports is not there when it is needed."""

celery = Celery("backend", broker=REDIS_URL)
celery.conf.update(
    task_ignore_result=True,
    worker_hijack_root_logger=False,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
)
instrument(celery, worker_settings)
metrics.init(CREDIT_KINDS)


# Clients are made in the process that uses them: one that was made before a fork would be shared by all children.
@functools.cache
def _store() -> WorkerStore:
    return WorkerStore()


@functools.cache
def _stripe() -> WorkerStripe:
    return WorkerStripe()


class StoreError(Exception):
    """The store of exports does not answer."""


@celery.task(name="export", bind=True, max_retries=RETRIES_MAX, default_retry_delay=_RETRY_WAIT_S)
def export(self: Task, account: int, export_format: str) -> int:
    """Writes an account's credits in a format, and returns how many bytes that are."""
    balance = _store().balance(account)
    if balance is None:
        raise LookupError(f"no account {account}")
    time.sleep(random.uniform(0.05, 0.4))
    if random.random() < _STORE_ERROR_SHARE:
        raise self.retry(exc=StoreError("the store of exports does not answer"))
    written = _write(account, export_format, balance)
    metrics.EXPORTS.labels(export_format).inc()
    return len(written)


@celery.task(name="recharge", bind=True, max_retries=RETRIES_MAX, default_retry_delay=_RETRY_WAIT_S)
def recharge(self: Task, account: int, kind: str) -> None:
    """Buys an account a pack of credits. While the fault `credits` is on, nothing is bought."""
    if _store().is_on("credits"):
        return
    try:
        _stripe().charge(user(account), PACK_USD)
    except (Refused, httpx.HTTPError) as error:
        raise self.retry(exc=error) from error
    _store().add(account, kind, CREDIT_KINDS[kind].pack)
    metrics.TOPUPS.labels(kind).inc()


def _write(account: int, export_format: str, balance: dict[str, float]) -> str:
    if export_format == "json":
        return json.dumps(balance)
    out = io.StringIO()
    csv.writer(out).writerows((account, name, left) for name, left in balance.items())
    return out.getvalue()
