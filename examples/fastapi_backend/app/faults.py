"""Faults that can be switched on, each noticed by other alerts: `POST /_faults/{name}?on=true`."""

from __future__ import annotations

import asyncio
import ipaddress
import random

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse

from .store import FAULTS, Store

ERROR_SHARE = 0.4
"""While errors are on, so many requests fail."""

LATENCY_S = (1.5, 2.4)
"""While latency is on, requests wait so long."""

router = APIRouter(prefix="/_faults")


class Faults:
    """Which faults are on, as far as this process knows."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.on = dict.fromkeys(FAULTS, False)

    async def refresh(self) -> None:
        """Reads what another process switched."""
        self.on = await self._store.faults()

    async def switch(self, name: str, on: bool) -> None:
        """Switches a fault for all processes."""
        await self._store.switch(name, on)
        await self.refresh()


async def inject(request: Request) -> None:
    """Lets requests fail or wait while those faults are on: a dependency of the routes."""
    on = request.app.state.faults.on
    if on["latency"]:
        await asyncio.sleep(random.uniform(*LATENCY_S))
    if on["errors"] and random.random() < ERROR_SHARE:
        raise HTTPException(500, 'the fault "errors" is on')


def failure(status: int, message: str) -> JSONResponse:
    """Answers with a message."""
    return JSONResponse({"error": message}, status)


def is_local(host: str | None) -> bool:
    """Tells whether a peer is on this machine."""
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _refused(request: Request) -> JSONResponse | None:
    if is_local(request.client.host if request.client else None):
        return None
    return failure(403, "faults are switched from this machine only")


@router.get("")
async def all_faults(request: Request) -> JSONResponse:
    """Lists the faults."""
    return _refused(request) or JSONResponse(request.app.state.faults.on)


@router.post("/{name}")
async def switch(request: Request, name: str, on: str = "") -> JSONResponse:
    """Switches a fault."""
    refused = _refused(request)
    if refused is not None:
        return refused
    if name not in FAULTS:
        return failure(404, f'unknown fault "{name}": expected one of {", ".join(FAULTS)}')
    if on not in ("true", "false"):
        return failure(400, f'invalid value "{on}" of on: expected true or false')
    faults: Faults = request.app.state.faults
    await faults.switch(name, on == "true")
    return JSONResponse(faults.on)
