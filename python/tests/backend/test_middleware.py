"""The middleware: what ends a request, how it is counted, and what else it serves."""

import asyncio
import gc
import gzip
import threading
import weakref

import httpx
import pytest
from fastapi import BackgroundTasks, FastAPI, Request, WebSocket
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from promflow import CollectorRegistry, Counter
from promflow.backend import CreditsUsed, Page, PrometheusMiddleware, Settings
from promflow.backend.middleware import trace_id, traceparent


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def app_with(registry, *routes, **options):
    app = Starlette(routes=[Route(path, endpoint) for path, endpoint in routes])
    app.add_middleware(PrometheusMiddleware, registry=registry, **options)
    return app


def requests(registry, status, endpoint="/x", method="GET"):
    return registry.value("http_requests_total", method=method, endpoint=endpoint, status=str(status))


def seconds(registry, endpoint="/x", method="GET"):
    return registry.value("http_request_duration_seconds_sum", method=method, endpoint=endpoint)


def in_progress(registry, method="GET"):
    return registry.value("http_requests_in_progress", method=method)


def test_a_request_under_way_is_in_progress(registry, send):
    seen = []

    async def endpoint(request):
        seen.append(in_progress(registry))
        return PlainTextResponse("x")

    app = app_with(registry, ("/x", endpoint))
    send(app, "GET", "/x")
    assert (seen, in_progress(registry), requests(registry, 200)) == ([1], 0, 1)


def test_usual_methods_are_in_progress_at_zero_before_any_request(registry, send):
    app = app_with(registry)
    send(app, "GET", "/metrics")
    assert [in_progress(registry, m) for m in ("GET", "POST", "PUT", "PATCH", "DELETE")] == [0] * 5


def test_an_exception_that_nobody_catches_is_a_500(registry, send):
    async def endpoint(request):
        raise KeyError("lost")

    with pytest.raises(KeyError):
        send(app_with(registry, ("/x", endpoint)), "GET", "/x")
    assert (requests(registry, 500), in_progress(registry)) == (1, 0)


def test_requests_and_middlewares_leave_nothing_behind(registry, send):
    class Marker:
        pass

    async def endpoint(request):
        # A way from the scope back to what is measured.
        request.scope["loop"] = request.receive
        request.scope["marker"] = marker()
        return PlainTextResponse("x")

    def marker():
        made = Marker()
        left.append(weakref.ref(made))
        return made

    left = []
    app = app_with(registry, ("/x", endpoint))
    app.state.marker = marker()
    for _ in range(10):
        send(app, "GET", "/x")
    del app, endpoint
    gc.collect()
    assert [reference for reference in left if reference() is not None] == []


def test_a_stream_is_measured_to_its_last_byte(registry, send):
    async def chunks():
        for _ in range(3):
            await asyncio.sleep(0.02)
            yield b"12345"

    async def endpoint(request):
        return StreamingResponse(chunks())

    send(app_with(registry, ("/x", endpoint), sizes=True), "GET", "/x")
    assert seconds(registry) >= 0.06
    assert registry.value("http_response_size_bytes_sum", method="GET", endpoint="/x") == 15


def test_a_stream_that_is_meant_to_stay_open_ends_with_its_head(registry, send):
    async def chunks():
        await asyncio.sleep(0.1)
        yield b"x"

    async def endpoint(request):
        return StreamingResponse(chunks())

    send(app_with(registry, ("/x", endpoint), until="head"), "GET", "/x")
    assert (seconds(registry) < 0.05, requests(registry, 200)) == (True, 1)


def test_a_stream_that_breaks_is_a_500(registry, send):
    async def chunks():
        yield b"x"
        raise OSError("the disk is gone")

    async def endpoint(request):
        return StreamingResponse(chunks())

    with pytest.raises(BaseException):
        send(app_with(registry, ("/x", endpoint)), "GET", "/x")
    assert (requests(registry, 500), requests(registry, 200), in_progress(registry)) == (1, None, 0)


def test_background_tasks_are_not_in_the_time(registry, send):
    app = FastAPI()

    async def work():
        await asyncio.sleep(0.1)
        assert in_progress(registry) == 0

    @app.get("/x")
    async def endpoint(tasks: BackgroundTasks):
        tasks.add_task(work)
        return "x"

    app.add_middleware(PrometheusMiddleware, registry=registry)
    send(app, "GET", "/x")
    assert seconds(registry) < 0.05


def test_a_background_task_that_fails_leaves_the_answer_as_it_was(registry, send):
    app = FastAPI()

    def work():
        raise KeyError("background")

    @app.get("/x")
    async def endpoint(tasks: BackgroundTasks):
        tasks.add_task(work)
        return "x"

    app.add_middleware(PrometheusMiddleware, registry=registry)
    with pytest.raises(KeyError):
        send(app, "GET", "/x")
    assert (requests(registry, 200), requests(registry, 500)) == (1, 0)


