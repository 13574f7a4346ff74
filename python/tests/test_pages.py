"""Pages of what custom collectors return."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterable

import pytest

from promflow.core import (
    BucketSpan,
    CounterMetricFamily,
    Exemplar,
    GaugeHistogramMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
    NativeHistogram,
    StateSetMetricFamily,
    SummaryMetricFamily,
    Timestamp,
    UnknownMetricFamily,
)
from promflow.exposition import choose_encoder, generate_latest
from promflow.openmetrics import exposition as openmetrics
from promflow.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from promflow.utils import floatToGoString


class Collector:
    def __init__(self, *families: Metric) -> None:
        self.families = families

    def collect(self) -> Iterable[Metric]:
        return self.families


def text(*families: Metric, escaping: str = openmetrics.UNDERSCORES) -> str:
    return generate_latest(Collector(*families), escaping).decode()


def om(*families: Metric, escaping: str = openmetrics.UNDERSCORES, version: str = "1.0.0") -> str:
    return openmetrics.generate_latest(Collector(*families), escaping, version).decode()


def everything() -> list[Metric]:
    counter = CounterMetricFamily("requests", "Requests", labels=["path"], unit="ratio")
    counter.add_metric(["/a"], 1, created=1.5, exemplar=Exemplar({"trace": 'x"y'}, 0.5, Timestamp(3, 4)))
    gauge = GaugeMetricFamily("depth", 'A "quoted"\nhelp\\', labels=["b", "a"])
    gauge.add_metric(['x"\n\\', "é"], -2.5, timestamp=1.25)
    native = HistogramMetricFamily("native", "Native")
    spans = (BucketSpan(0, 2), BucketSpan(1, 2))
    histogram = NativeHistogram(24, 100.0, 0, 0.001, 4, spans, spans, (2, 1, -3, 3), (2, 1, -2, 3))
    native.add_sample("native", {"a": "b"}, None, None, None, histogram)  # type: ignore[arg-type]
    return [
        counter,
        gauge,
        native,
        HistogramMetricFamily("h", "H", buckets=[("1.0", 1, Exemplar({}, 1)), ("+Inf", 2)], sum_value=3),
        GaugeHistogramMetricFamily("gh", "GH", buckets=[("-1.0", 1), ("+Inf", 2)], gsum_value=-3),
        SummaryMetricFamily("s", "S", count_value=2, sum_value=1e21),
        InfoMetricFamily("i", "I", value={"version": "1"}),
        StateSetMetricFamily("e", "E", value={"on": True, "off": False}),
        UnknownMetricFamily("u", "U", value=math.inf),
    ]


def test_what_is_written_in_openmetrics_is_read_back() -> None:
    families = everything()
    page = om(*families, escaping=openmetrics.ALLOWUTF8, version="2.0.0")
    read = list(parse_openmetrics(page))
    assert [family.name for family in read] == [family.name for family in families]
    # Times come back as `Timestamp`, and natives are read without a value.
    assert om(*read, escaping=openmetrics.ALLOWUTF8, version="2.0.0").replace("1.250000000", "1.25") == page


def test_openmetrics_1_leaves_native_histograms_out() -> None:
    assert "count:24" not in om(*everything())


def test_created_counts_and_sums_of_gauge_histograms_are_families_of_the_text_format() -> None:
    page = text(*everything())
    assert page.endswith("u +Inf\n")
    assert '# TYPE requests_ratio_created gauge\nrequests_ratio_created{path="/a"} 1.5\n' in page
    assert "# TYPE gh_gcount gauge\ngh_gcount 2.0\n# HELP gh_gsum GH\n# TYPE gh_gsum gauge\ngh_gsum -3.0\n" in page


@pytest.mark.parametrize(
    "escaping, in_text, in_openmetrics",
    [
        (openmetrics.UNDERSCORES, "job:a_b_total", "job_a_b_total"),
        (openmetrics.DOTS, "job:a_dot_b__total", "job__a_dot_b__total"),
        (openmetrics.VALUES, "U__job:a_2e_b__total", "U__job_3a_a_2e_b__total"),
    ],
)
def test_samples_are_escaped_as_prometheus_client_does(escaping: str, in_text: str, in_openmetrics: str) -> None:
    family = CounterMetricFamily("job:a.b", "help", labels=["c.d"])
    family.add_metric(["e.f"], 1)
    label = openmetrics.escape_label_name("c.d", escaping)
    assert f'\n{in_text}{{{label}="e.f"}} 1.0\n' in text(family, escaping=escaping)
    # By the rules of labels' names, unlike the metadata.
    assert f'\n{in_openmetrics}{{{label}="e.f"}} 1.0\n' in om(family, escaping=escaping)


def test_names_are_quoted_where_utf8_is_allowed() -> None:
    family = CounterMetricFamily("job:a.b", "help", labels=["c.d"])
    family.add_metric(["e.f"], 1)
    for write in (text, om):
        assert '\n{"job:a.b_total","c.d"="e.f"} 1.0\n' in write(family, escaping=openmetrics.ALLOWUTF8)


@pytest.mark.parametrize("value, error", [(None, TypeError), ("x", ValueError), ([], TypeError)])
def test_an_exception_names_the_family(value: object, error: type[Exception]) -> None:
    family = GaugeMetricFamily("broken", "help")
    family.add_metric([], value)  # type: ignore[arg-type]
    for write in (text, om):
        with pytest.raises(error) as raised:
            write(family)
        assert raised.value.args[-1] is family


def test_a_label_that_is_no_string_is_an_attribute_error() -> None:
    family = Metric("broken", "help", "gauge")
    family.add_sample("broken", {"a": 1}, 1)  # type: ignore[dict-item]
    with pytest.raises(AttributeError, match="'int' object has no attribute 'replace'"):
        text(family)


def test_an_exemplar_where_none_may_be_is_a_value_error() -> None:
    family = Metric("a", "help", "gauge")
    family.add_sample("a", {}, 1, None, Exemplar({"b": "c"}, 1))
    with pytest.raises(ValueError, match="Metric a has exemplars"):
        om(family)


def test_values_are_what_float_makes_of_them() -> None:
    family = Metric("a", "help", "gauge")
    family.add_sample("a", {}, "1.5")  # type: ignore[arg-type]
    family.add_sample("a", {}, True)
    family.add_sample("a", {}, 10**20)
    assert text(family).endswith("a 1.5\na 1.0\na 1e+20\n")


def test_samples_of_other_classes_are_read_by_their_attributes() -> None:
    class Other:
        name, labels, value, timestamp = "a", {"b": "c"}, 1, None

    family = Metric("a", "help", "gauge")
    family.samples.append(Other())  # type: ignore[arg-type]
    assert text(family).endswith('a{b="c"} 1.0\n')
    assert om(family).endswith('a{b="c"} 1.0\n# EOF\n')


def test_times_are_whole_milliseconds_of_the_text_format() -> None:
    family = GaugeMetricFamily("a", "help")
    for time in (1.9999, -1.9999, -0.0001, 1e15, Timestamp(1, 999999)):
        family.add_metric([], 0, timestamp=time)
    times = [line.split()[-1] for line in text(family).splitlines()[2:]]
    assert times == ["1999", "-1999", "0", "1000000000000000000", "1000"]


def test_numbers_are_pythons_but_for_large_ones() -> None:
    generator = random.Random(42)
    for _ in range(20_000):
        (value,) = struct.unpack("<d", generator.randbytes(8))
        written = floatToGoString(value)
        if math.isnan(value):
            assert written == "NaN"
        elif 0 < value < 1e6 or 1e16 < value < 1e300 or value < 0:
            assert written == repr(value)
        assert math.isnan(value) or float(written) == value
    # Halfway between two of 16 digits: the even one.
    assert floatToGoString(-791438188869665.25) == "-791438188869665.2"
    assert floatToGoString(1234567.0) == "1.234567e+06"
    assert floatToGoString(1e6) == "1e+06"
    assert floatToGoString(999999.5) == "999999.5"
    assert floatToGoString(-1234567.0) == "-1234567.0"
    assert floatToGoString(-0.0) == "-0.0"


def test_a_version_that_is_none_is_passed_over() -> None:
    assert choose_encoder("application/openmetrics-text; version=x")[1] == "text/plain; version=0.0.4; charset=utf-8"
    assert choose_encoder("application/openmetrics-text; version=0.0.1, text/plain; version=1.0.0")[1] == (
        "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"
    )


def test_only_versions_that_exist_are_answered() -> None:
    assert choose_encoder("application/openmetrics-text; version=9.1.0")[1] == (
        "application/openmetrics-text; version=2.0.0; charset=utf-8; escaping=underscores"
    )
