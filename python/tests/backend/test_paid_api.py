"""Calls to Stripe, VAPI and others: by operation and outcome, through httpx, requests, or by hand."""

import asyncio

import httpx
import pytest
import requests

from promflow.backend.paid_api import Api, outcome_of

OPERATIONS = {"POST /v1/charges": "create_charge", "GET /v1/charges/{id}": "get_charge"}


def calls(registry, operation, api="stripe"):
    outcomes = ("success", "rate_limited", "error")
    return [
        registry.value(f"{api}_api_calls_total", operation=operation, outcome=outcome) for outcome in outcomes
    ]


def timed(registry, operation, api="stripe"):
    return registry.value(f"{api}_api_call_duration_seconds_count", operation=operation)


def answer(request):
    if request.url.path == "/lost":
        raise httpx.ConnectError("no connection", request=request)
    return httpx.Response(int(request.url.params.get("status", 200)))


def test_outcomes_are_read_from_the_status():
    assert [outcome_of(status) for status in (200, 302, 400, 429, 503)] == [
        "success",
        "success",
        "error",
        "rate_limited",
        "error",
    ]


def test_outcomes_of_an_operation_exist_before_its_first_call(registry):
    Api.vapi(registry).operation("create_call")
    assert calls(registry, "create_call", "vapi") == [0, 0, 0]
    assert registry.value("vapi_spend_usd_total", operation="create_call") == 0


def test_a_call_is_measured_whatever_ends_it(registry):
    complete = Api.named("openai", registry).operation("complete")
    with complete.measure() as call:
        call.answered(200)
    with complete.measure() as call:
        call.answered(429)
    with complete.measure():
        pass
    with pytest.raises(KeyError), complete.measure():
        raise KeyError("lost")

    async def given_up():
        with complete.measure():
            await asyncio.sleep(60)

    async def run():
        await asyncio.wait_for(given_up(), 0.01)

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(run())
    complete.spent_usd(0.25)
    complete.spent_usd(-1)
    assert calls(registry, "complete", "openai") == [2, 1, 2]
    assert timed(registry, "complete", "openai") == 5
    assert registry.value("openai_spend_usd_total", operation="complete") == 0.25


def test_httpx_clients_are_measured_whole(registry):
    stripe = Api.stripe(registry, OPERATIONS)
    client = httpx.Client(transport=httpx.MockTransport(answer), base_url="https://api.stripe.com")
    assert stripe.instrument(stripe.instrument(client)) is client
    client.post("/v1/charges")
    client.post("/v1/charges?status=429")
    client.get("/v1/charges/ch_1?status=500")
    client.get("/v1/anything/else")
    client.request("BREW", "/v1/charges")
    client.get("/v1/x", extensions={"operation": "special"})
    with pytest.raises(httpx.ConnectError):
        client.delete("/lost")
    assert calls(registry, "create_charge") == [1, 1, 0]
    assert calls(registry, "get_charge") == [0, 0, 1]
    assert calls(registry, "get") == [1, 0, 0]
    assert calls(registry, "__other__") == [1, 0, 0]
    assert calls(registry, "special") == [1, 0, 0]
    assert calls(registry, "delete") == [0, 0, 1]
    assert timed(registry, "create_charge") == 2


def test_async_httpx_clients_are_measured_whole(registry):
    vapi = Api.vapi(registry, {"POST /call": "create_call"})

    async def run():
        client = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="https://api.vapi.ai")
        async with vapi.instrument(client):
            await client.post("/call")
            await client.post("/call?status=503")
            with pytest.raises(httpx.ConnectError):
                await client.post("/lost")

    asyncio.run(run())
    assert calls(registry, "create_call", "vapi") == [1, 0, 1]
    assert calls(registry, "post", "vapi") == [0, 0, 1]


def test_httpx_hooks_leave_the_transport_alone(registry):
    stripe = Api.stripe(registry, OPERATIONS)
    client = httpx.Client(
        transport=httpx.MockTransport(answer), base_url="https://x", event_hooks=stripe.event_hooks()
    )
    client.post("/v1/charges?status=429")
    assert calls(registry, "create_charge") == [0, 1, 0]
    assert timed(registry, "create_charge") == 1

    async def run():
        hooks = stripe.async_event_hooks()
        transport = httpx.MockTransport(answer)
        async with httpx.AsyncClient(transport=transport, base_url="https://x", event_hooks=hooks) as client:
            await client.post("/v1/charges")

    asyncio.run(run())
    assert calls(registry, "create_charge") == [1, 1, 0]


class Adapter(requests.adapters.BaseAdapter):
    def send(self, request, **options):
        if request.path_url == "/lost":
            raise requests.ConnectionError("no connection")
        response = requests.Response()
        response.status_code = 429 if "limited" in request.path_url else 200
        response.request = request
        response.url = request.url
        response._content = b""
        return response

    def close(self):
        pass


def test_requests_sessions_are_measured_whole(registry):
    stripe = Api.stripe(registry, OPERATIONS)
    session = requests.Session()
    session.mount("https://", Adapter())
    stripe.instrument(stripe.instrument(session))
    session.post("https://x/v1/charges")
    session.post("https://x/v1/charges?limited")
    with pytest.raises(requests.ConnectionError):
        session.get("https://x/lost")
    assert calls(registry, "create_charge") == [1, 1, 0]
    assert calls(registry, "get") == [0, 0, 1]


def test_a_requests_hook_leaves_the_adapter_alone(registry):
    stripe = Api.stripe(registry, OPERATIONS)
    session = requests.Session()
    session.mount("https://", Adapter())
    session.hooks["response"].append(stripe.response_hook())
    session.post("https://x/v1/charges?limited")
    assert calls(registry, "create_charge") == [0, 1, 0]
    assert timed(registry, "create_charge") == 1


def test_other_clients_are_refused(registry):
    with pytest.raises(TypeError, match='cannot measure a client of type "object"'):
        Api.stripe(registry).instrument(object())


def test_a_name_that_begins_no_metric_is_refused(registry):
    with pytest.raises(ValueError):
        Api.named("7-eleven", registry)