def test_a_client_that_leaves_a_stream_is_a_499(registry, send):
    async def chunks():
        while True:
            yield b"x"
            await asyncio.sleep(0.005)

    async def endpoint(request):
        return StreamingResponse(chunks())

    send(app_with(registry, ("/x", endpoint)), "GET", "/x", disconnects=True)
    assert (requests(registry, 499), in_progress(registry)) == (1, 0)


def test_a_client_that_leaves_before_its_body_is_whole_is_a_499(registry, send):
    async def endpoint(request):
        await request.body()
        return PlainTextResponse("x")

    with pytest.raises(ClientDisconnect):
        send(app_with(registry, ("/x", endpoint)), "GET", "/x", disconnects=True)
    assert (requests(registry, 499), in_progress(registry)) == (1, 0)


def test_a_server_that_says_so_at_sending_makes_it_a_499(registry):
    async def endpoint(request):
        return PlainTextResponse("x")

    app = app_with(registry, ("/x", endpoint))

    async def send(message):
        if message["type"] == "http.response.body":
            raise OSError("nobody is there")

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": [], "query_string": b"", "root_path": ""}
    with pytest.raises(OSError):
        asyncio.run(app(scope, receive, send))
    assert requests(registry, 499) == 1


def test_a_request_that_is_given_up_is_a_499(registry):
    async def endpoint(request):
        await asyncio.sleep(60)

    app = app_with(registry, ("/x", endpoint))

    async def run():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            await asyncio.wait_for(client.get("/x"), 0.05)

    with pytest.raises(TimeoutError if hasattr(asyncio, "timeout") else asyncio.TimeoutError):
        asyncio.run(run())
    assert (requests(registry, 499), in_progress(registry)) == (1, 0)


def test_an_application_that_forgets_to_answer_is_a_500(registry, send):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    send(PrometheusMiddleware(app, registry=registry), "GET", "/x")
    assert requests(registry, 500, "__unmatched__") == 1


def test_a_file_that_the_server_sends_ends_the_request(registry, send):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.pathsend", "path": "/x"})

    send(PrometheusMiddleware(app, registry=registry), "GET", "/x")
    assert requests(registry, 200, "__unmatched__") == 1


def test_websockets_are_counted_when_they_are_accepted_or_refused(registry):
    app = FastAPI()

    @app.websocket("/ws/{room}")
    async def room(socket: WebSocket, room: str):
        if room == "closed":
            await socket.close()
            return
        if room == "broken":
            raise KeyError("broken")
        await socket.accept()
        await socket.send_text(str(in_progress(registry)))
        await socket.receive_text()
        await asyncio.sleep(0.05)
        await socket.close()

    app.add_middleware(PrometheusMiddleware, registry=registry)
    client = TestClient(app)
    with client.websocket_connect("/ws/open") as socket:
        assert socket.receive_text() == "0.0"
        socket.send_text("bye")
    for path in ("/ws/closed", "/none"):
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(path):
            pass
    with pytest.raises(KeyError), client.websocket_connect("/ws/broken"):
        pass
    assert requests(registry, 101, "/ws/{room}") == 1
    assert requests(registry, 403, "/ws/{room}") == 1
    assert requests(registry, 500, "/ws/{room}") == 1
    assert requests(registry, 403, "__unmatched__") == 1
    assert seconds(registry, "/ws/{room}") < 0.05
    assert in_progress(registry) == 0


def test_sizes_are_those_of_bodies(registry, send):
    async def endpoint(request):
        return PlainTextResponse("got " + (await request.body()).decode())

    app = app_with(registry, ("/x", endpoint), sizes=True)
    app.routes[0].methods.add("POST")
    send(app, "POST", "/x", body=b"12345")
    assert registry.value("http_request_size_bytes_sum", method="POST", endpoint="/x") == 5
    assert registry.value("http_response_size_bytes_sum", method="POST", endpoint="/x") == 9
    assert registry.value("http_response_size_bytes_bucket", method="POST", endpoint="/x", le="100.0") == 1


def test_the_page_is_served_and_not_counted(registry):
    app = app_with(registry)
    client = TestClient(app)
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert answer.headers["vary"] == "accept, accept-encoding"
    assert "http_requests_in_progress" in answer.text
    assert "/metrics" not in client.get("/metrics").text
    assert client.head("/metrics").text == ""
    assert client.post("/metrics").status_code == 405
    openmetrics = client.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text")
    assert openmetrics.text.endswith("# EOF\n")


def test_the_page_is_compressed_when_the_scraper_allows_it(registry, send):
    app = app_with(registry)
    start, body = send(app, "GET", "/metrics", headers=[(b"accept-encoding", b"gzip")])
    assert (b"content-encoding", b"gzip") in start["headers"]
    assert b"http_requests_in_progress" in gzip.decompress(body["body"])


