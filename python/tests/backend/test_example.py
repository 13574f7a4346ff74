"""The example backend as it runs: uvicorn, a real Celery worker, a real Redis with a replica, and redis_exporter.

With `PROMFLOW_BINARY=path/to/promflow` all of it is scraped by promflow as well, and its API is asked.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from conftest import free_port

from promflow.parser import text_string_to_metric_families

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "fastapi_backend"
RULES = ROOT / "monitoring" / "rules"
WAIT_S = 60

# What belongs to which page; redis_client_ is the backend's own.
BACKEND = ("http_", "credits_", "stripe_", "vapi_", "pulsar_", "redis_client_", "system_", "process_", "app_")
WORKER = ("celery_",)
REDIS = ("redis_",)


def program(name):
    found = shutil.which(name)
    assert found, f"{name} is not installed (Debian: apt install redis-server prometheus-redis-exporter)"
    return found


def wait_for(condition, what):
    deadline = time.monotonic() + WAIT_S
    while True:
        with contextlib.suppress(OSError, KeyError):
            found = condition()
            if found:
                return found
        assert time.monotonic() < deadline, f"{what} within {WAIT_S} seconds"
        time.sleep(0.1)


def get(url):
    with urllib.request.urlopen(url, timeout=20) as response:
        return response.read().decode()


class Stack:
    """Everything that runs, each in a process group of its own."""

    def __init__(self, directory):
        self.directory = directory
        self.processes = []
        self.ports = {name: free_port() for name in ("redis", "replica", "api", "worker", "exporter")}
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(EXAMPLE), *filter(None, sys.path)]),
            "PYTHONWARNINGS": "ignore",
            "PYTHONDONTWRITEBYTECODE": "1",
            "REDIS_URL": f"redis://127.0.0.1:{self.ports['redis']}/0",
            "BACKEND_ACCOUNTS": "4",
        }
        for name in ("PROMETHEUS_MULTIPROC_DIR", "PROMETHEUS_PORT", "PROMETHEUS_METRICS_PATH"):
            self.environment.pop(name, None)

    def start(self, name, *command, **environment):
        log = (self.directory / f"{name}.log").open("wb")
        process = subprocess.Popen(
            command,
            cwd=self.directory,
            env={**self.environment, **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.processes.append(process)

    def stop(self):
        for process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def url(self, name, path="/metrics"):
        return f"http://127.0.0.1:{self.ports[name]}{path}"

    def page(self, name, path="/metrics"):
        """Returns the series of a page, by name and labels."""
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(get(self.url(name, path)))
            for sample in family.samples
        }

    def value(self, page, name, **labels):
        return self.page(page).get((name, frozenset(labels.items())), 0)

    def post(self, path, body=None):
        """Sends a request to the backend; returns status and answer."""
        data = json.dumps(body or {}).encode()
        request = urllib.request.Request(self.url("api", path), data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as error:
            text = error.read()
            return error.code, json.loads(text) if text.startswith(b"{") else text.decode()

    def get(self, path):
        try:
            return 200, get(self.url("api", path))
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def rises(self, page, name, above=0, **labels):
        wait_for(lambda: self.value(page, name, **labels) > above, f"{name}{labels} rises above {above}")


def start_all(stack):
    ports = stack.ports
    quiet = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--maxmemory", "100mb")
    redis, exporter = program("redis-server"), program("prometheus-redis-exporter")
    stack.start("redis", redis, "--port", str(ports["redis"]), *quiet)
    stack.start(
        "replica", redis, "--port", str(ports["replica"]), *quiet, "--replicaof", "127.0.0.1", str(ports["redis"])
    )
    stack.start(
        "exporter",
        exporter,
        "-redis.addr",
        f"redis://127.0.0.1:{ports['redis']}",
        "-web.listen-address",
        f"127.0.0.1:{ports['exporter']}",
    )
    wait_for(lambda: socket.create_connection(("127.0.0.1", ports["redis"]), 1).close() or True, "redis answers")
    stack.start(
        "worker",
        *(sys.executable, "-m", "celery", "-A", "app.tasks", "worker", "--concurrency", "2", "-l", "info"),
        PROMETHEUS_PORT=str(ports["worker"]),
        PROMETHEUS_SERVER_HOST="127.0.0.1",
    )
    stack.start(
        "api",
        *(sys.executable, "-m", "uvicorn", "app.main:app", "--port", str(ports["api"]), "--log-level", "warning"),
        PROMETHEUS_PORT=str(ports["api"]),
    )
    for name in ("api", "worker", "exporter"):
        wait_for(lambda name=name: get(stack.url(name)), f"the page of {name}")
    wait_for(lambda: "ready" in (stack.directory / "worker.log").read_text(), "the worker is ready")


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    stack = Stack(tmp_path_factory.mktemp("stack"))
    try:
        start_all(stack)
        yield stack
    finally:
        stack.stop()


def expressions(text):
    """Yields the expressions of a rule file."""
    lines = iter(text.splitlines())
    for line in lines:
        found = re.match(r"( *)(?:- )?expr: *(.*)", line)
        if not found:
            continue
        if found[2] != "|":
            yield found[2]
            continue
        for rest in lines:
            yield rest
            if re.match(r" *(for|labels|annotations|- )", rest):
                break


def names_of_rules():
    """Returns the metrics that the rules read, but for what the broker of Pulsar and the server itself write."""
    names = set()
    for path in sorted(RULES.glob("*.yml")):
        text = path.read_text().split("- name: pulsar_broker")[0]
        for expression in expressions(text):
            # A name with a colon is a recording, which is read by its own expression.
            bare = re.sub(r'"[^"]*"|\{[^}]*\}|\b(?:by|on|without|ignoring)\s*\([^)]*\)', " ", expression)
            names.update(re.findall(r"(?<![\w:])[a-z]+_[a-z0-9_]+(?![\w:(])", bare))
    return {name for name in names if name.startswith(BACKEND + WORKER + REDIS)}


def page_of(name):
    if name.startswith(BACKEND):
        return "api"
    return "worker" if name.startswith(WORKER) else "exporter"


def act(stack):
    """Does what puts everything on the pages that has no known values before."""
    assert stack.get("/accounts/1")[0] == 200
    assert stack.post("/messages", {"account": 1, "text": "x"})[0] == 201
    stack.rises("api", "pulsar_messages_processed_total", topic="account-events", outcome="success")


def test_every_metric_that_the_rules_read_is_on_a_page(stack):
    act(stack)
    names = names_of_rules()
    assert {"http_requests_total", "celery_tasks_total", "redis_up", "redis_client_commands_total"} <= names
    assert len(names) > 30
    pages = {page: {name for name, _ in stack.page(page)} for page in ("api", "worker", "exporter")}
    replica = f"/scrape?target=redis://127.0.0.1:{stack.ports['replica']}"
    pages["exporter"] |= {name for name, _ in stack.page("exporter", replica)}
    lacking = sorted(name for name in names if name not in pages[page_of(name)])
    assert lacking == []
    # What is measured on both sides.
    assert {"process_start_time_seconds", "system_cpu_usage_percent", "app_build_info"} <= pages["worker"]


def test_pages_are_accepted_by_promtool(stack):
    promtool = program("promtool")
    for name in ("api", "worker"):
        checked = subprocess.run(
            [promtool, "check", "metrics"], input=get(stack.url(name)), capture_output=True, text=True, check=False
        )
        # The one name that the linter dislikes is given; the others are prometheus_client's own.
        complaints = [
            line
            for line in checked.stderr.splitlines()
            if not line.startswith("system_cpu_usage_percent ") and "_created" not in line
        ]
        assert complaints == [], name


def test_actions_use_credits_and_reach_every_part(stack):
    before = {
        name: stack.value(page, series, **labels)
        for name, (page, series, labels) in {
            "calls": ("api", "vapi_api_calls_total", {"operation": "create_call", "outcome": "success"}),
            "voice": ("api", "credits_used_total", {"user": "user-1", "type": "voice"}),
            "csv": ("worker", "exports_total", {"format": "csv"}),
            "runs": ("worker", "celery_tasks_total", {"task": "export", "state": "success"}),
            "topups": ("api", "account_topups_total", {"type": "voice"}),
        }.items()
    }
    # One in a hundred calls to a paid API is refused twice; then the caller tries again.
    while stack.post("/calls", {"account": 1, "number": "+1", "minutes": 2})[0] != 201:
        pass
    while stack.post("/accounts/1/topup", {"type": "voice"})[0] != 200:
        pass
    assert stack.post("/exports", {"account": 1, "format": "csv"})[0] == 202
    stack.rises("api", "vapi_api_calls_total", before["calls"], operation="create_call", outcome="success")
    assert stack.value("api", "credits_used_total", user="user-1", type="voice") == before["voice"] + 2
    stack.rises("worker", "exports_total", before["csv"], format="csv")
    stack.rises("worker", "celery_tasks_total", before["runs"], task="export", state="success")
    stack.rises("api", "account_topups_total", before["topups"], type="voice")
    assert json.loads(stack.get("/accounts/1/credits")[1])["voice"] == 398
    wait_for(
        lambda: stack.value("api", "credits_remaining", user="user-1", type="voice") == 398, "the balance is shown"
    )


def test_bad_requests_are_refused_with_a_reason(stack):
    for path, body, status, reason in (
        ("/accounts/1/topup", {"type": "gold"}, 400, 'unknown type "gold": expected one of api, voice'),
        ("/accounts/9/topup", {"type": "api"}, 404, "no account 9"),
        ("/calls", {"account": 1, "number": "1", "minutes": -1}, 400, "minutes must be above 0"),
        ("/messages", {"account": 9, "text": ""}, 404, "no account 9"),
        ("/exports", {"account": 1, "format": "pdf"}, 400, "'csv' or 'json'"),
        ("/_faults/fire?on=true", {}, 404, "expected one of errors, latency, credits, consumer"),
        ("/_faults/errors?on=yes", {}, 400, "expected true or false"),
        ("/_faults/errors", {}, 400, "expected true or false"),
    ):
        found, answer = stack.post(path, body)
        assert (found, reason in answer["error"]) == (status, True), f"{path}: {answer}"
    assert stack.get("/_faults")[0] == 200


def switch(stack, fault, on):
    status, faults = stack.post(f"/_faults/{fault}?on={str(on).lower()}")
    assert (status, faults[fault]) == (200, on)


def test_errors_fault_makes_requests_fail(stack):
    labels = {"method": "GET", "endpoint": "/accounts", "status": "200"}
    assert {stack.get("/accounts")[0] for _ in range(20)} == {200}
    before = stack.value("api", "http_requests_total", **labels)
    failed = {**labels, "status": "500"}
    switch(stack, "errors", True)
    statuses = [stack.get("/accounts")[0] for _ in range(50)]
    switch(stack, "errors", False)
    assert 5 < statuses.count(500) < 45
    assert stack.value("api", "http_requests_total", **labels) == before + statuses.count(200)
    assert stack.value("api", "http_requests_total", **failed) == statuses.count(500)


def test_latency_fault_makes_requests_slower_than_a_second(stack):
    labels = {"method": "GET", "endpoint": "/accounts/{id}/credits"}
    stack.get("/accounts/1/credits")
    fast = stack.value("api", "http_request_duration_seconds_bucket", le="1.0", **labels)
    count = stack.value("api", "http_request_duration_seconds_count", **labels)
    switch(stack, "latency", True)
    assert stack.get("/accounts/1/credits")[0] == 200
    switch(stack, "latency", False)
    assert stack.value("api", "http_request_duration_seconds_bucket", le="1.0", **labels) == fast
    assert stack.value("api", "http_request_duration_seconds_count", **labels) == count + 1


def test_credits_fault_makes_accounts_run_low_until_it_ends(stack):
    def low():
        return stack.value("api", "credits_accounts", type="api", bucket="low")

    wait_for(lambda: low() == 0, "no account is low")
    switch(stack, "credits", True)
    for _ in range(3):
        stack.post("/messages", {"account": 2, "text": "x"})
    wait_for(lambda: low() == 1, "an account is low")
    assert stack.post("/messages", {"account": 2, "text": "x"})[0] == 402
    switch(stack, "credits", False)
    stack.post("/messages", {"account": 2, "text": "x"})
    wait_for(lambda: low() == 0, "the worker buys new credits")
    assert stack.value("worker", "stripe_api_calls_total", operation="create_charge", outcome="success") > 0
    assert stack.value("worker", "celery_tasks_total", task="recharge", state="success") > 0


def test_consumer_fault_grows_the_queue_and_gives_messages_up(stack):
    before = stack.value("api", "pulsar_dlq_messages_total", topic="account-events")
    switch(stack, "consumer", True)
    for _ in range(30):
        stack.post("/messages", {"account": 3, "text": "x"})
    assert stack.value("api", "pulsar_consumer_queue_size", topic="account-events") > 0
    stack.rises("api", "pulsar_dlq_messages_total", before, topic="account-events")
    switch(stack, "consumer", False)
    assert "message of account 3" in stack.get("/dead-letters")[1]


def test_a_killed_child_of_the_worker_loses_no_counts(stack):
    runs = {"task": "export", "state": "success"}
    before = stack.value("worker", "celery_tasks_total", **runs)
    worker = next(process for process in stack.processes if "celery" in process.args)
    children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
    assert len(children) == 2
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    stack.post("/exports", {"account": 1, "format": "json"})
    stack.rises("worker", "celery_tasks_total", before, **runs)


def test_traffic_reaches_every_kind_of_route_and_stays_bounded(stack):
    labels = {"method": "GET", "endpoint": "__unmatched__", "status": "404"}
    before = stack.value("api", "http_requests_total", **labels)
    stack.start("traffic", *(sys.executable, "-m", "app.traffic", "--rate", "200", "--url", stack.url("api", "")))
    traffic = stack.processes[-1]
    stack.rises("api", "http_requests_total", before, **labels)
    stack.rises("api", "http_requests_total", method="POST", endpoint="/calls", status="201")
    stack.rises("worker", "celery_tasks_total", task="export", state="success")
    os.killpg(traffic.pid, signal.SIGTERM)
    traffic.wait()
    stack.processes.remove(traffic)
    assert "wp-admin" not in get(stack.url("api"))


@pytest.mark.skipif("PROMFLOW_BINARY" not in os.environ, reason="PROMFLOW_BINARY names no promflow to scrape with")
def test_promflow_scrapes_all_of_it(stack, tmp_path):
    act(stack)
    targets = {"fastapi": "api", "celery": "worker", "redis": "exporter"}
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES / "*.yml")],
        "scrape_configs": [
            {
                "job_name": job,
                "sample_limit": 10000,
                "static_configs": [{"targets": [f"127.0.0.1:{stack.ports[name]}"]}],
            }
            for job, name in targets.items()
        ],
    }
    path = tmp_path / "prometheus.yml"
    path.write_text(json.dumps(config))
    address = f"127.0.0.1:{free_port()}"
    stack.start(
        "promflow",
        *(os.environ["PROMFLOW_BINARY"], "serve", "--config.file", str(path)),
        *("--web.listen-address", address),
    )

    def query(expression):
        asked = urllib.parse.urlencode({"query": expression})
        return json.loads(get(f"http://{address}/api/v1/query?{asked}"))["data"]["result"]

    def is_up():
        found = {series["metric"]["job"]: series["value"][1] for series in query("up")}
        return found == dict.fromkeys(targets, "1")

    wait_for(is_up, "promflow has scraped all three")
    jobs = {"api": "fastapi", "worker": "celery", "exporter": "redis"}
    # The replica's own side is on no page that is scraped here.
    for name in names_of_rules() - {"redis_master_link_up"}:
        wait_for(lambda name=name: query(f'{name}{{job="{jobs[page_of(name)]}"}}'), name)
    rules = json.loads(get(f"http://{address}/api/v1/rules"))["data"]["groups"]
    assert {rule["health"] for group in rules for rule in group["rules"]} <= {"ok", "unknown"}

    def sees_traffic():
        stack.get("/accounts/1")
        return query('job:http_requests:rate5m{job="fastapi"} > 0')

    wait_for(sees_traffic, "the rules see the traffic")
