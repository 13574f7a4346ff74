"""Metrics where they are more than prometheus_client's own suite asks."""

import asyncio
import gc
import inspect
import sys
import threading
import warnings
import weakref

import pytest

import promflow
from promflow import REGISTRY, CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Summary, values
from promflow.metrics import MetricWrapperBase
from promflow.samples import Sample


@pytest.fixture
def registry():
    return CollectorRegistry()


def test_label_values_that_are_equal_and_read_differently_are_different_series(registry):
    counter = Counter("c", "Help.", ["x"], registry=registry)
    for value in (1, True, 1.0, "1"):
        counter.labels(value).inc()
    assert registry.get_sample_value("c_total", {"x": "1"}) == 2
    assert registry.get_sample_value("c_total", {"x": "True"}) == 1
    assert registry.get_sample_value("c_total", {"x": "1.0"}) == 1


def test_a_subclass_of_str_is_the_label_value_that_it_reads_as(registry):
    class Shout(str):
        def __str__(self):
            return self.upper()

        def __hash__(self):
            return 7

        def __eq__(self, other):
            return True

    counter = Counter("c", "Help.", ["x"], registry=registry)
    counter.labels("A").inc()
    counter.labels(Shout("a")).inc()
    assert registry.get_sample_value("c_total", {"x": "A"}) == 2


def test_a_label_value_without_a_utf8_form_is_counted(registry):
    counter = Counter("c", "Help.", ["x"], registry=registry)
    counter.labels("a\udc80").inc()
    assert "c_total" in promflow.generate_latest(registry).decode()


def test_the_child_of_the_same_label_values_is_the_same_object(registry):
    counter = Counter("c", "Help.", ["x", "y"], registry=registry)
    child = counter.labels("1", "2")
    assert counter.labels("1", "2") is child
    assert counter.labels(y=2, x=1) is child
    assert list(counter._metrics) == [("1", "2")]


@pytest.mark.parametrize(
    ("arguments", "keywords", "message"),
    [
        (("1",), {}, "Incorrect label count"),
        (("1", "2", "3"), {}, "Incorrect label count"),
        (("1",), {"y": "2"}, "Can't pass both *args and **kwargs"),
        ((), {"x": "1"}, "Incorrect label names"),
        ((), {"x": "1", "z": "2"}, "Incorrect label names"),
        ((), {}, "Incorrect label count"),
    ],
)
def test_wrong_labels_raise_what_prometheus_client_raises(registry, arguments, keywords, message):
    counter = Counter("c", "Help.", ["x", "y"], registry=registry)
    with pytest.raises(ValueError, match="^" + message.replace("*", r"\*") + "$"):
        counter.labels(*arguments, **keywords)


def test_a_parent_cannot_count(registry):
    for metric, call in [
        (Counter("c", "Help.", ["x"], registry=registry), lambda m: m.inc()),
        (Gauge("g", "Help.", ["x"], registry=registry), lambda m: m.set(1)),
        (Gauge("g2", "Help.", ["x"], registry=registry), lambda m: m.dec()),
        (Summary("s", "Help.", ["x"], registry=registry), lambda m: m.observe(1)),
        (Histogram("h", "Help.", ["x"], registry=registry), lambda m: m.observe(1)),
        (Info("i", "Help.", ["x"], registry=registry), lambda m: m.info({"a": "b"})),
        (Enum("e", "Help.", ["x"], states=["a"], registry=registry), lambda m: m.state("a")),
    ]:
        with pytest.raises(ValueError, match=f"^{metric._type} metric is missing label values$"):
            call(metric)


def test_a_counter_takes_what_python_takes_for_a_number(registry):
    class Half:
        def __float__(self):
            return 0.5

    counter = Counter("c", "Help.", registry=registry)
    for amount in (2, 1.5, True, Half()):
        counter.inc(amount)
    assert registry.get_sample_value("c_total") == 5
    with pytest.raises(TypeError):
        counter.inc("1")


def test_numbers_are_added_in_their_order(registry):
    """Sums of floats depend on the order: it is the order of the calls, as in prometheus_client."""
    counter = Counter("c", "Help.", registry=registry)
    expected = 0.0
    for amount in (0.1, 1, 0.2, 3, 1e16, 0.3):
        counter.inc(amount)
        expected += amount
    assert registry.get_sample_value("c_total") == expected


