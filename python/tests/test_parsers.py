"""The parsers, where they go beyond prometheus_client's own tests or keep a promise of ours."""

from __future__ import annotations

import io
import json
import os
import pathlib
import warnings
from collections.abc import Iterator

import pytest

from promflow import validation
from promflow.core import BucketSpan, Exemplar, Metric, NativeHistogram, Sample, Timestamp
from promflow.openmetrics import parser as openmetrics
from promflow.parser import text_fd_to_metric_families, text_string_to_metric_families

CASES = "PROMFLOW_OPENMETRICS_CASES"


def text(page: str) -> list[Metric]:
    return list(text_string_to_metric_families(page))


def om(page: str) -> list[Metric]:
    return list(openmetrics.text_string_to_metric_families(page + "# EOF\n"))


def test_families_are_given_before_the_line_that_fails() -> None:
    families = text_string_to_metric_families("# TYPE a gauge\na 1\n# TYPE b gauge\nb x\n")
    assert next(families).name == "a"
    with pytest.raises(ValueError, match="could not convert"):
        next(families)
    assert list(families) == []


def test_nothing_is_read_before_it_is_asked_for() -> None:
    read = []

    def lines() -> Iterator[str]:
        for line in ("a 1\n", "b 2\n", "c x\n"):
            read.append(line)
            yield line

    families = text_fd_to_metric_families(lines())
    assert read == []
    assert next(iter(families)).name == "a"
    assert read == ["a 1\n"]


def test_an_error_of_the_source_is_raised_as_it_is() -> None:
    def lines() -> Iterator[str]:
        yield "a 1\n"
        raise ConnectionError("gone")

    families = openmetrics.text_fd_to_metric_families(lines())
    with pytest.raises(ConnectionError, match="gone"):
        list(families)


def test_open_files_are_read_line_by_line() -> None:
    page = "# TYPE a counter\na_total 1\n# EOF\n"
    assert list(openmetrics.text_fd_to_metric_families(io.StringIO(page))) == list(
        openmetrics.text_string_to_metric_families(page)
    )


def test_samples_are_prometheus_clients_tuples() -> None:
    (family,) = text('# TYPE a gauge\na{b="c"} 1 2000\n')
    (sample,) = family.samples
    assert type(sample) is Sample
    assert sample == ("a", {"b": "c"}, 1, 2.0, None, None)
    assert type(sample.labels) is dict


@pytest.mark.parametrize(
    "written, value",
    [
        ("1", 1),
        ("+1", 1),
        ("-0", 0),
        ("007", 7),
        ("1.0", 1.0),
        ("1e3", 1000.0),
        ("9223372036854775808", 9223372036854775808),
        ("1" + "0" * 40, 10**40),
        ("+Inf", float("inf")),
        ("-inf", float("-inf")),
        ("1e999", float("inf")),
        ("١", 1),
    ],
)
def test_numbers_keep_their_type(written: str, value: float) -> None:
    for family in (*text(f"a {written}\n"), *om(f"a {written}\n")):
        assert family.samples[0].value == value
        assert type(family.samples[0].value) is type(value)


@pytest.mark.parametrize("written", ["1_000", "0x10", "1,5", "", "--1", "1 2_0", "one"])
def test_what_is_no_number_is_refused(written: str) -> None:
    for read in (text, om):
        with pytest.raises(ValueError):
            read(f"a {written}\n")


@pytest.mark.parametrize("line", ["inf", "nan", 'a{b="c"}', "a", "{}", '{b="c"} 1'])
def test_a_line_without_a_name_or_value_is_refused(line: str) -> None:
    for read in (text, om):
        with pytest.raises(ValueError):
            read(line + "\n")


@pytest.mark.parametrize(
    "line",
    [
        'a{b="c"}11',
        'a{b="c"}\t1',
        'a 1 2"garbage',
        'a 1 1.123456789x',
        'a 1 -1.+5',
    ],
)
def test_openmetrics_reads_nothing_that_the_line_does_not_say(line: str) -> None:
    with pytest.raises(ValueError):
        om(line + "\n")