def test_only_the_metrics_that_are_asked_for_are_shown(registry):
    client = TestClient(app_with(registry))
    text = client.get("/metrics?name[]=system_cpu_usage_percent").text
    assert "system_cpu_usage_percent" in text and "http_requests_in_progress" not in text


def test_the_page_may_be_elsewhere_and_mounted(registry, send):
    settings = Settings(metrics_path="/internal/metrics")
    app = app_with(registry, settings=settings, serve=False)
    assert send(app, "GET", "/internal/metrics")[0]["status"] == 404
    app.routes.append(Route("/internal/metrics", Page(registry)))
    assert send(app, "GET", "/internal/metrics")[0]["status"] == 200
    assert requests(registry, 200, "/internal/metrics") is None


def test_a_large_page_is_written_off_the_loop(registry):
    many = Counter("many_total", "Many.", ["n"], registry=registry)
    for n in range(2000):
        many.labels(str(n)).inc()
    threads = []
    registry.register(type("Probe", (), {"collect": lambda self: threads.append(threading.get_ident()) or []})())
    threads.clear()
    app = app_with(registry)

    async def run():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return [(await client.get("/metrics")).text for _ in range(2)]

    for text in asyncio.run(run()):
        assert 'many_total{n="1999"} 1.0' in text
    assert threads[0] == threading.get_ident() != threads[1]


def test_nothing_is_measured_or_served_when_disabled(registry, send):
    app = app_with(registry, settings=Settings(enabled=False))
    assert send(app, "GET", "/metrics")[0]["status"] == 404
    assert "http_requests" not in registry.page()


def test_default_labels_are_on_every_series(registry, send):
    async def endpoint(request):
        return PlainTextResponse("x")

    settings = Settings(default_labels={"env": 'a"b', "region": "eu"})
    app = app_with(registry, ("/x", endpoint), settings=settings)
    send(app, "GET", "/x")
    page = TestClient(app).get("/metrics").text
    series = [line for line in page.splitlines() if not line.startswith("#")]
    assert series and all('{env="a\\"b",region="eu"' in line for line in series)
    with pytest.raises(ValueError, match='label name "method" is a default label'):
        PrometheusMiddleware(app, Settings(default_labels={"method": "x"}), registry)


def test_building_the_stack_again_and_a_second_application_are_no_duplicates(registry, send):
    async def endpoint(request):
        return PlainTextResponse("x")

    for _ in range(2):
        app = app_with(registry, ("/x", endpoint))
        app.middleware_stack = app.build_middleware_stack()
        send(app, "GET", "/x")
        app.middleware_stack = app.build_middleware_stack()
        send(app, "GET", "/x")
    assert requests(registry, 200) == 4


def test_an_unknown_preset_or_end_is_refused(registry):
    with pytest.raises(ValueError, match='unknown preset "x": expected one of guide, otel'):
        PrometheusMiddleware(None, registry=registry, preset="x")
    with pytest.raises(ValueError, match='unknown end "x"'):
        PrometheusMiddleware(None, registry=registry, until="x")


def test_credits_of_a_request_are_counted_when_it_is_answered(registry, send):
    app = FastAPI()

    @app.post("/calls")
    async def calls(request: Request, n: int = 1):
        request.state.credits_used = CreditsUsed("ann", "voice", 2.5, remaining=10)
        return "ringing"

    @app.post("/both")
    async def both(request: Request):
        request.state.credits_used = [CreditsUsed("ann", "voice", 1), CreditsUsed("bob", "api", 3)]
        return "both"

    @app.post("/broken")
    async def broken(request: Request):
        request.state.credits_used = CreditsUsed("ann", "voice", 100)
        raise KeyError("broken")

    app.add_middleware(PrometheusMiddleware, registry=registry)
    send(app, "POST", "/calls")
    send(app, "POST", "/both")
    with pytest.raises(KeyError):
        send(app, "POST", "/broken")
    assert registry.value("credits_used_total", user="ann", type="voice") == 3.5
    assert registry.value("credits_used_total", user="bob", type="api") == 3
    assert registry.value("credits_remaining", user="ann", type="voice") == 10


def test_a_request_of_a_trace_is_an_exemplar(registry, send):
    async def endpoint(request):
        return PlainTextResponse("x")

    app = app_with(registry, ("/x", endpoint), exemplar=traceparent)
    send(app, "GET", "/x")
    send(app, "GET", "/x", headers=[(b"traceparent", PARENT.encode())])
    page = TestClient(app).get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"}).text
    lines = [line for line in page.splitlines() if f'trace_id="{TRACE}"' in line]
    assert {line.split("{")[0] for line in lines} == {"http_requests_total", "http_request_duration_seconds_bucket"}


