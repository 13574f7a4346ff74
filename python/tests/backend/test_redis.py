"""Clients of Redis, against a real one."""

import asyncio

import pytest
import redis
import redis.asyncio

from conftest import free_port
from promflow.backend.redis import Command, Pool, instrument


def commands(registry, command):
    return [
        registry.value("redis_client_commands_total", command=command, outcome=outcome)
        for outcome in ("success", "error")
    ]


def test_commands_are_counted_in_lower_case(registry):
    get = Command("GET", registry)
    get.observe(0.0002, True)
    get.observe(2, False)
    Pool(registry).set(1, 4)
    assert commands(registry, "get") == [1, 1]
    assert registry.value("redis_client_command_duration_seconds_bucket", command="get", le="0.00025") == 1
    assert registry.value("redis_client_pool_connections", state="idle") == 4


def test_a_client_is_measured(registry, redis_server):
    client = instrument(redis.Redis(port=redis_server), registry)
    assert instrument(client, registry) is client
    client.set("key", "value")
    assert client.get("key") == b"value"
    client.config_get("maxmemory")
    with pytest.raises(redis.ResponseError):
        client.lpush("key", "x")
    with client.pipeline() as pipeline:
        pipeline.get("key").get("key").execute()
    assert commands(registry, "get") == [1, 0]
    assert commands(registry, "set") == [1, 0]
    assert commands(registry, "config") == [1, 0]
    assert commands(registry, "lpush") == [0, 1]
    assert commands(registry, "pipeline") == [1, 0]
    assert registry.value("redis_client_pool_connections", state="idle") == 1
    assert registry.value("redis_client_pool_connections", state="in_use") == 0


def test_an_async_client_is_measured(registry, redis_server):
    async def run():
        client = instrument(redis.asyncio.Redis(port=redis_server), registry)
        await client.set("key", "value")
        assert await client.get("key") == b"value"
        async with client.pipeline() as pipeline:
            await pipeline.get("key").execute()
        await client.aclose()

    asyncio.run(run())
    assert commands(registry, "get") == [1, 0]
    assert commands(registry, "pipeline") == [1, 0]


def test_a_redis_that_is_gone_is_an_error(registry):
    client = instrument(redis.Redis(port=free_port(), retry=None), registry)
    with pytest.raises(redis.ConnectionError):
        client.get("key")
    assert commands(registry, "get") == [0, 1]
