"""Credits: what is used, what is left, and how many accounts run low.

Users are a label, so their number is limited by a guard: an allow-list (`Named`), buckets by hash (`Hashed`), or the
users that matter (`Leading`: those who used most, and the accounts with the least left), which is the default. Uses of
all others are counted for the user `__other__`, and their balances are left out, while the number of accounts by bucket
goes on to count all of them.
"""

from __future__ import annotations

import heapq
import math
import threading
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from promflow import REGISTRY, CollectorRegistry

from .metrics import OVERFLOW, Credits, Group

BUCKETS = ("zero", "low", "ok")
"""The values of the label `bucket`."""

LEADING_USERS = 100
"""How many users of each kind the default guard keeps apart, for each type of credits."""

# So many users are remembered to find those that matter.
_USERS_MAX = 100_000


@dataclass(frozen=True)
class CreditsUsed:
    """Credits that a request used: `request.state.credits_used = CreditsUsed("ann", "voice", 2.5)`, or a list of them.

    The middleware counts it when the request is answered. With `remaining`, what the account has left afterwards is
    shown too.
    """

    user: str
    type: str
    amount: float
    remaining: float | None = None


class Guard(Protocol):
    """Keeps the number of users small that have series of their own."""

    def used(self, user: str, amount: float) -> tuple[str, list[str]]:
        """Returns the label of a use, and the labels whose series are to be removed."""

    def remaining(self, user: str, amount: float) -> tuple[list[tuple[str, float]], list[str]]:
        """Returns the balances to be shown, by label, and the labels whose series are to be removed."""


class Named:
    """Keeps the users of a list apart."""

    def __init__(self, users: Iterable[str]) -> None:
        self._users = frozenset(users)

    def used(self, user: str, amount: float) -> tuple[str, list[str]]:
        """Finds the label of a use."""
        return (user if user in self._users else OVERFLOW), []

    def remaining(self, user: str, amount: float) -> tuple[list[tuple[str, float]], list[str]]:
        """Shows the balances of those users."""
        return ([(user, amount)] if user in self._users else []), []


class Hashed:
    """Keeps groups of users apart, by a hash of their names that is the same in every process.

    A group has no balance, so none is shown.
    """

    def __init__(self, groups: int) -> None:
        if groups < 1:
            raise ValueError("a guard needs at least one group")
        self._groups = groups

    def used(self, user: str, amount: float) -> tuple[str, list[str]]:
        """Names the group of the user."""
        return f"bucket-{zlib.crc32(user.encode()) % self._groups}", []

    def remaining(self, user: str, amount: float) -> tuple[list[tuple[str, float]], list[str]]:
        """Shows no balance."""
        return [], []


class Leading:
    """Keeps the users apart who used most, and those who have least left.

    A user who comes to lead is counted apart from then on; one who falls behind loses the series. So every use is
    counted once, in a series that only rises while it is there, and rates stay right.
    """

    def __init__(self, users: int = LEADING_USERS) -> None:
        if users < 1:
            raise ValueError("a guard needs at least one user")
        self._used = _Leaders(users)
        self._remaining = _Leaders(users)

    def used(self, user: str, amount: float) -> tuple[str, list[str]]:
        """Finds the label of a use."""
        _, left = self._used.put(user, self._used.scores.get(user, 0.0) + amount)
        return (user if user in self._used.leaders else OVERFLOW), left

    def remaining(self, user: str, amount: float) -> tuple[list[tuple[str, float]], list[str]]:
        """Shows the lowest balances."""
        entered, left = self._remaining.put(user, -amount)
        shown = set(entered)
        if user in self._remaining.leaders:
            shown.add(user)
        return [(name, -self._remaining.scores[name]) for name in shown], left


