"""What a middleware adds to a request: ours, prometheus-fastapi-instrumentator's and starlette_exporter's.

In-process ASGI calls to a FastAPI application with 22 and with 200 routes, in one process and in prometheus_client's
multiprocess mode (`PROMETHEUS_MULTIPROC_DIR`). All applications take turns, batch by batch, so that a change of the
machine's pace meets all of them; the figure, of processor time, is the median of the differences to the plain
application in the same turn. Where a process happens to have its objects shifts that by up to a microsecond, so that
several processes are measured, and the figure is the median of theirs.

    python benches/asgi.py            # a table
    python benches/asgi.py --json     # for tools
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from time import process_time
from typing import Any

from fastapi import FastAPI

App = Callable[..., Awaitable[None]]

# What promflow may add to a request, in microseconds, by the number of routes.
AIMS_US = {"22": 4, "200": 5}
ROUTES = (22, 200)
PROCESSES = 5
TURNS = 15
REQUESTS_PER_TURN = 100
PATHS = ("/hello", "/users/7/items/9")


def plain(routes: int) -> FastAPI:
    """Makes an application; the two routes that are asked for stand at its end."""
    app = FastAPI()
    for number in range(routes - 2):
        app.add_api_route(f"/resource{number}/{{rid}}", lambda rid: rid, methods=["GET"])

    async def hello() -> dict[str, str]:
        return {"hello": "world"}

    async def item(uid: int, iid: int) -> dict[str, int]:
        return {"uid": uid, "iid": iid}

    app.add_api_route("/hello", hello)
    app.add_api_route("/users/{uid}/items/{iid}", item)
    return app


def no_op(routes: int) -> FastAPI:
    """Measures nothing: the floor."""

    class NoOp:
        def __init__(self, app: App) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await self.app(scope, receive, send)

    app = plain(routes)
    app.add_middleware(NoOp)
    return app


def promflow(routes: int) -> FastAPI:
    """Measures with promflow."""
    from promflow.backend import PrometheusMiddleware

    app = plain(routes)
    app.add_middleware(PrometheusMiddleware)
    return app


def instrumentator(routes: int) -> FastAPI:
    """Measures with prometheus-fastapi-instrumentator, as its README does."""
    from prometheus_client import CollectorRegistry
    from prometheus_fastapi_instrumentator import Instrumentator

    app = plain(routes)
    Instrumentator(registry=CollectorRegistry()).instrument(app)
    return app


def starlette_exporter(routes: int) -> FastAPI:
    """Measures with starlette_exporter, as its README does."""
    from starlette_exporter import PrometheusMiddleware

    app = plain(routes)
    # Its metrics stand in the registry of the process under a name each.
    app.add_middleware(PrometheusMiddleware, prefix=f"starlette{routes}")
    return app


APPS = {
    "no-op": no_op,
    "promflow": promflow,
    "prometheus-fastapi-instrumentator": instrumentator,
    "starlette_exporter": starlette_exporter,
}


async def receive() -> dict[str, Any]:
    """Has no body to give."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: dict[str, Any]) -> None:
    """Throws the answer away."""


async def turn(app: App, path: str) -> float:
    """Returns the processor time of one request, in seconds: what else the machine does is not in it."""
    base = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost"), (b"accept", b"*/*")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    start = process_time()
    for _ in range(REQUESTS_PER_TURN):
        await app({**base, "state": {}}, receive, send)
    return (process_time() - start) / REQUESTS_PER_TURN


async def measure(routes: int) -> dict[str, dict[str, float]]:
    """Returns the microseconds of the plain application, and what each middleware adds, by path."""
    apps: dict[str, App] = {"plain": plain(routes)} | {name: make(routes) for name, make in APPS.items()}
    figures: dict[str, dict[str, float]] = {}
    for path in PATHS:
        for app in apps.values():
            await turn(app, path)
        times: dict[str, list[float]] = {name: [] for name in apps}
        for _ in range(TURNS):
            for name, app in apps.items():
                times[name].append(await turn(app, path) * 1e6)
        base = times["plain"]
        figures[path] = {"plain": statistics.median(base)} | {
            name: statistics.median(own - other for own, other in zip(times[name], base, strict=True))
            for name in APPS
        }
    return figures


def run_child(multi: bool) -> dict[str, Any]:
    """Measures in a process of its own: the mode of prometheus_client is chosen when it is imported."""
    with tempfile.TemporaryDirectory() as directory:
        environment = dict(os.environ)
        environment.pop("PROMETHEUS_MULTIPROC_DIR", None)
        if multi:
            environment["PROMETHEUS_MULTIPROC_DIR"] = directory
        child = subprocess.run(
            [sys.executable, __file__, "--child"], env=environment, check=True, stdout=subprocess.PIPE
        )
        figures: dict[str, Any] = json.loads(child.stdout)
        return figures


def figures() -> dict[str, dict[str, Any]]:
    """Measures in one process and in many: what each library adds, by routes and path."""
    return {mode: middle([run_child(mode == "multi") for _ in range(PROCESSES)]) for mode in ("single", "multi")}


def middle(figures: list[Any]) -> Any:
    """Returns the medians of figures that are alike in all else."""
    if isinstance(figures[0], dict):
        return {name: middle([figure[name] for figure in figures]) for name in figures[0]}
    return statistics.median(figures)


def main() -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print figures for tools")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps({routes: asyncio.run(measure(routes)) for routes in ROUTES}))
        return
    if arguments.json:
        print(json.dumps(figures()))
        return
    heads = "".join(f"{name:>36}" for name in APPS)
    print(f"{'mode':7}{'routes':>7}  {'path':18}{'plain':>8}{heads}  aim")
    for mode, by_routes in figures().items():
        for routes, by_path in by_routes.items():
            for path, row in by_path.items():
                added = "".join(f"{'+' + format(row[name], '.1f') + ' us':>36}" for name in APPS)
                aim = AIMS_US[routes]
                verdict = f"{aim} us: {'met' if row['promflow'] <= aim else 'NOT MET'}"
                print(f"{mode:7}{routes:>7}  {path:18}{row['plain']:>8.1f}{added}  {verdict}")


if __name__ == "__main__":
    main()
