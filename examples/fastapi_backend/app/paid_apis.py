"""Clients of Stripe and VAPI, measured."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
from promflow.backend.paid_api import Api

from . import stand_in

CHARGE_FEE_USD = 0.01
"""What a purchase costs in fees."""

_RATE_LIMIT_WAIT_S = 0.1
"""A call that was refused because there were too many is tried once more after this."""

_TIMEOUT_S = 10.0
_CHARGE, _CALL = "/stripe/v1/charges", "/vapi/call"

stripe = Api.stripe(operations={f"POST {_CHARGE}": "create_charge"})
vapi = Api.vapi(operations={f"POST {_CALL}": "create_call"})


class Refused(Exception):
    """The API did not do what was asked."""


def _charge(customer: str, amount_usd: float) -> dict[str, Any]:
    return {"amount": int(amount_usd * 100), "currency": "usd", "customer": customer}


def _read(response: httpx.Response) -> dict[str, Any]:
    if response.is_error:
        raise Refused(f"{response.url.path} answered {response.status_code}")
    body: dict[str, Any] = response.json()
    return body


class PaidApis:
    """Asynchronous clients, of the web application."""

    def __init__(self) -> None:
        base_url = stand_in.url()
        self._stripe = stripe.instrument(httpx.AsyncClient(base_url=base_url, timeout=_TIMEOUT_S))
        self._vapi = vapi.instrument(httpx.AsyncClient(base_url=base_url, timeout=_TIMEOUT_S))

    async def charge(self, customer: str, amount_usd: float) -> None:
        """Has Stripe charge a customer.

        Errors: `Refused` with what Stripe answered, `httpx.HTTPError` when it did not.
        """
        _read(await self._post(self._stripe, _CHARGE, _charge(customer, amount_usd)))
        stripe.operation("create_charge").spent_usd(CHARGE_FEE_USD)

    async def call(self, number: str, minutes: float) -> dict[str, Any]:
        """Has VAPI make a phone call.

        Errors: as `charge`.
        """
        asked = {"customer": {"number": number}, "maxDurationMinutes": minutes}
        call = _read(await self._post(self._vapi, _CALL, asked))
        vapi.operation("create_call").spent_usd(call["cost"])
        return call

    async def _post(self, client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> httpx.Response:
        response = await client.post(path, json=body)
        if response.status_code == 429:
            await asyncio.sleep(_RATE_LIMIT_WAIT_S)
            response = await client.post(path, json=body)
        return response


class WorkerStripe:
    """A client of Stripe, of the worker."""

    def __init__(self) -> None:
        self._client = stripe.instrument(httpx.Client(base_url=stand_in.url(), timeout=_TIMEOUT_S))

    def charge(self, customer: str, amount_usd: float) -> None:
        """Has Stripe charge a customer.

        Errors: as `PaidApis.charge`.
        """
        response = self._client.post(_CHARGE, json=_charge(customer, amount_usd))
        if response.status_code == 429:
            time.sleep(_RATE_LIMIT_WAIT_S)
            response = self._client.post(_CHARGE, json=_charge(customer, amount_usd))
        _read(response)
        stripe.operation("create_charge").spent_usd(CHARGE_FEE_USD)