class _Leaders:
    """The users with the highest scores.

    Cost: a user who stays ahead or behind costs a few lookups; a change of places looks at the leaders alone.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self.scores: dict[str, float] = {}
        self.leaders: set[str] = set()
        # Those behind, best first, with scores that they have no more among them.
        self._behind: list[tuple[float, str]] = []
        # No leader has less; it may be too low, never too high.
        self._least = -math.inf

    def put(self, user: str, score: float) -> tuple[list[str], list[str]]:
        """Notes a score; returns who came to lead and who does not any more."""
        if user not in self.scores and len(self.scores) >= _USERS_MAX:
            return [], []
        self.scores[user] = score
        if user in self.leaders:
            self._least = min(self._least, score)
            return self._overtake(user)
        if len(self.leaders) < self._count:
            self.leaders.add(user)
            self._least = min(map(self.scores.__getitem__, self.leaders))
            return [user], []
        if score > self._least:
            last = min(self.leaders, key=self.scores.__getitem__)
            self._least = self.scores[last]
            if score > self._least:
                self._swap(last, user)
                return [user], [last]
        self._push(user)
        return [], []

    def _overtake(self, user: str) -> tuple[list[str], list[str]]:
        """Lets the best of those behind have the place of a leader whose score is lower."""
        behind = self._behind
        while behind:
            score, best = -behind[0][0], behind[0][1]
            if best not in self.leaders and self.scores[best] == score:
                if score <= self.scores[user]:
                    break
                heapq.heappop(behind)
                self._swap(user, best)
                return [best], [user]
            heapq.heappop(behind)
        return [], []

    def _swap(self, out: str, into: str) -> None:
        self.leaders.discard(out)
        self.leaders.add(into)
        self._push(out)

    def _push(self, user: str) -> None:
        heapq.heappush(self._behind, (-self.scores[user], user))
        if len(self._behind) > 2 * len(self.scores) + 64:
            self._behind = [(-score, name) for name, score in self.scores.items() if name not in self.leaders]
            heapq.heapify(self._behind)


class _Types(Group):
    """The types of credits of a registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.metrics = Credits.of(registry)
        self.lock = threading.RLock()
        self.types: dict[str, CreditType] = {}


class CreditType:
    """Measures the credits of one type.

        voice = CreditType("voice", low_below=20)
        voice.opened("ann", 100)
        voice.used("ann", 90)
        voice.changed("ann", 100, 10)
    """

    def __init__(
        self,
        name: str,
        low_below: float,
        registry: CollectorRegistry | None = None,
        guard: Guard | None = None,
    ) -> None:
        """Registers a type of credits; an account with less than `low_below` of them counts as low."""
        self.name = name
        self._low_below = low_below
        self._guard = Leading() if guard is None else guard
        self._lock = threading.RLock()
        types = _Types.of(registry)
        self._metrics = types.metrics
        for bucket in BUCKETS:
            self._metrics.accounts.labels(name, bucket)
        with types.lock:
            types.types[name] = self

    def opened(self, user: str, remaining: float) -> None:
        """Counts an account that is new to the process."""
        self._accounts(remaining).inc()
        self._show(user, remaining)
        self.used(user, 0)

    def changed(self, user: str, before: float, after: float) -> None:
        """Notes that the credits left of an account went from one number to another."""
        if self._bucket(before) != self._bucket(after):
            self._accounts(before).dec()
            self._accounts(after).inc()
        self._show(user, after)

    def counted(self, balances: Mapping[str, float]) -> None:
        """Shows all accounts as a store has them: call it now and then, instead of `opened` and `changed`.

        It is for accounts that others change too. Where several processes measure, one at a time does this; when that
        one ends, what it counted goes with it.
        """
        counts = dict.fromkeys(BUCKETS, 0)
        for user, remaining in balances.items():
            counts[self._bucket(remaining)] += 1
            self._show(user, remaining)
        for bucket, count in counts.items():
            self._metrics.accounts.labels(self.name, bucket).set(count)

    def used(self, user: str, amount: float) -> None:
        """Counts credits that a user used; a negative amount is left out."""
        if not amount >= 0:
            return
        # Under the lock from the choice of the label to the count: a series that is removed meanwhile would lose it.
        with self._lock:
            label, left = self._guard.used(user, amount)
            self._metrics.used.labels(label, self.name).inc(amount)
            for other in left:
                _remove(self._metrics.used, other, self.name)

    def _bucket(self, remaining: float) -> str:
        if remaining <= 0:
            return "zero"
        return "low" if remaining < self._low_below else "ok"

    def _accounts(self, remaining: float) -> Any:
        return self._metrics.accounts.labels(self.name, self._bucket(remaining))

    def _show(self, user: str, remaining: float) -> None:
        with self._lock:
            shown, left = self._guard.remaining(user, remaining)
            for label, amount in shown:
                self._metrics.remaining.labels(label, self.name).set(amount)
            for label in left:
                _remove(self._metrics.remaining, label, self.name)


def _remove(family: Any, user: str, name: str) -> None:
    try:
        family.remove(user, name)
    except KeyError:
        pass  # Another process, or whoever cleared the family, was faster.


def record(used: CreditsUsed | Iterable[CreditsUsed], registry: CollectorRegistry | None = None) -> None:
    """Counts used credits of types that are known, and of those that are not."""
    types = _Types.of(REGISTRY if registry is None else registry)
    for one in (used,) if isinstance(used, CreditsUsed) else used:
        kind = types.types.get(one.type)
        if kind is None:
            # Nobody said what is few of them: uses are counted, accounts are not.
            kind = CreditType(one.type, 0, registry)
        kind.used(one.user, one.amount)
        if one.remaining is not None:
            kind.changed(one.user, one.remaining + one.amount, one.remaining)
