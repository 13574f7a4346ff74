"""What a call of ``labels`` finds, the first time, again, and after its child was removed."""

import gc
import inspect
import itertools
import threading
import weakref

import pytest

from promflow import CollectorRegistry, Counter, Gauge, Histogram

NAMES = ("method", "path", "status")


@pytest.fixture
def registry():
    return CollectorRegistry()


def fresh(text):
    """Returns another object of the same text."""
    return "".join(list(text))


def again(find, times=3):
    """Calls as often as it takes until a call is remembered and found; all find the same child."""
    found = [find() for _ in range(times)]
    assert all(child is found[0] for child in found)
    return found[0]


def test_every_way_to_name_the_same_values_finds_the_same_child(registry):
    counter = Counter("c", "h", NAMES, registry=registry)
    values = dict(zip(NAMES, ("GET", "/users", "200")))
    child = again(lambda: counter.labels("GET", "/users", "200"))
    assert again(lambda: counter.labels(fresh("GET"), fresh("/users"), fresh("200"))) is child
    assert again(lambda: counter.labels("GET", "/users", 200)) is child
    assert again(lambda: counter.labels(*values.values())) is child
    for order in itertools.permutations(NAMES):
        assert again(lambda: counter.labels(**{name: values[name] for name in order})) is child
        assert again(lambda: counter.labels(**{fresh(name): fresh(values[name]) for name in order})) is child
    assert again(lambda: counter.labels(method="GET", path="/users", status="200")) is child
    assert again(lambda: counter.labels(status="200", method="GET", path="/users")) is child
    assert len(counter._metrics) == 1


def test_values_in_another_order_are_another_child(registry):
    counter = Counter("c", "h", ("x", "y"), registry=registry)
    one, other = again(lambda: counter.labels("a", "b")), again(lambda: counter.labels("b", "a"))
    assert again(lambda: counter.labels(x="a", y="b")) is one
    assert again(lambda: counter.labels(y="a", x="b")) is other
    assert again(lambda: counter.labels(x="a", y="b")) is one
    assert one is not other


def test_values_that_only_look_alike_when_they_are_joined_are_told_apart(registry):
    counter = Counter("c", "h", ("x", "y"), registry=registry)
    values = [("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc")]
    children = [again(lambda x=x, y=y: counter.labels(x, y)) for x, y in values]
    assert len({id(child) for child in children}) == len(values)


class Changing:
    """A value whose text is another one each time."""

    def __init__(self):
        self.texts = itertools.cycle("ab")

    def __str__(self):
        return next(self.texts)


class Shout(str):
    def __str__(self):
        return self.upper()


def test_what_is_no_string_is_asked_for_its_text_each_time(registry):
    counter = Counter("c", "h", ("x",), registry=registry)
    changing = Changing()
    found = [counter.labels(changing) for _ in range(6)]
    assert found[0::2] == [counter.labels("a")] * 3
    assert found[1::2] == [counter.labels("b")] * 3
    assert again(lambda: counter.labels(Shout("a"))) is again(lambda: counter.labels("A"))


@pytest.mark.parametrize("count", [1, 5, 6, 20])
def test_any_number_of_labels(registry, count):
    counter = Counter("c", "h", [f"l{i}" for i in range(count)], registry=registry)
    values = [f"v{i}" for i in range(count)]
    child = again(lambda: counter.labels(*values))
    assert again(lambda: counter.labels(**{f"l{i}": f"v{i}" for i in range(count)})) is child
    for wrong in (values[:-1], [*values, "v"]):
        for _ in range(3):
            with pytest.raises(ValueError, match="Incorrect label count"):
                counter.labels(*wrong)


def test_more_children_than_are_remembered(registry):
    counter = Counter("c", "h", ("x", "y"), registry=registry)
    values = [(f"x{i % 50}", f"y{i}") for i in range(5000)]
    for _ in range(3):
        for x, y in values:
            counter.labels(x, y).inc()
    assert all(counter.labels(x, y)._value.get() == 3 for x, y in values)
    assert len(counter._metrics) == 5000


@pytest.mark.parametrize("forget", [lambda c: c.remove("1"), lambda c: c.remove_by_labels({"x": "1"}), lambda c: c.clear()])
def test_a_removed_child_is_not_found_again(registry, forget):
    counter = Counter("c", "h", ("x",), registry=registry)
    old = again(lambda: counter.labels("1"))
    old.inc(5)
    forget(counter)
    new = again(lambda: counter.labels("1"))
    assert new is not old
    new.inc()
    assert registry.get_sample_value("c_total", {"x": "1"}) == 1


