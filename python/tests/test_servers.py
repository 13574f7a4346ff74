"""Workers of one master count together, with nothing set up: gunicorn, uvicorn, Celery."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from promflow.parser import text_string_to_metric_families

FOLDER = Path(__file__).with_name("servers")
REQUESTS = 40


def _free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def _running(arguments, **environment):
    env = {**os.environ, **environment}
    env.pop("PROMETHEUS_MULTIPROC_DIR", None)
    process = subprocess.Popen(
        arguments, cwd=FOLDER, env=env, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
        return response.read().decode()


def _wait_for(condition, what, seconds=30):
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            found = condition()
            if found:
                return found
        assert time.monotonic() < deadline, f"{what} within {seconds} seconds"
        time.sleep(0.05)


def _samples(page):
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def _hit(port, pids, answered=0):
    """Send requests until as many processes have answered, and count all that were sent."""
    seen = set()
    while len(seen) < pids or answered < REQUESTS:
        seen.add(_get(port, "/"))
        answered += 1
        assert answered < 5000, f"only {seen} answer"
    return answered, seen


MASTERS = {
    "gunicorn": ["-m", "gunicorn", "--workers", "2", "--bind", "127.0.0.1:{port}", "counting:wsgi"],
    "gunicorn, preloaded": ["-m", "gunicorn", "--workers", "2", "--preload", "--bind", "127.0.0.1:{port}", "counting:wsgi"],
    "uvicorn": ["-m", "uvicorn", "--workers", "2", "--port", "{port}", "--log-level", "warning", "counting:asgi"],
}


@contextlib.contextmanager
def _master(name):
    port = _free_port()
    with _running([sys.executable, *(a.format(port=port) for a in MASTERS[name])]):
        _wait_for(lambda: _get(port, "/metrics"), f"{name} answers")
        yield port


@pytest.mark.parametrize("name", MASTERS)
def test_the_workers_of_one_master_share(name):
    with _master(name) as port:
        answered, pids = _hit(port, 2)
        for _ in range(10):
            samples = _samples(_get(port, "/metrics"))
            assert samples[("all_hits_total",)] == answered
            assert sum(samples[("hits_total", pid)] for pid in pids) == answered
            assert samples[("workers",)] == 2


@pytest.mark.parametrize("name", ["gunicorn", "uvicorn"])
def test_a_worker_that_is_killed_loses_nothing_and_its_successor_goes_on(name):
    with _master(name) as port:
        answered, pids = _hit(port, 2)
        victim = sorted(pids)[0]
        os.kill(int(victim), signal.SIGKILL)

        def replaced():
            nonlocal answered
            answered += 1
            try:
                return _get(port, "/") not in pids
            except OSError:
                answered -= 1  # A connection that the killed worker had accepted.
                raise

        _wait_for(replaced, "a new worker answers", seconds=60)
        samples = _samples(_get(port, "/metrics"))
        assert samples[("all_hits_total",)] == answered
        assert samples[("hits_total", victim)] > 0
        assert samples[("workers",)] == 2, "one that died is not live"


def test_two_applications_do_not_share():
    with _master("uvicorn") as first, _master("uvicorn") as second:
        answered, _ = _hit(first, 2)
        assert _samples(_get(first, "/metrics"))[("all_hits_total",)] == answered
        assert _samples(_get(second, "/metrics"))[("all_hits_total",)] == 0


def test_the_children_of_a_celery_worker_share():
    port = _free_port()
    redis = f"redis://127.0.0.1:{port}/0"
    server = shutil.which("redis-server")
    assert server, "redis-server is missing: install Debian's package redis-server"
    command = [sys.executable, "-m", "celery", "--app", "tasks", "worker", "--concurrency", "2", "--loglevel", "WARNING"]
    with _running([server, "--port", str(port), "--save", ""]), _running(command, REDIS=redis):
        program = f"""
import sys
sys.path.insert(0, {str(FOLDER)!r})
from tasks import count, page
pids = set()
sent = 0
while len(pids) < 2 or sent < {REQUESTS}:
    waiting = [count.delay() for _ in range(8)]
    sent += len(waiting)
    pids.update(w.get(timeout=60) for w in waiting)
print(sent, *pids)
print(page.delay().get(timeout=60))
"""
        output = subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "REDIS": redis}, check=True, capture_output=True, text=True
        ).stdout
    head, _, page = output.partition("\n")
    sent, *pids = head.split()
    samples = _samples(page)
    assert samples[("all_hits_total",)] == int(sent)
    assert sum(samples[("hits_total", pid)] for pid in pids) == int(sent)
