"""The routes."""

from __future__ import annotations

import json
from typing import Any, Literal

import httpx
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from promflow.backend import CreditsUsed
from pydantic import BaseModel

from . import tasks
from .core.prometheus import metrics
from .faults import failure
from .paid_apis import Refused
from .store import CREDIT_KINDS, NoAccount, TooFew, user

_LIST_MAX = 100
_CALL_MINUTES_MAX = 60
# While the fault `credits` is on, each use takes this share of a pack, whatever it should cost.
_FAULT_PACK_SHARE = 0.46
_CACHE_S = 10

router = APIRouter()


class Purchase(BaseModel):
    """What is bought."""

    type: str


class NewMessage(BaseModel):
    """A message to be sent."""

    account: int
    text: str


class NewCall(BaseModel):
    """A phone call to be made."""

    account: int
    number: str
    minutes: float


class NewExport(BaseModel):
    """An export to be written."""

    account: int
    format: Literal["csv", "json"]


def _no_account(account: int) -> JSONResponse:
    return failure(404, f"no account {account}")


@router.get("/accounts")
async def list_accounts(request: Request) -> dict[str, Any]:
    """Lists the numbers of the first accounts."""
    count = await request.app.state.store.count()
    return {"accounts": list(range(1, min(count, _LIST_MAX) + 1))}


@router.post("/accounts")
async def open_account(request: Request) -> JSONResponse:
    """Opens an account."""
    account = await request.app.state.store.open()
    if account is None:
        return failure(429, "there are too many accounts")
    return JSONResponse({"id": account}, 201)


@router.get("/accounts/{id}")
async def account(request: Request, id: int) -> Response:
    """Shows an account; it is cached for a few seconds."""
    store = request.app.state.store
    key = f"cache:account:{id}"
    cached = await store.redis.get(key)
    if cached is None:
        if await store.balance(id) is None:
            return _no_account(id)
        cached = json.dumps({"id": id, "user": user(id)})
        await store.redis.set(key, cached, ex=_CACHE_S)
    return Response(cached, media_type="application/json")


@router.get("/accounts/{id}/credits")
async def credits(request: Request, id: int) -> JSONResponse:
    """Shows an account's credits."""
    balance = await request.app.state.store.balance(id)
    return _no_account(id) if balance is None else JSONResponse(balance)


@router.post("/accounts/{id}/topup")
async def buy(request: Request, id: int, purchase: Purchase) -> JSONResponse:
    """Buys a pack of credits."""
    if purchase.type not in CREDIT_KINDS:
        return failure(400, f'unknown type "{purchase.type}": expected one of {", ".join(CREDIT_KINDS)}')
    state = request.app.state
    if await state.store.balance(id) is None:
        return _no_account(id)
    if not state.faults.on["credits"]:
        try:
            await state.paid_apis.charge(user(id), tasks.PACK_USD)
        except (Refused, httpx.HTTPError) as error:
            return failure(502, str(error))
        await state.store.add(id, purchase.type, CREDIT_KINDS[purchase.type].pack)
        metrics.TOPUPS.labels(purchase.type).inc()
        state.events.publish(f"account {id} bought {purchase.type} credits")
    return await credits(request, id)


async def _take(request: Request, account: int, kind: str, amount: float) -> JSONResponse | CreditsUsed:
    """Takes credits for an action, and has more bought when few are left."""
    state, (low_below, pack) = request.app.state, CREDIT_KINDS[kind]
    fault = state.faults.on["credits"]
    amount = pack * _FAULT_PACK_SHARE if fault else amount
    is_low, refused = False, None
    try:
        is_low = await state.store.take(account, kind, amount) < 2 * low_below
    except TooFew:
        is_low = True
        refused = failure(402, f'account {account} has too few credits of type "{kind}"')
    except NoAccount:
        return _no_account(account)
    if is_low and not fault:
        tasks.recharge.delay(account, kind)
    return refused or CreditsUsed(user(account), kind, amount)


@router.post("/messages")
async def message(request: Request, new: NewMessage) -> JSONResponse:
    """Publishes a message; it costs one credit."""
    used = await _take(request, new.account, "api", 1)
    if not isinstance(used, CreditsUsed):
        return used
    # The middleware counts it, by user and type.
    request.state.credits_used = used
    request.app.state.events.publish(f"message of account {new.account}: {len(new.text)} bytes")
    return JSONResponse({"sent": True}, 201)


@router.post("/calls")
async def call(request: Request, new: NewCall) -> JSONResponse:
    """Has VAPI make a call; it costs a credit a minute."""
    if not 0 < new.minutes <= _CALL_MINUTES_MAX:
        return failure(400, f"minutes must be above 0 and at most {_CALL_MINUTES_MAX}")
    used = await _take(request, new.account, "voice", new.minutes)
    if not isinstance(used, CreditsUsed):
        return used
    state = request.app.state
    try:
        made = await state.paid_apis.call(new.number, new.minutes)
    except (Refused, httpx.HTTPError) as error:
        await state.store.add(new.account, "voice", used.amount)
        return failure(502, str(error))
    request.state.credits_used = used
    state.events.publish(f"call of account {new.account}: {made['id']}")
    return JSONResponse(made, 201)


@router.post("/exports")
async def export(request: Request, new: NewExport) -> JSONResponse:
    """Has a background task write an export; it costs five credits."""
    used = await _take(request, new.account, "export", 5)
    if not isinstance(used, CreditsUsed):
        return used
    tasks.export.delay(new.account, new.format)
    request.state.credits_used = used
    request.app.state.events.publish(f"export of account {new.account}")
    return JSONResponse({"queued": True}, 202)


@router.get("/dead-letters")
async def dead_letters(request: Request) -> dict[str, Any]:
    """Shows the newest dead letters."""
    return {"messages": request.app.state.events.dead_letters(_LIST_MAX)}
