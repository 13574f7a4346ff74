"""The label of the route: the template of what answered, never a path of a visitor's choice."""

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, Router

from promflow.backend.middleware import PrometheusMiddleware


async def answer(request):
    return PlainTextResponse("answered")


def endpoints(registry):
    """Returns what was counted, but for what exists at zero."""
    family = next(family for family in registry.collect() if family.name == "http_requests")
    return {
        (sample.labels["method"], sample.labels["endpoint"], sample.labels["status"]): sample.value
        for sample in family.samples
        if sample.name == "http_requests_total" and sample.value
    }


def measured(app, registry, **options):
    app.add_middleware(PrometheusMiddleware, registry=registry, **options)
    return app


def fastapi(registry, **options):
    app = FastAPI(**options)

    @app.get("/users/{uid}")
    async def user(uid: int):
        return uid

    @app.get("/plain")
    def plain():
        return "plain"

    return measured(app, registry)


def test_paths_are_counted_by_their_template(registry, send):
    app = fastapi(registry)
    for path in ("/users/1", "/users/2", "/plain", "/users/x"):
        send(app, "GET", path)
    assert endpoints(registry) == {
        ("GET", "/users/{uid}", "200"): 2,
        ("GET", "/users/{uid}", "422"): 1,
        ("GET", "/plain", "200"): 1,
    }


def test_what_matches_nothing_shares_one_label(registry, send):
    app = fastapi(registry)
    for path in ("/wp-login.php", "/a/b/c", "/users/1/x"):
        send(app, "GET", path)
    send(app, "BREW", "/none")
    assert endpoints(registry) == {("GET", "__unmatched__", "404"): 3, ("__other__", "__unmatched__", "404"): 1}
    assert "wp-login" not in registry.page() and "BREW" not in registry.page()


def test_a_wrong_method_is_counted_at_its_route(registry, send):
    send(fastapi(registry), "DELETE", "/users/1")
    assert endpoints(registry) == {("DELETE", "/users/{uid}", "405"): 1}


def test_the_error_of_a_new_route_exists_at_zero(registry, send):
    send(fastapi(registry), "GET", "/users/1")
    assert registry.value("http_requests_total", method="GET", endpoint="/users/{uid}", status="500") == 0


def test_included_routers_have_their_prefix(registry, send):
    inner, outer = APIRouter(prefix="/items"), APIRouter(prefix="/v1")

    @inner.get("/{item}")
    async def item(item: str):
        return item

    inner.routes.append(Route("/starlette/{x}", answer))
    outer.include_router(inner)
    app = FastAPI()
    app.include_router(outer, prefix="/api")
    app.include_router(outer, prefix="/old")
    measured(app, registry)
    for path in ("/api/v1/items/7", "/old/v1/items/7", "/api/v1/starlette/x", "/api/v1/items/a/b"):
        send(app, "GET", path)
    send(app, "POST", "/api/v1/items/7")
    assert endpoints(registry) == {
        ("GET", "/api/v1/items/{item}", "200"): 1,
        ("GET", "/old/v1/items/{item}", "200"): 1,
        ("GET", "/api/v1/starlette/{x}", "200"): 1,
        ("GET", "__unmatched__", "404"): 1,
        ("POST", "/api/v1/items/{item}", "405"): 1,
    }


def test_mounted_applications_have_the_path_of_their_mount(registry, send):
    sub = FastAPI()

    @sub.get("/items/{item}")
    async def item(item: str):
        return item

    routed = APIRouter(prefix="/routed")

    @routed.get("/{x}")
    async def of_router(x: str):
        return x

    sub.include_router(routed)
    app = FastAPI()
    app.mount("/sub", sub)
    app.mount("/t/{tenant}", sub)
    measured(app, registry)
    for path in ("/sub/items/1", "/t/acme/items/1", "/t/other/items/1", "/sub/routed/1", "/sub/none", "/t/acme/no"):
        send(app, "GET", path)
    assert endpoints(registry) == {
        ("GET", "/sub/items/{item}", "200"): 1,
        ("GET", "/t/{tenant}/items/{item}", "200"): 2,
        ("GET", "/sub/routed/{x}", "200"): 1,
        ("GET", "__unmatched__", "404"): 2,
    }