def test_an_observation_that_is_no_number_is_in_no_bucket(registry):
    histogram = Histogram("h", "Help.", registry=registry)
    histogram.observe(float("nan"))
    assert registry.get_sample_value("h_count") == 0
    assert registry.get_sample_value("h_sum") != registry.get_sample_value("h_sum")


@pytest.mark.parametrize("count", [2, 31, 32, 33, 200])
def test_an_observation_is_in_the_first_bucket_that_holds_it(registry, count):
    bounds = [float(i) for i in range(count)]
    histogram = Histogram("h", "Help.", buckets=bounds, registry=registry)
    for value in (-1, 0, 0.5, 1, count - 1, count, count + 7.5):
        before = [bucket.get() for bucket in histogram._buckets]
        histogram.observe(value)
        after = [bucket.get() for bucket in histogram._buckets]
        hit = next(i for i, bound in enumerate(histogram._upper_bounds) if value <= bound)
        assert [b - a for a, b in zip(before, after)] == [float(i == hit) for i in range(count + 1)]


def test_threads_that_make_and_remove_children_lose_none(registry):
    counter = Counter("c", "Help.", ["x"], registry=registry)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:

        def count(own):
            for i in range(2000):
                counter.labels("shared").inc()
                counter.labels(str(i % 50)).inc()
                counter.labels(f"{own}-{i}").inc()
                counter.remove(f"{own}-{i}")

        threads = [threading.Thread(target=count, args=(own,)) for own in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert registry.get_sample_value("c_total", {"x": "shared"}) == 8000
    assert registry.get_sample_value("c_total", {"x": "7"}) == 160
    assert len(counter._metrics) == 51
    assert promflow.generate_latest(registry).count(b"c_total{") == 51


def test_a_removed_child_counts_unseen_and_a_new_one_begins_at_zero(registry):
    counter = Counter("c", "Help.", ["x"], registry=registry)
    old = counter.labels("1")
    old.inc(5)
    counter.remove("1")
    old.inc()
    assert registry.get_sample_value("c_total", {"x": "1"}) is None
    assert counter.labels("1") is not old
    assert registry.get_sample_value("c_total", {"x": "1"}) == 0


def test_removed_children_are_freed(registry):
    counter = Counter("c", "Help.", ["x"], registry=registry)
    child = weakref.ref(counter.labels("1"))
    counter.clear()
    gc.collect()
    assert child() is None


def test_a_metric_that_refers_to_itself_is_freed():
    registry = CollectorRegistry()
    gauge = Gauge("g", "Help.", ["x"], registry=registry)
    child = gauge.labels("1")
    child.set_function(lambda: len(gauge._metrics))
    seen = weakref.ref(gauge)
    del gauge, child, registry
    gc.collect()
    assert seen() is None


def test_a_metric_of_the_default_registry_that_is_registered_again_begins_at_zero():
    for _ in range(2):
        counter = Counter("registered_twice", "Help.")
        assert REGISTRY.get_sample_value("registered_twice_total") == 0
        counter.inc(3)
        assert b"registered_twice_total 3.0\n" in promflow.generate_latest()
        REGISTRY.unregister(counter)
        assert b"registered_twice" not in promflow.generate_latest()
        assert REGISTRY.get_sample_value("registered_twice_total") is None


def test_removal_works_in_the_default_registry():
    counter = Counter("removed_again", "Help.", ["x"])
    try:
        counter.labels("1").inc(5)
        counter.labels("2").inc(5)
        counter.remove("1")
        assert REGISTRY.get_sample_value("removed_again_total", {"x": "1"}) is None
        counter.labels("1").inc(2)
        assert REGISTRY.get_sample_value("removed_again_total", {"x": "1"}) == 2
        counter.remove_by_labels({"x": "2"})
        assert list(counter._metrics) == [("1",)]
        counter.clear()
        assert b"removed_again_total{" not in promflow.generate_latest()
    finally:
        REGISTRY.unregister(counter)


def test_everything_of_the_default_registry_is_on_its_page():
    metrics = [
        Counter("everything_c", "Help.", ["x"]),
        Gauge("everything_g", "Help."),
        Summary("everything_s", "Help."),
        Histogram("everything_h", "Help.", buckets=(1, 2)),
        Info("everything_i", "Help."),
        Enum("everything_e", "Help.", states=["a", "b"]),
    ]
    try:
        metrics[0].labels("1").inc(2, exemplar={"trace_id": "abc"})
        metrics[1].set(3)
        metrics[2].observe(4)
        metrics[3].observe(1.5, exemplar={"trace_id": "def"})
        metrics[4].info({"version": "1"})
        metrics[4].info({"version": "2" * 500})
        metrics[4].info({"version": "3"})
        metrics[5].state("b")
        page = promflow.openmetrics.exposition.generate_latest(REGISTRY).decode()
        for line in (
            'everything_c_total{x="1"} 2.0 # {trace_id="abc"} 2.0 ',
            "everything_g 3.0\n",
            "everything_s_sum 4.0\n",
            'everything_h_bucket{le="2.0"} 1.0 # {trace_id="def"} 1.5 ',
            'everything_i_info{version="3"} 1.0\n',
            'everything_e{everything_e="a"} 0.0\neverything_e{everything_e="b"} 1.0\n',
            'everything_c_created{x="1"} 1',
        ):
            assert line in page
        metrics[0].labels("1").reset()
        assert REGISTRY.get_sample_value("everything_c_total", {"x": "1"}) == 0
    finally:
        for metric in metrics:
            REGISTRY.unregister(metric)


def test_a_registry_may_have_a_name_that_the_default_registry_has(registry):
    shared = Counter("in_both", "Help.")
    try:
        shared.inc(5)
        private = Counter("in_both", "Help.", registry=registry)
        private.inc()
        assert registry.get_sample_value("in_both_total") == 1
        assert REGISTRY.get_sample_value("in_both_total") == 5
    finally:
        REGISTRY.unregister(shared)


def test_a_type_that_python_code_defines_keeps_its_own_values(registry):
    class Doubler(MetricWrapperBase):
        _type = "gauge"

        def _metric_init(self):
            self._value = values.ValueClass(
                self._type, self._name, self._name, self._labelnames, self._labelvalues, self._documentation
            )

        def add(self, amount):
            self._raise_if_not_observable()
            self._value.inc(2 * amount)

        def _child_samples(self):
            return (Sample("", {}, self._value.get()),)

    class Python(Doubler):
        _type = "unknown"

    metric = Python("doubled", "Help.", ["x"], registry=registry)
    metric.labels("1").add(2)
    metric.labels(x="1").add(1)
    assert registry.get_sample_value("doubled", {"x": "1"}) == 6
    assert b'doubled{x="1"} 6.0\n' in promflow.generate_latest(registry)


def test_a_decorated_coroutine_function_is_timed_while_it_runs(registry):
    histogram = Histogram("h", "Help.", registry=registry)
    gauge = Gauge("g", "Help.", registry=registry)
    counter = Counter("c", "Help.", registry=registry)
    seen = []

    @histogram.time()
    @gauge.track_inprogress()
    @counter.count_exceptions(KeyError)
    async def work(a, b=2):
        await asyncio.sleep(0.01)
        seen.append(gauge._value.get())
        raise KeyError(a)

    assert inspect.iscoroutinefunction(work)
    assert list(inspect.signature(work).parameters) == ["a", "b"]
    with pytest.raises(KeyError):
        asyncio.run(work(1))
    assert seen == [1]
    assert gauge._value.get() == 0
    assert counter._value.get() == 1
    assert histogram._sum.get() >= 0.01


def test_no_warning_is_given_where_nothing_is_shared(registry):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        counter = Counter("c", "Help.", ["x"], registry=registry)
        counter.labels("1").inc()
        counter.remove("1")
        counter.clear()


def test_signatures_are_those_of_prometheus_client():
    import prometheus_client

    for name in ("Counter", "Gauge", "Summary", "Histogram", "Info", "Enum", "CollectorRegistry"):
        ours, theirs = getattr(promflow, name), getattr(prometheus_client, name)
        for method in sorted(vars(theirs)):
            if method.startswith("_") and method != "__init__" or not callable(getattr(theirs, method)):
                continue
            parameters = [
                [
                    (p.name, p.kind, p.default)
                    for p in list(inspect.signature(getattr(c, method)).parameters.values())[1:]
                    if p.name != "registry"
                ]
                for c in (ours, theirs)
            ]
            assert parameters[0] == parameters[1], f"{name}.{method}"
