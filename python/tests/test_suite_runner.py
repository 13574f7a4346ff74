"""The runner of prometheus_client's own suite: it cannot be fooled."""

from __future__ import annotations

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "suite"))

import run  # noqa: E402


def recorder(passed: list[str], failed: list[str]) -> run.Recorder:
    made = run.Recorder()
    made.passed.update(passed)
    made.passed.update(f"filler{i}" for i in range(run.TESTS_MIN))
    made.failed.update(failed)
    return made


def test_listed_failures_are_no_problem() -> None:
    assert run.verdict(recorder(["a"], ["b"]), {"b": "reason"}) == []


def test_unlisted_failures_fail() -> None:
    assert run.verdict(recorder([], ["b"]), {}) == ["fails, and is not listed: b"]


def test_listed_tests_that_pass_fail() -> None:
    assert run.verdict(recorder(["a"], []), {"a": "reason"}) == ["is listed, and passes: a"]


def test_listed_tests_that_did_not_run_fail() -> None:
    assert run.verdict(recorder([], []), {"gone": "reason"}) == ["is listed, and did not run: gone"]


def test_a_run_without_tests_fails() -> None:
    problems = run.verdict(run.Recorder(), {})
    assert problems == [f"only 0 tests ran, where at least {run.TESTS_MIN} are expected"]


def test_the_list_is_read_as_it_is_written() -> None:
    known = run.known_failures(run.KNOWN)
    assert all(test.startswith("test_multiprocess.py::") for test in known)
    assert all(known.values())
