"""Forks, signals and callbacks find no lock that is held."""

import gc
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import promflow
from promflow import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

FORKS = 300


def _wait(pid, seconds=20):
    """Waits for a child, which may not hang."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError("a forked child hangs")


@pytest.fixture
def metrics():
    made = [
        Counter("fork_counter", "Help.", ["x"]),
        Gauge("fork_gauge", "Help.", ["x"], multiprocess_mode="livesum"),
        Histogram("fork_histogram", "Help.", ["x"]),
    ]
    yield made
    for metric in made:
        REGISTRY.unregister(metric)


def test_forks_of_a_parent_whose_threads_create_children_and_are_scraped_do_not_hang(metrics):
    counter, gauge, histogram = metrics
    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    private = CollectorRegistry()
    own = Counter("own", "Help.", ["x"], registry=private)
    stop = threading.Event()
    errors = []

    def repeatedly(work):
        def run():
            i = 0
            try:
                while not stop.is_set():
                    work(i)
                    i += 1
                    # Lets the others in: forks are to come upon all of this, not to wait for it.
                    time.sleep(0.0002)
            except Exception as e:  # noqa: BLE001
                errors.append(e)

        return threading.Thread(target=run)

    def create(i):
        counter.labels(str(i % 3000)).inc()
        histogram.labels(str(i % 200)).observe(0.1)
        gauge.labels(str(i % 20)).set(1)
        own.labels(str(i)).inc()
        own.remove(str(i))

    def register(i):
        metric = Counter("fork_registered", "Help.")
        metric.inc()
        REGISTRY.unregister(metric)

    def scrape(_):
        assert promflow.generate_latest().count(b"\n") > 3
        promflow.generate_latest(private)

    threads = [repeatedly(work) for work in (create, create, register, scrape, scrape)]
    for thread in threads:
        thread.start()
    try:
        for i in range(FORKS):
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    counter.labels("forked").inc()
                    counter.labels(f"forked {i}").inc()
                    histogram.labels("forked").observe(1)
                    gauge.labels("forked").set(1)
                    own.labels("forked").inc()
                    Counter(f"forked_{i % 10}", "Help.").inc()
                    page = promflow.generate_latest()
                    status = 0 if b'fork_counter_total{x="forked"}' in page else 2
                finally:
                    os._exit(status)
            assert _wait(pid) == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(interval)
    assert not errors
    assert REGISTRY.get_sample_value("fork_counter_total", {"x": "forked"}) == FORKS
    assert REGISTRY.get_sample_value("fork_histogram_count", {"x": "forked"}) == FORKS
    # Registered by children alone: this process shows them all the same.
    assert sum(REGISTRY.get_sample_value(f"forked_{i}_total") for i in range(10)) == FORKS


def _scrape_while(condition, work=lambda: None, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        work()
        promflow.generate_latest()


def test_a_callback_of_the_garbage_collector_may_count(metrics):
    counter, _, histogram = metrics
    calls = []

    def callback(phase, info):
        counter.labels("gc").inc()
        counter.labels(f"gc {len(calls) % 500}").inc()
        histogram.labels("gc").observe(0.1)
        calls.append(phase)

    threshold = gc.get_threshold()
    gc.callbacks.append(callback)
    gc.set_threshold(1)
    try:
        made = iter(range(10**9))

        def work():
            for _ in range(20):
                counter.labels(f"work {next(made)}").inc()
            list(REGISTRY.collect())
            counter.clear()

        _scrape_while(lambda: len(calls) > 3000, work)
    finally:
        gc.callbacks.remove(callback)
        gc.set_threshold(*threshold)


def test_a_signal_handler_may_count(metrics):
    counter, gauge, _ = metrics
    calls = []

    def handler(number, frame):
        counter.labels("signal").inc()
        counter.labels(f"signal {len(calls) % 100}").inc()
        gauge.labels("signal").set(len(calls))
        promflow.generate_latest()
        calls.append(number)
        # Only now, as handlers that begin inside one another would never end.
        signal.setitimer(signal.ITIMER_REAL, 0.0005)

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0005)
    try:
        made = iter(range(10**9))
        _scrape_while(lambda: len(calls) > 200, lambda: counter.labels(f"work {next(made) % 2000}").inc())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert REGISTRY.get_sample_value("fork_counter_total", {"x": "signal"}) == len(calls)


def test_a_logging_handler_may_count_while_a_collector_logs(metrics):
    counter, _, _ = metrics
    logger = logging.getLogger("promflow-test")
    logger.setLevel(logging.WARNING)  # Whatever the root logger was set to by another test.
    logger.propagate = False

    class Counting(logging.Handler):
        def emit(self, record):
            counter.labels(record.levelname).inc()

    class Logging:
        def describe(self):
            return []

        def collect(self):
            logger.warning("collected")
            counter.labels("from a collector").inc()
            promflow.generate_latest(CollectorRegistry())
            return []

    handler, collector = Counting(), Logging()
    logger.addHandler(handler)
    REGISTRY.register(collector)
    try:
        for _ in range(100):
            promflow.generate_latest()
    finally:
        REGISTRY.unregister(collector)
        logger.removeHandler(handler)
    assert REGISTRY.get_sample_value("fork_counter_total", {"x": "WARNING"}) == 100


def test_a_destructor_may_count_when_a_child_is_removed():
    registry = CollectorRegistry()
    counter = Counter("c", "Help.", ["x"], registry=registry)

    class Counting:
        def __del__(self):
            counter.labels("destroyed").inc()

    for i in range(100):
        child = counter.labels(str(i))
        child.attached = Counting()
        del child
        counter.remove(str(i))
    assert registry.get_sample_value("c_total", {"x": "destroyed"}) == 100


def test_a_program_that_ends_while_it_is_scraped_ends():
    program = """
    import threading, promflow
    counter = promflow.Counter("c", "Help.", ["x"])
    for i in range(2000):
        counter.labels(str(i)).inc()
    def scrape():
        while True:
            promflow.generate_latest()
    for _ in range(4):
        threading.Thread(target=scrape, daemon=True).start()
    """
    for _ in range(3):
        subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=60)
