"""A stand-in for Stripe and VAPI: the answers, delays and occasional refusals of theirs that the backend sees."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import socket
import threading
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

RATE_LIMITED_SHARE = 0.01
"""One request in so many is refused because there were too many."""

CALL_USD_PER_MINUTE = 0.001
"""What a call costs, in US dollars."""

app = FastAPI(openapi_url=None)
_served = itertools.count(1)


async def _answer(least_ms: float, most_ms: float, body: dict[str, Any]) -> JSONResponse:
    await asyncio.sleep(random.uniform(least_ms, most_ms) / 1000)
    if random.random() < RATE_LIMITED_SHARE:
        return JSONResponse({"error": {"type": "rate_limit_error"}}, 429)
    return JSONResponse(body)


@app.post("/stripe/v1/charges")
async def charge(request: Request) -> JSONResponse:
    """Charges a customer."""
    amount = (await request.json()).get("amount")
    if not isinstance(amount, int):
        return JSONResponse({"error": {"type": "invalid_request_error", "param": "amount"}}, 400)
    return await _answer(30, 120, {"id": f"ch_{next(_served)}", "amount": amount, "status": "succeeded"})


@app.post("/vapi/call")
async def call(request: Request) -> JSONResponse:
    """Makes a phone call."""
    minutes = float((await request.json()).get("maxDurationMinutes", 1))
    cost = minutes * CALL_USD_PER_MINUTE
    return await _answer(40, 200, {"id": f"call_{next(_served)}", "status": "queued", "cost": cost})


def url() -> str:
    """Returns where Stripe and VAPI answer: `PAID_APIS_URL`, or a stand-in that is started on a free port."""
    return os.environ.get("PAID_APIS_URL") or _start()


def _start() -> str:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    threading.Thread(target=server.run, args=([listener],), name="stand-in", daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"