def test_timestamps_are_exact() -> None:
    def time(written: str) -> object:
        return om(f"a 1 {written}\n")[0].samples[0].timestamp

    assert time("1.5") == Timestamp(1, 500000000)
    assert time("12345678901234567890.1234567890") == Timestamp(12345678901234567890, 123456789)
    assert time("-1.5") == Timestamp(-1, 500000000)
    assert time("1.") == Timestamp(1, 0)
    assert time("1.5e3") == 1500.0
    assert time("-0.5") == -0.5


def test_quoted_names_need_no_metadata() -> None:
    (family,) = om('{"a.b",c="d"} 1\n')
    assert (family.name, family.samples[0].name, family.samples[0].labels) == ("a.b", "a.b", {"c": "d"})


def test_escaped_quotes_in_an_exemplar_are_read() -> None:
    (family,) = om('# TYPE a counter\na_total 1 # {b="c\\"}d"} 2 3\n')
    assert family.samples[0].exemplar == Exemplar({"b": 'c"}d'}, 2, Timestamp(3, 0))


def test_a_native_histogram_is_read() -> None:
    (family,) = om(
        "# TYPE nh histogram\n"
        'nh{a="}{"} {count:24,sum:100,schema:0,zero_threshold:0.001,zero_count:4,'
        "positive_spans:[0:2,-1:2],positive_deltas:[2,1,-3,3]}\n"
    )
    assert family.samples == [
        Sample(
            "nh",
            {"a": "}{"},
            None,  # type: ignore[arg-type]
            None,
            None,
            NativeHistogram(24, 100.0, 0, 0.001, 4, (BucketSpan(0, 2), BucketSpan(-1, 2)), None, (2, 1, -3, 3)),
        )
    ]


@pytest.mark.parametrize(
    "fields",
    [
        "sum:100,schema:0,zero_threshold:0.001,zero_count:4",
        "count:x,sum:100,schema:0,zero_threshold:0.001,zero_count:4",
        "count:24,sum:100,schema:0,zero_threshold:0.001,zero_count:4,positive_spans:[0]",
        "count:24,sum:100,schema:0,zero_threshold:0.001,zero_count:4,positive_deltas:[1",
        "é{count:24",
    ],
)
def test_a_broken_native_histogram_is_a_value_error(fields: str) -> None:
    with pytest.raises(ValueError):
        om("# TYPE nh histogram\nnh {" + fields + "}\n")


def test_many_labels_are_checked_for_duplicates() -> None:
    labels = ",".join(f'l{i}="v"' for i in range(2000))
    assert len(text(f"a{{{labels}}} 1\n")[0].samples[0].labels) == 2000
    with pytest.raises(ValueError, match="Invalid labels"):
        text(f'a{{{labels},l7="w"}} 1\n')


def test_only_classic_names_are_read_where_they_alone_are_valid() -> None:
    validation.enable_legacy_validation()
    try:
        for page in ('{"a.b"} 1\n', 'a{"b.c"="d"} 1\n'):
            with pytest.raises(ValueError):
                text(page)
    finally:
        validation.disable_legacy_validation()


def test_lone_surrogates_are_refused() -> None:
    with pytest.raises(ValueError):
        text('a{b="\ud800"} 1\n')


def test_the_openmetrics_projects_cases_are_read_or_refused_as_they_say() -> None:
    directory = os.environ.get(CASES)
    if directory is None:
        warnings.warn(f"{CASES} is not set: the OpenMetrics project's cases are left out", stacklevel=1)
        pytest.skip(f"{CASES} names no directory")
    cases = sorted(pathlib.Path(directory).glob("*/test.json"))
    assert len(cases) > 100
    wrong = []
    for case in cases:
        page = (case.parent / "metrics").read_bytes()
        try:
            list(openmetrics.text_string_to_metric_families(page.decode("utf-8")))
            parses = True
        except ValueError:
            parses = False
        if parses != json.loads(case.read_text(encoding="utf-8"))["shouldParse"]:
            wrong.append(case.parent.name)
    assert wrong == []
