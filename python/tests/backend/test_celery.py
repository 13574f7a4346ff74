"""Celery by its signals: in one process here; prefork, Redis and the worker's page in test_example.py."""

import contextlib
import time
from datetime import datetime, timezone

import pytest
from celery import Celery, signals
from celery.app.task import Context
from celery.contrib.testing.worker import start_worker
from celery.exceptions import Ignore, Reject

from promflow.backend import Settings
from promflow.backend.celery import instrument, waited


@pytest.fixture
def app():
    app = Celery("tests", broker="memory://", backend="cache+memory://")
    app.conf.update(worker_hijack_root_logger=False, broker_connection_retry_on_startup=False)
    return app


@pytest.fixture
def measured(app, registry):
    metrics = instrument(app, Settings(), registry, presets=("guide", "celery-exporter"), serve=False)
    yield app
    metrics.stop()


def define(app):
    @app.task(shared=False, name="good")
    def good(wait=0.0):
        time.sleep(wait)
        return "good"

    @app.task(shared=False, name="bad")
    def bad():
        raise KeyError("bad")

    @app.task(shared=False, name="again", bind=True, max_retries=2, default_retry_delay=0)
    def again(self):
        raise self.retry(countdown=0)

    @app.task(shared=False, name="ignored")
    def ignored():
        raise Ignore()

    @app.task(shared=False, name="rejected")
    def rejected():
        raise Reject("no", requeue=False)

    return good, bad, again, ignored, rejected


@contextlib.contextmanager
def working(app):
    """Runs a worker on a thread, with the signals of a real one that celery's own test worker leaves out."""
    with start_worker(app, perform_ping_check=False, pool="solo") as worker:
        signals.celeryd_after_setup.send(sender=worker.hostname, instance=worker, conf=app.conf)
        signals.worker_ready.send(sender=worker.consumer)
        yield worker
        signals.worker_shutdown.send(sender=worker)


def runs(registry, task):
    return [
        registry.value("celery_tasks_total", task=task, state=state) for state in ("success", "failure", "retry")
    ]


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "in time"
        time.sleep(0.02)


def test_every_run_ends_in_one_state(measured, registry):
    good, bad, again, ignored, rejected = define(measured)
    with working(measured):
        for task in (good, bad, again, ignored, rejected):
            task.delay()
        good.delay(0.1)
        wait_for(lambda: runs(registry, "good")[0] == 2 and runs(registry, "rejected")[1] == 1)
        wait_for(lambda: runs(registry, "again")[1] == 1)
    assert runs(registry, "good") == [2, 0, 0]
    assert runs(registry, "bad") == [0, 1, 0]
    assert runs(registry, "again") == [0, 1, 2]
    assert runs(registry, "ignored") == [1, 0, 0]
    assert runs(registry, "rejected") == [0, 1, 0]
    assert registry.value("celery_task_duration_seconds_count", task="good") == 2
    assert registry.value("celery_task_duration_seconds_sum", task="good") >= 0.1


def test_states_of_all_tasks_exist_when_the_worker_starts(measured, registry):
    define(measured)
    with working(measured):
        assert runs(registry, "good") == [0, 0, 0]
        assert "celery.chord" not in registry.page()


def test_celery_exporter_s_names_are_there_as_well(measured, registry):
    good, bad, *_ = define(measured)
    with working(measured) as worker:
        hostname = worker.hostname
        labels = {"hostname": hostname, "queue_name": "celery"}
        assert registry.value("celery_worker_up", hostname=hostname) == 1
        good.delay()
        bad.delay()
        good.apply_async(countdown=1.5)
        wait_for(lambda: registry.value("celery_task_succeeded_total", name="good", **labels) == 2)
        wait_for(lambda: registry.value("celery_task_failed_total", name="bad", exception="KeyError", **labels))
        assert registry.value("celery_queue_length", queue_name="celery") == 0
    sent = registry.value("celery_task_sent_total", name="good", hostname="generic", queue_name="celery")
    assert sent == 2
    assert registry.value("celery_task_received_total", name="good", **labels) == 2
    assert registry.value("celery_task_started_total", name="good", **labels) == 2
    assert registry.value("celery_task_runtime_count", name="good", **labels) == 2
    assert registry.value("celery_task_queue_wait_time_count", name="good", **labels) == 2
    assert registry.value("celery_worker_tasks_active", hostname=hostname) == 0
    assert registry.value("celery_worker_up", hostname=hostname) == 0


def test_what_a_child_cannot_count_any_more_the_main_process_counts(measured, registry):
    good, *_ = define(measured)
    request = good.request_stack.top or good._get_request()
    for _ in range(2):
        signals.task_failure.send(sender=good, task_id="lost", exception=OSError("lost"), args=(), kwargs={})
    signals.task_failure.send(sender=good, task_id="told", exception=Reject("told already"))
    signals.task_revoked.send(sender=good, request=request, terminated=True, signum=9, expired=False)
    signals.task_revoked.send(sender=good, request=request, terminated=False, signum=None, expired=True)
    assert runs(registry, "good")[1] == 2
    assert registry.value("celery_task_duration_seconds_count", task="good") is None
    labels = {"name": "good", "hostname": "", "queue_name": "celery"}
    assert registry.value("celery_task_revoked_total", **labels) == 2
    assert registry.value("celery_task_failed_total", exception="OSError", **labels) == 1


def test_the_time_until_a_task_is_due_is_no_wait():
    now = time.time()
    due = datetime.fromtimestamp(now - 1, timezone.utc).isoformat()
    for request, seconds in (
        ({"promflow_sent": now - 60}, 60),
        ({"promflow_sent": now - 60, "eta": due}, 1),
        ({"promflow_sent": now - 60, "eta": due.replace("+00:00", "Z")}, 1),
        ({"promflow_sent": now - 60, "eta": "soon"}, 60),
        ({"promflow_sent": now + 60}, 0),
    ):
        assert waited(Context(request)) == pytest.approx(seconds, abs=0.5)
    assert waited(Context({})) is None


def test_tasks_that_nobody_knows_share_one_name(measured, registry):
    class Message:
        headers = {"task": "made.up"}
        delivery_info = {"routing_key": "celery"}

    signals.task_rejected.send(sender=None, message=Message(), exc=None)
    measured.send_task("made.up.too")
    assert "made.up" not in registry.page()
    assert registry.value("celery_task_rejected_total", name="__other__", hostname="", queue_name="celery") == 1


def test_tasks_of_another_application_are_not_counted(measured, registry):
    other = Celery("other", broker="memory://")
    other.conf.task_always_eager = True

    @other.task(shared=False, name="elsewhere")
    def elsewhere():
        pass

    elsewhere.delay()
    assert "elsewhere" not in registry.page()


def test_eager_tasks_are_counted_where_they_run(measured, registry):
    good, *_ = define(measured)
    good.apply()
    assert runs(registry, "good")[0] == 1


def test_an_application_that_is_measured_twice_is_counted_once(app, registry):
    metrics = [instrument(app, Settings(), registry, serve=False) for _ in range(2)]
    good, *_ = define(app)
    good.apply()
    for each in metrics:
        each.stop()
    good.apply()
    assert runs(registry, "good")[0] == 1


def test_nothing_is_measured_when_disabled(app, registry):
    assert instrument(app, Settings(enabled=False), registry) is None
    assert registry.page() == ""
