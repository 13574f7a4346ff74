"""Normal traffic over real HTTP: people who look at accounts, send messages, make calls and ask for exports.

`python -m app.traffic --rate 20 --url http://127.0.0.1:8001`
"""

from __future__ import annotations

import argparse
import asyncio
import random
from typing import Any

import httpx

# So many requests may be under way; when the backend is slower, the next ones are left out.
_REQUESTS_MAX = 200
# The backend is asked so often whether it is there.
_START_WAIT_S = 0.2

Request = tuple[str, str, "dict[str, Any] | None"]


def next_request(account: int) -> Request:
    """Chooses what a person does next."""
    choices: list[tuple[int, Request]] = [
        (30, ("GET", f"/accounts/{account}", None)),
        (15, ("GET", f"/accounts/{account}/credits", None)),
        (3, ("GET", "/accounts", None)),
        (25, ("POST", "/messages", {"account": account, "text": "hello"})),
        (13, ("POST", "/calls", {"account": account, "number": "+15550100", "minutes": random.randint(1, 3)})),
        (9, ("POST", "/exports", {"account": account, "format": random.choice(("csv", "json"))})),
        (2, ("GET", "/accounts/999999", None)),
        # Whoever scans for holes.
        (1, ("GET", f"/wp-admin/{random.randrange(1_000_000)}.php", None)),
        (1, ("GET", "/health", None)),
        (1, ("POST", f"/accounts/{account}/topup", {"type": random.choice(("api", "voice", "export"))})),
    ]
    return random.choices([request for _, request in choices], [weight for weight, _ in choices])[0]


async def run(url: str, rate: float) -> None:
    """Sends so many requests a second for good, whatever the answers; waits for the backend to come up."""
    async with httpx.AsyncClient(base_url=url, timeout=10) as client:
        accounts = await _accounts(client)
        under_way: set[asyncio.Task[None]] = set()
        while True:
            if len(under_way) < _REQUESTS_MAX:
                task = asyncio.create_task(_send(client, *next_request(random.choice(accounts))))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            await asyncio.sleep(1 / rate)


async def _send(client: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None) -> None:
    try:
        await client.request(method, path, json=body)
    except httpx.HTTPError:
        pass  # A backend that is down or slow is what its metrics are to show; traffic goes on.


async def _accounts(client: httpx.AsyncClient) -> list[int]:
    while True:
        try:
            response = await client.get("/accounts")
            accounts: list[int] = response.json()["accounts"] if response.is_success else []
            if accounts:
                return accounts
        except httpx.HTTPError:
            pass  # It is not there yet.
        await asyncio.sleep(_START_WAIT_S)


def main() -> None:
    """Reads the arguments."""
    parser = argparse.ArgumentParser(description="Normal traffic for the example backend.")
    parser.add_argument("--url", default="http://127.0.0.1:8001", help="where the backend is")
    parser.add_argument("--rate", type=float, default=20, help="requests per second")
    arguments = parser.parse_args()
    if not 0 < arguments.rate <= 1000:
        parser.error(f"invalid value {arguments.rate} of --rate: expected a number from 0 to 1000")
    try:
        asyncio.run(run(arguments.url, arguments.rate))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
