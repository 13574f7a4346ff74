"""A real Celery worker with prefork children on a real Redis: whatever ends a run, it is counted once."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from conftest import free_port

from promflow.parser import text_string_to_metric_families

FOLDER = Path(__file__).with_name("worker")
TASKS = ("ok", "hard", "soft", "die", "slow")
SENDER = """
import time, prefork
for task in (prefork.hard, prefork.soft, prefork.die, prefork.ok):
    task.delay()
print(prefork.slow.delay().id)
"""
REVOKER = """
import sys, prefork
prefork.app.control.revoke(sys.argv[1], terminate=True)
"""


class Worker:
    def __init__(self, redis_port, directory):
        self.port = free_port()
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(FOLDER), *filter(None, sys.path)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONWARNINGS": "ignore",
            "REDIS_URL": f"redis://127.0.0.1:{redis_port}/1",
            "PROMETHEUS_PORT": str(self.port),
            "PROMETHEUS_SERVER_HOST": "127.0.0.1",
        }
        self.environment.pop("PROMETHEUS_MULTIPROC_DIR", None)
        command = (sys.executable, "-m", "celery", "-A", "prefork", "worker", "--concurrency", "2", "-l", "info")
        self.process = subprocess.Popen(
            command,
            cwd=directory,
            env=self.environment,
            stdout=(directory / "worker.log").open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, code, *arguments):
        command = (sys.executable, "-c", code, *arguments)
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout

    def value(self, name, /, **labels):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as response:
            page = response.read().decode()
        samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
        return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())

    def reaches(self, value, name, /, **labels):
        deadline = time.monotonic() + 60
        while True:
            try:
                found = self.value(name, **labels)
            except OSError:
                found = None
            if found == value:
                return
            assert time.monotonic() < deadline, f"{name}{labels} is {found}, not {value}"
            time.sleep(0.1)


@pytest.fixture
def worker(redis_server, tmp_path):
    worker = Worker(redis_server, tmp_path)
    try:
        worker.reaches(1, "celery_worker_up")
        yield worker
    finally:
        os.killpg(worker.process.pid, signal.SIGKILL)
        worker.process.wait()


def test_every_run_is_counted_once_whatever_ends_it(worker):
    for task in TASKS:
        assert worker.value("celery_tasks_total", task=task) == 0
    slow = worker.run(SENDER).strip()
    worker.reaches(1, "celery_task_started_total", name="slow")
    worker.run(REVOKER, slow)
    for task in ("hard", "soft", "die", "slow"):
        worker.reaches(1, "celery_tasks_total", task=task, state="failure")
    worker.reaches(1, "celery_tasks_total", task="ok", state="success")
    worker.reaches(0, "celery_worker_tasks_active")
    for task, error in (("hard", "TimeLimitExceeded"), ("soft", "SoftTimeLimitExceeded"), ("die", "WorkerLostError")):
        assert worker.value("celery_task_failed_total", name=task) == 1
        assert worker.value("celery_task_failed_total", name=task, exception=error) == 1
    assert worker.value("celery_task_revoked_total", name="slow") == 1
    # What a child took to its grave has no time.
    assert worker.value("celery_task_duration_seconds_count") == 2
    started = {task: worker.value("celery_task_started_total", name=task) for task in TASKS}
    assert started == dict.fromkeys(TASKS, 1)
    assert worker.value("celery_task_queue_wait_time_count") == 5
    assert worker.value("celery_task_received_total") == 5
    assert worker.value("celery_queue_length", queue_name="celery") == 0
