"""Clients of Redis: every command of a redis-py client, synchronous or asyncio, is measured by one call."""

from __future__ import annotations

import inspect
from time import perf_counter
from typing import Any, TypeVar

from promflow import CollectorRegistry

from .metrics import OVERFLOW, Redis

ClientT = TypeVar("ClientT")

# Commands are the code's choice; a client that is fed names from outside would find the end of them here.
_COMMANDS_MAX = 300


class Command:
    """Measures one command; its outcomes exist at zero from the start."""

    def __init__(self, name: str, registry: CollectorRegistry | None = None) -> None:
        """Registers a command under its name, which is written in lower case."""
        metrics = Redis.of(registry)
        name = name.lower()
        self._success = metrics.commands.labels(name, "success")
        self._error = metrics.commands.labels(name, "error")
        self._duration = metrics.duration.labels(name)

    def observe(self, seconds: float, success: bool) -> None:
        """Counts a command that was answered, or failed."""
        (self._success if success else self._error).inc()
        self._duration.observe(seconds)


class Pool:
    """Shows the connections of a pool."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Registers the pool of the process."""
        metrics = Redis.of(registry)
        self._in_use = metrics.pool_connections.labels("in_use")
        self._idle = metrics.pool_connections.labels("idle")

    def set(self, in_use: int, idle: int) -> None:
        """Shows how many connections are in use and idle."""
        self._in_use.set(in_use)
        self._idle.set(idle)


def instrument(client: ClientT, registry: CollectorRegistry | None = None) -> ClientT:
    """Measures the commands and the connections of a redis-py client, and returns it.

    A pipeline is one command, `pipeline`. A client is measured once, however often it is given.
    """
    found: Any = client
    if not hasattr(found, "_promflow"):
        found._promflow = _Client(found, registry)
    return client


class _Client:
    def __init__(self, client: Any, registry: CollectorRegistry | None) -> None:
        self._registry = registry
        self._commands: dict[str, Command] = {}
        self._pool = Pool(registry)
        self._connections = client.connection_pool
        is_async = inspect.iscoroutinefunction(type(client).execute_command)
        measured = self._measured_async if is_async else self._measured
        client.execute_command = measured(client.execute_command, None)
        make_pipeline = client.pipeline

        def pipeline(*args: Any, **kwargs: Any) -> Any:
            made = make_pipeline(*args, **kwargs)
            made.execute = measured(made.execute, "pipeline")
            return made

        client.pipeline = pipeline

    def _measured(self, run: Any, name: str | None) -> Any:
        def measured(*args: Any, **kwargs: Any) -> Any:
            start, success = perf_counter(), False
            try:
                answer = run(*args, **kwargs)
                success = True
                return answer
            finally:
                self._observe(name or str(args[0]), perf_counter() - start, success)

        return measured

    def _measured_async(self, run: Any, name: str | None) -> Any:
        async def measured(*args: Any, **kwargs: Any) -> Any:
            start, success = perf_counter(), False
            try:
                answer = await run(*args, **kwargs)
                success = True
                return answer
            finally:
                self._observe(name or str(args[0]), perf_counter() - start, success)

        return measured

    def _observe(self, name: str, seconds: float, success: bool) -> None:
        # "CONFIG GET" is a command and its first word.
        name = name.split(" ", 1)[0].lower()
        command = self._commands.get(name)
        if command is None:
            if len(self._commands) >= _COMMANDS_MAX:
                name = OVERFLOW
            command = self._commands[name] = Command(name, self._registry)
        command.observe(seconds, success)
        pool = self._connections
        in_use, idle = getattr(pool, "_in_use_connections", None), getattr(pool, "_available_connections", None)
        if in_use is not None and idle is not None:
            self._pool.set(len(in_use), len(idle))
