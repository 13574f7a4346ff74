"""Pages are prometheus_client's, byte for byte, for the same state."""

import random
import threading
import time
from unittest import mock

import prometheus_client
import prometheus_client.openmetrics.exposition
import pytest

import promflow
import promflow.metrics
import promflow.openmetrics.exposition
import promflow.registry

LIBRARIES = (prometheus_client, promflow)
ESCAPINGS = ("underscores", "allow-utf-8", "dots", "values")
VALUES = ("", "GET", "/users/{id}", 'quo"te', "back\\slash", "new\nline", "ümlaut", "✓", "a,b=c{}", " ")
NUMBERS = (0, 1, 2.5, 0.1, 1e-7, 123456.789, 1234567, 1e15, 1e16, 1e21, 1e300, 5e-324, 1 / 3)
SPECIAL = (*NUMBERS, -1.5, -1e7, -1e-9, float("inf"), float("-inf"), float("nan"))


def _fill(library, seed):
    """Builds a registry of everything, the same for both libraries."""
    random_ = random.Random(seed)
    registry = library.CollectorRegistry(target_info={"version": "1.2", "name": 'a "b"'})
    labels = ["zone", "Method", "ümlaut.name", "a"]

    def series(metric):
        for _ in range(6):
            yield metric.labels(*(random_.choice(VALUES) for _ in labels))

    counter = library.Counter("requests", "Help with \\ and \n and \".", labels, registry=registry)
    for child in series(counter):
        child.inc(random_.choice(NUMBERS), exemplar={"trace": random_.choice(VALUES), "a": "b"})
        child.inc(random_.choice(NUMBERS))
    library.Counter("http.requests", "A name that is not classic.", ["le.bel"], registry=registry).labels("x").inc()
    library.Counter("bytes_total", "One with a unit.", unit="bytes", registry=registry).inc(7)
    gauge = library.Gauge("temperature", "", labels, registry=registry)
    for child in series(gauge):
        child.set(random_.choice(SPECIAL))
    for value in SPECIAL:
        library.Gauge(f"g{SPECIAL.index(value)}", "A number.", registry=registry).set(value)
    library.Gauge("asked", "A function.", registry=registry).set_function(lambda: 42)
    histogram = library.Histogram("latency", "Latencies.", ["mode", "a"], buckets=(0.1, 1, 1e6, 1e7), registry=registry)
    for child in (histogram.labels("x", "1"), histogram.labels('"', "\\")):
        for _ in range(20):
            child.observe(random_.choice(NUMBERS), {"trace": "abc"} if random_.random() < 0.3 else None)
    library.Histogram("signed", "Without a sum.", buckets=(-1, 0, 1), registry=registry).observe(-0.5)
    library.Histogram("unused", "Nothing yet.", registry=registry)
    library.Histogram("no_children", "Nothing yet.", ["x"], registry=registry)
    summary = library.Summary("size", "Sizes.", ["le"], registry=registry)
    for value in NUMBERS:
        summary.labels(str(value)).observe(value)
    library.Info("build", "The build.", ["job"], registry=registry).labels("j").info({"zz": "1", "branch": 'x"y'})
    library.Info("empty", "No facts.", registry=registry)
    states = library.Enum("state", "A state.", ["a", "z"], states=["on", 'of"f'], registry=registry)
    states.labels("1", "2").state('of"f')
    states.labels("3", "4")
    registry.register(_Custom(library))
    counter.remove(*next(iter(counter._metrics)))
    counter.labels(*VALUES[:4]).inc(3)
    return registry


class _Custom:
    def __init__(self, library):
        self._library = library

    def collect(self):
        family = self._library.metrics_core.GaugeHistogramMetricFamily("custom", "Custom.", labels=["x"])
        family.add_metric(["1"], [("1.0", 2), ("+Inf", 3)], 5)
        yield family
        yield self._library.metrics_core.UnknownMetricFamily("unknown", "Unknown.", value=1)


@pytest.fixture(autouse=True)
def _same_time():
    with mock.patch("time.time", return_value=123.456):
        yield


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("escaping", ESCAPINGS)
def test_the_text_format_is_the_same(seed, escaping):
    theirs, ours = (library.generate_latest(_fill(library, seed), escaping) for library in LIBRARIES)
    assert ours == theirs


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("escaping", ESCAPINGS[:3])
def test_openmetrics_is_the_same(seed, escaping):
    # In the scheme of values prometheus_client gives samples other names than their families have.
    theirs, ours = (
        library.openmetrics.exposition.generate_latest(_fill(library, seed), escaping) for library in LIBRARIES
    )
    # It does not escape the names of exemplars' labels: those here need no escaping in any scheme.
    assert ours == theirs


@pytest.mark.parametrize("write", ["exposition", "openmetrics.exposition"])
def test_pages_without_created_samples_are_the_same(write):
    pages = []
    for library in LIBRARIES:
        library.disable_created_metrics()
        try:
            module = library
            for name in write.split("."):
                module = getattr(module, name)
            pages.append(module.generate_latest(_fill(library, 1)))
        finally:
            library.enable_created_metrics()
    assert pages[0] == pages[1]
    assert b"_created" not in pages[1]


@pytest.mark.parametrize("write", [promflow.generate_latest, promflow.openmetrics.exposition.generate_latest])
def test_the_native_page_is_that_of_the_samples(write):
    """What is written without Python code is what Python code collects."""
    registry = _fill(promflow, 3)

    class Collected:
        def collect(self):
            return registry.collect()

    assert write(registry) == write(Collected())


def test_a_subclass_with_samples_of_its_own_is_asked():
    class Doubled(promflow.Counter):
        def _child_samples(self):
            return [sample._replace(value=2 * sample.value) for sample in super()._child_samples()]

    registry = promflow.CollectorRegistry()
    Doubled("c", "Help.", ["x"], registry=registry).labels("1").inc(4)
    assert b'c_total{x="1"} 8.0\n' in promflow.generate_latest(registry)


def test_python_goes_on_while_a_page_is_written():
    """Python's lock is given up: a thread counts on while ten thousand series are written."""
    registry = promflow.CollectorRegistry()
    counter = promflow.Counter("c", "Help.", ["x"], registry=registry)
    for i in range(10_000):
        counter.labels(str(i)).inc()
    parts = promflow.registry._page_parts_of(registry)
    begun, ticks, stop = threading.Event(), [], threading.Event()

    def tick():
        begun.set()
        while not stop.is_set():
            ticks.append(time.perf_counter())

    thread = threading.Thread(target=tick)
    thread.start()
    begun.wait()
    pages = []
    for _ in range(20):
        begin = time.perf_counter()
        promflow._core.write_page(parts, "text", "underscores")
        pages.append((begin, time.perf_counter()))
    stop.set()
    thread.join()
    inside = [sum(begin < tick < end for tick in ticks) for begin, end in pages]
    assert max(inside) > 0, "the other thread never ran while a page was written"