def test_what_threads_find_while_others_remove_is_on_the_page_or_removed_since(registry):
    gauge = Gauge("g", "h", ("x",), registry=registry)
    stop = threading.Event()
    failures = []

    def find():
        while not stop.is_set():
            for value in ("a", fresh("a"), "b"):
                gauge.labels(value).inc()
                gauge.labels(x=value).inc()

    def remove():
        try:
            for _ in range(3000):
                gauge.remove("a")
                gauge.clear()
        except Exception as error:
            failures.append(error)
        finally:
            stop.set()

    threads = [threading.Thread(target=target) for target in (find, find, remove)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    gauge.clear()
    for value in ("a", "b"):
        gauge.labels(value).set(7)
        gauge.labels(x=value).inc()
        assert registry.get_sample_value("g", {"x": value}) == 8


def test_what_is_remembered_keeps_no_metric_alive(registry):
    counter = Counter("c", "h", ("x",), registry=None)
    child = again(lambda: counter.labels("1"))
    child.parent = counter
    gone = weakref.ref(counter)
    del counter, child
    gc.collect()
    assert gone() is None


def test_the_method_says_what_it_takes(registry):
    counter = Counter("c", "h", ("x",), registry=registry)
    assert str(inspect.signature(counter.labels)) == "(*labelvalues, **labelkwargs)"
    assert counter.labels.__doc__
    with pytest.raises(TypeError):
        Counter.labels("no metric", "1")


def test_a_subclass_may_have_a_labels_of_its_own(registry):
    class Lower(Counter):
        def labels(self, *values):
            return super().labels(*(str(value).lower() for value in values))

    counter = Lower("c", "h", ("x",), registry=registry)
    assert again(lambda: counter.labels("A")) is again(lambda: counter.labels("a"))


def test_children_of_a_class_that_names_itself_count_where_it_says(registry):
    class Renamed(Counter):
        def __init__(self, name, documentation, *arguments, **keywords):
            Counter.__init__(self, f"app_{name}", documentation, *arguments, **keywords)

    counter = Renamed("c", "h", ("x",), registry=registry)
    again(lambda: counter.labels("1")).inc(2)
    assert registry.get_sample_value("app_c_total", {"x": "1"}) == 2


def test_a_class_may_make_children_while_it_is_made(registry):
    other = Counter("other", "h", ("x",), registry=registry)

    class Twice(Counter):
        def __init__(self, *arguments, **keywords):
            other.labels("made").inc()
            Counter.__init__(self, *arguments, **keywords)

    counter = Twice("c", "h", ("x",), registry=registry)
    again(lambda: counter.labels("1")).inc(2)
    assert registry.get_sample_value("c_total", {"x": "1"}) == 2
    assert registry.get_sample_value("other_total", {"x": "made"}) == 2


def test_children_that_an_application_forgets_are_found_and_shown_again(registry):
    counter = Counter("c", "h", ("x",), registry=registry)
    old = again(lambda: counter.labels("1"))
    old.inc(3)
    counter._metrics.clear()
    assert again(lambda: counter.labels("1")) is not old
    counter.labels("1").inc()
    assert registry.get_sample_value("c_total", {"x": "1"}) == 4


def test_names_that_are_no_plain_strings_are_not_remembered(registry):
    class Liar(str):
        def __eq__(self, other):
            return True

        def __hash__(self):
            return hash("x")

    counter = Counter("c", "h", ("x",), registry=registry)
    for _ in range(4):
        counter.labels(**{Liar("zzz"): "1"})
    for _ in range(2):
        with pytest.raises(ValueError, match="Incorrect label names"):
            counter.labels(zzz="1")


def test_a_child_that_is_removed_while_it_is_made_is_made_again(registry):
    class Removing(Counter):
        armed = True

        def __init__(self, *arguments, **keywords):
            Counter.__init__(self, *arguments, **keywords)
            if keywords.get("_labelvalues") and Removing.armed:
                Removing.armed = False
                keywords = {"x": "1"}
                metrics[0].remove(*keywords.values())
                metrics[0].labels("other")

    metrics = []
    metrics.append(Removing("c", "h", ("x",), registry=registry))
    again(lambda: metrics[0].labels("1")).inc(2)
    assert registry.get_sample_value("c_total", {"x": "1"}) == 2


@pytest.mark.parametrize("make", [lambda h: h.labels("1").time(), lambda h: h.labels("1")._sum])
def test_what_belongs_to_a_metric_keeps_it_alive_no_longer_than_it_is_used(make):
    histogram = Histogram("h", "h", ("x",), registry=None)
    histogram.labels("1").own = make(histogram)
    gone = weakref.ref(histogram.labels("1"))
    histogram.clear()
    del histogram
    gc.collect()
    assert gone() is None
