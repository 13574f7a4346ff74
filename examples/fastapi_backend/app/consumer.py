"""A topic and its consumer, as with Pulsar: messages that fail are redelivered, and given up to the dead letter queue
after a few attempts."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from promflow.backend import pulsar

from .core.prometheus import metrics

TOPIC = "account-events"
"""The name of the topic."""

_QUEUE_MAX = 20_000
_DEAD_LETTERS_MAX = 1000
_BATCH_MAX = 10
ATTEMPTS_MAX = 3
"""A message is tried so often before it is given up."""
# The consumer waits so long when there is nothing to do.
_IDLE_WAIT_S = 0.05
# So often the first attempt fails without a fault.
_FAILURE_SHARE = 0.02
# How long a message takes, and how long one that fails because of the fault.
_MESSAGE_TIME_S = 0.002
_FAULT_TIME_S = 0.2


@dataclass
class Message:
    """What happened."""

    text: str
    attempts: int = 0


class Topic:
    """A topic with one subscription."""

    def __init__(self) -> None:
        self._measured = pulsar.Topic(TOPIC)
        metrics.EVENTS_DROPPED.labels(TOPIC)
        self._waiting: deque[Message] = deque()
        self._dead: deque[Message] = deque(maxlen=_DEAD_LETTERS_MAX)

    def publish(self, text: str) -> None:
        """Adds a message; when the queue is full it is dropped, and counted as dropped."""
        if len(self._waiting) >= _QUEUE_MAX:
            metrics.EVENTS_DROPPED.labels(TOPIC).inc()
            return
        self._waiting.append(Message(text))
        self._measured.set_queue_size(len(self._waiting))

    def dead_letters(self, limit: int) -> list[str]:
        """Returns the texts of the newest dead letters, newest first."""
        return [message.text for message in reversed(self._dead)][:limit]

    async def consume(self, fails: Callable[[], bool]) -> None:
        """Consumes the topic for good; `fails` tells whether the fault is on."""
        while True:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), _BATCH_MAX))]
            if not batch:
                await asyncio.sleep(_IDLE_WAIT_S)
                continue
            failed = []
            with self._measured.batch():
                for message in batch:
                    message.attempts += 1
                    if await self._process(message, fails()):
                        self._measured.succeeded()
                    else:
                        self._measured.failed()
                        failed.append(message)
            self._settle(failed)

    async def _process(self, message: Message, fails: bool) -> bool:
        if fails:
            await asyncio.sleep(_FAULT_TIME_S)
            return False
        await asyncio.sleep(_MESSAGE_TIME_S)
        return message.attempts > 1 or random.random() >= _FAILURE_SHARE

    def _settle(self, failed: list[Message]) -> None:
        """Puts messages that failed back to the front, and gives up those that failed too often."""
        for message in reversed(failed):
            if message.attempts < ATTEMPTS_MAX:
                self._waiting.appendleft(message)
                continue
            self._measured.dead_lettered()
            self._dead.append(message)
        self._measured.set_queue_size(len(self._waiting))