def test_mounts_within_mounts_and_routers_are_followed(registry, send):
    leaf = Starlette(routes=[Route("/leaf/{x}", answer)])
    middle = Starlette(routes=[Mount("/m/{y}", app=leaf)])
    router = APIRouter(prefix="/r")
    router.mount("/in/{z}", leaf)
    app = FastAPI()
    app.mount("/outer", middle)
    app.include_router(router, prefix="/api")
    measured(app, registry)
    for path in ("/outer/m/1/leaf/2", "/api/in/3/leaf/4"):
        send(app, "GET", path)
    assert endpoints(registry) == {
        ("GET", "/outer/m/{y}/leaf/{x}", "200"): 1,
        ("GET", "/api/in/{z}/leaf/{x}", "200"): 1,
    }


@pytest.mark.parametrize("kind", [FastAPI, Starlette])
def test_static_files_are_one_endpoint(registry, send, tmp_path, kind):
    (tmp_path / "a.txt").write_text("a")
    app = kind()
    app.mount("/static", StaticFiles(directory=tmp_path))
    measured(app, registry)
    send(app, "GET", "/static/a.txt")
    send(app, "GET", "/static/none.txt")
    assert endpoints(registry) == {("GET", "/static", "200"): 1, ("GET", "/static", "404"): 1}


def test_hosts_are_followed(registry, send):
    api = Router([Route("/x/{y}", answer)])
    app = measured(Starlette(routes=[Host("test", app=api)]), registry)
    send(app, "GET", "/x/1")
    send(app, "GET", "/none")
    assert endpoints(registry) == {("GET", "/x/{y}", "200"): 1, ("GET", "__unmatched__", "404"): 1}


def test_the_root_path_of_a_proxy_is_no_part_of_the_label(registry, send):
    app = fastapi(registry)
    send(app, "GET", "/proxied/users/1", root_path="/proxied")
    send(app, "GET", "/users/1", root_path="/proxied")
    assert send(app, "GET", "/proxied/metrics", root_path="/proxied")[0]["status"] == 200
    assert endpoints(registry) == {("GET", "/users/{uid}", "200"): 2}


def test_an_application_with_a_root_path_keeps_its_templates(registry, send):
    app = fastapi(registry, root_path="/api")
    send(app, "GET", "/api/users/1")
    send(app, "GET", "/users/1")
    assert endpoints(registry) == {("GET", "/users/{uid}", "200"): 2}


def test_redirects_of_a_missing_slash_match_nothing(registry, send):
    app = measured(Starlette(routes=[Route("/dir/", answer)]), registry)
    assert send(app, "GET", "/dir")[0]["status"] == 307
    assert endpoints(registry) == {("GET", "__unmatched__", "307"): 1}


def test_middlewares_between_leave_the_route_to_be_found(registry, send):
    class Through(BaseHTTPMiddleware):
        async def dispatch(self, request, call_next):
            return await call_next(request)

    app = fastapi(registry)
    app.user_middleware.append(Middleware(Through))
    app.user_middleware.append(Middleware(GZipMiddleware, minimum_size=1))
    for path in ("/users/1", "/none"):
        send(app, "GET", path, headers=[(b"accept-encoding", b"gzip")])
    assert endpoints(registry) == {("GET", "/users/{uid}", "200"): 1, ("GET", "__unmatched__", "404"): 1}


