"""Tasks of any queue, topics of Pulsar, the machine and the build."""

import pytest

from promflow.backend import build_info, system
from promflow.backend.metrics import Http
from promflow.backend.pulsar import Topic
from promflow.backend.system import Ticks
from promflow.backend.tasks import Task


def test_states_exist_before_the_first_run(registry):
    Task("export", registry)
    for state in ("success", "failure", "retry"):
        assert registry.value("celery_tasks_total", task="export", state=state) == 0


def test_every_run_ends_in_one_state(registry):
    task = Task("export", registry)
    with task.run():
        pass
    with task.run() as run:
        run.retry()
    with pytest.raises(KeyError), task.run():
        raise KeyError("lost")
    for state, runs in (("success", 1), ("failure", 1), ("retry", 1)):
        assert registry.value("celery_tasks_total", task="export", state=state) == runs
    assert registry.value("celery_task_duration_seconds_count", task="export") == 3


def test_celery_exporter_has_its_own_names(registry):
    task = Task("export", registry, preset="celery-exporter", hostname="w1", queue="slow")
    labels = {"name": "export", "hostname": "w1", "queue_name": "slow"}
    with task.run():
        assert registry.value("celery_worker_tasks_active", hostname="w1") == 1
    with pytest.raises(ValueError), task.run():
        raise ValueError("bad")
    for event in ("succeeded", "started", "sent", "received", "rejected", "revoked", "retried"):
        counted = {"succeeded": 1, "started": 2}.get(event, 0)
        assert registry.value(f"celery_task_{event}_total", **labels) == counted
    assert registry.value("celery_task_failed_total", exception="ValueError", **labels) == 1
    assert registry.value("celery_task_failed_total", exception="", **labels) == 0
    assert registry.value("celery_task_runtime_count", **labels) == 1
    assert registry.value("celery_worker_tasks_active", hostname="w1") == 0
    assert "celery_tasks_total" not in registry.page()


def test_an_unknown_preset_is_refused(registry):
    with pytest.raises(ValueError, match='unknown preset "x": expected one of guide, celery-exporter'):
        Task("export", registry, preset="x")


def test_a_message_that_fails_does_not_count_as_last_processed(registry):
    topic = Topic("calls", registry)
    topic.failed()
    topic.dead_lettered()
    assert registry.value("pulsar_last_processed_timestamp_seconds", topic="calls") == 0
    topic.succeeded()
    assert registry.value("pulsar_last_processed_timestamp_seconds", topic="calls") > 1.6e9
    with topic.batch():
        topic.set_queue_size(3)
    assert registry.value("pulsar_messages_processed_total", topic="calls", outcome="failure") == 1
    assert registry.value("pulsar_dlq_messages_total", topic="calls") == 1
    assert registry.value("pulsar_batch_processing_seconds_count", topic="calls") == 1
    assert registry.value("pulsar_consumer_queue_size", topic="calls") == 3


def test_percent_is_the_busy_share_between_two_readings():
    first = Ticks.parse("cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 2\n")
    assert first == Ticks(busy=200, total=1000)
    second = Ticks.parse("cpu  150 0 100 750 100 0 0 0\n")
    assert second.percent_since(first) == 50
    assert second.percent_since(second) is None
    assert Ticks.parse("intr 1\n") is None


def test_the_machine_is_read_for_every_page(registry, monkeypatch):
    ticks = iter([Ticks(0, 100), Ticks(300, 1100), Ticks(400, 2100), Ticks(400, 2101)])
    monkeypatch.setattr(system, "read_ticks", lambda: next(ticks))
    system.register(registry)
    assert [registry.value("system_cpu_usage_percent") for _ in range(3)] == [pytest.approx(300 / 11), 10, 10]


def test_the_build_is_on_the_page(registry):
    build_info("1.2", "abc", registry)
    assert registry.value("app_build_info", version="1.2", revision="abc") == 1


def test_a_group_is_made_once_for_each_registry(registry):
    assert Http.of(registry) is Http.of(registry)
    assert Http.of(type(registry)()) is not Http.of(registry)
