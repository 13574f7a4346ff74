"""A small application under several servers: counts its requests by process, and shows the page of its family."""

import os

from promflow import Counter, Gauge, generate_latest

HITS = Counter("hits_total", "Requests answered.", ["pid"])
ALL = Counter("all_hits_total", "Requests answered by all.")
WORKERS = Gauge("workers", "Workers that answered.", multiprocess_mode="livesum")


def answer(path: str) -> bytes:
    if path == "/metrics":
        return generate_latest()
    HITS.labels(str(os.getpid())).inc()
    ALL.inc()
    WORKERS.set(1)
    return str(os.getpid()).encode()


def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [answer(environ["PATH_INFO"])]


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = answer(scope["path"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body})