class Refuses:
    """Answers before the router is asked."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and scope["method"] == "GET":
            await PlainTextResponse("too many", 429)(scope, receive, send)
        else:
            raise KeyError("broken")


def test_an_answer_of_another_middleware_is_counted_at_its_route(registry, send):
    app = FastAPI()
    router = APIRouter(prefix="/v1")
    router.add_api_route("/users/{uid}", lambda uid: uid, methods=["GET"])
    app.include_router(router, prefix="/api")
    app.mount("/t/{tenant}", Starlette(routes=[Route("/leaf/{x}", answer)]))
    app.add_middleware(Refuses)
    measured(app, registry)
    for path in ("/api/v1/users/1", "/t/acme/leaf/1", "/none"):
        send(app, "GET", path)
    with pytest.raises(KeyError):
        send(app, "POST", "/api/v1/users/1")
    assert endpoints(registry) == {
        ("GET", "/api/v1/users/{uid}", "429"): 1,
        ("GET", "/t/{tenant}/leaf/{x}", "429"): 1,
        ("GET", "__unmatched__", "429"): 1,
        ("POST", "/api/v1/users/{uid}", "500"): 1,
    }


class WithoutRoute:
    """Takes the route out of the scope, as Starlette before 0.47 leaves it."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def without(message):
            scope.pop("route", None)
            await send(message)

        await self.app(scope, receive, without)


def test_older_starlettes_leave_the_endpoint_alone(registry, send):
    async def other(request):
        return PlainTextResponse("other")

    sub = Starlette(routes=[Route("/a/{x}", answer), Route("/b/{x}", answer)])
    app = Starlette(routes=[Route("/other/{z}", other), Mount("/t/{tenant}", app=sub), Route("/a/{x}", answer)])
    app.add_middleware(WithoutRoute)
    measured(app, registry)
    for path in ("/other/1", "/t/acme/a/1", "/t/acme/b/1", "/a/1", "/none", "/t/acme/none"):
        send(app, "GET", path)
    assert endpoints(registry) == {
        ("GET", "/other/{z}", "200"): 1,
        ("GET", "/t/{tenant}/a/{x}", "200"): 1,
        ("GET", "/t/{tenant}/b/{x}", "200"): 1,
        ("GET", "/a/{x}", "200"): 1,
        ("GET", "__unmatched__", "404"): 2,
    }


def test_any_asgi_application_names_its_routes(registry, send):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    def route_of(scope):
        return "/files/{name}" if scope["path"].startswith("/files/") else None

    wrapped = PrometheusMiddleware(app, registry=registry, route=route_of)
    for path in ("/files/a", "/files/b", "/else"):
        send(wrapped, "GET", path)
    assert endpoints(registry) == {("GET", "/files/{name}", "200"): 2, ("GET", "__unmatched__", "200"): 1}


def test_a_careless_route_function_is_bounded(registry, send, monkeypatch):
    monkeypatch.setattr("promflow.backend.middleware._TEMPLATES_MAX", 3)

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    wrapped = PrometheusMiddleware(app, registry=registry, route=lambda scope: scope["path"])
    for n in range(10):
        send(wrapped, "GET", f"/{n}")
    counted = endpoints(registry)
    assert len(counted) == 4
    assert counted["GET", "__other__", "200"] == 7


@pytest.mark.parametrize("preset", ["guide", "axum"])
def test_excluded_routes_are_not_counted(registry, send, preset):
    app = FastAPI()
    for path in ("/health", "/internal/{x}", "/users/{uid}", "/open"):
        app.add_api_route(path, lambda: "ok")
    measured(app, registry, preset=preset, exclude=["/health", "/internal/*", "/users/{uid}"])
    for path in ("/health", "/internal/1", "/internal/none/at/all", "/users/1", "/open"):
        send(app, "GET", path)
    page = registry.page()
    assert "/health" not in page and "/internal" not in page
    name = "http_requests" if preset == "guide" else "axum_http_requests"
    family = next(family for family in registry.collect() if family.name == name)
    assert [s.labels["endpoint"] for s in family.samples if s.value == 1] == ["/open"]