@pytest.mark.parametrize(
    "value",
    [
        f"00-{TRACE}-00f067aa0ba902b7",
        f"00-{TRACE}-00f067aa0ba902b7-01-more",
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        f"00-{TRACE}-0000000000000000-01",
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
        "00-4bf9-00f067aa0ba902b7-01",
        "",
    ],
)
def test_malformed_trace_parents_have_no_trace(value):
    assert trace_id({"headers": [(b"traceparent", value.encode())]}) is None


def test_later_trace_parents_have_a_trace():
    assert trace_id({"headers": [(b"traceparent", PARENT.encode())]}) == TRACE
    later = PARENT.replace("00-", "cc-", 1) + "-more"
    assert trace_id({"headers": [(b"traceparent", later.encode())]}) == TRACE


PRESETS = [
    (
        "guide",
        True,
        [
            ("http_requests_total", {"method": "POST", "endpoint": "/users/{id}", "status": "200"}, 1),
            ("http_request_duration_seconds_bucket", {"method": "POST", "endpoint": "/users/{id}", "le": "10.0"}, 1),
            ("http_request_size_bytes_sum", {"method": "POST", "endpoint": "/users/{id}"}, 5),
            ("http_response_size_bytes_sum", {"method": "POST", "endpoint": "/users/{id}"}, 9),
            ("http_requests_total", {"method": "__other__", "endpoint": "__unmatched__", "status": "404"}, 1),
        ],
    ),
    (
        "otel",
        True,
        [
            (
                "http_server_request_duration_seconds_count",
                {
                    "http_request_method": "POST",
                    "url_scheme": "http",
                    "http_response_status_code": "200",
                    "http_route": "/users/{id}",
                },
                1,
            ),
            (
                "http_server_request_duration_seconds_count",
                {
                    "http_request_method": "_OTHER",
                    "url_scheme": "http",
                    "http_response_status_code": "404",
                    "http_route": "",
                },
                1,
            ),
            ("http_server_active_requests", {"http_request_method": "POST", "url_scheme": "http"}, 0),
        ],
    ),
    (
        "fastapi-instrumentator",
        None,
        [
            ("http_requests_total", {"method": "POST", "status": "2xx", "handler": "/users/{id}"}, 1),
            ("http_requests_total", {"method": "__other__", "status": "4xx", "handler": "none"}, 1),
            ("http_request_duration_highr_seconds_bucket", {"le": "60.0"}, 2),
            ("http_request_duration_seconds_bucket", {"method": "POST", "handler": "/users/{id}", "le": "0.5"}, 1),
            ("http_request_size_bytes_sum", {"handler": "/users/{id}"}, 5),
            ("http_response_size_bytes_count", {"handler": "/users/{id}"}, 1),
            ("http_requests_inprogress", {}, 0),
        ],
    ),
    (
        "starlette",
        True,
        [
            (
                "starlette_requests_total",
                {"method": "POST", "path": "/users/{id}", "status_code": "200", "app_name": "starlette"},
                1,
            ),
            ("starlette_requests_in_progress", {"method": "POST", "app_name": "starlette"}, 0),
            (
                "starlette_response_body_bytes_total",
                {"method": "POST", "path": "/users/{id}", "status_code": "200", "app_name": "starlette"},
                9,
            ),
        ],
    ),
    (
        "axum",
        None,
        [
            ("axum_http_requests_total", {"method": "POST", "status": "200", "endpoint": "/users/{id}"}, 1),
            (
                "axum_http_requests_duration_seconds_count",
                {"method": "POST", "status": "200", "endpoint": "/users/{id}"},
                1,
            ),
            ("axum_http_requests_pending", {"method": "POST", "endpoint": "/users/{id}"}, 0),
        ],
    ),
]


@pytest.mark.parametrize(("preset", "sizes", "series"), PRESETS, ids=[preset[0] for preset in PRESETS])
def test_presets_have_the_names_and_labels_of_others(registry, send, preset, sizes, series):
    app = FastAPI()

    @app.post("/users/{id}")
    async def user(id: int, request: Request):
        return PlainTextResponse("got " + (await request.body()).decode())

    app.add_middleware(PrometheusMiddleware, registry=registry, preset=preset, sizes=sizes)
    send(app, "POST", "/users/1", body=b"12345")
    send(app, "BREW", "/none")
    for name, labels, value in series:
        assert registry.value(name, **labels) == value, f"{name}{labels}\n{registry.page()}"


def test_registries_do_not_share_metrics(registry, send):
    async def endpoint(request):
        return PlainTextResponse("x")

    other = CollectorRegistry()
    send(app_with(registry, ("/x", endpoint)), "GET", "/x")
    app_with(other, ("/x", endpoint)).build_middleware_stack()
    labels = {"method": "GET", "endpoint": "/x", "status": "200"}
    assert other.get_sample_value("http_requests_total", labels) is None
