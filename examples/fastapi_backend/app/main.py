"""The web application: `uvicorn app.main:app --port 8001`."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from promflow.backend import CreditType
from redis.exceptions import RedisError

from . import faults, routes
from .consumer import Topic
from .core.prometheus.middleware import add_prometheus
from .faults import Faults, failure
from .paid_apis import PaidApis
from .store import CREDIT_KINDS, Store

_log = logging.getLogger(__name__)

ACCOUNTS = int(os.environ.get("BACKEND_ACCOUNTS", "40"))
"""How many accounts there are at the start."""

_REFRESH_EVERY_S = 0.5
# Whichever process holds it counts the accounts: one is enough, and more would count them more than once.
_COUNTER_KEY, _COUNTER_S = "accounts:counter", 5


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Makes what handlers share, and ends what runs beside them."""
    state = app.state
    state.store = Store()
    state.faults = Faults(state.store)
    state.paid_apis = PaidApis()
    state.events = Topic()
    while await state.store.count() < ACCOUNTS:
        await state.store.open()
    consumer = asyncio.create_task(state.events.consume(lambda: state.faults.on["consumer"]))
    refresher = asyncio.create_task(_refresh(state.store, state.faults.refresh))
    yield
    for task in (consumer, refresher):
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await state.store.redis.aclose()


async def _refresh(store: Store, refresh_faults: Callable[[], Awaitable[None]]) -> None:
    """Reads what the worker and other processes changed: faults, and how many accounts have how much."""
    kinds = {name: CreditType(name, kind.low_below) for name, kind in CREDIT_KINDS.items()}
    own = str(os.getpid())
    while True:
        try:
            await refresh_faults()
            await store.redis.set(_COUNTER_KEY, own, nx=True, ex=_COUNTER_S)
            if await store.redis.get(_COUNTER_KEY) == own:
                await store.redis.expire(_COUNTER_KEY, _COUNTER_S)
                for name, balances in (await store.balances()).items():
                    kinds[name].counted(balances)
        except RedisError as error:
            _log.warning("cannot read the accounts: %s", error)
        await asyncio.sleep(_REFRESH_EVERY_S)


def create_app() -> FastAPI:
    """Makes the application."""
    app = FastAPI(title="backend", lifespan=lifespan)
    app.include_router(routes.router, dependencies=[Depends(faults.inject)])
    app.include_router(faults.router)

    @app.get("/health")
    async def health() -> PlainTextResponse:
        return PlainTextResponse("ok")

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return failure(400, "; ".join(f"{detail['loc'][-1]}: {detail['msg']}" for detail in error.errors()))

    add_prometheus(app)
    return app


app = create_app()
