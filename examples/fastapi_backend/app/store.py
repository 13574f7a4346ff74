"""Accounts, their credits and the faults, in Redis: the web application and the worker share them."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import redis
import redis.asyncio
from promflow.backend.redis import instrument

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")


class CreditKind(NamedTuple):
    """A type of credits."""

    low_below: float
    """With less than this an account is low; the rules have the same numbers."""
    pack: float
    """What a new account has, and what one purchase adds."""


CREDIT_KINDS = {
    "api": CreditKind(100, 1000),
    "voice": CreditKind(20, 200),
    "export": CreditKind(50, 250),
}

FAULTS = ("errors", "latency", "credits", "consumer")
"""The names of the faults; each is noticed by other alerts."""

ACCOUNTS_MAX = 10_000

_NEXT, _FAULTS = "accounts:next", "faults"

# Takes credits when there are enough: the balance that is left, -1 for too few, -2 for no account.
_TAKE = """
local left = redis.call('HGET', KEYS[1], ARGV[1])
if not left then return '-2' end
if tonumber(left) < tonumber(ARGV[2]) then return '-1' end
return redis.call('HINCRBYFLOAT', KEYS[1], ARGV[1], '-' .. ARGV[2])
"""


def user(account: int) -> str:
    """Returns the name of an account's user: the label `user`."""
    return f"user-{account}"


def _key(account: int) -> str:
    return f"account:{account}"


class TooFew(Exception):
    """There are not enough credits."""


class NoAccount(Exception):
    """There is no such account."""


class Store:
    """The asynchronous client, of the web application."""

    def __init__(self) -> None:
        self.redis: Any = instrument(redis.asyncio.Redis.from_url(REDIS_URL, decode_responses=True))

    async def open(self) -> int | None:
        """Opens an account and returns its number; `None` when there are too many."""
        account = int(await self.redis.incr(_NEXT))
        if account > ACCOUNTS_MAX:
            return None
        await self.redis.hset(_key(account), mapping={name: kind.pack for name, kind in CREDIT_KINDS.items()})
        return account

    async def count(self) -> int:
        """Returns how many accounts there are."""
        return min(int(await self.redis.get(_NEXT) or 0), ACCOUNTS_MAX)

    async def balance(self, account: int) -> dict[str, float] | None:
        """Returns an account's credits by type."""
        found = await self.redis.hgetall(_key(account))
        return {name: float(found[name]) for name in CREDIT_KINDS} if found else None

    async def balances(self) -> dict[str, dict[str, float]]:
        """Returns the credits of all users, by type."""
        accounts = range(1, await self.count() + 1)
        pipeline = self.redis.pipeline(transaction=False)
        for account in accounts:
            pipeline.hgetall(_key(account))
        found = dict(zip(accounts, await pipeline.execute(), strict=True))
        return {
            name: {user(account): float(all_kinds[name]) for account, all_kinds in found.items() if all_kinds}
            for name in CREDIT_KINDS
        }

    async def take(self, account: int, kind: str, amount: float) -> float:
        """Takes credits from an account, and returns what is left.

        Errors: `TooFew`, and then nothing is taken; `NoAccount`.
        """
        left = float(await self.redis.eval(_TAKE, 1, _key(account), kind, repr(float(amount))))
        if left == -2:
            raise NoAccount
        if left == -1:
            raise TooFew
        return left

    async def add(self, account: int, kind: str, amount: float) -> None:
        """Adds credits to an account."""
        await self.redis.hincrbyfloat(_key(account), kind, amount)

    async def faults(self) -> dict[str, bool]:
        """Tells which faults are on."""
        on = await self.redis.hgetall(_FAULTS)
        return {name: on.get(name) == "1" for name in FAULTS}

    async def switch(self, fault: str, on: bool) -> None:
        """Switches a fault."""
        await self.redis.hset(_FAULTS, fault, int(on))


class WorkerStore:
    """The client of the worker."""

    def __init__(self) -> None:
        self.redis: Any = instrument(redis.Redis.from_url(REDIS_URL, decode_responses=True))

    def balance(self, account: int) -> dict[str, float] | None:
        """Returns an account's credits by type."""
        found = self.redis.hgetall(_key(account))
        return {name: float(found[name]) for name in CREDIT_KINDS} if found else None

    def add(self, account: int, kind: str, amount: float) -> None:
        """Adds credits to an account."""
        self.redis.hincrbyfloat(_key(account), kind, amount)

    def is_on(self, fault: str) -> bool:
        """Tells whether a fault is on."""
        return bool(self.redis.hget(_FAULTS, fault) == "1")
